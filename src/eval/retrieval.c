/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures of retrieval.
 *
 * Method: one sum per measure, over all queries and per category; divided when asked for.
 * Categories are kept sorted by name and found by halving. Definitions are in the header; two
 * details follow the literature where it leaves a choice. precision@k divides by k even when fewer
 * than k products were ranked, so that answering less is no advantage. Average precision divides by
 * all relevant products that exist, not by those that a list of this depth could hold.
 */
#include "eval/retrieval.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_CATEGORIES = 1 << 20 };

typedef struct sums {
    size_t queries, depth;
    double recall[VT_RETRIEVAL_MAX_K], precision[VT_RETRIEVAL_MAX_K];
    double average_precision, reciprocal_rank;
} sums;

typedef struct category {
    char *name; /* owned */
    sums sums;
} category;

struct vt_retrieval {
    vt_retrieval_options options;
    sums all;
    category *categories; /* by name */
    size_t category_count, category_room;
};

vt_retrieval_options vt_retrieval_options_defaults(void)
{
    return (vt_retrieval_options){.k = {1, 5, 10}, .k_count = 3};
}

vt_status vt_retrieval_new(const vt_retrieval_options *options, vt_retrieval **out, vt_error *error)
{
    if (options->k_count > VT_RETRIEVAL_MAX_K)
        return vt_fail(error, VT_ERR_USAGE, "measure retrieval: %zu cut-offs, %d is the most",
                       options->k_count, VT_RETRIEVAL_MAX_K);
    for (size_t i = 0; i < options->k_count; i++)
        if (options->k[i] < 1 || (i > 0 && options->k[i] <= options->k[i - 1]))
            return vt_fail(error, VT_ERR_USAGE,
                           "measure retrieval: cut-offs must ascend from 1, number %zu is %zu",
                           i + 1, options->k[i]);
    vt_retrieval *made = vt_calloc(1, sizeof *made);
    if (!made)
        return vt_fail_memory(error, "retrieval measures");
    made->options = *options;
    *out = made;
    return VT_OK;
}

void vt_retrieval_free(vt_retrieval *retrieval)
{
    if (!retrieval)
        return;
    for (size_t i = 0; i < retrieval->category_count; i++)
        vt_free(retrieval->categories[i].name);
    vt_free(retrieval->categories);
    vt_free(retrieval);
}

/* ---- categories ---- */

/* Where the name is, or would be inserted. */
static size_t category_place(const vt_retrieval *retrieval, const char *name)
{
    size_t low = 0, high = retrieval->category_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(retrieval->categories[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static category *category_find(const vt_retrieval *retrieval, const char *name)
{
    size_t place = category_place(retrieval, name);
    if (place < retrieval->category_count && strcmp(retrieval->categories[place].name, name) == 0)
        return &retrieval->categories[place];
    return NULL;
}

static vt_status category_make(vt_retrieval *retrieval, const char *name, category **out,
                               vt_error *error)
{
    if (retrieval->category_count == MAX_CATEGORIES)
        return vt_fail(error, VT_ERR_LIMIT,
                       "measure retrieval of category \"%.100s\": %d categories is the most", name,
                       MAX_CATEGORIES);
    void *grown = retrieval->categories;
    if (!vt_grow(&grown, &retrieval->category_room, retrieval->category_count + 1, sizeof(category),
                 MAX_CATEGORIES))
        return vt_fail_memory(error, "retrieval measures");
    retrieval->categories = grown;
    char *copy = vt_strdup(name);
    if (!copy)
        return vt_fail_memory(error, "retrieval measures");
    size_t place = category_place(retrieval, name);
    category *made = &retrieval->categories[place];
    memmove(made + 1, made, (retrieval->category_count - place) * sizeof *made);
    *made = (category){.name = copy};
    retrieval->category_count++;
    *out = made;
    return VT_OK;
}

size_t vt_retrieval_category_count(const vt_retrieval *retrieval)
{
    return retrieval->category_count;
}

const char *vt_retrieval_category(const vt_retrieval *retrieval, size_t index)
{
    return index < retrieval->category_count ? retrieval->categories[index].name : NULL;
}

/* ---- adding ---- */

static void sums_add(sums *to, const sums *query, size_t k_count)
{
    to->queries += query->queries;
    to->depth = query->depth > to->depth ? query->depth : to->depth;
    for (size_t i = 0; i < k_count; i++) {
        to->recall[i] += query->recall[i];
        to->precision[i] += query->precision[i];
    }
    to->average_precision += query->average_precision;
    to->reciprocal_rank += query->reciprocal_rank;
}

/* One query as sums over one. Returns how many relevant products the list has. */
static size_t query_measure(const vt_retrieval_options *options, const bool *relevance,
                            size_t ranked, size_t relevant_total, sums *out)
{
    *out = (sums){.queries = 1, .depth = ranked};
    size_t found = 0, cut = 0;
    for (size_t rank = 1; rank <= ranked; rank++) {
        if (relevance[rank - 1]) {
            found++;
            out->average_precision += (double)found / (double)rank;
            if (found == 1)
                out->reciprocal_rank = 1.0 / (double)rank;
        }
        if (cut < options->k_count && options->k[cut] == rank) {
            out->recall[cut] = found > 0 ? 1.0 : 0.0;
            out->precision[cut] = (double)found / (double)rank;
            cut++;
        }
    }
    for (; cut < options->k_count; cut++) { /* the list ends before these */
        out->recall[cut] = found > 0 ? 1.0 : 0.0;
        out->precision[cut] = (double)found / (double)options->k[cut];
    }
    if (relevant_total > 0)
        out->average_precision /= (double)relevant_total;
    return found;
}

vt_status vt_retrieval_add(vt_retrieval *retrieval, const char *category_name,
                           const bool *relevance, size_t ranked, size_t relevant_total,
                           vt_error *error)
{
    sums query;
    size_t found = query_measure(&retrieval->options, relevance, ranked, relevant_total, &query);
    if (relevant_total < 1 || found > relevant_total)
        return vt_fail(error, VT_ERR_USAGE,
                       "measure retrieval: %zu relevant products ranked, %zu said to exist", found,
                       relevant_total);
    category *of = NULL;
    if (category_name) {
        of = category_find(retrieval, category_name);
        vt_status status = of ? VT_OK : category_make(retrieval, category_name, &of, error);
        if (status != VT_OK)
            return status;
        sums_add(&of->sums, &query, retrieval->options.k_count);
    }
    sums_add(&retrieval->all, &query, retrieval->options.k_count);
    return VT_OK;
}

/* ---- results ---- */

static bool result_make(const sums *from, size_t k_count, vt_retrieval_result *out)
{
    if (from->queries == 0)
        return false;
    double n = (double)from->queries;
    vt_retrieval_result made = {.queries = from->queries, .depth = from->depth};
    for (size_t i = 0; i < k_count; i++) {
        made.recall[i] = from->recall[i] / n;
        made.precision[i] = from->precision[i] / n;
    }
    made.map = from->average_precision / n;
    made.mrr = from->reciprocal_rank / n;
    *out = made;
    return true;
}

bool vt_retrieval_result_of(const vt_retrieval *retrieval, const char *category_name,
                            vt_retrieval_result *out)
{
    const sums *from = &retrieval->all;
    if (category_name) {
        const category *of = category_find(retrieval, category_name);
        if (!of)
            return false;
        from = &of->sums;
    }
    return result_make(from, retrieval->options.k_count, out);
}

static void measures_print(const vt_retrieval_options *options, const double *values,
                           const char *key, vt_json_writer *writer)
{
    vt_json_open_object(writer, key);
    for (size_t i = 0; i < options->k_count; i++) {
        char k[24];
        snprintf(k, sizeof k, "%zu", options->k[i]);
        vt_json_put_number(writer, k, values[i], 6);
    }
    vt_json_close(writer);
}

static void result_print(const vt_retrieval_options *options, const sums *from,
                         vt_json_writer *writer)
{
    vt_retrieval_result result;
    if (!result_make(from, options->k_count, &result)) {
        result = (vt_retrieval_result){.map = NAN, .mrr = NAN}; /* written as null */
        for (size_t i = 0; i < options->k_count; i++)
            result.recall[i] = result.precision[i] = NAN;
    }
    vt_json_put_int(writer, "queries", (int64_t)result.queries);
    vt_json_put_int(writer, "depth", (int64_t)result.depth);
    measures_print(options, result.recall, "recall", writer);
    measures_print(options, result.precision, "precision", writer);
    vt_json_put_number(writer, "map", result.map, 6);
    vt_json_put_number(writer, "mrr", result.mrr, 6);
}

void vt_retrieval_print(const vt_retrieval *retrieval, vt_json_writer *writer)
{
    result_print(&retrieval->options, &retrieval->all, writer);
    vt_json_open_object(writer, "per_category");
    for (size_t i = 0; i < retrieval->category_count; i++) {
        vt_json_open_object(writer, retrieval->categories[i].name);
        result_print(&retrieval->options, &retrieval->categories[i].sums, writer);
        vt_json_close(writer);
    }
    vt_json_close(writer);
}
