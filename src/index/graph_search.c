/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph index: from walks to hits.
 *
 * Method: a walk by the codes, then a second look at what it found by the codec's most precise
 * score, whose bytes are read for these few nodes only; the rows of equal vectors follow their
 * node. Where hits are groups and the walk's end holds fewer than were asked for, it is walked
 * again, twice as wide.
 */
#include "index/graph_nodes.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

vt_graph_search_options vt_graph_search_defaults(void)
{
    return (vt_graph_search_options){
        .k = 10, .grouped = true, .min_similarity = -INFINITY, .width = 64};
}

typedef struct search {
    vt_graph *graph;
    const float *queries;
    size_t count, k, width;
    const vt_graph_search_options *options;
    const vt_graph_answers *answers;
    vt_idset_bits bits;          /* of the options' groups; owned */
    const vt_idset_bits *groups; /* the same; NULL: all */
    size_t workers;
    atomic_size_t next;
    atomic_bool out_of_memory;
} search;

/* ---- one query ---- */

/* The rows of a node, with one similarity, until no more of them can matter; once there are enough
 * hits as near, another k are looked at, so that only among many equal ones it is open which are
 * found. */
static void rows_push(const search *s, vt_topk *top, uint32_t slot, float similarity)
{
    const vt_graph *graph = s->graph;
    uint64_t head = atomic_load_explicit(graph_label(graph, slot), memory_order_acquire);
    uint64_t label = head;
    for (size_t equal = 0; equal <= s->k; equal += similarity <= vt_topk_threshold(top)) {
        uint32_t id = (uint32_t)label, group = (uint32_t)(label >> 32);
        if (!s->groups || vt_idset_bits_has(s->groups, group))
            vt_topk_push(top, similarity, id, group);
        do { /* a twin that has just become the node's own row would come twice */
            slot = graph_next(graph, slot);
            if (slot == NO_SLOT)
                return;
            label = atomic_load_explicit(graph_label(graph, slot), memory_order_acquire);
        } while (label == head);
    }
}

static void beam_push(const search *s, const graph_walker *walker, vt_topk *top)
{
    const vt_graph *graph = s->graph;
    const bool finer = vt_coder_has_fine_score(graph->coder);
    for (size_t i = 0; i < walker->beam_count; i++) {
        uint32_t slot = walker->beam[i].slot;
        const char *fine = graph_fine(graph, slot);
        for (size_t byte = 0; byte < graph->fine_bytes; byte += 64)
            __builtin_prefetch(fine + byte, 0, 3);
        __builtin_prefetch((const void *)graph_label(graph, slot), 0, 3);
    }
    for (size_t i = 0; i < walker->beam_count; i++) {
        uint32_t slot = walker->beam[i].slot;
        float similarity = walker->beam[i].score;
        if (finer)
            similarity = vt_coder_score_fine(graph->coder, walker->query, graph_code(graph, slot),
                                             graph_fine(graph, slot));
        if (graph->options.metric == VT_METRIC_COSINE)
            similarity = fmaxf(-1.0f, fminf(1.0f, similarity));
        /* Removed since the walk saw it: then it is not to be found any more. */
        if (similarity >= s->options->min_similarity && similarity >= vt_topk_threshold(top) &&
            !(links_state(graph_links_of(graph, slot)) & LINK_DEAD))
            rows_push(s, top, slot, similarity);
    }
}

/* False: memory is out. */
static bool query_walk(const search *s, graph_walker *walker, vt_topk *top, const float *query,
                       vt_graph_walked *walked)
{
    const vt_graph_search_options *options = s->options;
    vt_coder_query_set(s->graph->coder, walker->query, query);
    *walked = (vt_graph_walked){0};
    for (size_t width = s->width;; width *= 2) {
        if (!graph_walker_widen(walker, width))
            return false;
        size_t left = options->budget ? options->budget - walked->visited : 0;
        const graph_filter filter = {s->groups, options->strays, options->share, options->around};
        if (s->groups && !options->checked)
            graph_walk_filtered(s->graph, walker, width, left, &filter);
        else
            graph_walk_checked(s->graph, walker, width, left, s->groups ? &filter : NULL);
        walked->visited += walker->visited;
        beam_push(s, walker, top);
        /* Equal groups in the beam, and others than the set's, have left room. */
        bool checked = options->checked && s->groups;
        bool missing = top->count < s->k && walker->beam_count == width &&
                       walker->beam[width - 1].score >= options->min_similarity;
        bool wider = options->grouped && missing && 2 * width <= VT_GRAPH_MAX_WIDTH &&
                     !walker->ran_out && !(checked && graph_beam_thin(s->graph, walker, &filter)) &&
                     (!options->budget || walked->visited < options->budget);
        walked->ran_out = walker->ran_out || (checked && missing && !wider);
        if (walker->out_of_memory || !wider)
            return !walker->out_of_memory;
        vt_topk_clear(top);
    }
}

static void queries_answer(void *context, size_t worker)
{
    (void)worker;
    search *s = context;
    graph_walker *walker = graph_walker_borrow(s->graph, NULL);
    vt_topk top = {0};
    if (!walker || vt_topk_init(&top, s->k, s->options->grouped, NULL) != VT_OK) {
        atomic_store(&s->out_of_memory, true);
        goto out;
    }
    for (;;) {
        size_t q = atomic_fetch_add_explicit(&s->next, 1, memory_order_relaxed);
        if (q >= s->count)
            break;
        vt_graph_walked walked;
        vt_topk_clear(&top);
        if (!query_walk(s, walker, &top, s->queries + q * s->graph->dim, &walked)) {
            atomic_store(&s->out_of_memory, true);
            break;
        }
        s->answers->counts[q] = vt_topk_sort(&top);
        memcpy(s->answers->hits + q * s->options->k, top.hits,
               s->answers->counts[q] * sizeof *top.hits);
        if (s->answers->walked)
            s->answers->walked[q] = walked;
    }
out:
    vt_topk_deinit(&top);
    if (walker)
        graph_walker_return(walker);
}

/* ---- many ---- */

static vt_status search_check(const search *s, vt_error *error)
{
    if (s->options->k < 1)
        return vt_fail(error, VT_ERR_USAGE, "search the index: 0 hits asked for");
    if (isnan(s->options->min_similarity))
        return vt_fail(error, VT_ERR_USAGE,
                       "search the index: the minimum similarity is not a number");
    if (s->k > VT_GRAPH_MAX_WIDTH)
        return vt_fail(error, VT_ERR_LIMIT,
                       "search the index: %zu hits asked for, a walk finds at most %d",
                       s->options->k, VT_GRAPH_MAX_WIDTH);
    for (size_t q = 0; q < s->count; q++) {
        vt_status status = vt_coder_check(s->graph->coder, s->queries + q * s->graph->dim,
                                          "search the index", error);
        if (status != VT_OK && s->count > 1)
            return vt_fail_context(error, status, "query %zu of %zu", q + 1, s->count);
        if (status != VT_OK)
            return status;
    }
    return VT_OK;
}

/* Sets of few ids are searched by halving where they are asked, which costs a walk over them more
 * than all that it compares; of many ids they are bits already. False: memory is out. */
static bool groups_take(search *s, const vt_idset *groups)
{
    enum { BLOCK = 1 << 16, FEW = 4096 }; /* CRoaring's, and where its arrays end */
    if (!groups)
        return true;
    s->groups = &s->bits;
    uint64_t blocks = (uint64_t)vt_idset_last(groups) / BLOCK + 1;
    bool few = !s->options->checked && vt_idset_count(groups) < FEW * blocks;
    return vt_idset_bits_init(&s->bits, groups,
                              few ? vt_idset_bits_most(vt_graph_count(s->graph)) : 0);
}

static void search_run(search *s)
{
    if (groups_take(s, s->options->groups))
        vt_pool_for(s->options->pool, s->workers, queries_answer, s);
    else
        atomic_store(&s->out_of_memory, true);
    vt_idset_bits_deinit(&s->bits);
}

vt_status vt_graph_search(vt_graph *graph, const float *queries, size_t count,
                          const vt_graph_search_options *options, const vt_graph_answers *answers,
                          vt_error *error)
{
    search s = {.graph = graph, .queries = queries, .count = count, .options = options};
    size_t rows = vt_graph_count(graph);
    s.answers = answers;
    s.k = options->k < rows ? options->k : rows;
    s.width = options->width > s.k ? options->width : s.k;
    s.width = s.width < VT_GRAPH_MAX_WIDTH ? s.width : VT_GRAPH_MAX_WIDTH;
    vt_status status = search_check(&s, error);
    if (status != VT_OK)
        return status;
    if (rows == 0) {
        for (size_t q = 0; q < count; q++) {
            answers->counts[q] = 0;
            if (answers->walked)
                answers->walked[q] = (vt_graph_walked){0};
        }
        return VT_OK;
    }
    s.workers = options->pool ? (size_t)vt_pool_threads(options->pool) : 1;
    s.workers = s.workers < count ? s.workers : count;
    search_run(&s);
    if (atomic_load(&s.out_of_memory))
        return vt_fail_memory(error, "search of the graph index");
    return VT_OK;
}
