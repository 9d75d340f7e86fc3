/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a question for the nearest is to be answered, and which index a number of vectors deserves.
 *
 *     vt_plan plan = vt_plan_search(&(vt_plan_question){.rows = n, .products = p, ...});
 *     switch (plan.strategy) ...
 *
 * Everything here is arithmetic on numbers that do not change from page to page of one question, so
 * that its pages are of one plan; a screen alone comes once in a process's life, perhaps between
 * two. Threads: no state.
 */
#ifndef VT_STORE_PLANNER_H
#define VT_STORE_PLANNER_H

#include "index/ann.h"
#include "store/store.h"

/* "exact", "walk", "checked walk", "lists"...; and of a walk or of lists that gave up, so
 * that the scan answered, or estimates did. */
const char *vt_strategy_name(vt_strategy strategy);
const char *vt_strategy_fallback_name(vt_strategy strategy, bool estimated);

typedef struct vt_plan_question {
    size_t rows, products; /* vectors there are, and products that have them */
    uint64_t passing;      /* products in the set, where there is one */
    size_t dim, degree;    /* of vectors; of the graph */
    size_t page;           /* products on a page */
    bool filtered;         /* there is a set */
    bool exact;            /* is asked for */
    bool graph;            /* there is one; otherwise: */
    size_t lists;          /* inverted lists there are, 0: none */
    bool resident;         /* vectors are in memory; otherwise they are read from the database */
    size_t screen_bytes; /* of a row, where there is a screen over vectors in memory (index/flat.h),
                            which estimates come with; or 0 */
} vt_plan_question;

typedef struct vt_plan {
    vt_strategy strategy;
    size_t width;   /* of the walk; lists looked into */
    size_t prefix;  /* products it answers for; what is behind them on a deep page is scanned for */
    size_t budget;  /* nodes compared, rows of lists, after which it gives up; 0: no bound */
    size_t strays;  /* nodes outside the set that it may expand */
    size_t matches; /* rows of the set that lists are looked into for; 0: there is no set */
    float share;    /* of rows that are in the set */
    float around;   /* of what the walk begins with near the query; below it is not worth it */
    bool estimates; /* where it gives up they answer, not the scan */
    double cost_ns; /* expected */
} vt_plan;

vt_plan vt_plan_search(const vt_plan_question *question);
/* The same with a strategy given, for measuring. False: it cannot be (no graph, no lists, no set).
 */
bool vt_plan_force(const vt_plan_question *question, vt_strategy strategy, vt_plan *out);

/* Which index. */
typedef struct vt_index_choice {
    vt_index_kind kind;     /* graph, lists, or the exact scan alone */
    vt_ann_options options; /* its codec; meaningless for the scan */
    const char *codec;      /* the same as static text; "f16" for the scan */
    bool resident;          /* vectors are kept in memory as well */
    size_t bytes;           /* expected, in memory */
    size_t memory_bytes;    /* the limit */
    char why[VT_INDEX_WHY_BYTES];
} vt_index_choice;
/* memory_bytes 0: half of what the machine has. wanted: VT_INDEX_AUTO, or the kind that it is to be
 * whatever the number of rows; where the limit or the dimension does not allow that kind it is the
 * exact scan, and `why` says what is in the way. */
void vt_index_choose(size_t rows, size_t dim, size_t memory_bytes, vt_index_kind wanted,
                     vt_index_choice *out);

#endif
