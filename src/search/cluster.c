/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups of products, from question to answer: read, group, order, name.
 *
 * With vectors of length 1 sums say all: of a group with the sum S and n products the most central
 * one (the medoid under cosine) is that with the largest product with S, and the mean cosine
 * between two of them is (S * S - n) / n (n - 1). A joined group's medoid is the better one of its
 * parts'.
 */
#include "search/cluster.h"

#include "base/clock.h"
#include "vector/distance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const uint32_t no_group = UINT32_MAX;

/* The answer and everything it points to. */
typedef struct clusters_block {
    vt_clusters clusters; /* first: the caller holds a pointer to it */
    vt_arena arena;
    vt_cluster_products products; /* its texts and members are the answer's */
} clusters_block;

typedef struct assembly {
    clusters_block *block;
    const vt_cluster_grouping *grouping;
    size_t nodes;
    double *sums;      /* (nodes, dim) of the vectors of each */
    uint32_t *numbers; /* (groups) place of each group in the answer, by size */
    size_t *starts;    /* (groups + 1) of each group in the order below, by place */
    uint32_t *order;   /* (products) */
    uint32_t *medoids; /* (nodes) product */
    uint32_t *next;    /* (groups) group that follows among the groups of a join; no_group: none */
    uint32_t *first, *last; /* (nodes) groups of a node */
    uint32_t *members;      /* (products) scratch */
    uint32_t *counts;       /* (vocabulary) zeroes */
} assembly;

void vt_search_clusters_free(vt_clusters *clusters)
{
    if (clusters == NULL)
        return;
    clusters_block *block = (clusters_block *)clusters;
    vt_cluster_products_deinit(&block->products);
    vt_arena_deinit(&block->arena);
    vt_free(block);
}

static bool assembly_init(assembly *a)
{
    const vt_cluster_products *products = &a->block->products;
    size_t groups = a->grouping->group_count;
    a->nodes = a->grouping->joins != NULL ? 2 * groups - 1 : groups;
    a->sums = vt_calloc(a->nodes, products->dim * sizeof *a->sums);
    a->numbers = vt_calloc(groups, sizeof *a->numbers);
    a->starts = vt_calloc(groups + 1, sizeof *a->starts);
    a->order = vt_calloc(products->count, sizeof *a->order);
    a->medoids = vt_calloc(a->nodes, sizeof *a->medoids);
    a->next = vt_calloc(groups, sizeof *a->next);
    a->first = vt_calloc(a->nodes, sizeof *a->first);
    a->last = vt_calloc(a->nodes, sizeof *a->last);
    a->members = vt_calloc(products->count, sizeof *a->members);
    a->counts = vt_calloc(products->vocabulary.count + 1, sizeof *a->counts);
    a->block->clusters.groups =
        vt_arena_array(&a->block->arena, a->nodes, sizeof *a->block->clusters.groups);
    return a->sums != NULL && a->numbers != NULL && a->starts != NULL && a->order != NULL &&
           a->medoids != NULL && a->next != NULL && a->first != NULL && a->last != NULL &&
           a->members != NULL && a->counts != NULL && a->block->clusters.groups != NULL;
}

static void assembly_deinit(assembly *a)
{
    vt_free(a->sums);
    vt_free(a->numbers);
    vt_free(a->starts);
    vt_free(a->order);
    vt_free(a->medoids);
    vt_free(a->next);
    vt_free(a->first);
    vt_free(a->last);
    vt_free(a->members);
    vt_free(a->counts);
}

typedef struct sized {
    uint32_t group, size, first;
} sized;

static int compare_sized(const void *a, const void *b)
{
    const sized *x = a, *y = b;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return x->first < y->first ? -1 : x->first > y->first;
}

/* Places by size, equal ones by their first product; products by place. */
static bool sort_groups(assembly *a)
{
    size_t groups = a->grouping->group_count, count = a->block->products.count;
    const uint32_t *labels = a->grouping->labels;
    sized *list = vt_calloc(groups, sizeof *list);
    if (list == NULL)
        return false;
    for (size_t g = 0; g < groups; g++)
        list[g].group = (uint32_t)g;
    for (size_t i = count; i > 0; i--) {
        list[labels[i - 1]].size++;
        list[labels[i - 1]].first = (uint32_t)(i - 1);
    }
    qsort(list, groups, sizeof *list, compare_sized);
    for (size_t place = 0; place < groups; place++) {
        a->numbers[list[place].group] = (uint32_t)place;
        a->starts[place + 1] = a->starts[place] + list[place].size;
    }
    vt_free(list);
    for (size_t i = 0; i < count; i++)
        a->order[a->starts[a->numbers[labels[i]]]++] = (uint32_t)i;
    for (size_t place = groups; place > 0; place--)
        a->starts[place] = a->starts[place - 1];
    a->starts[0] = 0;
    return true;
}

static double product_with(const assembly *a, size_t node, uint32_t product)
{
    size_t dim = a->block->products.dim;
    const double *sum = a->sums + node * dim;
    const float *vector = a->block->products.vectors + product * dim;
    double dot = 0;
    for (size_t d = 0; d < dim; d++)
        dot += sum[d] * (double)vector[d];
    return dot;
}

/* The mean cosine of pairs, from the sum of vectors. */
static double tightness_of(const assembly *a, size_t node, size_t size, double *length)
{
    size_t dim = a->block->products.dim;
    const double *sum = a->sums + node * dim;
    double square = 0, n = (double)size;
    for (size_t d = 0; d < dim; d++)
        square += sum[d] * sum[d];
    *length = sqrt(square);
    return size < 2 ? 1 : fmin((square - n) / (n * (n - 1)), 1);
}

static int compare_members(const void *a, const void *b)
{
    const vt_cluster_member *x = a, *y = b;
    if (x->similarity != y->similarity)
        return x->similarity > y->similarity ? -1 : 1;
    return strcmp(x->product, y->product);
}

static void name_group(assembly *a, vt_cluster_group *group, const uint32_t *members, bool *failed)
{
    vt_arena *arena = &a->block->arena;
    vt_cluster_term terms[VT_CLUSTER_TERMS];
    group->term_count =
        vt_cluster_terms(&a->block->products, members, group->size, a->counts, terms);
    group->terms = vt_arena_array(arena, group->term_count + 1, sizeof *group->terms);
    group->label = vt_cluster_label(arena, terms, group->term_count, &group->medoid);
    if (group->terms == NULL || group->label == NULL)
        *failed = true;
    else
        memcpy(group->terms, terms, group->term_count * sizeof *terms);
}

static void fill_group(assembly *a, size_t place, bool *failed)
{
    vt_cluster_products *products = &a->block->products;
    vt_cluster_group *group = &a->block->clusters.groups[place];
    const uint32_t *members = a->order + a->starts[place];
    double *sum = a->sums + place * products->dim, length = 0, most = -INFINITY;
    group->size = a->starts[place + 1] - a->starts[place];
    for (size_t i = 0; i < group->size; i++)
        for (size_t d = 0; d < products->dim; d++)
            sum[d] += (double)products->vectors[members[i] * products->dim + d];
    group->tightness = tightness_of(a, place, group->size, &length);
    group->members = vt_arena_array(&a->block->arena, group->size, sizeof *group->members);
    if (group->members == NULL) {
        *failed = true;
        return;
    }
    for (size_t i = 0; i < group->size; i++) {
        double dot = product_with(a, place, members[i]);
        if (dot > most)
            a->medoids[place] = members[i];
        most = dot > most ? dot : most;
        group->members[i] = products->members[members[i]];
        group->members[i].similarity = length > 0 ? fmin(dot / length, 1) : 0;
    }
    qsort(group->members, group->size, sizeof *group->members, compare_members);
    group->medoid = group->members[0];
    name_group(a, group, members, failed);
}

/* The products of a joined group, through the chain of its groups. */
static void collect_members(assembly *a, size_t node)
{
    size_t count = 0;
    for (uint32_t g = a->first[node]; g != no_group; g = a->next[g]) {
        size_t size = a->starts[g + 1] - a->starts[g];
        memcpy(a->members + count, a->order + a->starts[g], size * sizeof *a->members);
        count += size;
        if (g == a->last[node])
            break;
    }
}

/* The mean cosine of pairs of a product here and one there. */
static double similarity_of(const assembly *a, size_t left, size_t right)
{
    size_t dim = a->block->products.dim;
    const vt_cluster_group *groups = a->block->clusters.groups;
    double dot = 0;
    for (size_t d = 0; d < dim; d++)
        dot += a->sums[left * dim + d] * a->sums[right * dim + d];
    return dot / ((double)groups[left].size * (double)groups[right].size);
}

static void fill_join(assembly *a, size_t node, bool *failed)
{
    vt_cluster_products *products = &a->block->products;
    size_t groups = a->grouping->group_count, dim = products->dim;
    const vt_cluster_join *join = &a->grouping->joins[node - groups];
    vt_cluster_group *group = &a->block->clusters.groups[node];
    double length = 0, dot[2] = {0};
    for (int side = 0; side < 2; side++) {
        size_t part = join->parts[side];
        group->parts[side] = part < groups ? a->numbers[part] : part;
        group->size += a->block->clusters.groups[group->parts[side]].size;
        for (size_t d = 0; d < dim; d++)
            a->sums[node * dim + d] += a->sums[group->parts[side] * dim + d];
    }
    size_t left = group->parts[0], right = group->parts[1];
    a->first[node] = a->first[left];
    a->next[a->last[left]] = a->first[right];
    a->last[node] = a->last[right];
    group->similarity = similarity_of(a, left, right);
    group->tightness = tightness_of(a, node, group->size, &length);
    for (int side = 0; side < 2; side++)
        dot[side] = product_with(a, node, a->medoids[group->parts[side]]);
    int better = dot[1] > dot[0];
    a->medoids[node] = a->medoids[group->parts[better]];
    group->medoid = products->members[a->medoids[node]];
    group->medoid.similarity = length > 0 ? fmin(dot[better] / length, 1) : 0;
    collect_members(a, node);
    name_group(a, group, a->members, failed);
}

static vt_status assemble(clusters_block *block, const vt_cluster_grouping *grouping,
                          vt_error *error)
{
    assembly a = {.block = block, .grouping = grouping};
    size_t groups = grouping->group_count;
    bool failed = !assembly_init(&a) || !sort_groups(&a);
    for (size_t g = 0; !failed && g < groups; g++) {
        a.first[g] = a.last[g] = (uint32_t)g;
        a.next[g] = no_group;
        fill_group(&a, g, &failed);
    }
    for (size_t node = groups; !failed && node < a.nodes; node++)
        fill_join(&a, node, &failed);
    block->clusters.count = groups;
    block->clusters.node_count = a.nodes;
    assembly_deinit(&a);
    return failed ? vt_fail_memory(error, "the groups of products") : VT_OK;
}

static vt_status check(const vt_cluster_options *options, vt_error *error)
{
    size_t most = options->tree ? VT_CLUSTER_MAX_TREE_GROUPS : VT_CLUSTER_MAX_K;
    bool cut = !isnan(options->cut), ward = vt_text_equal(options->linkage, "ward");
    bool average = vt_text_equal(options->linkage, "average");
    if (options->k > most)
        return vt_fail(error, VT_ERR_USAGE, "group products: %zu groups were asked for, %zu can be",
                       options->k, most);
    if (cut && (!options->tree || options->k > 0))
        return vt_fail(error, VT_ERR_USAGE,
                       "group products: a similarity to cut at is for a tree, and instead of a "
                       "number of groups");
    if (cut && !(options->cut >= -1 && options->cut <= 1))
        return vt_fail(error, VT_ERR_USAGE,
                       "group products: a similarity of %g cannot be cut at, from -1 to 1 can be",
                       options->cut);
    if (options->linkage != NULL && (!options->tree || !(ward || average)))
        return vt_fail(error, VT_ERR_USAGE,
                       "group products: linkage \"%.64s\": a tree can have \"average\" or \"ward\"",
                       options->linkage);
    if (cut && ward)
        return vt_fail(error, VT_ERR_USAGE,
                       "group products: ward linkage knows no similarity to cut at");
    return VT_OK;
}

static vt_status run(const vt_searcher *searcher, const vt_cluster_options *options,
                     clusters_block *block, vt_error *error)
{
    vt_clusters *clusters = &block->clusters;
    vt_cluster_grouping grouping = {0};
    double started = vt_clock_ms();
    if (options->on_phase != NULL)
        options->on_phase(options->context, "read", "products");
    vt_status status = vt_cluster_products_read(searcher, options, &block->products, error);
    double read = vt_clock_ms(), grouped = read;
    if (status == VT_OK) {
        status = vt_cluster_group_products(searcher, options, &block->products, &grouping, error);
        grouped = vt_clock_ms();
    }
    if (status == VT_OK)
        status = assemble(block, &grouping, error);
    clusters->products = block->products.count;
    clusters->left_out = block->products.left_out;
    clusters->silhouette = grouping.silhouette;
    clusters->method = grouping.method;
    clusters->chosen = options->k == 0 && isnan(options->cut);
    clusters->read_ms = read - started;
    clusters->group_ms = grouped - read;
    clusters->name_ms = vt_clock_ms() - grouped;
    clusters->total_ms = vt_clock_ms() - started;
    vt_cluster_grouping_deinit(&grouping);
    return status;
}

vt_status vt_search_cluster(const vt_searcher *searcher, const vt_cluster_options *options,
                            vt_clusters **out, vt_error *error)
{
    static const size_t answer_bytes = (size_t)8 << 30;
    vt_status status = check(options, error);
    if (status != VT_OK)
        return status;
    clusters_block *block = vt_calloc(1, sizeof *block);
    if (block == NULL)
        return vt_fail_memory(error, "the groups of products");
    vt_arena_init(&block->arena, answer_bytes);
    status = run(searcher, options, block, error);
    if (status != VT_OK) {
        vt_search_clusters_free(&block->clusters);
        return status;
    }
    /* Only the texts are part of the answer. */
    vt_free(block->products.vectors);
    block->products.vectors = NULL;
    *out = &block->clusters;
    return VT_OK;
}
