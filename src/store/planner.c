/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The planner: exact scan over the set, the set by estimates, filtered walk, plain walk with a
 * check, or inverted lists. Which of graph and lists there is was decided when it was built
 * (index_choice.c).
 *
 * Method: the set is known exactly before the question is planned (filters cannot lie), so its true
 * size is. What each way costs is estimated from it, by the times below, and the cheapest is taken.
 * A walk's cost is an expectation: how the set lies to the query is not known. So it gets a budget
 * of what the scan, or estimates, would have cost, after which that is done after all: whatever the
 * data, an answer costs at most twice the cheaper way (the argument of Karlin et al., Competitive
 * snoopy caching, 1988, for renting before buying).
 *
 * The times are constants, not measured anew in each process, because a plan that changes between
 * two pages of one question could make them overlap. They were measured by `bench/filter --walk`
 * on a Zen 5 whose cores others used as well (labels, picks and estimates on a Zen 4, of 50,000 and
 * 400,000 vectors), and by tests of the database's reads; their ratios are what matters. Those of
 * lists were fitted to the parts of their search and then to whole questions to shops of 100,000
 * and 400,000 vectors (time of the thread, Zen 4): `vitrine index bench` prints beside each rate
 * the one that is expected here, on any shop. A screen makes scans cheaper (index/flat.h), which is
 * in what is told of a scan and decides nothing; the estimates that come with it decide.
 */
#include "store/planner.h"

#include <math.h>

/* Nanoseconds. */
static const double VISIT = 50, VISIT_BYTE = 0.15; /* a node compared: its lines come from memory */
static const double LABEL = 6;                     /* a label looked at in passing */
static const double SCAN = 2, SCAN_BYTE = 0.09;    /* a vector in a scan of all */
static const double PICK = 60, PICK_BYTE = 0.2;    /* a vector fetched alone */
static const double FETCH = 6000;                  /* a vector read from the database by product */
static const double STREAM = 1500;                 /* the same where all are */
static const double FETCH_ROW = 9000;              /* one that lists ask for, read alone */
static const double LOOK = 250, LOOK_BYTE = 0.5;   /* the same in memory, not asked for ahead */
static const double TABLES = 7000;                 /* of a query of lists, before the first one */
static const double LIST = 2, LIST_BYTE = 0.03;    /* the centroid of a list compared */
static const double ROW = 1, ROW_BYTE = 0.12;      /* a row of a list compared by its code */
static const double ASK = 12;                      /* whether a row of a list is in the set */
static const double BIT = 2.3, BIT_TEST = 1.5;     /* an id of the set made a bit; one looked at */
static const double SCREEN = 15000; /* of a screened scan: the rows that are compared after all */
static const double SCREEN_ROW = 0.5, SCREEN_BYTE = 0.05; /* less in the cache, more from memory */

static const double ESTIMATE = 10, ESTIMATE_BYTE = 0.25; /* a row compared by its code alone */
static const double FIND = 22, ASK_ALL = 1.5; /* a row of the set found; or all asked, each */

enum {
    WIDTH = 64, /* of a walk for a page of 10 */
    ENTRIES = 256,
    VISITS_PER_STEP = 12, /* new nodes that an expansion finds */
    STRAYS = 16,          /* or so many that about a dozen nodes that pass are next to them ... */
    STRAYS_MOST = 400,    /* ... up to this */
    BRIDGED = 12,         /* passing nodes looked for behind failing ones, at each step */
    BRIDGED_LEAST = 4,    /* passing nodes within two hops, below which sets fall apart */
    PREFIX = 32,          /* products that lists answer for */
    PROBES_LEAST = 16,
    PROBES_MORE = 2,       /* times the root of the number of lists */
    MATCHES_PER_HIT = 40,  /* rows of the set met for each hit wanted */
    RERANKED_PER_HIT = 6,  /* of all rows so many are looked at by the vector, about; */
    RERANKED_FILTERED = 4, /* of those of a set */
    LISTS_PAGE = VT_IVF_MAX_HITS / 4,
    ESTIMATED_COMPARED = 200, /* rows that estimates leave to be compared, about */
};
/* Narrow sets are walked where so large a part of what lies around the query is in them, if to look
 * costs so many times less than estimates. */
static const float NEAR_SHARE = 0.15f;
static const double LOOKS_LEAST = 4;
static const double EXACT_WORTH = 1.5; /* an answer that is exact may cost so many times more */
/* Sets larger than this are walked as if they were all: so much wider a walk costs less than one
 * that keeps to the set. */
static const double CHECKED_SHARE = 0.3;

const char *vt_strategy_name(vt_strategy strategy)
{
    static const char *const names[VT_STRATEGY_COUNT] = {"automatic",      "exact",         "walk",
                                                         "checked walk",   "filtered walk", "lists",
                                                         "filtered lists", "estimated"};
    return (unsigned)strategy < VT_STRATEGY_COUNT ? names[strategy] : "unknown";
}

const char *vt_strategy_fallback_name(vt_strategy strategy, bool estimated)
{
#define BOTH(name)                                                                                 \
    {                                                                                              \
        name ", then exact", name ", then estimated"                                               \
    }
    static const char *const names[VT_STRATEGY_COUNT][2] = {
        [VT_STRATEGY_WALK] = BOTH("walk"),
        [VT_STRATEGY_CHECKED] = BOTH("checked walk"),
        [VT_STRATEGY_FILTERED] = BOTH("filtered walk"),
        [VT_STRATEGY_LISTS] = BOTH("lists"),
        [VT_STRATEGY_FILTERED_LISTS] = BOTH("filtered lists"),
    };
#undef BOTH
    bool known = (unsigned)strategy < VT_STRATEGY_COUNT && names[strategy][estimated];
    return known ? names[strategy][estimated] : vt_strategy_name(strategy);
}

/* ---- costs ---- */

static double share_of(const vt_plan_question *question)
{
    if (!question->filtered || question->products == 0)
        return 1;
    return fmin(1, (double)question->passing / (double)question->products);
}

static double pick_cost(const vt_plan_question *question)
{
    return PICK + 2.0 * (double)question->dim * PICK_BYTE;
}

static double exact_cost(const vt_plan_question *question)
{
    double share = share_of(question), rows = (double)question->rows, passing = share * rows;
    double bytes = 2.0 * (double)question->dim;
    if (!question->resident)
        return fmin(passing * FETCH, rows * STREAM);
    double scan = rows * (SCAN + bytes * SCAN_BYTE);
    return question->filtered ? fmin(scan, passing * pick_cost(question)) : scan;
}

/* The same with the screen that there may be, for telling alone. */
static double screened_cost(const vt_plan_question *question)
{
    double cost = exact_cost(question), bits = (double)question->passing * BIT;
    if (!question->resident || question->screen_bytes == 0)
        return cost;
    double row = SCREEN_ROW + (double)question->screen_bytes * SCREEN_BYTE;
    double scan = SCREEN + (double)question->rows * row;
    return fmin(cost, question->filtered ? scan + bits : scan);
}

/* Estimates are for sets, where answers may be approximate anyway. */
static bool has_estimates(const vt_plan_question *question)
{
    return question->filtered && question->resident && question->screen_bytes > 0;
}

static double estimated_cost(const vt_plan_question *question)
{
    double rows = (double)question->rows, passing = share_of(question) * rows;
    double code = (double)question->dim / 8, compared = fmin(passing, ESTIMATED_COMPARED);
    return fmin(passing * FIND, rows * ASK_ALL) + passing * (ESTIMATE + code * ESTIMATE_BYTE) +
           compared * pick_cost(question);
}

/* What answers where a walk has given up. */
static double fallback_cost(const vt_plan_question *question)
{
    return has_estimates(question) ? fmin(estimated_cost(question), exact_cost(question))
                                   : exact_cost(question);
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
        labels = (double)plan->width * fmin(degree * degree, degree + BRIDGED / share_of(question));
    }
    return visits * visit_cost(question) + labels * LABEL;
}

/* ---- costs of lists ---- */

/* Rows of lists that are looked at. */
static double rows_seen(const vt_plan_question *question, const vt_plan *plan)
{
    double rows = (double)question->rows, share = share_of(question);
    double seen = rows * (double)plan->width / (double)question->lists;
    if (question->filtered && share > 0)
        seen = fmax(seen, (double)plan->matches / share);
    return fmin(seen, rows);
}

/* Blocks of 32 without a row of the set are passed over. Of its labels either the set is asked, or
 * bits that were made of it. */
static double rows_cost(const vt_plan_question *question, double seen)
{
    double codes = seen * (ROW + (double)question->dim / 8 * ROW_BYTE);
    if (!question->filtered)
        return codes;
    double bits = (double)question->passing * BIT + seen * BIT_TEST;
    return fmin(seen * ASK, bits) + fmin(1, 32 * share_of(question)) * codes;
}

static double lists_cost(const vt_plan_question *question, const vt_plan *plan)
{
    double bytes = 2.0 * (double)question->dim, seen = rows_seen(question, plan);
    double vector = question->resident ? LOOK + bytes * LOOK_BYTE : FETCH_ROW;
    double each = question->filtered ? RERANKED_FILTERED : RERANKED_PER_HIT;
    double reranked = fmin(each * (double)plan->prefix, share_of(question) * seen);
    return TABLES + (double)question->lists * (LIST + 2 * bytes * LIST_BYTE) +
           rows_cost(question, seen) + reranked * vector;
}

/* ---- plans ---- */

static vt_plan exact_plan(const vt_plan_question *question)
{
    return (vt_plan){.strategy = VT_STRATEGY_EXACT, .cost_ns = screened_cost(question)};
}

/* Of a page of 10, or twice what is on it. */
static size_t width_of(const vt_plan_question *question)
{
    return 2 * question->page > WIDTH ? 2 * question->page : WIDTH;
}

static vt_plan estimated_plan(const vt_plan_question *question)
{
    return (vt_plan){.strategy = VT_STRATEGY_ESTIMATED,
                     .prefix = width_of(question) / 2,
                     .share = (float)share_of(question),
                     .cost_ns = estimated_cost(question)};
}

static vt_plan walk_plan(const vt_plan_question *question, vt_strategy strategy)
{
    vt_plan plan = {.strategy = strategy, .width = width_of(question)};
    double share = share_of(question);
    plan.prefix = plan.width / 2;
    if (strategy == VT_STRATEGY_CHECKED && share > 0)
        plan.width = (size_t)fmin((double)plan.width / share, 4.0 * (double)plan.width);
    plan.share = (float)share;
    if (strategy == VT_STRATEGY_FILTERED)
        plan.strays = (size_t)fmin(fmax(STRAYS, 1 / share), STRAYS_MOST);
    plan.cost_ns = walk_cost(question, &plan);
    double worth = fmax(fallback_cost(question), 2 * plan.cost_ns);
    plan.estimates = has_estimates(question);
    plan.budget = (size_t)fmin(worth / visit_cost(question), 1e9);
    return plan;
}

/* Estimates, but a walk where the set lies around the query, if looking costs little beside them.
 */
static vt_plan near_plan(const vt_plan_question *question, const vt_plan *estimated)
{
    double look = ENTRIES * visit_cost(question);
    if (estimated->cost_ns < LOOKS_LEAST * look)
        return *estimated;
    vt_plan plan = walk_plan(question, VT_STRATEGY_FILTERED);
    plan.around = NEAR_SHARE;
    plan.cost_ns = look + estimated->cost_ns;
    return plan;
}

static bool can_walk(const vt_plan_question *question, vt_strategy strategy)
{
    return question->graph && question->rows > 0 &&
           question->filtered == (strategy != VT_STRATEGY_WALK);
}

/* More lists for more products: those of a deep page lie farther apart. */
static vt_plan lists_plan(const vt_plan_question *question, vt_strategy strategy)
{
    vt_plan plan = {.strategy = strategy, .prefix = PREFIX};
    if (plan.prefix < question->page)
        plan.prefix = question->page;
    double lists = (double)question->lists;
    double probes = PROBES_MORE * sqrt(lists * (double)plan.prefix / PREFIX);
    plan.width = (size_t)fmin(fmax(probes, PROBES_LEAST), lists);
    if (strategy == VT_STRATEGY_FILTERED_LISTS)
        plan.matches = MATCHES_PER_HIT * plan.prefix;
    plan.share = (float)share_of(question);
    plan.cost_ns = lists_cost(question, &plan);
    double worth = fmax(fallback_cost(question), 2 * plan.cost_ns);
    plan.estimates = has_estimates(question);
    double seen = rows_seen(question, &plan);
    plan.budget = (size_t)fmin(worth / rows_cost(question, seen) * seen, 1e12);
    return plan;
}

static bool can_look_into_lists(const vt_plan_question *question, vt_strategy strategy)
{
    return !question->graph && question->lists > 0 && question->rows > 0 &&
           question->page <= LISTS_PAGE && question->filtered == (strategy != VT_STRATEGY_LISTS);
}

bool vt_plan_force(const vt_plan_question *question, vt_strategy strategy, vt_plan *out)
{
    bool can = true;
    switch (strategy) {
    case VT_STRATEGY_EXACT:
        *out = exact_plan(question);
        break;
    case VT_STRATEGY_ESTIMATED:
        if ((can = has_estimates(question)))
            *out = estimated_plan(question);
        break;
    case VT_STRATEGY_LISTS:
    case VT_STRATEGY_FILTERED_LISTS:
        if ((can = can_look_into_lists(question, strategy)))
            *out = lists_plan(question, strategy);
        break;
    default:
        if ((can = can_walk(question, strategy)))
            *out = walk_plan(question, strategy);
    }
    return can;
}

/* Lists where they cost less; sets that are hardly more than the answer are scanned. */
static vt_plan search_lists(const vt_plan_question *question)
{
    vt_strategy strategy = question->filtered ? VT_STRATEGY_FILTERED_LISTS : VT_STRATEGY_LISTS;
    vt_plan exact = exact_plan(question);
    if (question->exact || !can_look_into_lists(question, strategy))
        return exact;
    vt_plan lists = lists_plan(question, strategy);
    if (share_of(question) * (double)question->products < 4.0 * (double)lists.prefix)
        return exact;
    return lists.cost_ns < exact_cost(question) ? lists : exact;
}

vt_plan vt_plan_search(const vt_plan_question *question)
{
    if (!question->graph && question->lists > 0)
        return search_lists(question);
    vt_plan best = exact_plan(question);
    vt_strategy strategy = VT_STRATEGY_WALK;
    double share = share_of(question), degree = (double)question->degree;
    double least = exact_cost(question);
    if (question->filtered)
        strategy = share >= CHECKED_SHARE ? VT_STRATEGY_CHECKED : VT_STRATEGY_FILTERED;
    if (question->exact || !can_walk(question, strategy))
        return best;
    if (has_estimates(question) && EXACT_WORTH * estimated_cost(question) < least) {
        best = estimated_plan(question);
        least = best.cost_ns;
    }
    vt_plan walk = walk_plan(question, strategy);
    if (share * (double)question->products < 2.0 * (double)walk.width)
        return best; /* too few to walk among */
    if (best.strategy == VT_STRATEGY_ESTIMATED && walk.cost_ns >= least)
        return share < CHECKED_SHARE ? near_plan(question, &best) : best;
    if (question->filtered && share * degree * degree < BRIDGED_LEAST)
        return best; /* too few to walk from one to the next */
    return walk.cost_ns < least ? walk : best;
}
