/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The planner: exact scan over the set, filtered walk, or plain walk with a check.
 *
 * Method: the set is known exactly before the question is planned (filters cannot lie), so its true
 * size is. What each way costs is estimated from it, by the times below, and the cheapest is taken.
 * A walk's cost is an expectation: how the set lies to the query is not known. So it gets a budget
 * of what the exact scan would have cost, after which that is done after all: whatever the data, an
 * answer costs at most twice the cheaper way (the argument of Karlin et al., Competitive snoopy
 * caching, 1988, for renting before buying).
 *
 * The times are constants, not measured anew in each process, because a plan that changes between
 * two pages of one question could make them overlap. They were measured by `bench/filter --walk`
 * on a Zen 5 whose cores others used as well, and by tests of the database's reads; their ratios
 * are what matters.
 */
#include "store/planner.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

/* Nanoseconds. */
static const double VISIT = 50, VISIT_BYTE = 0.15; /* a node compared: its lines come from memory */
static const double LABEL = 8;                     /* a label looked at in passing */
static const double SCAN = 2, SCAN_BYTE = 0.09;    /* a vector in a scan of all */
static const double PICK = 30, PICK_BYTE = 0.08;   /* a vector fetched alone */
static const double FETCH = 6000;                  /* a vector read from the database by product */
static const double STREAM = 1500;                 /* the same where all are */

enum {
    WIDTH = 64,          /* of a walk for a page of 10 */
    FILTERED_WIDTH = 80, /* the beam holds only what passes: its ends lie farther apart */
    ENTRIES = 256,
    VISITS_PER_STEP = 12, /* new nodes that an expansion finds */
    STRAYS = 48,          /* or as many as four that pass come with ... */
    STRAYS_MOST = 400,    /* ... up to this */
    BRIDGED_LEAST = 4,    /* passing nodes within two hops, below which sets fall apart */
    GRAPH_ROWS = 4096,
    GRAPH_BYTES = 8 << 20, /* of vectors: scanned in about half a millisecond */
    GRAPH_DIM = 4096,
};
static const double CHECKED_SHARE = 0.9; /* sets larger than this are walked as if they were all */

const char *vt_strategy_name(vt_strategy strategy)
{
    static const char *const names[VT_STRATEGY_COUNT] = {"automatic", "exact", "walk",
                                                         "checked walk", "filtered walk"};
    return (unsigned)strategy < VT_STRATEGY_COUNT ? names[strategy] : "unknown";
}

const char *vt_strategy_fallback_name(vt_strategy strategy)
{
    static const char *const names[VT_STRATEGY_COUNT] = {"automatic", "exact", "walk, then exact",
                                                         "checked walk, then exact",
                                                         "filtered walk, then exact"};
    return (unsigned)strategy < VT_STRATEGY_COUNT ? names[strategy] : "unknown";
}

/* ---- costs ---- */

static double share_of(const vt_plan_question *question)
{
    if (!question->filtered || question->products == 0)
        return 1;
    return fmin(1, (double)question->passing / (double)question->products);
}

static double exact_cost(const vt_plan_question *question)
{
    double share = share_of(question), rows = (double)question->rows, passing = share * rows;
    double bytes = 2.0 * (double)question->dim;
    if (!question->resident)
        return fmin(passing * FETCH, rows * STREAM);
    double scan = rows * (SCAN + bytes * SCAN_BYTE);
    return question->filtered ? fmin(scan, passing * (PICK + bytes * PICK_BYTE)) : scan;
}

static double visit_cost(const vt_plan_question *question)
{
    return VISIT + (double)question->dim / 2 * VISIT_BYTE;
}

static double walk_cost(const vt_plan_question *question, const vt_plan *plan)
{
    double visits = ENTRIES + (double)plan->width * VISITS_PER_STEP, labels = 0;
    if (plan->strategy == VT_STRATEGY_FILTERED) {
        double degree = (double)question->degree;
        visits += (double)plan->strays * VISITS_PER_STEP;
        labels = (double)plan->width * degree * fmin(degree, 1 / share_of(question));
    }
    return visits * visit_cost(question) + labels * LABEL;
}

/* ---- plans ---- */

static vt_plan exact_plan(const vt_plan_question *question)
{
    return (vt_plan){.strategy = VT_STRATEGY_EXACT, .cost_ns = exact_cost(question)};
}

static vt_plan walk_plan(const vt_plan_question *question, vt_strategy strategy)
{
    vt_plan plan = {.strategy = strategy, .width = WIDTH};
    double share = share_of(question);
    if (strategy == VT_STRATEGY_FILTERED)
        plan.width = FILTERED_WIDTH;
    if (plan.width < 2 * question->page)
        plan.width = 2 * question->page;
    plan.prefix = plan.width / 2;
    if (strategy == VT_STRATEGY_CHECKED && share > 0)
        plan.width = (size_t)fmin((double)plan.width / share, 4.0 * (double)plan.width);
    plan.share = (float)share;
    if (strategy == VT_STRATEGY_FILTERED)
        plan.strays = (size_t)fmin(fmax(STRAYS, 4 / share), STRAYS_MOST);
    plan.cost_ns = walk_cost(question, &plan);
    double worth = fmax(exact_cost(question), 2 * plan.cost_ns);
    plan.budget = (size_t)fmin(worth / visit_cost(question), 1e9);
    return plan;
}

static bool can_walk(const vt_plan_question *question, vt_strategy strategy)
{
    return question->graph && question->rows > 0 &&
           question->filtered == (strategy != VT_STRATEGY_WALK);
}

bool vt_plan_force(const vt_plan_question *question, vt_strategy strategy, vt_plan *out)
{
    if (strategy != VT_STRATEGY_EXACT && !can_walk(question, strategy))
        return false;
    *out = strategy == VT_STRATEGY_EXACT ? exact_plan(question) : walk_plan(question, strategy);
    return true;
}

vt_plan vt_plan_search(const vt_plan_question *question)
{
    vt_plan exact = exact_plan(question);
    vt_strategy strategy = VT_STRATEGY_WALK;
    double share = share_of(question), degree = (double)question->degree;
    if (question->filtered)
        strategy = share >= CHECKED_SHARE ? VT_STRATEGY_CHECKED : VT_STRATEGY_FILTERED;
    if (question->exact || !can_walk(question, strategy))
        return exact;
    vt_plan walk = walk_plan(question, strategy);
    /* Too few to walk among, or too few to walk from one to the next. */
    if (share * (double)question->products < 2.0 * (double)walk.width ||
        (question->filtered && share * degree * degree < BRIDGED_LEAST))
        return exact;
    return walk.cost_ns < exact.cost_ns ? walk : exact;
}

/* ---- which index ---- */

static size_t machine_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), bytes = sysconf(_SC_PAGESIZE);
    size_t all = 0;
    if (pages < 1 || bytes < 1 || !vt_size_mul((size_t)pages, (size_t)bytes, &all))
        return SIZE_MAX;
    return all;
}

/* Of a node with its place in the table of ids, about; docs/index.md has the layout. */
static double node_bytes(vt_codec codec, size_t dim)
{
    enum { FACTORS = 24, NEIGHBOURS = 32 * 4, LINE = 64, LABEL_AND_TABLE = 16 };
    double width = ceil((double)dim / 64) * 64;
    double node = ceil((width / 2 + FACTORS + NEIGHBOURS) / LINE) * LINE;
    return node + LABEL_AND_TABLE + (codec == VT_CODEC_INT4X2 ? width / 2 : 0);
}

void vt_index_choose(size_t rows, size_t dim, size_t memory_bytes, vt_index_choice *out)
{
    enum { MEMBER_BYTES = 24 };
    *out = (vt_index_choice){.codec = VT_CODEC_INT4X2, .memory_bytes = memory_bytes};
    if (memory_bytes == 0)
        out->memory_bytes = machine_bytes() / 2;
    double limit = (double)out->memory_bytes, count = (double)rows;
    double vectors = count * ((double)dim * 2 + MEMBER_BYTES), mb = 1e-6;
    out->resident = vectors <= limit;
    out->bytes = out->resident ? (size_t)vectors : (size_t)(count * MEMBER_BYTES);
    if (rows < GRAPH_ROWS || count * (double)dim * 2 < GRAPH_BYTES) {
        snprintf(out->why, sizeof out->why, "%zu vectors (%.1f MB) are scanned exactly in no time",
                 rows, count * (double)dim * 2 * mb);
        return;
    }
    if (dim > GRAPH_DIM) {
        snprintf(out->why, sizeof out->why, "a graph holds at most %d dimensions, these have %zu",
                 GRAPH_DIM, dim);
        return;
    }
    double full = count * node_bytes(VT_CODEC_INT4X2, dim);
    double small = count * node_bytes(VT_CODEC_INT4, dim);
    if (small > limit) {
        snprintf(out->why, sizeof out->why,
                 "the smallest graph takes %.0f MB, the limit is %.0f MB", small * mb, limit * mb);
        return;
    }
    out->graph = true;
    out->codec = full <= limit ? VT_CODEC_INT4X2 : VT_CODEC_INT4;
    double graph = full <= limit ? full : small;
    out->resident = graph + vectors <= limit;
    out->bytes = (size_t)(graph + (out->resident ? vectors : count * MEMBER_BYTES));
    snprintf(out->why, sizeof out->why,
             "%zu vectors of %zu dimensions: %.0f MB as a graph%s%s; the limit is %.0f MB", rows,
             dim, graph * mb, full <= limit ? "" : " of the coarse codes alone",
             out->resident ? ", and room for the vectors themselves"
                           : ", vectors stay in the database",
             limit * mb);
}
