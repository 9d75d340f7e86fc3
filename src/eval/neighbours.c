/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exact neighbours: blocks of queries against blocks of rows with the block kernel, each query
 * with a short sorted list.
 */
#include "eval/neighbours.h"

#include "base/mem.h"
#include "vector/distance.h"
#include "vector/topk.h"

#include <stdatomic.h>

enum { QUERY_BLOCK = 16, ROW_BLOCK = 256 };

typedef struct find_work {
    const vt_neighbours_plan *plan;
    uint32_t *ids;
    float *similarities;
    atomic_int status; /* the first failure's */
} find_work;

static void push_block(const find_work *work, vt_topk *tops, size_t query, size_t row,
                       const float *found)
{
    const vt_neighbours_plan *plan = work->plan;
    size_t queries = plan->query_count - query, rows = plan->gallery_count - row;
    queries = queries < QUERY_BLOCK ? queries : QUERY_BLOCK;
    rows = rows < ROW_BLOCK ? rows : ROW_BLOCK;
    for (size_t q = 0; q < queries; q++) {
        float threshold = vt_topk_threshold(&tops[q]);
        for (size_t r = 0; r < rows; r++) {
            if (!(found[q * rows + r] >= threshold) ||
                (plan->leave_self && row + r == plan->self_first + query + q))
                continue;
            vt_topk_push(&tops[q], found[q * rows + r], (uint32_t)(row + r), (uint32_t)(row + r));
            threshold = vt_topk_threshold(&tops[q]);
        }
    }
}

static void take(const find_work *work, vt_topk *top, size_t query)
{
    size_t k = work->plan->k, count = vt_topk_sort(top);
    for (size_t i = 0; i < k; i++) {
        work->ids[query * k + i] = i < count ? top->hits[i].id : VT_NO_NEIGHBOUR;
        if (work->similarities != NULL)
            work->similarities[query * k + i] = i < count ? top->hits[i].similarity : 0;
    }
}

static void find_block(void *context, size_t block)
{
    find_work *work = context;
    const vt_neighbours_plan *plan = work->plan;
    vt_topk tops[QUERY_BLOCK] = {{0}};
    size_t query = block * QUERY_BLOCK, count = plan->query_count - query;
    count = count < QUERY_BLOCK ? count : QUERY_BLOCK;
    float *found = vt_alloc_array((size_t)QUERY_BLOCK * ROW_BLOCK, sizeof(float));
    vt_status status = found != NULL ? VT_OK : VT_ERR_NO_MEMORY;
    for (size_t q = 0; status == VT_OK && q < count; q++)
        status = vt_topk_init(&tops[q], plan->k, false, NULL);
    for (size_t row = 0; status == VT_OK && row < plan->gallery_count; row += ROW_BLOCK) {
        size_t rows = plan->gallery_count - row;
        rows = rows < ROW_BLOCK ? rows : ROW_BLOCK;
        vt_distance()->dot_block_f32(plan->queries + query * plan->dim, count,
                                     plan->gallery + row * plan->dim, rows, plan->dim, found);
        push_block(work, tops, query, row, found);
    }
    for (size_t q = 0; q < count; q++) {
        if (status == VT_OK)
            take(work, &tops[q], query + q);
        vt_topk_deinit(&tops[q]);
    }
    vt_free(found);
    if (status != VT_OK)
        work->status = (int)status;
}

vt_status vt_neighbours_find(const vt_neighbours_plan *plan, uint32_t *ids, float *similarities,
                             vt_error *error)
{
    find_work work = {plan, ids, similarities, VT_OK};
    if (plan->k < 1 || plan->gallery_count >= VT_NO_NEIGHBOUR)
        return vt_fail(error, VT_ERR_USAGE, "find neighbours: k is 0 or the rows are too many");
    vt_pool_for(plan->pool, (plan->query_count + QUERY_BLOCK - 1) / QUERY_BLOCK, find_block, &work);
    return work.status == VT_OK ? VT_OK : vt_fail_memory(error, "nearest neighbours");
}
