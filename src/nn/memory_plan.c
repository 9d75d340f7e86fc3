/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where each buffer lies in one shared block.
 *
 * Method: greedy by size. Buffers are placed from the largest to the smallest, each into the
 * smallest gap that fits between the already placed buffers whose lives overlap its own, else
 * behind them. Source: Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net
 * Inference" (MLSys 2020 workshop), algorithm 3. Departures: sizes are rounded up to 64 bytes;
 * equal sizes are placed in order of birth, so that the result does not depend on the sort. The
 * algorithm compares every pair; a model from a stranger may have 100,000 nodes, so above
 * GREEDY_MAXIMUM buffers they are placed in order of birth instead, the dead ones leaving the list,
 * and at most GREEDY_MAXIMUM neighbours are looked at.
 */
#include "nn/memory_plan.h"

#include "base/mem.h"
#include "nn/plan.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { GREEDY_MAXIMUM = 8192, NO_INDEX = -1 };

typedef struct placing {
    vt_interval *intervals;
    ptrdiff_t *next;       /* placed intervals as a list sorted by offset */
    ptrdiff_t first, last; /* of that list */
    bool expire;           /* order of birth: what died before the current one can leave the list */
    size_t total;
} placing;

typedef struct sort_item {
    size_t bytes, index;
    int first;
} sort_item;

static int compare_size(const void *left, const void *right)
{
    const sort_item *a = left, *b = right;
    if (a->bytes != b->bytes) {
        return a->bytes < b->bytes ? 1 : -1;
    }
    if (a->first != b->first) {
        return a->first < b->first ? -1 : 1;
    }
    return a->index < b->index ? -1 : a->index > b->index;
}

static int compare_birth(const void *left, const void *right)
{
    const sort_item *a = left, *b = right;
    if (a->first != b->first) {
        return a->first < b->first ? -1 : 1;
    }
    return compare_size(left, right);
}

/* Rounded sizes, so that the sum of what is placed can be checked once. */
static bool round_sizes(const vt_interval *intervals, size_t count)
{
    size_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        size_t padded;
        if (!vt_size_add(intervals[i].bytes, VT_MEMORY_PLAN_ALIGNMENT, &padded) ||
            !vt_size_add(sum, padded, &sum)) {
            return false;
        }
    }
    return sum <= PTRDIFF_MAX;
}

static size_t rounded(size_t bytes)
{
    return (bytes + VT_MEMORY_PLAN_ALIGNMENT - 1) / VT_MEMORY_PLAN_ALIGNMENT *
           VT_MEMORY_PLAN_ALIGNMENT;
}

/* Links a placed interval in behind all that start at or before its offset. */
static void link_in(placing *state, size_t index)
{
    size_t offset = state->intervals[index].offset;
    if (state->last != NO_INDEX && state->intervals[state->last].offset <= offset) {
        state->next[index] = NO_INDEX;
        state->next[state->last] = (ptrdiff_t)index;
        state->last = (ptrdiff_t)index;
        return;
    }
    ptrdiff_t *link = &state->first;
    while (*link != NO_INDEX && state->intervals[*link].offset <= offset) {
        link = &state->next[*link];
    }
    state->next[index] = *link;
    state->last = *link == NO_INDEX ? (ptrdiff_t)index : state->last;
    *link = (ptrdiff_t)index;
}

/* Gives the interval the smallest gap that fits. */
static void place(placing *state, size_t index)
{
    vt_interval *interval = &state->intervals[index];
    size_t bytes = rounded(interval->bytes), end = 0, best_bytes = SIZE_MAX, best = 0;
    ptrdiff_t *link = &state->first, before = NO_INDEX;

    for (size_t looked_at = 0; *link != NO_INDEX; link = &state->next[before]) {
        const vt_interval *other = &state->intervals[*link];
        while (state->expire && other->last < interval->first) {
            state->last = state->last == *link ? before : state->last;
            *link = state->next[*link];
            if (*link == NO_INDEX) {
                goto walked;
            }
            other = &state->intervals[*link];
        }
        before = *link;
        if (other->first > interval->last || interval->first > other->last) {
            continue;
        }
        if (other->offset >= end && other->offset - end >= bytes &&
            other->offset - end < best_bytes) {
            best_bytes = other->offset - end;
            best = end;
        }
        size_t other_end = other->offset + rounded(other->bytes);
        end = other_end > end ? other_end : end;
        if (state->expire && ++looked_at == GREEDY_MAXIMUM) {
            end = state->total;
            break;
        }
    }
walked:
    interval->offset = best_bytes != SIZE_MAX ? best : end;
    link_in(state, index);
    if (interval->offset + bytes > state->total) {
        state->total = interval->offset + bytes;
    }
}

vt_status vt_memory_plan_intervals(vt_interval *intervals, size_t count, size_t *total_bytes,
                                   vt_error *error)
{
    if (!round_sizes(intervals, count)) {
        return vt_fail(error, VT_ERR_LIMIT, "plan the memory of %zu buffers: together too large",
                       count);
    }
    sort_item *items = vt_alloc_array(count, sizeof *items);
    ptrdiff_t *next = vt_alloc_array(count, sizeof *next);
    vt_status status = VT_OK;
    if (!items || !next) {
        status = vt_fail_memory(error, "the memory plan");
        goto out;
    }

    for (size_t i = 0; i < count; i++) {
        items[i] = (sort_item){intervals[i].bytes, i, intervals[i].first};
        next[i] = NO_INDEX;
    }
    bool greedy = count <= GREEDY_MAXIMUM;
    qsort(items, count, sizeof *items, greedy ? compare_size : compare_birth);
    placing state = {.intervals = intervals,
                     .next = next,
                     .first = NO_INDEX,
                     .last = NO_INDEX,
                     .expire = !greedy};
    for (size_t i = 0; i < count; i++) {
        size_t index = items[i].index;
        intervals[index].offset = 0;
        if (intervals[index].bytes > 0) {
            place(&state, index);
        }
    }
    *total_bytes = state.total;
out:
    vt_free(next);
    vt_free(items);
    return status;
}

static bool value_is_placed(const vt_plan_value *value)
{
    return !value->constant && value->first_step >= 0;
}

vt_status vt_memory_plan(vt_plan *plan, vt_error *error)
{
    if (plan->step_count >= INT_MAX) {
        return vt_fail(error, VT_ERR_LIMIT, "plan the memory of %zu steps: too many",
                       plan->step_count);
    }
    vt_interval *intervals = vt_calloc(plan->value_count, sizeof *intervals);
    if (!intervals) {
        return vt_fail_memory(error, "the memory plan");
    }
    vt_status status = VT_OK;
    size_t count = 0, unshared = 0, total = 0;

    vt_plan_lifetimes(plan); /* passes may have removed steps since the plan was made */
    for (size_t i = 0; i < plan->value_count; i++) {
        const vt_plan_value *value = &plan->values[i];
        if (!value_is_placed(value)) {
            continue;
        }
        size_t elements, bytes;
        if (!vt_shape_count(&value->tensor.shape, &elements) ||
            !vt_size_mul(elements, vt_dtype_bytes(value->tensor.dtype), &bytes) ||
            !vt_size_add(unshared, bytes, &unshared)) {
            status = vt_fail(error, VT_ERR_LIMIT, "plan the memory of value \"%s\": too large",
                             vt_plan_value_name(plan, (vt_value_id)i));
            goto out;
        }
        intervals[count++] = (vt_interval){bytes, value->first_step, value->last_step, 0};
    }
    status = vt_memory_plan_intervals(intervals, count, &total, error);
    if (status != VT_OK) {
        goto out;
    }
    for (size_t i = 0, k = 0; i < plan->value_count; i++) {
        if (value_is_placed(&plan->values[i])) {
            plan->values[i].offset = intervals[k++].offset;
        }
    }
    plan->arena_bytes = total;
    plan->unshared_bytes = unshared;
out:
    vt_free(intervals);
    return status;
}
