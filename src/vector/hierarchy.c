/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Agglomerative clustering.
 *
 * Method: the nearest-neighbour chain (Murtagh 1983; Müllner 2011, figure 3):
 * follow nearest neighbours until two groups are each other's nearest, join them, go on from what
 * is left of the chain. For linkages in which joining two groups brings neither nearer to a third
 * (average, complete and Ward's are such) this makes the joins of the plain method in another
 * order, in time proportional to n^2. Distances of a new group follow from those of its parts
 * (Lance and Williams 1967). Sorting by height and renumbering comes last.
 *
 * Departures: the matrix is kept whole and not as a triangle, for twice the memory: looking for a
 * neighbour then reads one row in order instead of a column of ever changing stride. Ward's squared
 * distances are in the matrix; their roots are the heights. A join's height is at least that of its
 * parts, which rounding could undo.
 */
#include "vector/hierarchy.h"

#include "base/mem.h"
#include "vector/distance.h"

#include <math.h>
#include <stdlib.h>

enum { PROGRESS_JOINS = 64, MIRROR_TILE = 64 };

static const float longest = 1e18F;

typedef struct slot_join {
    float height;
    uint32_t left, right; /* slots: rows that stand for their groups */
    uint32_t made;        /* in which order */
} slot_join;

typedef struct run {
    const float *rows;
    size_t count, dim;
    const vt_hierarchy_options *options;
    float *distances; /* (count, count) */
    double *weights;  /* (count) of the group that a slot stands for */
    float *heights;   /* (count) of its newest join */
    uint32_t *alive;  /* (alive_count) slots, ascending */
    size_t alive_count;
    uint32_t *chain; /* (chain_count) */
    size_t chain_count;
    slot_join *joins; /* (join_count) */
    size_t join_count;
} run;

vt_hierarchy_options vt_hierarchy_options_defaults(void)
{
    return (vt_hierarchy_options){.linkage = VT_LINKAGE_AVERAGE};
}

void vt_hierarchy_free(vt_hierarchy *tree)
{
    if (tree == NULL)
        return;
    vt_free(tree->joins);
    vt_free(tree);
}

/* ---- distances ---- */

/* Of one row from all that follow it. */
static void measure_row(void *context, size_t i)
{
    run *r = context;
    float *out = r->distances + i * r->count;
    const float *rest = r->rows + (i + 1) * r->dim;
    bool ward = r->options->linkage == VT_LINKAGE_WARD;
    if (ward)
        vt_distance()->l2_rows_f32(r->rows + i * r->dim, rest, r->count - i - 1, r->dim,
                                   out + i + 1);
    else
        vt_distance()->dot_rows_f32(r->rows + i * r->dim, rest, r->count - i - 1, r->dim,
                                    out + i + 1);
    for (size_t j = i + 1; j < r->count; j++) {
        double both = 2 * r->weights[i] * r->weights[j] / (r->weights[i] + r->weights[j]);
        out[j] = ward ? (float)(both * (double)out[j]) : 1 - out[j];
    }
    out[i] = INFINITY;
}

/* Copies the upper triangle of a band of rows to the lower one. */
static void mirror_band(void *context, size_t band)
{
    run *r = context;
    size_t begin = band * MIRROR_TILE;
    size_t end = begin + MIRROR_TILE < r->count ? begin + MIRROR_TILE : r->count;
    for (size_t j = begin + 1; j < r->count; j++)
        for (size_t i = begin; i < end && i < j; i++)
            r->distances[j * r->count + i] = r->distances[i * r->count + j];
}

static void measure(run *r)
{
    if (r->count > 1)
        vt_pool_for(r->options->pool, r->count - 1, measure_row, r);
    r->distances[r->count * r->count - 1] = INFINITY;
    vt_pool_for(r->options->pool, (r->count + MIRROR_TILE - 1) / MIRROR_TILE, mirror_band, r);
}

/* ---- the chain ---- */

/* The nearest of a slot, the one before it in the chain where that is as near (without this rule
 * equal distances could lead round in a circle), otherwise the lowest. */
static uint32_t nearest_of(const run *r, uint32_t slot, uint32_t before)
{
    const float *row = r->distances + slot * r->count;
    uint32_t nearest = before;
    float least = before != slot ? row[before] : INFINITY;
    for (size_t i = 0; i < r->alive_count; i++) {
        uint32_t other = r->alive[i];
        if (other != slot && (row[other] < least || nearest == slot)) {
            least = row[other];
            nearest = other;
        }
    }
    return nearest;
}

/* Distance of the join of a and b from a third (Lance and Williams). */
static float joined_distance(const run *r, uint32_t a, uint32_t b, uint32_t other)
{
    double from_a = (double)r->distances[a * r->count + other];
    double from_b = (double)r->distances[b * r->count + other];
    double wa = r->weights[a], wb = r->weights[b], wo = r->weights[other];
    if (r->options->linkage == VT_LINKAGE_COMPLETE)
        return (float)(from_a > from_b ? from_a : from_b);
    if (r->options->linkage == VT_LINKAGE_AVERAGE)
        return (float)((wa * from_a + wb * from_b) / (wa + wb));
    double between = (double)r->distances[a * r->count + b];
    double sum = ((wa + wo) * from_a + (wb + wo) * from_b - wo * between) / (wa + wb + wo);
    return sum > 0 ? (float)sum : 0;
}

/* Joins two slots; the lower goes on standing for both. */
static void join(run *r, uint32_t a, uint32_t b)
{
    uint32_t kept = a < b ? a : b, gone = a < b ? b : a;
    float between = r->distances[kept * r->count + gone];
    float height = r->options->linkage == VT_LINKAGE_WARD ? sqrtf(between) : between;
    height = fmaxf(height, fmaxf(r->heights[kept], r->heights[gone]));
    size_t left = 0;
    for (size_t i = 0; i < r->alive_count; i++) {
        uint32_t other = r->alive[i];
        if (other == gone)
            continue;
        r->alive[left++] = other;
        if (other == kept)
            continue;
        float distance = joined_distance(r, kept, gone, other);
        r->distances[kept * r->count + other] = distance;
        r->distances[other * r->count + kept] = distance;
    }
    r->alive_count = left;
    r->weights[kept] += r->weights[gone];
    r->heights[kept] = height;
    r->joins[r->join_count] = (slot_join){height, kept, gone, (uint32_t)r->join_count};
    r->join_count++;
}

static void follow_chain(run *r)
{
    if (r->chain_count == 0)
        r->chain[r->chain_count++] = r->alive[0];
    for (;;) {
        uint32_t top = r->chain[r->chain_count - 1];
        uint32_t before = r->chain_count > 1 ? r->chain[r->chain_count - 2] : top;
        uint32_t next = nearest_of(r, top, before);
        if (next == before) {
            r->chain_count -= 2;
            join(r, top, next);
            return;
        }
        r->chain[r->chain_count++] = next;
    }
}

/* ---- numbering ---- */

static int compare_joins(const void *a, const void *b)
{
    const slot_join *x = a, *y = b;
    if (x->height != y->height)
        return x->height < y->height ? -1 : 1;
    return x->made < y->made ? -1 : x->made > y->made;
}

/* The root of a slot's group, with the way to it halved (union-find). */
static uint32_t root_of(uint32_t *parents, uint32_t slot)
{
    while (parents[slot] != slot) {
        parents[slot] = parents[parents[slot]];
        slot = parents[slot];
    }
    return slot;
}

/* Slots to nodes. parents: (2 * count). */
static void number_joins(run *r, uint32_t *parents, vt_hierarchy *tree)
{
    if (r->join_count > 0)
        qsort(r->joins, r->join_count, sizeof *r->joins, compare_joins);
    for (size_t i = 0; i < 2 * r->count; i++)
        parents[i] = (uint32_t)i;
    for (size_t i = 0; i < r->join_count; i++) {
        uint32_t made = (uint32_t)(r->count + i), node[2];
        uint64_t weight = 0;
        node[0] = root_of(parents, r->joins[i].left);
        node[1] = root_of(parents, r->joins[i].right);
        for (int side = 0; side < 2; side++) {
            parents[node[side]] = made;
            if (node[side] >= r->count)
                weight += tree->joins[node[side] - r->count].weight;
            else
                weight += r->options->weights != NULL ? r->options->weights[node[side]] : 1;
        }
        bool ordered = node[0] < node[1];
        tree->joins[i] = (vt_join){.left = node[!ordered],
                                   .right = node[ordered],
                                   .left_row = r->joins[i].left,
                                   .right_row = r->joins[i].right,
                                   .height = r->joins[i].height,
                                   .weight = weight};
    }
}

/* ---- the whole ---- */

static vt_status check(const run *r, vt_error *error)
{
    if (r->count > VT_HIERARCHY_MAX_COUNT)
        return vt_fail(error, VT_ERR_LIMIT,
                       "hierarchical clustering: %zu rows are more than %d, of which the distances "
                       "can be held",
                       r->count, VT_HIERARCHY_MAX_COUNT);
    if (r->count == 0 || r->dim == 0 || r->dim > VT_HIERARCHY_MAX_DIM)
        return vt_fail(error, VT_ERR_USAGE,
                       "hierarchical clustering: %zu rows of %zu elements cannot be grouped",
                       r->count, r->dim);
    for (size_t i = 0; i < r->count; i++) {
        const float *row = r->rows + i * r->dim;
        if (!(vt_distance()->dot_f32(row, row, r->dim) <= longest * longest))
            return vt_fail(error, VT_ERR_USAGE,
                           "hierarchical clustering: row %zu is not finite, or longer than 1e18",
                           i);
        if (r->options->weights != NULL && r->options->weights[i] == 0)
            return vt_fail(error, VT_ERR_USAGE,
                           "hierarchical clustering: row %zu stands for nothing", i);
    }
    return VT_OK;
}

static bool reserve(run *r)
{
    r->distances = vt_alloc_array(r->count, r->count * sizeof *r->distances);
    r->weights = vt_alloc_array(r->count, sizeof *r->weights);
    r->heights = vt_alloc_array(r->count, sizeof *r->heights);
    r->alive = vt_alloc_array(r->count, 4 * sizeof *r->alive);
    r->chain = vt_alloc_array(r->count, sizeof *r->chain);
    r->joins = vt_alloc_array(r->count, sizeof *r->joins);
    return r->distances != NULL && r->weights != NULL && r->heights != NULL && r->alive != NULL &&
           r->chain != NULL && r->joins != NULL;
}

static void release(run *r)
{
    vt_free(r->distances);
    vt_free(r->weights);
    vt_free(r->heights);
    vt_free(r->alive);
    vt_free(r->chain);
    vt_free(r->joins);
}

static vt_status build(run *r, vt_hierarchy *tree, vt_error *error)
{
    if (!reserve(r))
        return vt_fail_memory(error, "the distances of a hierarchical clustering");
    for (size_t i = 0; i < r->count; i++) {
        r->weights[i] = r->options->weights != NULL ? (double)r->options->weights[i] : 1;
        r->heights[i] = -INFINITY;
        r->alive[i] = (uint32_t)i;
    }
    r->alive_count = r->count;
    measure(r);
    while (r->join_count + 1 < r->count) {
        if (r->join_count % PROGRESS_JOINS == 0 && r->options->on_progress != NULL &&
            !r->options->on_progress(r->options->context, r->join_count, r->count - 1))
            return vt_fail(error, VT_ERR_CANCELLED, "hierarchical clustering: cancelled");
        follow_chain(r);
    }
    number_joins(r, r->alive + 2 * r->count, tree);
    return VT_OK;
}

vt_status vt_hierarchy_new(const float *rows, size_t count, size_t dim,
                           const vt_hierarchy_options *options, vt_hierarchy **out, vt_error *error)
{
    run r = {.rows = rows, .count = count, .dim = dim, .options = options};
    vt_status status = check(&r, error);
    if (status != VT_OK)
        return status;
    vt_hierarchy *tree = vt_calloc(1, sizeof *tree);
    if (tree != NULL)
        tree->joins = vt_calloc(count, sizeof *tree->joins);
    if (tree == NULL || tree->joins == NULL) {
        vt_hierarchy_free(tree);
        return vt_fail_memory(error, "a hierarchical clustering");
    }
    tree->count = count;
    status = build(&r, tree, error);
    release(&r);
    if (status != VT_OK) {
        vt_hierarchy_free(tree);
        return status;
    }
    *out = tree;
    return VT_OK;
}

/* ---- cuts ---- */

/* Groups after the first `made` joins. The lowest row of a group is its root, so that one pass in
 * order takes every row to its root and another to its number. */
static size_t cut(const vt_hierarchy *tree, size_t made, uint32_t *labels)
{
    uint32_t groups = 0;
    for (size_t i = 0; i < tree->count; i++)
        labels[i] = (uint32_t)i;
    for (size_t i = 0; i < made; i++) {
        uint32_t a = root_of(labels, tree->joins[i].left_row);
        uint32_t b = root_of(labels, tree->joins[i].right_row);
        labels[a > b ? a : b] = a > b ? b : a;
    }
    for (size_t i = 0; i < tree->count; i++)
        labels[i] = labels[labels[i]];
    for (size_t i = 0; i < tree->count; i++)
        labels[i] = labels[i] == i ? groups++ : labels[labels[i]];
    return groups;
}

size_t vt_hierarchy_cut_count(const vt_hierarchy *tree, size_t groups, uint32_t *labels)
{
    size_t wanted = groups < 1 ? 1 : groups;
    return cut(tree, wanted > tree->count ? 0 : tree->count - wanted, labels);
}

size_t vt_hierarchy_cut_height(const vt_hierarchy *tree, float height, uint32_t *labels)
{
    size_t made = 0;
    while (made + 1 < tree->count && tree->joins[made].height <= height)
        made++;
    return cut(tree, made, labels);
}
