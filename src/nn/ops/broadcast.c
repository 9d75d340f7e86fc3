/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Multidirectional broadcasting: shapes aligned at the last axis, axes of size 1 repeated.
 */
#include "nn/ops/op.h"

vt_status vt_broadcast_shape(vt_shape *shape, const vt_shape *other, vt_error *error)
{
    int rank = shape->rank > other->rank ? shape->rank : other->rank;
    vt_shape result = {.rank = rank};
    for (int i = 0; i < rank; i++) {
        int own = i - (rank - shape->rank), theirs = i - (rank - other->rank);
        int64_t a = own < 0 ? 1 : shape->dims[own], b = theirs < 0 ? 1 : other->dims[theirs];
        if (a != b && a != 1 && b != 1) {
            char left[128], right[128];
            vt_shape_print(shape, left, sizeof(left));
            vt_shape_print(other, right, sizeof(right));
            return vt_fail(error, VT_ERR_FORMAT, "shapes %s and %s do not broadcast", left, right);
        }
        result.dims[i] = a == 1 ? b : a;
    }
    *shape = result;
    return VT_OK;
}

void vt_broadcast_init(vt_broadcast *broadcast, const vt_shape *source, const vt_shape *target)
{
    size_t strides[VT_MAX_RANK];
    *broadcast = (vt_broadcast){.rank = target->rank};
    vt_shape_strides(source, strides);
    for (int i = 0; i < target->rank; i++) {
        int own = i - (target->rank - source->rank);
        broadcast->dims[i] = target->dims[i];
        if (own >= 0 && source->dims[own] != 1)
            broadcast->strides[i] = strides[own];
    }
}

void vt_broadcast_indices(const vt_broadcast *broadcast, size_t start, size_t count,
                          size_t *indices)
{
    int64_t position[VT_MAX_RANK] = {0};
    size_t index = 0, rest = start;
    if (count == 0) /* of a target that may be empty */
        return;
    for (int i = broadcast->rank - 1; i >= 0; i--) {
        position[i] = (int64_t)(rest % (size_t)broadcast->dims[i]);
        rest /= (size_t)broadcast->dims[i];
        index += (size_t)position[i] * broadcast->strides[i];
    }
    for (size_t k = 0; k < count; k++) {
        indices[k] = index;
        for (int i = broadcast->rank - 1; i >= 0; i--) {
            index += broadcast->strides[i];
            if (++position[i] < broadcast->dims[i])
                break;
            index -= broadcast->strides[i] * (size_t)broadcast->dims[i];
            position[i] = 0;
        }
    }
}
