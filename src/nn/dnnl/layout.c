/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Following the addresses of a layout.
 *
 * In a blocked layout each axis is split into an outer part, which steps by the axis' stride, and
 * blocks, which lie innermost in the order they are listed. With the sizes and steps of all parts
 * known, "is this row-major" and "which elements lie side by side" are comparisons.
 */
#include "nn/dnnl/layout.h"

#include <string.h>

vt_layout *vt_layout_new_plain(int rank, const int64_t *dims, vt_dtype dtype)
{
    return vt_layout_new(rank, dims, NULL, false, dtype);
}

vt_layout *vt_layout_new_any(int rank, const int64_t *dims, vt_dtype dtype)
{
    return vt_layout_new(rank, dims, NULL, true, dtype);
}

vt_layout *vt_layout_new_strided(int rank, const int64_t *dims, const int64_t *strides,
                                 vt_dtype dtype)
{
    return vt_layout_new(rank, dims, strides, false, dtype);
}

int vt_layout_dims(const vt_layout *layout, int64_t dims[VT_LAYOUT_MAX_RANK])
{
    vt_layout_view view = vt_layout_view_of(layout);
    for (int i = 0; i < view.rank; i++) {
        dims[i] = view.dims[i];
    }
    return view.rank;
}

bool vt_layout_is_none(const vt_layout *layout)
{
    return !layout || vt_layout_view_of(layout).rank == 0;
}

/* Each axis is split into an outer part, stepping by its stride, and its blocks. An axis part of
 * more than one element must step exactly as far as row-major order would. */
bool vt_layout_is_plain(const vt_layout *layout)
{
    vt_layout_view view = vt_layout_view_of(layout);
    if (!view.blocked) {
        return false;
    }
    int64_t plain[VT_LAYOUT_MAX_RANK], in_block[VT_LAYOUT_MAX_RANK], step = 1;
    for (int axis = view.rank; axis-- > 0;) {
        if (view.padded[axis] != view.dims[axis]) {
            return false;
        }
        plain[axis] = step;
        in_block[axis] = 1;
        step *= view.dims[axis];
    }
    int64_t inner = 1; /* innermost block last */
    for (int i = view.block_count; i-- > 0;) {
        int axis = (int)view.block_axes[i];
        if (view.blocks[i] > 1 && inner != in_block[axis] * plain[axis]) {
            return false;
        }
        in_block[axis] *= view.blocks[i];
        inner *= view.blocks[i];
    }
    for (int axis = 0; axis < view.rank; axis++) {
        int64_t outer = view.dims[axis] / in_block[axis];
        if (outer > 1 && view.strides[axis] != in_block[axis] * plain[axis]) {
            return false;
        }
    }
    return true;
}

bool vt_layout_is_dense(const vt_layout *layout)
{
    vt_layout_view view = vt_layout_view_of(layout);
    size_t count = vt_dtype_bytes(vt_layout_type(layout));
    if (!view.blocked) {
        return false;
    }
    for (int axis = 0; axis < view.rank; axis++) {
        if (view.padded[axis] != view.dims[axis] ||
            (view.dims[axis] > 1 && view.strides[axis] == 0)) {
            return false;
        }
        count *= (size_t)view.dims[axis];
    }
    return vt_layout_bytes(layout) == count;
}

bool vt_layout_is_padded(const vt_layout *layout)
{
    vt_layout_view view = vt_layout_view_of(layout);
    size_t count = vt_dtype_bytes(vt_layout_type(layout));
    bool padded = false;
    for (int axis = 0; axis < view.rank && view.blocked; axis++) {
        padded = padded || view.padded[axis] != view.dims[axis];
        count *= (size_t)view.padded[axis];
    }
    return padded && view.blocked && vt_layout_bytes(layout) == count;
}

/* Where an element lies, in elements. */
static size_t place_of(const vt_layout_view *view, const int64_t at[VT_LAYOUT_MAX_RANK])
{
    int64_t rest[VT_LAYOUT_MAX_RANK], place = 0, step = 1;
    for (int axis = 0; axis < view->rank; axis++) {
        rest[axis] = at[axis];
    }
    for (int i = view->block_count; i-- > 0;) {
        int64_t *part = &rest[view->block_axes[i]];
        place += *part % view->blocks[i] * step;
        *part /= view->blocks[i];
        step *= view->blocks[i];
    }
    for (int axis = 0; axis < view->rank; axis++) {
        place += rest[axis] * view->strides[axis];
    }
    return (size_t)place;
}

void vt_layout_place(const vt_layout *from, const vt_layout *to, size_t element_bytes,
                     const void *source, void *target)
{
    vt_layout_view view = vt_layout_view_of(to);
    int64_t strides[VT_LAYOUT_MAX_RANK], at[VT_LAYOUT_MAX_RANK] = {0}, count = 1, place = 0;
    for (int axis = view.rank; axis-- > 0;) {
        strides[axis] = count;
        count *= view.dims[axis];
    }
    if (from) {
        vt_layout_strides(from, strides);
    }
    memset(target, 0, vt_layout_bytes(to));
    for (int64_t i = 0; i < count; i++) {
        memcpy((char *)target + place_of(&view, at) * element_bytes,
               (const char *)source + (size_t)place * element_bytes, element_bytes);
        for (int axis = view.rank; axis-- > 0;) { /* the next one, last axis first */
            place += strides[axis];
            if (++at[axis] < view.dims[axis]) {
                break;
            }
            place -= strides[axis] * view.dims[axis];
            at[axis] = 0;
        }
    }
}

bool vt_layout_strides(const vt_layout *layout, int64_t strides[VT_LAYOUT_MAX_RANK])
{
    vt_layout_view view = vt_layout_view_of(layout);
    for (int axis = 0; axis < view.rank && view.blocked; axis++) {
        strides[axis] = view.strides[axis];
    }
    return view.blocked && view.block_count == 0;
}

/* ---- joining ---- */

/* Elements inside the blocks of each axis; the product over all axes is returned. */
static int64_t block_sizes(const vt_layout_view *view, int64_t sizes[VT_LAYOUT_MAX_RANK])
{
    int64_t product = 1;
    for (int axis = 0; axis < view->rank; axis++) {
        sizes[axis] = 1;
    }
    for (int i = 0; i < view->block_count; i++) {
        sizes[view->block_axes[i]] *= view->blocks[i];
        product *= view->blocks[i];
    }
    return product;
}

static bool same_blocks(const vt_layout_view *a, const vt_layout_view *b)
{
    if (!a->blocked || !b->blocked || a->rank != b->rank || a->block_count != b->block_count) {
        return false;
    }
    for (int i = 0; i < a->block_count; i++) {
        if (a->blocks[i] != b->blocks[i] || a->block_axes[i] != b->block_axes[i]) {
            return false;
        }
    }
    return true;
}

/* The axes in the order in which their outer parts lie, outermost first. Parts of one element have
 * no place of their own and go outermost, except the joined axis, which has one in the result. */
static void order_axes(const vt_layout_view *view, const int64_t sizes[], int order[])
{
    for (int i = 0; i < view->rank; i++) {
        int at = i;
        bool alone = view->padded[i] == sizes[i];
        for (; at > 0; at--) {
            int before = order[at - 1];
            bool before_alone = view->padded[before] == sizes[before];
            if (before_alone || (!alone && view->strides[before] >= view->strides[i])) {
                break;
            }
            order[at] = before;
        }
        order[at] = i;
    }
}

/* Whether the layout lies packed in this order; the run is what one step of everything outside the
 * axis covers. */
static bool packed_run(const vt_layout_view *view, const int64_t sizes[], int64_t block,
                       const int order[], int axis, size_t *outer, size_t *run)
{
    int64_t step = block;
    bool inside = true;
    *outer = 1;
    for (int i = view->rank; i-- > 0;) {
        int at = order[i];
        int64_t count = view->padded[at] / sizes[at];
        if (view->padded[at] != view->dims[at] || (count > 1 && view->strides[at] != step)) {
            return false;
        }
        step *= count;
        if (inside) {
            *run = (size_t)step;
        } else {
            *outer *= (size_t)count;
        }
        inside = inside && at != axis;
    }
    return true;
}

bool vt_layout_join_runs(const vt_layout *result, const vt_layout *const *sources, int count,
                         int axis, size_t *outer, size_t *runs)
{
    vt_layout_view view = vt_layout_view_of(result);
    int64_t sizes[VT_LAYOUT_MAX_RANK];
    int order[VT_LAYOUT_MAX_RANK];
    size_t result_run = 0, source_outer = 0, sum = 0;
    if (!view.blocked) {
        return false;
    }
    int64_t block = block_sizes(&view, sizes);
    order_axes(&view, sizes, order);
    if (!packed_run(&view, sizes, block, order, axis, outer, &result_run)) {
        return false;
    }
    for (int i = 0; i < count; i++) {
        vt_layout_view source = vt_layout_view_of(sources[i]);
        if (!same_blocks(&view, &source) ||
            !packed_run(&source, sizes, block, order, axis, &source_outer, &runs[i]) ||
            source_outer != *outer) {
            return false;
        }
        sum += runs[i];
    }
    return sum == result_run;
}
