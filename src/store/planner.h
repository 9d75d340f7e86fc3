/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a question for the nearest is to be answered, and which index a number of vectors deserves.
 *
 *     vt_plan plan = vt_plan_search(&(vt_plan_question){.rows = n, .products = p, ...});
 *     switch (plan.strategy) ...
 *
 * Everything here is arithmetic on numbers that do not change from page to page of one question, so
 * that its pages are of one plan. Threads: no state.
 */
#ifndef VT_STORE_PLANNER_H
#define VT_STORE_PLANNER_H

#include "index/codec.h"
#include "store/store.h"

/* "exact", "walk", "checked walk"...; and of a walk that gave up and was answered by the scan. */
const char *vt_strategy_name(vt_strategy strategy);
const char *vt_strategy_fallback_name(vt_strategy strategy);

typedef struct vt_plan_question {
    size_t rows, products; /* vectors there are, and products that have them */
    uint64_t passing;      /* products in the set, where there is one */
    size_t dim, degree;    /* of vectors; of the graph */
    size_t page;           /* products on a page */
    bool filtered;         /* there is a set */
    bool exact;            /* is asked for */
    bool graph;            /* there is one */
    bool resident;         /* vectors are in memory; otherwise they are read from the database */
} vt_plan_question;

typedef struct vt_plan {
    vt_strategy strategy;
    size_t width;   /* of the walk */
    size_t prefix;  /* products it answers for; what is behind them on a deep page is scanned for */
    size_t budget;  /* nodes compared, after which it gives up; 0: no bound */
    size_t strays;  /* nodes outside the set that it may expand */
    float share;    /* of rows that are in the set */
    double cost_ns; /* expected */
} vt_plan;

vt_plan vt_plan_search(const vt_plan_question *question);
/* The same with a strategy given, for measuring. False: it cannot be (no graph, no set). */
bool vt_plan_force(const vt_plan_question *question, vt_strategy strategy, vt_plan *out);

/* Which index. memory_bytes 0: half of what the machine has. */
typedef struct vt_index_choice {
    bool graph;          /* otherwise the exact scan alone */
    bool resident;       /* vectors are kept in memory as well */
    vt_codec codec;      /* of the graph */
    size_t bytes;        /* expected, in memory */
    size_t memory_bytes; /* the limit */
    char why[200];
} vt_index_choice;
void vt_index_choose(size_t rows, size_t dim, size_t memory_bytes, vt_index_choice *out);

#endif
