/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directions of products -> groups.
 *
 * Method: spherical k-means, or a tree by Ward's linkage, whose groups are of more even sizes, or
 * by average linkage on cosines, whose heights are what a cut by similarity is about. A set beyond
 * VT_CLUSTER_TREE_ROWS is first made smaller by k-means; its means are not brought to length 1, so
 * that the product of two is the mean cosine of their products, and either linkage over them is
 * that over the products.
 *
 * How many groups: as many as have the greatest mean silhouette (Rousseeuw 1987) on a sample, among
 * numbers that grow by a quarter or more, from half to twice sqrt(n / 2), the usual rule of thumb
 * (within 8 and 100: a page is to be read). Without a lower bound two groups win nearly always.
 * With cosines it is exact without comparing pairs: the mean distance of x from a group is 1 - x *
 * (mean of the group).
 */
#include "search/cluster.h"

#include "base/random.h"
#include "vector/distance.h"
#include "vector/hierarchy.h"
#include "vector/kmeans.h"

#include <math.h>
#include <string.h>

enum { MICRO_GROUPS = 2048, SILHOUETTE_ITERATIONS = 25, LEAST_CHOSEN = 2, LOW_CHOSEN = 8 };

typedef struct sample {
    float *rows;     /* (count, dim), owned */
    uint32_t *index; /* (count) products, ascending; owned */
    size_t count, dim;
    uint32_t *labels; /* (count), owned */
    float *means;     /* (VT_CLUSTER_MAX_CHOSEN or the groups, dim), owned */
    float *dots;      /* one for each group, owned */
    uint32_t *sizes;  /* (groups), owned */
} sample;

typedef struct job {
    const vt_searcher *searcher;
    const vt_cluster_options *options;
    const vt_cluster_products *products;
    vt_cluster_grouping *out;
} job;

void vt_cluster_grouping_deinit(vt_cluster_grouping *grouping)
{
    vt_free(grouping->labels);
    vt_free(grouping->joins);
}

static void sample_deinit(sample *s)
{
    vt_free(s->rows);
    vt_free(s->index);
    vt_free(s->labels);
    vt_free(s->means);
    vt_free(s->dots);
    vt_free(s->sizes);
}

/* groups: as many as are ever looked at. */
static vt_status sample_init(sample *s, const job *j, size_t groups, vt_error *error)
{
    const vt_cluster_products *products = j->products;
    size_t all = products->count, taken = 0, dim = products->dim;
    s->count = all < VT_CLUSTER_SAMPLE ? all : VT_CLUSTER_SAMPLE;
    s->dim = dim;
    s->rows = vt_alloc_array(s->count, dim * sizeof *s->rows);
    s->index = vt_alloc_array(s->count, sizeof *s->index);
    s->labels = vt_calloc(s->count, sizeof *s->labels);
    s->means = vt_alloc_array(groups, dim * sizeof *s->means);
    s->dots = vt_alloc_array(groups, sizeof *s->dots);
    s->sizes = vt_alloc_array(groups, sizeof *s->sizes);
    if (s->rows == NULL || s->index == NULL || s->labels == NULL || s->means == NULL ||
        s->dots == NULL || s->sizes == NULL)
        return vt_fail_memory(error, "a sample of products");
    vt_random random;
    vt_random_init(&random, j->options->seed);
    for (size_t i = 0; taken < s->count; i++)
        if (vt_random_below(&random, all - i) < s->count - taken) {
            memcpy(s->rows + taken * dim, products->vectors + i * dim, dim * sizeof *s->rows);
            s->index[taken++] = (uint32_t)i;
        }
    return VT_OK;
}

/* Of one row; groups of a single row have none by definition. */
static double silhouette_of(const sample *s, size_t row, size_t groups)
{
    uint32_t own = s->labels[row];
    double size = s->sizes[own], nearest = INFINITY;
    if (size < 2)
        return 0;
    for (size_t g = 0; g < groups; g++)
        if (g != own && s->sizes[g] > 0 && 1 - (double)s->dots[g] < nearest)
            nearest = 1 - (double)s->dots[g];
    /* The mean over the others of the group: without the row itself, whose cosine is 1. */
    double inside = 1 - (size * (double)s->dots[own] - 1) / (size - 1);
    double larger = inside > nearest ? inside : nearest;
    return larger > 1e-9 && isfinite(nearest) ? (nearest - inside) / larger : 0;
}

/* Mean silhouette of the sample under its labels. NAN: all rows are in one group. */
static double silhouette(sample *s, size_t groups)
{
    double sum = 0;
    size_t used = 0;
    memset(s->means, 0, groups * s->dim * sizeof *s->means);
    memset(s->sizes, 0, groups * sizeof *s->sizes);
    for (size_t i = 0; i < s->count; i++) {
        float *mean = s->means + s->labels[i] * s->dim;
        used += s->sizes[s->labels[i]]++ == 0;
        for (size_t d = 0; d < s->dim; d++)
            mean[d] += s->rows[i * s->dim + d];
    }
    if (used < 2)
        return NAN;
    for (size_t g = 0; g < groups; g++)
        for (size_t d = 0; s->sizes[g] > 0 && d < s->dim; d++)
            s->means[g * s->dim + d] /= (float)s->sizes[g];
    for (size_t i = 0; i < s->count; i++) {
        vt_distance()->dot_rows_f32(s->rows + i * s->dim, s->means, groups, s->dim, s->dots);
        sum += silhouette_of(s, i, groups);
    }
    return sum / (double)s->count;
}

/* The numbers that are tried: from *least to *most. */
static void bounds_of_k(size_t products, size_t leaves, size_t *least, size_t *most)
{
    double middle = sqrt((double)products / 2);
    *least = (size_t)fmin(fmax(middle / 2, LEAST_CHOSEN), LOW_CHOSEN);
    *most = (size_t)fmin(ceil(2 * middle), VT_CLUSTER_MAX_CHOSEN);
    if (*most > leaves / 2)
        *most = leaves / 2;
    if (*least > *most)
        *least = *most;
}

static size_t next_k(size_t k)
{
    return k < 8 ? k + 1 : k + k / 4;
}

static vt_kmeans_options kmeans_options(const job *j, size_t k)
{
    vt_kmeans_options options = vt_kmeans_options_defaults();
    options.k = k;
    options.spherical = true;
    options.seed = j->options->seed;
    options.pool = j->searcher->pool;
    options.on_progress = j->options->on_progress;
    options.context = j->options->context;
    return options;
}

static void begin_phase(const job *j, const char *phase, const char *unit)
{
    if (j->options->on_phase != NULL)
        j->options->on_phase(j->options->context, phase, unit);
}

/* ---- k-means ---- */

static vt_status choose_k(const job *j, sample *s, size_t *best, vt_error *error)
{
    size_t least = 0, most = 0;
    double highest = -INFINITY;
    bounds_of_k(j->products->count, s->count, &least, &most);
    *best = 1;
    begin_phase(j, "choose the number of groups", "numbers");
    for (size_t k = least > 0 ? least : 1; k <= most; k = next_k(k)) {
        vt_kmeans *groups = NULL;
        vt_kmeans_options options = kmeans_options(j, k);
        options.iterations = SILHOUETTE_ITERATIONS;
        options.on_progress = NULL;
        if (j->options->on_progress != NULL &&
            !j->options->on_progress(j->options->context, k, most))
            return vt_fail(error, VT_ERR_CANCELLED, "group products: cancelled");
        vt_status status = vt_kmeans_new(s->rows, s->count, s->dim, &options, &groups, error);
        if (status != VT_OK)
            return status;
        memcpy(s->labels, groups->labels, s->count * sizeof *s->labels);
        double value = silhouette(s, groups->k);
        if (value > highest) {
            highest = value;
            *best = k;
        }
        vt_kmeans_free(groups);
    }
    return VT_OK;
}

static void label_sample(sample *s, const uint32_t *labels)
{
    for (size_t i = 0; i < s->count; i++)
        s->labels[i] = labels[s->index[i]];
}

static vt_status by_kmeans(const job *j, sample *s, size_t k, vt_error *error)
{
    const vt_cluster_products *products = j->products;
    vt_kmeans *groups = NULL;
    vt_status status = k == 0 ? choose_k(j, s, &k, error) : VT_OK;
    if (status != VT_OK)
        return status;
    begin_phase(j, "group", "products");
    vt_kmeans_options options = kmeans_options(j, k);
    status =
        vt_kmeans_new(products->vectors, products->count, products->dim, &options, &groups, error);
    if (status != VT_OK)
        return status;
    memcpy(j->out->labels, groups->labels, products->count * sizeof *groups->labels);
    j->out->group_count = groups->k;
    j->out->method = "k-means";
    label_sample(s, j->out->labels);
    j->out->silhouette = silhouette(s, groups->k);
    vt_kmeans_free(groups);
    return VT_OK;
}

/* ---- trees ---- */

/* What a tree is made of: products, or means of groups of them. */
typedef struct leaves {
    const float *rows;
    float *means; /* (count, dim), owned; NULL: the rows are products */
    size_t count;
    uint32_t *of;      /* (products) leaf of each, owned */
    uint32_t *weights; /* (count) products of each, owned */
    uint32_t *labels;  /* (count) of a cut, owned */
} leaves;

static void leaves_deinit(leaves *l)
{
    vt_free(l->means);
    vt_free(l->of);
    vt_free(l->weights);
    vt_free(l->labels);
}

/* The mean of the members of each group, whatever its length. */
static void average(const vt_cluster_products *products, leaves *l)
{
    memset(l->means, 0, l->count * products->dim * sizeof *l->means);
    for (size_t i = 0; i < products->count; i++)
        for (size_t d = 0; d < products->dim; d++)
            l->means[l->of[i] * products->dim + d] += products->vectors[i * products->dim + d];
    for (size_t g = 0; g < l->count; g++)
        for (size_t d = 0; d < products->dim; d++)
            l->means[g * products->dim + d] /= (float)l->weights[g];
}

static vt_status shrink(const job *j, leaves *l, vt_error *error)
{
    const vt_cluster_products *products = j->products;
    vt_kmeans *groups = NULL;
    vt_kmeans_options options = kmeans_options(j, MICRO_GROUPS);
    begin_phase(j, "group", "products");
    vt_status status =
        vt_kmeans_new(products->vectors, products->count, products->dim, &options, &groups, error);
    if (status != VT_OK)
        return status;
    l->count = groups->k;
    l->means = vt_alloc_array(l->count, products->dim * sizeof *l->means);
    if (l->means == NULL) {
        vt_kmeans_free(groups);
        return vt_fail_memory(error, "the means of groups");
    }
    memcpy(l->of, groups->labels, products->count * sizeof *l->of);
    memcpy(l->weights, groups->sizes, l->count * sizeof *l->weights);
    vt_kmeans_free(groups);
    average(products, l);
    l->rows = l->means;
    return VT_OK;
}

static bool uses_ward(const vt_cluster_options *options)
{
    return options->linkage != NULL ? vt_text_equal(options->linkage, "ward") : isnan(options->cut);
}

static vt_status make_leaves(const job *j, leaves *l, vt_error *error)
{
    size_t count = j->products->count;
    l->of = vt_alloc_array(count, sizeof *l->of);
    size_t most = count <= VT_CLUSTER_TREE_ROWS ? count : MICRO_GROUPS;
    l->weights = vt_alloc_array(most, sizeof *l->weights);
    l->labels = vt_alloc_array(most, sizeof *l->labels);
    if (l->of == NULL || l->weights == NULL || l->labels == NULL)
        return vt_fail_memory(error, "the leaves of a tree");
    bool ward = uses_ward(j->options);
    j->out->method = ward ? "ward linkage" : "average linkage";
    if (count > VT_CLUSTER_TREE_ROWS) {
        j->out->method = ward ? "ward linkage of k-means" : "average linkage of k-means";
        return shrink(j, l, error);
    }
    l->rows = j->products->vectors;
    l->count = count;
    for (size_t i = 0; i < count; i++) {
        l->of[i] = (uint32_t)i;
        l->weights[i] = 1;
    }
    return VT_OK;
}

static double silhouette_of_cut(sample *s, const leaves *l, size_t groups)
{
    for (size_t i = 0; i < s->count; i++)
        s->labels[i] = l->labels[l->of[s->index[i]]];
    return silhouette(s, groups);
}

/* The cut that was asked for, in l->labels; how many groups. */
static size_t cut(const job *j, const vt_hierarchy *tree, sample *s, leaves *l, size_t k)
{
    if (!isnan(j->options->cut))
        return vt_hierarchy_cut_height(tree, (float)(1 - j->options->cut) + 1e-6F, l->labels);
    size_t least = 0, most = 0, best = k == 0 ? 1 : k;
    double highest = -INFINITY;
    bounds_of_k(j->products->count, l->count, &least, &most);
    for (size_t i = least > 0 ? least : 1; k == 0 && i <= most; i = next_k(i)) {
        double value = silhouette_of_cut(s, l, vt_hierarchy_cut_count(tree, i, l->labels));
        if (value > highest) {
            highest = value;
            best = i;
        }
    }
    return vt_hierarchy_cut_count(tree, best, l->labels);
}

/* Joins above the cut, of groups instead of leaves. */
static vt_status keep_joins(const job *j, const vt_hierarchy *tree, const leaves *l, size_t groups,
                            vt_error *error)
{
    size_t made = tree->count - groups;
    j->out->joins = vt_calloc(groups, sizeof *j->out->joins);
    if (j->out->joins == NULL)
        return vt_fail_memory(error, "a tree of groups");
    for (size_t i = made; i + 1 < tree->count; i++) {
        const uint32_t nodes[2] = {tree->joins[i].left, tree->joins[i].right};
        vt_cluster_join *join = &j->out->joins[i - made];
        for (int side = 0; side < 2; side++) {
            size_t node = nodes[side];
            if (node >= tree->count + made)
                join->parts[side] = (uint32_t)(groups + node - tree->count - made);
            else if (node >= tree->count)
                join->parts[side] = l->labels[tree->joins[node - tree->count].left_row];
            else
                join->parts[side] = l->labels[node];
        }
    }
    return VT_OK;
}

static vt_status cut_tree(const job *j, const vt_hierarchy *tree, sample *s, leaves *l,
                          vt_error *error)
{
    size_t groups = cut(j, tree, s, l, j->options->k);
    if (groups > VT_CLUSTER_MAX_TREE_GROUPS)
        return vt_fail(error, VT_ERR_LIMIT,
                       "group products: a cut at similarity %g leaves %zu groups, a tree can show "
                       "%d; cut lower",
                       j->options->cut, groups, VT_CLUSTER_MAX_TREE_GROUPS);
    for (size_t i = 0; i < j->products->count; i++)
        j->out->labels[i] = l->labels[l->of[i]];
    j->out->group_count = groups;
    j->out->silhouette = silhouette_of_cut(s, l, groups);
    return keep_joins(j, tree, l, groups, error);
}

static vt_status by_tree(const job *j, sample *s, vt_error *error)
{
    leaves l = {0};
    vt_hierarchy *tree = NULL;
    vt_status status = make_leaves(j, &l, error);
    if (status == VT_OK) {
        vt_hierarchy_options options = vt_hierarchy_options_defaults();
        options.linkage = uses_ward(j->options) ? VT_LINKAGE_WARD : VT_LINKAGE_AVERAGE;
        options.weights = l.weights;
        options.pool = j->searcher->pool;
        options.on_progress = j->options->on_progress;
        options.context = j->options->context;
        begin_phase(j, "join", "joins");
        status = vt_hierarchy_new(l.rows, l.count, j->products->dim, &options, &tree, error);
    }
    if (status == VT_OK)
        status = cut_tree(j, tree, s, &l, error);
    vt_hierarchy_free(tree);
    leaves_deinit(&l);
    return status;
}

vt_status vt_cluster_group_products(const vt_searcher *searcher, const vt_cluster_options *options,
                                    const vt_cluster_products *products, vt_cluster_grouping *out,
                                    vt_error *error)
{
    job j = {searcher, options, products, out};
    sample s = {0};
    size_t most = options->tree ? VT_CLUSTER_TREE_ROWS : VT_CLUSTER_MAX_CHOSEN;
    if (options->k > most)
        most = options->k;
    if (most > products->count)
        most = products->count;
    if (most < VT_CLUSTER_MAX_CHOSEN)
        most = VT_CLUSTER_MAX_CHOSEN;
    out->labels = vt_alloc_array(products->count, sizeof *out->labels);
    if (out->labels == NULL)
        return vt_fail_memory(error, "the groups of products");
    vt_status status = sample_init(&s, &j, most, error);
    if (status == VT_OK)
        status = options->tree ? by_tree(&j, &s, error) : by_kmeans(&j, &s, options->k, error);
    sample_deinit(&s);
    return status;
}
