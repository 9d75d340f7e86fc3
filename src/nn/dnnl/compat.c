/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oneDNN 2.x and 3.x, see compat.h.
 *
 * Source: the two versions' own headers (oneapi/dnnl/dnnl.h) and the 2.x to 3.0 transition guide of
 * the oneDNN documentation.
 */
#include "nn/dnnl/compat.h"

#include "base/mem.h"

#include <pthread.h>
#include <string.h>

/* ---- layouts ---- */

dnnl_data_type_t vt_layout_dtype(vt_dtype dtype)
{
    switch (dtype) {
    case VT_F32:
        return dnnl_f32;
    case VT_BF16:
        return dnnl_bf16;
    case VT_F16:
        return dnnl_f16;
    case VT_I32:
        return dnnl_s32;
    case VT_I8:
        return dnnl_s8;
    case VT_U8:
        return dnnl_u8;
    default:
        return dnnl_data_type_undef;
    }
}

vt_dtype vt_layout_type(const vt_layout *layout)
{
    static const vt_dtype known[] = {VT_F32, VT_BF16, VT_F16, VT_I32, VT_I8, VT_U8};
#if DNNL_VERSION_MAJOR >= 3
    dnnl_data_type_t type = dnnl_data_type_undef;
    dnnl_memory_desc_query(layout, dnnl_query_data_type, &type);
#else
    dnnl_data_type_t type = layout->data_type;
#endif
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (vt_layout_dtype(known[i]) == type) {
            return known[i];
        }
    }
    return VT_DTYPE_NONE;
}

/* steps NULL: in the order that the tag names, else by these strides. */
static vt_layout *layout_make(int rank, const dnnl_dims_t dims, vt_dtype dtype,
                              dnnl_format_tag_t tag, const dnnl_dim_t *steps)
{
    dnnl_data_type_t type = vt_layout_dtype(dtype);
#if DNNL_VERSION_MAJOR >= 3
    dnnl_memory_desc_t layout = NULL;
    dnnl_status_t made =
        steps ? dnnl_memory_desc_create_with_strides(&layout, rank, dims, type, steps)
              : dnnl_memory_desc_create_with_tag(&layout, rank, dims, type, tag);
    return made == dnnl_success ? layout : NULL;
#else
    vt_layout *layout = vt_calloc(1, sizeof *layout);
    if (!layout) {
        return NULL;
    }
    dnnl_status_t made = steps ? dnnl_memory_desc_init_by_strides(layout, rank, dims, type, steps)
                               : dnnl_memory_desc_init_by_tag(layout, rank, dims, type, tag);
    if (made != dnnl_success) {
        vt_free(layout);
        return NULL;
    }
    return layout;
#endif
}

vt_layout *vt_layout_new_blocks(const int64_t dims[4], vt_dtype dtype)
{
    dnnl_dims_t sizes = {dims[0], dims[1], dims[2], dims[3]};
    return layout_make(4, sizes, dtype, dnnl_aBcd16b, NULL);
}

vt_layout *vt_layout_new(int rank, const int64_t *dims, const int64_t *strides, bool any,
                         vt_dtype dtype)
{
    dnnl_dims_t sizes = {1}, steps = {0};
    int count = rank > 0 ? rank : 1;
    for (int i = 0; i < rank; i++) {
        sizes[i] = dims[i];
    }
    int64_t step = 1;
    for (int i = count; i-- > 0;) {
        steps[i] = strides ? strides[i] : step;
        step *= sizes[i] > 0 ? sizes[i] : 1;
    }
    return layout_make(count, sizes, dtype, dnnl_format_tag_any, any ? NULL : steps);
}

bool vt_layout_equal(const vt_layout *a, const vt_layout *b)
{
    return dnnl_memory_desc_equal(a, b) != 0;
}

size_t vt_layout_bytes(const vt_layout *layout)
{
    return dnnl_memory_desc_get_size(layout);
}

#if DNNL_VERSION_MAJOR >= 3
vt_layout *vt_layout_dup(const vt_layout *layout)
{
    dnnl_memory_desc_t copy = NULL;
    return dnnl_memory_desc_clone(&copy, layout) == dnnl_success ? copy : NULL;
}

void vt_layout_free(vt_layout *layout)
{
    if (layout) {
        dnnl_memory_desc_destroy(layout);
    }
}

vt_layout_view vt_layout_view_of(const vt_layout *layout)
{
    vt_layout_view view = {0};
    dnnl_format_kind_t kind = dnnl_format_kind_undef;
    const dnnl_dims_t *dims = NULL, *padded = NULL, *strides = NULL, *blocks = NULL, *axes = NULL;
    dnnl_memory_desc_query(layout, dnnl_query_ndims_s32, &view.rank);
    dnnl_memory_desc_query(layout, dnnl_query_format_kind, &kind);
    dnnl_memory_desc_query(layout, dnnl_query_dims, &dims);
    view.dims = dims ? *dims : NULL;
    if (kind == dnnl_blocked &&
        dnnl_memory_desc_query(layout, dnnl_query_padded_dims, &padded) == dnnl_success &&
        dnnl_memory_desc_query(layout, dnnl_query_strides, &strides) == dnnl_success &&
        dnnl_memory_desc_query(layout, dnnl_query_inner_nblks_s32, &view.block_count) ==
            dnnl_success &&
        dnnl_memory_desc_query(layout, dnnl_query_inner_blks, &blocks) == dnnl_success &&
        dnnl_memory_desc_query(layout, dnnl_query_inner_idxs, &axes) == dnnl_success) {
        view.blocked = true;
        view.padded = *padded;
        view.strides = *strides;
        view.blocks = *blocks;
        view.block_axes = *axes;
    }
    return view;
}
#else
vt_layout *vt_layout_dup(const vt_layout *layout)
{
    vt_layout *copy = vt_alloc(sizeof *copy);
    if (copy) {
        *copy = *layout;
    }
    return copy;
}

void vt_layout_free(vt_layout *layout)
{
    vt_free(layout);
}

vt_layout_view vt_layout_view_of(const vt_layout *layout)
{
    const dnnl_blocking_desc_t *blocking = &layout->format_desc.blocking;
    return (vt_layout_view){
        .rank = layout->ndims,
        .block_count = blocking->inner_nblks,
        .blocked = layout->format_kind == dnnl_blocked && layout->extra.flags == 0,
        .dims = layout->dims,
        .padded = layout->padded_dims,
        .strides = blocking->strides,
        .blocks = blocking->inner_blks,
        .block_axes = blocking->inner_idxs,
    };
}
#endif

#if DNNL_VERSION_MAJOR >= 3
/* Whether two layouts place elements alike, whatever their types. */
static bool same_places(const vt_layout *a, const vt_layout *b)
{
    vt_layout_view x = vt_layout_view_of(a), y = vt_layout_view_of(b);
    bool same = x.blocked && y.blocked && x.rank == y.rank && x.block_count == y.block_count;
    for (int i = 0; same && i < x.rank; i++) {
        same = x.strides[i] == y.strides[i] && x.padded[i] == y.padded[i];
    }
    for (int i = 0; same && i < x.block_count; i++) {
        same = x.blocks[i] == y.blocks[i] && x.block_axes[i] == y.block_axes[i];
    }
    return same;
}

/* 3.x hides the type inside: what has no blocks is made from its strides, the blocks of channels
 * that its own primitives use from their names. */
bool vt_layout_retype(const vt_layout *layout, vt_dtype dtype, vt_layout **out)
{
    static const dnnl_format_tag_t tags[] = {dnnl_aBcd16b, dnnl_aBcd8b, dnnl_aBcde16b,
                                             dnnl_aBcde8b, dnnl_aBc16b, dnnl_aBc8b};
    vt_layout_view view = vt_layout_view_of(layout);
    dnnl_memory_desc_t made = NULL;
    *out = NULL;
    if (vt_layout_type(layout) == dtype) {
        *out = vt_layout_dup(layout);
        return *out != NULL;
    }
    if (view.blocked && view.block_count == 0) {
        *out = vt_layout_new(view.rank, view.dims, view.strides, false, dtype);
        return *out != NULL;
    }
    for (size_t i = 0; view.blocked && i < sizeof tags / sizeof tags[0]; i++) {
        dnnl_status_t status = dnnl_memory_desc_create_with_tag(&made, view.rank, view.dims,
                                                                vt_layout_dtype(dtype), tags[i]);
        if (status == dnnl_out_of_memory) {
            return false;
        }
        if (status == dnnl_success && same_places(made, layout)) {
            *out = made;
            return true;
        }
        if (status == dnnl_success) {
            dnnl_memory_desc_destroy(made);
        }
    }
    return true;
}
#else
bool vt_layout_retype(const vt_layout *layout, vt_dtype dtype, vt_layout **out)
{
    *out = vt_layout_dup(layout);
    if (*out) {
        (*out)->data_type = vt_layout_dtype(dtype);
    }
    return *out != NULL;
}
#endif

/* oneDNN's permutation says where each axis goes, not where it comes from. */
vt_layout *vt_layout_permute(const vt_layout *layout, const int *order)
{
    int goes_to[DNNL_MAX_NDIMS], rank = vt_layout_view_of(layout).rank;
    for (int i = 0; i < rank; i++) {
        goes_to[order[i]] = i;
    }
#if DNNL_VERSION_MAJOR >= 3
    dnnl_memory_desc_t made = NULL;
    return dnnl_memory_desc_permute_axes(&made, layout, goes_to) == dnnl_success ? made : NULL;
#else
    vt_layout *made = vt_alloc(sizeof *made);
    if (made && dnnl_memory_desc_permute_axes(made, layout, goes_to) != dnnl_success) {
        vt_free(made);
        return NULL;
    }
    return made;
#endif
}

bool vt_layout_reshape(const vt_layout *layout, int rank, const int64_t *dims, vt_layout **out)
{
    *out = NULL;
#if DNNL_VERSION_MAJOR >= 3
    dnnl_memory_desc_t made = NULL;
    dnnl_status_t status = dnnl_memory_desc_reshape(&made, layout, rank, dims);
    *out = status == dnnl_success ? made : NULL;
    return status != dnnl_out_of_memory;
#else
    vt_layout *made = vt_alloc(sizeof *made);
    if (made && dnnl_memory_desc_reshape(made, layout, rank, dims) != dnnl_success) {
        vt_free(made);
        return true;
    }
    *out = made;
    return made != NULL;
#endif
}

static vt_layout *layout_by_tag(int rank, const int64_t *dims, dnnl_data_type_t type,
                                dnnl_format_tag_t tag, bool *memory)
{
    dnnl_dims_t sizes;
    for (int i = 0; i < rank; i++) {
        sizes[i] = dims[i];
    }
#if DNNL_VERSION_MAJOR >= 3
    dnnl_memory_desc_t made = NULL;
    dnnl_status_t status = dnnl_memory_desc_create_with_tag(&made, rank, sizes, type, tag);
    *memory = *memory && status != dnnl_out_of_memory;
    return status == dnnl_success ? made : NULL;
#else
    vt_layout *made = vt_alloc(sizeof *made);
    *memory = *memory && made;
    if (made && dnnl_memory_desc_init_by_tag(made, rank, sizes, type, tag) != dnnl_success) {
        vt_free(made);
        return NULL;
    }
    return made;
#endif
}

bool vt_layout_resize(const vt_layout *layout, const int64_t *dims, vt_layout **out)
{
    static const dnnl_format_tag_t tags[3][4] = {
        {dnnl_abc, dnnl_acb, dnnl_aBc16b, dnnl_aBc8b},
        {dnnl_abcd, dnnl_acdb, dnnl_aBcd16b, dnnl_aBcd8b},
        {dnnl_abcde, dnnl_acdeb, dnnl_aBcde16b, dnnl_aBcde8b},
    };
    vt_layout_view view = vt_layout_view_of(layout);
    dnnl_data_type_t type = vt_layout_dtype(vt_layout_type(layout));
    bool memory = true;
    *out = NULL;
    for (int i = 0; i < 4 && view.rank >= 3 && view.rank <= 5 && !*out && memory; i++) {
        dnnl_format_tag_t tag = tags[view.rank - 3][i];
        vt_layout *same = layout_by_tag(view.rank, view.dims, type, tag, &memory);
        if (same && vt_layout_equal(same, layout)) {
            *out = layout_by_tag(view.rank, dims, type, tag, &memory);
        }
        vt_layout_free(same);
    }
    return memory;
}

/* ---- attributes ---- */

#if DNNL_VERSION_MAJOR >= 3
/* 3.x made the constants of these two parameters. */
static void eltwise_constants(const vt_post *post, float *alpha, float *beta)
{
    *alpha = post->alpha;
    *beta = post->beta;
    if (post->algorithm == dnnl_eltwise_hardswish) {
        *alpha = 1.0F / 6.0F;
        *beta = 0.5F;
    } else if (post->algorithm == dnnl_eltwise_soft_relu) {
        *alpha = 1.0F;
    }
}
#endif

/* Which dimensions of the weights (3.x) or of the result (2.x) scales by output channel follow. */
typedef struct vt_attr_masks {
    int weights, result;
} vt_attr_masks;

static dnnl_status_t append_post(dnnl_post_ops_t list, const vt_post *post)
{
    if (post->kind == VT_APPEND_BINARY) {
        return dnnl_post_ops_append_binary(list, post->algorithm, post->operand);
    }
    if (post->kind == VT_APPEND_SUM) {
#if DNNL_VERSION_MAJOR >= 3
        return dnnl_post_ops_append_sum(list, 1.0F, 0, vt_layout_dtype(post->dtype));
#else
        return dnnl_post_ops_append_sum_v2(list, 1.0F, vt_layout_dtype(post->dtype));
#endif
    }
#if DNNL_VERSION_MAJOR >= 3
    float alpha, beta;
    eltwise_constants(post, &alpha, &beta);
    return dnnl_post_ops_append_eltwise(list, post->algorithm, alpha, beta);
#else
    return dnnl_post_ops_append_eltwise(list, 1.0F, post->algorithm, post->alpha, post->beta);
#endif
}

#if DNNL_VERSION_MAJOR >= 3
int vt_argument_scales(void)
{
    return DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS;
}

int vt_argument_source_zero(void)
{
    return DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_SRC;
}

int vt_argument_reorder_scale(void)
{
    return DNNL_ARG_ATTR_SCALES | DNNL_ARG_FROM;
}

static dnnl_status_t set_quant(dnnl_primitive_attr_t attr, const vt_pd_quant *quant,
                               const vt_attr_masks *masks)
{
    dnnl_status_t status = dnnl_primitive_attr_set_scales_mask(
        attr, DNNL_ARG_WEIGHTS, quant->count > 1 ? masks->weights : 0);
    if (status == dnnl_success && quant->source_zero != 0) {
        status = dnnl_primitive_attr_set_zero_points_mask(attr, DNNL_ARG_SRC, 0);
    }
    return status;
}
#else
int vt_argument_scales(void)
{
    return 0;
}

int vt_argument_source_zero(void)
{
    return 0;
}

int vt_argument_reorder_scale(void)
{
    return 0;
}

static dnnl_status_t set_quant(dnnl_primitive_attr_t attr, const vt_pd_quant *quant,
                               const vt_attr_masks *masks)
{
    dnnl_status_t status = dnnl_primitive_attr_set_output_scales(
        attr, (dnnl_dim_t)quant->count, quant->count > 1 ? masks->result : 0, quant->scales);
    if (status == dnnl_success && quant->source_zero != 0) {
        status = dnnl_primitive_attr_set_zero_points(attr, DNNL_ARG_SRC, 1, 0, &quant->source_zero);
    }
    return status;
}
#endif

static dnnl_status_t set_posts(dnnl_primitive_attr_t attr, const vt_posts *posts)
{
    dnnl_post_ops_t list = NULL;
    dnnl_status_t status = dnnl_post_ops_create(&list);
    for (int i = 0; status == dnnl_success && i < posts->count; i++) {
        status = append_post(list, &posts->items[i]);
    }
    if (status == dnnl_success) {
        status = dnnl_primitive_attr_set_post_ops(attr, list);
    }
    if (list) {
        dnnl_post_ops_destroy(list);
    }
    return status;
}

/* posts may be NULL; masks matter where they bring scales by channel. */
static dnnl_status_t attr_new_masked(const vt_posts *posts, const vt_attr_masks *masks,
                                     dnnl_primitive_attr_t *out)
{
    dnnl_primitive_attr_t attr = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(&attr);
    if (status == dnnl_success) {
        status = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    }
    if (status == dnnl_success && posts && posts->count > 0) {
        status = set_posts(attr, posts);
    }
    if (status == dnnl_success && posts && posts->quant) {
        status = set_quant(attr, posts->quant, masks);
    }
    if (status != dnnl_success) {
        if (attr) {
            dnnl_primitive_attr_destroy(attr);
        }
        return status;
    }
    *out = attr;
    return dnnl_success;
}

static dnnl_status_t attr_new(const vt_posts *posts, dnnl_primitive_attr_t *out)
{
    return attr_new_masked(posts, &(vt_attr_masks){0, 0}, out);
}

dnnl_status_t vt_attr_plain(dnnl_primitive_attr_t *out)
{
    return attr_new(NULL, out);
}

/* ---- primitive descriptors ----
 * Each function is the 3.x call, and the pair of 2.x calls that means the same. */

#if DNNL_VERSION_MAJOR < 3
/* 2.x finds the code of a reorder in a map that the search itself adds to, with no lock, and other
 * operations hold reorders: descriptors are made one at a time. */
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;

dnnl_status_t vt_pd_make(dnnl_status_t described, const void *description,
                         dnnl_primitive_attr_t attr, dnnl_engine_t engine,
                         const_dnnl_primitive_desc_t hint, dnnl_primitive_desc_t *out)
{
    if (described != dnnl_success) {
        return described;
    }
    pthread_mutex_lock(&making);
    dnnl_status_t status = dnnl_primitive_desc_create(out, description, attr, engine, hint);
    pthread_mutex_unlock(&making);
    return status;
}
#endif

#if DNNL_VERSION_MAJOR >= 3
/* Whether this code computes integers wrongly: products of groups whose sums it mixes up; and that
 * for SSE 4.1 and AVX2, which halves weights lest its sums of pairs overflow, where the processor
 * has products that need no such thing. */
static bool code_unfit(dnnl_primitive_desc_t desc, bool grouped)
{
    const char *name = NULL;
    if (dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, (void *)&name) !=
        dnnl_success) {
        return false;
    }
    bool halves = strstr(name, "jit_uni_int8") && vt_precision_is_fast(VT_PRECISION_INT8);
    return halves || (grouped && strstr(name, "gemm"));
}

/* Weights of integers carry sums of themselves that only oneDNN's reorder makes, and that of 3.7
 * leaves elements out where blocks are padded: the next code that wants none is taken. */
static dnnl_status_t skip_unfit(dnnl_primitive_desc_t desc, bool grouped)
{
    dnnl_status_t status = dnnl_success;
    for (bool unfit = true; status == dnnl_success && unfit;) {
        vt_layout_view view =
            vt_layout_view_of(dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 0));
        unfit = code_unfit(desc, grouped);
        for (int i = 0; view.blocked && i < view.rank; i++) {
            unfit = unfit || view.padded[i] != view.dims[i];
        }
        status = unfit ? dnnl_primitive_desc_next_impl(desc) : dnnl_success;
    }
    return status == dnnl_last_impl_reached ? dnnl_unimplemented : status;
}
#endif

static dnnl_status_t convolution_by(dnnl_alg_kind_t algorithm, dnnl_engine_t engine,
                                    const vt_layout *const layouts[4], const vt_pd_window *window,
                                    dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *out)
{
    /* Winograd's takes weights as they are for training, transformed beforehand for inference. */
    dnnl_prop_kind_t kind = window->trained && algorithm == dnnl_convolution_winograd
                                ? dnnl_forward_training
                                : dnnl_forward_inference;
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_convolution_forward_primitive_desc_create(
        out, engine, kind, algorithm, layouts[0], layouts[1], layouts[2], layouts[3],
        window->strides, window->dilates, window->low, window->high, attr);
#else
    dnnl_convolution_desc_t description;
    dnnl_status_t status = dnnl_dilated_convolution_forward_desc_init(
        &description, kind, algorithm, layouts[0], layouts[1], layouts[2], layouts[3],
        window->strides, window->dilates, window->low, window->high);
    return vt_pd_make(status, &description, attr, engine, NULL, out);
#endif
}

dnnl_status_t vt_pd_convolution(dnnl_engine_t engine, const vt_layout *const layouts[4],
                                const vt_pd_window *window, const vt_posts *posts,
                                dnnl_primitive_desc_t *out)
{
    dnnl_primitive_attr_t attr;
    bool grouped = vt_layout_view_of(layouts[1]).rank > vt_layout_view_of(layouts[0]).rank;
    const vt_attr_masks masks = {grouped ? 1 << 0 | 1 << 1 : 1 << 0, 1 << 1};
    dnnl_status_t status = attr_new_masked(posts, &masks, &attr);
    if (status != dnnl_success) {
        return status;
    }
    status = window->winograd
                 ? convolution_by(dnnl_convolution_winograd, engine, layouts, window, attr, out)
                 : dnnl_unimplemented;
    if (status != dnnl_success && status != dnnl_out_of_memory) {
        status = convolution_by(dnnl_convolution_direct, engine, layouts, window, attr, out);
    }
#if DNNL_VERSION_MAJOR >= 3
    if (status == dnnl_success && posts->quant) {
        status = skip_unfit(*out, grouped);
        if (status != dnnl_success) {
            dnnl_primitive_desc_destroy(*out);
            *out = NULL;
        }
    }
#endif
    dnnl_primitive_attr_destroy(attr);
    return status;
}

dnnl_status_t vt_pd_has_winograd(dnnl_engine_t engine, bool *has)
{
    const vt_pd_window window = {
        .kernel = {3, 3}, .strides = {1, 1}, .low = {1, 1}, .high = {1, 1}};
    const int64_t maps[4] = {1, 16, 16, 16}, weights[4] = {16, 16, 3, 3};
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t desc = NULL;
    vt_layout *any = vt_layout_new(4, maps, NULL, true, VT_F32);
    vt_layout *kernels = vt_layout_new(4, weights, NULL, true, VT_F32);
    const vt_layout *const layouts[4] = {any, kernels, NULL, any};
    dnnl_status_t status = any && kernels ? attr_new(NULL, &attr) : dnnl_out_of_memory;
    if (status == dnnl_success) {
        status = convolution_by(dnnl_convolution_winograd, engine, layouts, &window, attr, &desc);
        dnnl_primitive_attr_destroy(attr);
    }
    *has = status == dnnl_success;
    if (*has) {
        dnnl_primitive_desc_destroy(desc);
    }
    vt_layout_free(any);
    vt_layout_free(kernels);
    return status == dnnl_out_of_memory ? status : dnnl_success;
}

dnnl_status_t vt_pd_pooling(dnnl_engine_t engine, dnnl_alg_kind_t algorithm,
                            const vt_layout *const layouts[2], const vt_pd_window *window,
                            dnnl_primitive_desc_t *out)
{
    dnnl_primitive_attr_t attr;
    dnnl_status_t status = attr_new(NULL, &attr);
    if (status != dnnl_success) {
        return status;
    }
#if DNNL_VERSION_MAJOR >= 3
    status = dnnl_pooling_forward_primitive_desc_create(
        out, engine, dnnl_forward_inference, algorithm, layouts[0], layouts[1], window->strides,
        window->kernel, window->dilates, window->low, window->high, attr);
#else
    if (window->dilates[0] == 0 && window->dilates[1] == 0 && window->dilates[2] == 0) {
        dnnl_pooling_desc_t description; /* the older kind has the faster code */
        status = dnnl_pooling_forward_desc_init(&description, dnnl_forward_inference, algorithm,
                                                layouts[0], layouts[1], window->strides,
                                                window->kernel, window->low, window->high);
        status = vt_pd_make(status, &description, attr, engine, NULL, out);
    } else {
        dnnl_pooling_v2_desc_t description;
        status = dnnl_pooling_v2_forward_desc_init(
            &description, dnnl_forward_inference, algorithm, layouts[0], layouts[1],
            window->strides, window->kernel, window->dilates, window->low, window->high);
        status = vt_pd_make(status, &description, attr, engine, NULL, out);
    }
#endif
    dnnl_primitive_attr_destroy(attr);
    return status;
}

dnnl_status_t vt_pd_matmul(dnnl_engine_t engine, const vt_layout *const layouts[4],
                           const vt_posts *posts, dnnl_primitive_desc_t *out)
{
    dnnl_primitive_attr_t attr;
    const int last = 1 << (vt_layout_view_of(layouts[3]).rank - 1);
    const vt_attr_masks masks = {last, last};
    dnnl_status_t status = attr_new_masked(posts, &masks, &attr);
    if (status != dnnl_success) {
        return status;
    }
#if DNNL_VERSION_MAJOR >= 3
    status = dnnl_matmul_primitive_desc_create(out, engine, layouts[0], layouts[1], layouts[2],
                                               layouts[3], attr);
#else
    dnnl_matmul_desc_t description;
    status = dnnl_matmul_desc_init(&description, layouts[0], layouts[1], layouts[2], layouts[3]);
    status = vt_pd_make(status, &description, attr, engine, NULL, out);
#endif
    dnnl_primitive_attr_destroy(attr);
    return status;
}

dnnl_status_t vt_pd_eltwise(dnnl_engine_t engine, const vt_post *operation, const vt_layout *layout,
                            dnnl_primitive_desc_t *out)
{
    dnnl_primitive_attr_t attr;
    dnnl_status_t status = attr_new(NULL, &attr);
    if (status != dnnl_success) {
        return status;
    }
#if DNNL_VERSION_MAJOR >= 3
    float alpha, beta;
    eltwise_constants(operation, &alpha, &beta);
    status = dnnl_eltwise_forward_primitive_desc_create(out, engine, dnnl_forward_inference,
                                                        operation->algorithm, layout, layout, alpha,
                                                        beta, attr);
#else
    dnnl_eltwise_desc_t description;
    status =
        dnnl_eltwise_forward_desc_init(&description, dnnl_forward_inference, operation->algorithm,
                                       layout, operation->alpha, operation->beta);
    status = vt_pd_make(status, &description, attr, engine, NULL, out);
#endif
    dnnl_primitive_attr_destroy(attr);
    return status;
}

dnnl_status_t vt_pd_binary(dnnl_engine_t engine, dnnl_alg_kind_t algorithm,
                           const vt_layout *const layouts[3], const vt_posts *posts,
                           dnnl_primitive_desc_t *out)
{
    dnnl_primitive_attr_t attr;
    dnnl_status_t status = attr_new(posts, &attr);
    if (status != dnnl_success) {
        return status;
    }
#if DNNL_VERSION_MAJOR >= 3
    status = dnnl_binary_primitive_desc_create(out, engine, algorithm, layouts[0], layouts[1],
                                               layouts[2], attr);
#else
    dnnl_binary_desc_t description;
    status = dnnl_binary_desc_init(&description, algorithm, layouts[0], layouts[1], layouts[2]);
    status = vt_pd_make(status, &description, attr, engine, NULL, out);
#endif
    dnnl_primitive_attr_destroy(attr);
    return status;
}

dnnl_status_t vt_pd_batchnorm(dnnl_engine_t engine, const vt_layout *layout, float epsilon,
                              const vt_posts *posts, dnnl_primitive_desc_t *out)
{
    const unsigned flags = dnnl_use_global_stats | dnnl_use_scale | dnnl_use_shift;
    dnnl_primitive_attr_t attr;
    dnnl_status_t status = attr_new(posts, &attr);
    if (status != dnnl_success) {
        return status;
    }
#if DNNL_VERSION_MAJOR >= 3
    status = dnnl_batch_normalization_forward_primitive_desc_create(
        out, engine, dnnl_forward_inference, layout, layout, epsilon, flags, attr);
#else
    dnnl_batch_normalization_desc_t description;
    status = dnnl_batch_normalization_forward_desc_init(&description, dnnl_forward_inference,
                                                        layout, epsilon, flags);
    status = vt_pd_make(status, &description, attr, engine, NULL, out);
#endif
    dnnl_primitive_attr_destroy(attr);
    return status;
}

static dnnl_status_t describe_softmax(dnnl_engine_t engine, dnnl_alg_kind_t algorithm,
                                      const vt_layout *const layouts[2], int axis,
                                      dnnl_primitive_desc_t *out)
{
    dnnl_primitive_attr_t attr;
    dnnl_status_t status = attr_new(NULL, &attr);
    if (status != dnnl_success) {
        return status;
    }
#if DNNL_VERSION_MAJOR >= 3
    status = dnnl_softmax_forward_primitive_desc_create(
        out, engine, dnnl_forward_inference, algorithm, layouts[0], layouts[1], axis, attr);
#else
    dnnl_softmax_v2_desc_t description;
    status = dnnl_softmax_v2_forward_desc_init(&description, dnnl_forward_inference, algorithm,
                                               layouts[0], layouts[1], axis);
    status = vt_pd_make(status, &description, attr, engine, NULL, out);
#endif
    dnnl_primitive_attr_destroy(attr);
    return status;
}

dnnl_status_t vt_pd_softmax(dnnl_engine_t engine, bool logarithm, const vt_layout *layout, int axis,
                            dnnl_primitive_desc_t *out)
{
    return describe_softmax(engine, logarithm ? dnnl_softmax_log : dnnl_softmax_accurate,
                            (const vt_layout *const[]){layout, layout}, axis, out);
}

dnnl_status_t vt_pd_softmax_to(dnnl_engine_t engine, const vt_layout *const layouts[2], int axis,
                               dnnl_primitive_desc_t *out)
{
    return describe_softmax(engine, dnnl_softmax_accurate, layouts, axis, out);
}

dnnl_status_t vt_pd_lrn(dnnl_engine_t engine, const vt_layout *layout, int64_t size,
                        const float coefficients[3], dnnl_primitive_desc_t *out)
{
    dnnl_primitive_attr_t attr;
    dnnl_status_t status = attr_new(NULL, &attr);
    if (status != dnnl_success) {
        return status;
    }
#if DNNL_VERSION_MAJOR >= 3
    status = dnnl_lrn_forward_primitive_desc_create(
        out, engine, dnnl_forward_inference, dnnl_lrn_across_channels, layout, layout, size,
        coefficients[0], coefficients[1], coefficients[2], attr);
#else
    dnnl_lrn_desc_t description;
    status =
        dnnl_lrn_forward_desc_init(&description, dnnl_forward_inference, dnnl_lrn_across_channels,
                                   layout, size, coefficients[0], coefficients[1], coefficients[2]);
    status = vt_pd_make(status, &description, attr, engine, NULL, out);
#endif
    dnnl_primitive_attr_destroy(attr);
    return status;
}

dnnl_status_t vt_pd_reduction(dnnl_engine_t engine, dnnl_alg_kind_t algorithm,
                              const vt_layout *const layouts[2], dnnl_primitive_desc_t *out)
{
    dnnl_primitive_attr_t attr;
    dnnl_status_t status = attr_new(NULL, &attr);
    if (status != dnnl_success) {
        return status;
    }
#if DNNL_VERSION_MAJOR >= 3
    status = dnnl_reduction_primitive_desc_create(out, engine, algorithm, layouts[0], layouts[1],
                                                  0.0F, 0.0F, attr);
#else
    dnnl_reduction_desc_t description;
    status = dnnl_reduction_desc_init(&description, algorithm, layouts[0], layouts[1], 0.0F, 0.0F);
    status = vt_pd_make(status, &description, attr, engine, NULL, out);
#endif
    dnnl_primitive_attr_destroy(attr);
    return status;
}

#if DNNL_VERSION_MAJOR < 3
/* 2.x wants the descriptors side by side. NULL: no memory. */
static dnnl_memory_desc_t *gather(const vt_layout *const *sources, int count)
{
    dnnl_memory_desc_t *gathered = vt_alloc_array((size_t)count, sizeof *gathered);
    for (int i = 0; gathered && i < count; i++) {
        gathered[i] = *sources[i];
    }
    return gathered;
}
#endif

dnnl_status_t vt_pd_concat(dnnl_engine_t engine, const vt_layout *const *sources, int count,
                           int axis, dnnl_primitive_desc_t *out)
{
    dnnl_primitive_attr_t attr;
    dnnl_status_t status = attr_new(NULL, &attr);
    if (status != dnnl_success) {
        return status;
    }
#if DNNL_VERSION_MAJOR >= 3
    status = dnnl_concat_primitive_desc_create(out, engine, NULL, count, axis, sources, attr);
#else
    dnnl_memory_desc_t *gathered = gather(sources, count);
    pthread_mutex_lock(&making);
    status = gathered
                 ? dnnl_concat_primitive_desc_create(out, NULL, count, axis, gathered, attr, engine)
                 : dnnl_out_of_memory;
    pthread_mutex_unlock(&making);
    vt_free(gathered);
#endif
    dnnl_primitive_attr_destroy(attr);
    return status;
}

dnnl_status_t vt_pd_sum(dnnl_engine_t engine, const vt_layout *const *sources, int count,
                        const vt_layout *result, dnnl_primitive_desc_t *out)
{
    dnnl_primitive_attr_t attr;
    float *ones = vt_alloc_array((size_t)count, sizeof *ones);
    dnnl_status_t status = ones ? attr_new(NULL, &attr) : dnnl_out_of_memory;
    if (status != dnnl_success) {
        vt_free(ones);
        return status;
    }
    for (int i = 0; i < count; i++) {
        ones[i] = 1.0F;
    }
#if DNNL_VERSION_MAJOR >= 3
    status = dnnl_sum_primitive_desc_create(out, engine, result, count, ones, sources, attr);
#else
    dnnl_memory_desc_t *gathered = gather(sources, count);
    pthread_mutex_lock(&making);
    status = gathered
                 ? dnnl_sum_primitive_desc_create(out, result, count, ones, gathered, attr, engine)
                 : dnnl_out_of_memory;
    pthread_mutex_unlock(&making);
    vt_free(gathered);
#endif
    dnnl_primitive_attr_destroy(attr);
    vt_free(ones);
    return status;
}

static dnnl_status_t reorder(dnnl_engine_t engine, const vt_layout *from, const vt_layout *to,
                             dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *out)
{
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_reorder_primitive_desc_create(out, from, engine, to, engine, attr);
#else
    pthread_mutex_lock(&making);
    dnnl_status_t status = dnnl_reorder_primitive_desc_create(out, from, engine, to, engine, attr);
    pthread_mutex_unlock(&making);
    return status;
#endif
}

dnnl_status_t vt_pd_reorder(dnnl_engine_t engine, const vt_layout *from, const vt_layout *to,
                            dnnl_primitive_desc_t *out)
{
    dnnl_primitive_attr_t attr;
    dnnl_status_t status = attr_new(NULL, &attr);
    if (status == dnnl_success) {
        status = reorder(engine, from, to, attr, out);
        dnnl_primitive_attr_destroy(attr);
    }
    return status;
}

dnnl_status_t vt_pd_reorder_scaled(dnnl_engine_t engine, const vt_layout *const layouts[2],
                                   const float *scale, dnnl_primitive_desc_t *out)
{
    dnnl_primitive_attr_t attr;
    dnnl_status_t status = attr_new(NULL, &attr);
    if (status != dnnl_success) {
        return status;
    }
#if DNNL_VERSION_MAJOR >= 3
    (void)scale;
    status = dnnl_primitive_attr_set_scales_mask(attr, DNNL_ARG_FROM, 0);
#else
    status = dnnl_primitive_attr_set_output_scales(attr, 1, 0, scale);
#endif
    if (status == dnnl_success) {
        status = reorder(engine, layouts[0], layouts[1], attr, out);
    }
    dnnl_primitive_attr_destroy(attr);
    return status;
}

const vt_layout *vt_pd_layout(const_dnnl_primitive_desc_t desc, dnnl_query_t what, int index)
{
    return dnnl_primitive_desc_query_md(desc, what, index);
}

const vt_layout *vt_memory_layout(const_dnnl_memory_t memory)
{
#if DNNL_VERSION_MAJOR >= 3
    const_dnnl_memory_desc_t layout = NULL;
#else
    const dnnl_memory_desc_t *layout = NULL;
#endif
    return dnnl_memory_get_memory_desc(memory, &layout) == dnnl_success ? layout : NULL;
}

const char *vt_primitive_name(const_dnnl_primitive_t primitive)
{
    const_dnnl_primitive_desc_t desc = NULL;
    const char *name = NULL;
    if (dnnl_primitive_get_primitive_desc(primitive, &desc) != dnnl_success ||
        dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, (void *)&name) !=
            dnnl_success ||
        !name) {
        return "unknown";
    }
    return name;
}

bool vt_pd_is_slow(const_dnnl_primitive_desc_t desc)
{
    const char *name = NULL;
    return dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, (void *)&name) ==
               dnnl_success &&
           name && (strncmp(name, "ref", 3) == 0 || strncmp(name, "simple:any", 10) == 0);
}

dnnl_status_t vt_pd_deconvolution(dnnl_engine_t engine, const vt_layout *const layouts[4],
                                  const vt_pd_window *window, const vt_posts *posts,
                                  dnnl_primitive_desc_t *out)
{
    dnnl_primitive_attr_t attr;
    dnnl_status_t status = attr_new(posts, &attr);
    if (status != dnnl_success) {
        return status;
    }
#if DNNL_VERSION_MAJOR >= 3
    status = dnnl_deconvolution_forward_primitive_desc_create(
        out, engine, dnnl_forward_inference, dnnl_deconvolution_direct, layouts[0], layouts[1],
        layouts[2], layouts[3], window->strides, window->dilates, window->low, window->high, attr);
#else
    dnnl_deconvolution_desc_t description;
    status = dnnl_dilated_deconvolution_forward_desc_init(
        &description, dnnl_forward_inference, dnnl_deconvolution_direct, layouts[0], layouts[1],
        layouts[2], layouts[3], window->strides, window->dilates, window->low, window->high);
    status = vt_pd_make(status, &description, attr, engine, NULL, out);
#endif
    dnnl_primitive_attr_destroy(attr);
    return status;
}

dnnl_status_t vt_pd_layernorm(dnnl_engine_t engine, const vt_layout *layout, float epsilon,
                              bool shift, dnnl_primitive_desc_t *out)
{
    const unsigned flags = dnnl_use_scale | (shift ? (unsigned)dnnl_use_shift : 0U);
    dnnl_primitive_attr_t attr;
    dnnl_status_t status = attr_new(NULL, &attr);
    if (status != dnnl_success) {
        return status;
    }
#if DNNL_VERSION_MAJOR >= 3
    status = dnnl_layer_normalization_forward_primitive_desc_create(
        out, engine, dnnl_forward_inference, layout, layout, NULL, epsilon, flags, attr);
#else
    dnnl_layer_normalization_desc_t description;
    status = dnnl_layer_normalization_forward_desc_init(&description, dnnl_forward_inference,
                                                        layout, NULL, epsilon, flags);
    status = vt_pd_make(status, &description, attr, engine, NULL, out);
#endif
    dnnl_primitive_attr_destroy(attr);
    return status;
}
