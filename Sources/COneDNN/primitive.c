// Making and running primitives. OneDNN.h says what they compute.
#define _GNU_SOURCE
#include "interface.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static dnnl_engine_t engine;
/// OpenMP's setting of the thread that calls it; null where there is no OpenMP.
static void (*set_thread_count)(int);
static int is_usable;

static void begin(void) {
    const unsigned runtime = dnnl_version()->cpu_runtime;
    if (runtime == DNNL_RUNTIME_OMP) *(void **)&set_thread_count = dlsym(RTLD_DEFAULT, "omp_set_num_threads");
    if (runtime != DNNL_RUNTIME_SEQ && !set_thread_count) return;
    is_usable = dnnl_engine_create(&engine, dnnl_cpu, 0) == dnnl_success;
}

/// Makes the library compute on the thread that calls, from now on.
static void stay_on_this_thread(void) {
    static _Thread_local int done;
    if (!done && set_thread_count) set_thread_count(1);
    done = 1;
}

int onednn_is_usable(void) {
    pthread_once(&once, begin);
    return is_usable;
}

int onednn_limit(onednn_instructions most) {
    static const dnnl_cpu_isa_t sets[] = {
        [onednn_sse41] = dnnl_cpu_isa_sse41,
        [onednn_avx2] = dnnl_cpu_isa_avx2,
        [onednn_avx512] = dnnl_cpu_isa_avx512_core,
        [onednn_avx512_bf16] = dnnl_cpu_isa_avx512_core_bf16,
    };
    return dnnl_set_max_cpu_isa(sets[most]) == dnnl_success;
}

int onednn_version(void) {
    const dnnl_version_t *v = dnnl_version();
    return v->major * 10000 + v->minor * 100 + v->patch;
}

dnnl_engine_t onednn_engine(void) { return engine; }

dnnl_data_type_t onednn_data_type(onednn_type type) { return type == onednn_bfloat16 ? dnnl_bf16 : dnnl_f32; }

/// A primitive of a description, which it owns from then on, as it owns `plain` and `addend`.
static onednn_primitive *made(dnnl_primitive_desc_t description, layout plain, layout addend) {
    onednn_primitive *x = calloc(1, sizeof *x);
    if (!x) abort();
    x->description = description;
    x->plain = plain;
    x->addend = addend;
    if (!description || dnnl_primitive_create(&x->primitive, description) != dnnl_success) {
        onednn_release(x);
        return NULL;
    }
    x->packed_size = layout_size(layout_asked(description, dnnl_query_weights_md));
    x->space_size = layout_size(layout_asked(description, dnnl_query_scratchpad_md));
    return x;
}

static dnnl_primitive_attr_t new_attributes(void) {
    dnnl_primitive_attr_t attributes = NULL;
    // The caller's space: a primitive runs on several threads at once.
    if (dnnl_primitive_attr_create(&attributes) != dnnl_success
        || dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user) != dnnl_success)
        abort();
#if DNNL_VERSION_MAJOR >= 3 || DNNL_VERSION_MINOR >= 6
    // Whatever the environment says: products of float32 are float32.
    if (dnnl_primitive_attr_set_fpmath_mode(attributes, dnnl_fpmath_mode_strict) != dnnl_success) abort();
#endif
    return attributes;
}

onednn_primitive *onednn_make_product(const onednn_product *p) {
    if (!onednn_is_usable()) return NULL;
    stay_on_this_thread();
    const dnnl_data_type_t type = onednn_data_type(p->type), result = onednn_data_type(p->result_type);
    const dnnl_dims_t left = {p->m, p->k}, right = {p->k, p->n}, sums = {p->m, p->n}, line = {1, p->n};
    const dnnl_dims_t a_steps = {p->a_row, p->a_column}, b_steps = {p->b_row, p->b_column}, c_steps = {p->c_row, 1};
    const layout a = layout_strided(2, left, type, a_steps), plain = layout_strided(2, right, type, b_steps);
    const layout b = p->is_packed ? layout_tagged(2, right, type, dnnl_format_tag_any) : plain;
    const layout c = layout_strided(2, sums, result, c_steps), bias = layout_tagged(2, line, dnnl_f32, dnnl_ab);
    const layout addend = p->has_addend ? layout_strided(2, sums, result, c_steps) : NULL;
    dnnl_primitive_attr_t attributes = new_attributes();
    dnnl_post_ops_t operations = NULL;
    if (dnnl_post_ops_create(&operations) != dnnl_success) abort();
    dnnl_primitive_desc_t description = NULL;
    const int is_made = (!p->has_addend || dnnl_post_ops_append_binary(operations, dnnl_binary_add, addend) == dnnl_success)
        && (p->activation == onednn_nothing || append_activation(operations, p->activation))
        && dnnl_primitive_attr_set_post_ops(attributes, operations) == dnnl_success
        && describe_product(&description, a, b, p->has_bias ? bias : NULL, c, attributes);
    dnnl_post_ops_destroy(operations);
    dnnl_primitive_attr_destroy(attributes);
    layout_free(a);
    if (p->is_packed) layout_free(b);
    layout_free(c);
    layout_free(bias);
    return made(is_made ? description : NULL, plain, addend);
}

onednn_primitive *onednn_make_convolution(const onednn_convolution *p) {
    if (!onednn_is_usable()) return NULL;
    stay_on_this_thread();
    const dnnl_data_type_t type = onednn_data_type(p->type);
    const dnnl_dim_t rows = (p->height - p->kernel_height) / p->stride + 1;
    const dnnl_dim_t columns = (p->width - p->kernel_width) / p->stride + 1;
    const dnnl_dims_t image_extents = {1, p->channels, p->height, p->width};
    const dnnl_dims_t weights = {p->outputs, p->channels, p->kernel_height, p->kernel_width};
    const dnnl_dims_t results = {1, p->outputs, rows, columns};
    const layout image = layout_tagged(4, image_extents, type, dnnl_nhwc);
    const layout weight = layout_tagged(4, weights, type, dnnl_format_tag_any);
    const layout plain = layout_tagged(4, weights, type, dnnl_oihw);
    const layout result = layout_tagged(4, results, dnnl_f32, dnnl_nhwc);
    dnnl_primitive_attr_t attributes = new_attributes();
    dnnl_primitive_desc_t description = NULL;
    const int is_made = describe_convolution(&description, image, weight, result, p->stride, attributes);
    dnnl_primitive_attr_destroy(attributes);
    layout_free(image);
    layout_free(weight);
    layout_free(result);
    return made(is_made ? description : NULL, plain, NULL);
}

void onednn_release(onednn_primitive *x) {
    if (!x) return;
    if (x->primitive) dnnl_primitive_destroy(x->primitive);
    if (x->description) dnnl_primitive_desc_destroy(x->description);
    layout_free(x->plain);
    layout_free(x->addend);
    free(x);
}

size_t onednn_packed_size(const onednn_primitive *x) { return x->packed_size; }

size_t onednn_space_size(const onednn_primitive *x) { return x->space_size; }

const char *onednn_name(const onednn_primitive *x) {
    const char *name = "";
    dnnl_primitive_desc_query(x->description, dnnl_query_impl_info_str, 0, &name);
    return name;
}

/// Runs a primitive on up to eight operands, `layouts[i]` at `places[i]`.
static int run(
    dnnl_primitive_t primitive, int count, const int *arguments, const layout *layouts, void *const *places) {
    stay_on_this_thread();
    dnnl_stream_t stream = NULL;
    dnnl_exec_arg_t list[8];
    int made_count = 0;
    int ok = dnnl_stream_create(&stream, engine, dnnl_stream_default_flags) == dnnl_success;
    for (; ok && made_count < count; made_count++) {
        list[made_count].arg = arguments[made_count];
        ok = dnnl_memory_create(&list[made_count].memory, layouts[made_count], engine, places[made_count]) == dnnl_success;
        if (!ok) break;
    }
    ok = ok && dnnl_primitive_execute(primitive, stream, count, list) == dnnl_success
        && dnnl_stream_wait(stream) == dnnl_success;
    for (int i = 0; i < made_count; i++) dnnl_memory_destroy(list[i].memory);
    if (stream) dnnl_stream_destroy(stream);
    return ok;
}

int onednn_pack(const onednn_primitive *x, const void *b, void *packed) {
    const layout target = layout_asked(x->description, dnnl_query_weights_md);
    dnnl_primitive_desc_t description = NULL;
    dnnl_primitive_t reorder = NULL;
    stay_on_this_thread();
    int ok = dnnl_reorder_primitive_desc_create(&description, x->plain, engine, target, engine, NULL) == dnnl_success
        && dnnl_primitive_create(&reorder, description) == dnnl_success;
    if (ok) {
        const int arguments[] = {DNNL_ARG_FROM, DNNL_ARG_TO};
        const layout layouts[] = {x->plain, target};
        void *const places[] = {(void *)b, packed};
        ok = run(reorder, 2, arguments, layouts, places);
    }
    if (reorder) dnnl_primitive_destroy(reorder);
    if (description) dnnl_primitive_desc_destroy(description);
    return ok;
}

int onednn_packs_alike(const onednn_primitive *x, const onednn_primitive *y) {
    return dnnl_memory_desc_equal(
        layout_asked(x->description, dnnl_query_weights_md), layout_asked(y->description, dnnl_query_weights_md));
}

int onednn_run(const onednn_primitive *x, const onednn_operands *o) {
    int arguments[6], count = 0;
    layout layouts[6];
    void *places[6];
#define ADD(argument, form, place)                                                                                     \
    arguments[count] = (argument);                                                                                     \
    layouts[count] = (form);                                                                                           \
    places[count++] = (void *)(place)
    ADD(DNNL_ARG_SRC, layout_asked(x->description, dnnl_query_src_md), o->a);
    ADD(DNNL_ARG_WEIGHTS, layout_asked(x->description, dnnl_query_weights_md), o->b);
    ADD(DNNL_ARG_DST, layout_asked(x->description, dnnl_query_dst_md), o->c);
    ADD(DNNL_ARG_SCRATCHPAD, layout_asked(x->description, dnnl_query_scratchpad_md), o->space);
    const layout shift = dnnl_primitive_desc_query_md(x->description, dnnl_query_weights_md, 1);
    if (shift && layout_size(shift) > 0) {
        ADD(DNNL_ARG_BIAS, shift, o->bias);
    }
    if (x->addend) {
        ADD(DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, x->addend, o->addend);
    }
#undef ADD
    return run(x->primitive, count, arguments, layouts, places);
}
