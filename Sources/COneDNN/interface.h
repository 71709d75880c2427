// What differs between oneDNN 2.x and 3.x: layouts are structures there and handles here, and 2.x describes an operation
// before it describes the primitive.
#pragma once
#include "OneDNN.h"
#include <oneapi/dnnl/dnnl.h>

#if DNNL_VERSION_MAJOR >= 3
typedef const_dnnl_memory_desc_t layout;
#else
typedef const dnnl_memory_desc_t *layout;
#endif

struct onednn_primitive {
    dnnl_primitive_desc_t description;
    dnnl_primitive_t primitive;
    /// `b` as it is given to `onednn_pack`.
    layout plain;
    /// Of the addend's share, where there is one.
    layout addend;
    size_t packed_size, space_size;
};

/// The processor, for the whole process.
dnnl_engine_t onednn_engine(void);

dnnl_data_type_t onednn_data_type(onednn_type type);

/// A layout of `rank` extents by tag or by distances; null on failure. `layout_free` ends it.
layout layout_tagged(int rank, const dnnl_dim_t *extents, dnnl_data_type_t type, dnnl_format_tag_t tag);
layout layout_strided(int rank, const dnnl_dim_t *extents, dnnl_data_type_t type, const dnnl_dim_t *distances);
void layout_free(layout x);
size_t layout_size(layout x);

/// One of the layouts that a primitive asks for.
static inline layout layout_asked(dnnl_primitive_desc_t description, dnnl_query_t what) {
    return dnnl_primitive_desc_query_md(description, what, 0);
}

/// Descriptions of primitives; 0 on failure. Null is no bias.
int describe_product(
    dnnl_primitive_desc_t *description, layout a, layout b, layout bias, layout c, dnnl_primitive_attr_t attributes);
int describe_convolution(
    dnnl_primitive_desc_t *description, layout image, layout weight, layout result, ptrdiff_t stride,
    dnnl_primitive_attr_t attributes);
int append_activation(dnnl_post_ops_t operations, onednn_activation activation);
