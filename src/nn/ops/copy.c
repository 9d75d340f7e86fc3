/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of elements between layouts: what Slice, Expand, Transpose, Tile, Pad, Resize (nearest)
 * and their like have in common.
 *
 * Two forms. vt_copy_run walks a box that has a stride per axis on both sides. Axes of length 1 are
 * dropped and neighbours that lie one behind the other on both sides become one, so that what
 * remains innermost is the longest run there is; a run that is dense on both sides is one memcpy.
 * vt_pick_run takes, per axis, a list that names the source coordinate of each target coordinate
 * (none: a constant). Trailing axes whose list is the identity are part of the element, and
 * neighbouring coordinates that name neighbouring sources are copied together.
 */
#include "nn/ops/op.h"

#include <string.h>

/* ---- boxes with strides ---- */

static void copy_merge(const vt_copy *copy, vt_copy *merged)
{
    *merged = (vt_copy){.bytes = copy->bytes};
    for (int i = 0; i < copy->rank; i++) {
        int last = merged->rank - 1;
        if (copy->dims[i] == 1)
            continue;
        if (last >= 0 && merged->from[last] == copy->from[i] * copy->dims[i] &&
            merged->to[last] == copy->to[i] * copy->dims[i]) {
            merged->dims[last] *= copy->dims[i];
            merged->from[last] = copy->from[i];
            merged->to[last] = copy->to[i];
            continue;
        }
        merged->dims[merged->rank] = copy->dims[i];
        merged->from[merged->rank] = copy->from[i];
        merged->to[merged->rank++] = copy->to[i];
    }
}

/* memcpy of a constant size is one load and one store. */
#define ELEMENTS(size)                                                                             \
    for (int64_t i = 0; i < count; i++, from += from_step, to += to_step)                          \
        memcpy(to, from, size);

/* One run; steps in bytes. */
static void copy_line(const char *from, int64_t from_step, char *to, int64_t to_step, int64_t count,
                      size_t bytes)
{
    if (from_step == (int64_t)bytes && to_step == (int64_t)bytes)
        memcpy(to, from, (size_t)count * bytes);
    else if (bytes == 4)
        ELEMENTS(4)
    else if (bytes == 2)
        ELEMENTS(2)
    else if (bytes == 1)
        ELEMENTS(1)
    else
        ELEMENTS(bytes)
}

void vt_copy_run(const vt_copy *copy, const void *from, void *to)
{
    vt_copy box;
    int64_t position[VT_COPY_RANK] = {0}, bytes = (int64_t)copy->bytes;
    for (int i = 0; i < copy->rank; i++)
        if (copy->dims[i] == 0)
            return;
    copy_merge(copy, &box);
    int inner = box.rank - 1, axis;
    const char *source = from;
    char *target = to;
    do {
        if (inner < 0) {
            memcpy(target, source, copy->bytes);
            return;
        }
        copy_line(source, box.from[inner] * bytes, target, box.to[inner] * bytes, box.dims[inner],
                  copy->bytes);
        for (axis = inner - 1; axis >= 0; axis--) {
            source += box.from[axis] * bytes;
            target += box.to[axis] * bytes;
            if (++position[axis] < box.dims[axis])
                break;
            source -= box.from[axis] * bytes * box.dims[axis];
            target -= box.to[axis] * bytes * box.dims[axis];
            position[axis] = 0;
        }
    } while (axis >= 0);
}

/* ---- coordinate lists ---- */

vt_status vt_picks_init(vt_picks *picks, const vt_shape *target, vt_error *error)
{
    size_t total = 0;
    *picks = (vt_picks){.rank = target->rank};
    for (int i = 0; i < target->rank; i++)
        if (!vt_size_add(total, (size_t)target->dims[i], &total))
            return vt_fail(error, VT_ERR_LIMIT, "the result has too many coordinates");
    picks->block = vt_alloc_array(total, sizeof(*picks->block));
    if (picks->block == NULL)
        return vt_fail_memory(error, "coordinates");
    int64_t *list = picks->block;
    for (int i = 0; i < target->rank; i++) {
        picks->lists[i] = list;
        picks->dims[i] = target->dims[i];
        list += target->dims[i];
    }
    return VT_OK;
}

void vt_picks_deinit(vt_picks *picks)
{
    vt_free(picks->block);
    *picks = (vt_picks){0};
}

static void fill(char *to, size_t bytes, const void *constant, size_t element)
{
    for (size_t done = 0; done < bytes; done += element)
        memcpy(to + done, constant, element);
}

/* Axes from the result on are copied whole. */
static int picks_whole_from(const vt_picks *picks, const vt_shape *source)
{
    int axis = picks->rank;
    for (; axis > 0; axis--) {
        int64_t length = picks->dims[axis - 1], k = 0;
        while (k < length && picks->lists[axis - 1][k] == k)
            k++;
        if (length != source->dims[axis - 1] || k < length)
            break;
    }
    return axis;
}

/* The innermost listed axis: from NULL where an outer axis already has no source. */
static void pick_line(const int64_t *list, int64_t length, const char *from, char *to,
                      const size_t bytes[2], const void *constant)
{
    const size_t block = bytes[0];
    for (int64_t k = 0, run; k < length; k += run) {
        bool none = from == NULL || list[k] < 0;
        for (run = 1; k + run < length; run++)
            if (none ? from != NULL && list[k + run] >= 0 : list[k + run] != list[k] + run)
                break;
        size_t part = (size_t)run * block;
        if (none)
            fill(to, part, constant, bytes[1]);
        else
            memcpy(to, from + (size_t)list[k] * block, part);
        to += part;
    }
}

void vt_pick_run(const vt_picks *picks, const vt_tensor *x, const void *constant, void *to)
{
    int64_t position[VT_MAX_RANK] = {0};
    size_t strides[VT_MAX_RANK], element = vt_dtype_bytes(x->dtype);
    int inner = picks_whole_from(picks, &x->shape) - 1;
    if (inner < 0) {
        memcpy(to, x->data, vt_tensor_count(x) * element);
        return;
    }
    vt_shape_strides(&x->shape, strides);
    const size_t bytes[2] = {strides[inner] * element, element};
    char *target = to;
    for (int axis = 0; axis >= 0;) {
        const char *from = x->data;
        for (int i = 0; i < inner && from != NULL; i++) {
            int64_t source = picks->lists[i][position[i]];
            from = source < 0 ? NULL : from + (size_t)source * strides[i] * element;
        }
        pick_line(picks->lists[inner], picks->dims[inner], from, target, bytes, constant);
        target += (size_t)picks->dims[inner] * bytes[0];
        for (axis = inner - 1; axis >= 0 && ++position[axis] == picks->dims[axis]; axis--)
            position[axis] = 0;
    }
}
