// The calls that differ between the two interfaces; see interface.h.
#include "interface.h"
#include <stdlib.h>

static dnnl_alg_kind_t algorithm_of(onednn_activation activation) {
    return activation == onednn_gelu ? dnnl_eltwise_gelu_erf : dnnl_eltwise_gelu_tanh;
}

#if DNNL_VERSION_MAJOR >= 3

layout layout_tagged(int rank, const dnnl_dim_t *extents, dnnl_data_type_t type, dnnl_format_tag_t tag) {
    dnnl_memory_desc_t made = NULL;
    return dnnl_memory_desc_create_with_tag(&made, rank, extents, type, tag) == dnnl_success ? made : NULL;
}

layout layout_strided(int rank, const dnnl_dim_t *extents, dnnl_data_type_t type, const dnnl_dim_t *distances) {
    dnnl_memory_desc_t made = NULL;
    return dnnl_memory_desc_create_with_strides(&made, rank, extents, type, distances) == dnnl_success ? made : NULL;
}

void layout_free(layout x) {
    if (x) dnnl_memory_desc_destroy((dnnl_memory_desc_t)x);
}

int describe_product(
    dnnl_primitive_desc_t *description, layout a, layout b, layout bias, layout c, dnnl_primitive_attr_t attributes) {
    return dnnl_matmul_primitive_desc_create(description, onednn_engine(), a, b, bias, c, attributes) == dnnl_success;
}

int describe_convolution(
    dnnl_primitive_desc_t *description, layout image, layout weight, layout result, ptrdiff_t stride,
    dnnl_primitive_attr_t attributes) {
    const dnnl_dims_t strides = {stride, stride}, none = {0, 0};
    return dnnl_convolution_forward_primitive_desc_create(
               description, onednn_engine(), dnnl_forward_inference, dnnl_convolution_direct, image, weight, NULL, result,
               strides, none, none, none, attributes)
        == dnnl_success;
}

int append_activation(dnnl_post_ops_t operations, onednn_activation activation) {
    return dnnl_post_ops_append_eltwise(operations, algorithm_of(activation), 0, 0) == dnnl_success;
}

#else

static layout kept(const dnnl_memory_desc_t *x) {
    dnnl_memory_desc_t *made = malloc(sizeof *made);
    if (made) *made = *x;
    return made;
}

layout layout_tagged(int rank, const dnnl_dim_t *extents, dnnl_data_type_t type, dnnl_format_tag_t tag) {
    dnnl_memory_desc_t made;
    return dnnl_memory_desc_init_by_tag(&made, rank, extents, type, tag) == dnnl_success ? kept(&made) : NULL;
}

layout layout_strided(int rank, const dnnl_dim_t *extents, dnnl_data_type_t type, const dnnl_dim_t *distances) {
    dnnl_memory_desc_t made;
    return dnnl_memory_desc_init_by_strides(&made, rank, extents, type, distances) == dnnl_success ? kept(&made) : NULL;
}

void layout_free(layout x) { free((dnnl_memory_desc_t *)x); }

int describe_product(
    dnnl_primitive_desc_t *description, layout a, layout b, layout bias, layout c, dnnl_primitive_attr_t attributes) {
    dnnl_matmul_desc_t operation;
    return dnnl_matmul_desc_init(&operation, a, b, bias, c) == dnnl_success
        && dnnl_primitive_desc_create(description, &operation, attributes, onednn_engine(), NULL) == dnnl_success;
}

int describe_convolution(
    dnnl_primitive_desc_t *description, layout image, layout weight, layout result, ptrdiff_t stride,
    dnnl_primitive_attr_t attributes) {
    const dnnl_dims_t strides = {stride, stride}, none = {0, 0};
    dnnl_convolution_desc_t operation;
    return dnnl_convolution_forward_desc_init(
               &operation, dnnl_forward_inference, dnnl_convolution_direct, image, weight, NULL, result, strides, none,
               none)
        == dnnl_success
        && dnnl_primitive_desc_create(description, &operation, attributes, onednn_engine(), NULL) == dnnl_success;
}

int append_activation(dnnl_post_ops_t operations, onednn_activation activation) {
    return dnnl_post_ops_append_eltwise(operations, 1, algorithm_of(activation), 0, 0) == dnnl_success;
}

#endif

size_t layout_size(layout x) { return dnnl_memory_desc_get_size(x); }
