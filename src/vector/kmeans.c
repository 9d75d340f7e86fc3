/* SPDX-License-Identifier: Apache-2.0 */
/*
 * k-means.
 *
 * Method: Lloyd's iterations (1982) with Hamerly's bounds (2010): each row keeps an upper bound of
 * the distance from its own centroid and a lower bound of that from all others; while the former is
 * the smaller, nothing is computed for the row. Both follow from how far centroids moved. Spherical
 * k-means (Dhillon and Modha 2001) is the same on the sphere: between vectors of length 1 the order
 * of Euclidean distances is that of cosines, so the bounds hold there too.
 *
 * Departures:
 * - Rows whose bounds do not decide meet all centroids in batches, as a product of two matrices
 *   (|c|^2 - 2xc orders them); distances that bounds are made from are computed anew without
 *   cancellation, and the bound of all others gives way by what rounding can have cost.
 * - A group that lost all its rows gets the row that lies farthest from its centroid. Where none
 *   lies apart from its centroid there are fewer different rows than groups, and the group goes.
 * - Means are summed in double over the rows of a group in order, a group to a thread, so that they
 *   do not depend on threads.
 */
#include "vector/kmeans.h"

#include "base/mem.h"
#include "vector/distance.h"

#include <assert.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

enum {
    BATCH_ROWS = 32,
    TILE_CENTROIDS = 128,
    BLOCK_ROWS = 512,    /* a worker takes so many at a time */
    SLAB_ROWS = 1 << 16, /* between two calls of on_progress */
    APART_LEAST_ROWS = 4 /* per centroid: with fewer, distances of centroids cost too much */
};

static const uint32_t no_label = UINT32_MAX;
static const float longest = 1e18F;
/* Relative errors: of a product of two vectors, of a sum of two distances. */
static const float product_error = 4e-6F, sum_error = 1e-6F;

typedef struct scratch {
    float *gathered;            /* (BATCH_ROWS, dim) */
    float *dots;                /* (BATCH_ROWS, TILE_CENTROIDS) */
    double *sum;                /* (dim) */
    size_t rows[BATCH_ROWS];    /* which were gathered */
    size_t batch;               /* how many */
    float value[2][BATCH_ROWS]; /* |c|^2 - 2xc of the nearest and the second */
    uint32_t nearest[2][BATCH_ROWS];
} scratch;

typedef struct run {
    const float *rows; /* (count, dim) */
    size_t count, dim;
    const vt_kmeans_options *options;
    vt_kmeans *out;
    float *norms;         /* (k) squared lengths of centroids */
    float *apart;         /* (k) half the distance from the nearest other centroid */
    float *moved;         /* (k) */
    float *fresh;         /* (k, dim) the next centroids */
    float *upper, *lower; /* (count) */
    uint32_t *order;      /* (count) rows by label */
    size_t *starts;       /* (k + 1) of each label there */
    scratch *workers;     /* (worker_count) */
    size_t worker_count;
    size_t slab, slab_end; /* rows of this round */
    float largest_norm;
    atomic_size_t next, changed;
} run;

vt_kmeans_options vt_kmeans_options_defaults(void)
{
    return (vt_kmeans_options){.k = 8, .iterations = 100, .seed = 1};
}

void vt_kmeans_free(vt_kmeans *groups)
{
    if (groups == NULL)
        return;
    vt_free(groups->centroids);
    vt_free(groups->labels);
    vt_free(groups->sizes);
    vt_free(groups);
}

static const float *row_at(const run *r, size_t row)
{
    return r->rows + row * r->dim;
}

static float *centroid_at(const run *r, size_t centroid)
{
    return r->out->centroids + centroid * r->dim;
}

/* ---- assignment ---- */

/* The two nearest of one tile of centroids, for every gathered row. */
static void keep_nearest(const run *r, scratch *s, size_t tile, size_t width)
{
    for (size_t i = 0; i < s->batch; i++) {
        const float *dots = s->dots + i * width;
        for (size_t j = 0; j < width; j++) {
            float value = r->norms[tile + j] - 2 * dots[j];
            if (value < s->value[0][i]) {
                s->value[1][i] = s->value[0][i];
                s->nearest[1][i] = s->nearest[0][i];
                s->value[0][i] = value;
                s->nearest[0][i] = (uint32_t)(tile + j);
            } else if (value < s->value[1][i]) {
                s->value[1][i] = value;
                s->nearest[1][i] = (uint32_t)(tile + j);
            }
        }
    }
}

/* Label and bounds of a row from the two that the products found. */
static size_t settle(run *r, const scratch *s, size_t i)
{
    const vt_distance_table *distance = vt_distance();
    size_t row = s->rows[i];
    const float *x = row_at(r, row);
    uint32_t label = s->nearest[0][i], second = s->nearest[1][i];
    float own = distance->l2_f32(x, centroid_at(r, label), r->dim), other = INFINITY;
    if (second != no_label) {
        float norm = distance->dot_f32(x, x, r->dim);
        other = distance->l2_f32(x, centroid_at(r, second), r->dim);
        if (other < own) {
            float kept = own;
            own = other;
            other = kept;
            label = second;
        }
        float rest = s->value[1][i] + norm - product_error * (norm + r->largest_norm);
        other = rest < other ? fmaxf(rest, 0) : other;
    }
    bool changed = r->out->labels[row] != label;
    r->out->labels[row] = label;
    r->upper[row] = sqrtf(own) * (1 + sum_error);
    r->lower[row] = sqrtf(other) * (1 - sum_error);
    return changed;
}

static size_t flush(run *r, scratch *s)
{
    size_t changed = 0, k = r->out->k;
    for (size_t i = 0; i < s->batch; i++) {
        s->value[0][i] = s->value[1][i] = INFINITY;
        s->nearest[0][i] = s->nearest[1][i] = no_label;
    }
    for (size_t tile = 0; tile < k; tile += TILE_CENTROIDS) {
        size_t width = k - tile < TILE_CENTROIDS ? k - tile : TILE_CENTROIDS;
        vt_distance()->dot_block_f32(s->gathered, s->batch, centroid_at(r, tile), width, r->dim,
                                     s->dots);
        keep_nearest(r, s, tile, width);
    }
    for (size_t i = 0; i < s->batch; i++)
        changed += settle(r, s, i);
    s->batch = 0;
    return changed;
}

/* Whether the bounds say that the row stays where it is. */
static bool stays(run *r, size_t row)
{
    uint32_t label = r->out->labels[row];
    if (label == no_label)
        return false;
    float bound = fmaxf(r->apart[label], r->lower[row]);
    if (r->upper[row] < bound)
        return true;
    float own = vt_distance()->l2_f32(row_at(r, row), centroid_at(r, label), r->dim);
    r->upper[row] = sqrtf(own) * (1 + sum_error);
    return r->upper[row] < bound;
}

static void assign_worker(void *context, size_t worker)
{
    run *r = context;
    scratch *s = &r->workers[worker];
    size_t changed = 0;
    for (;;) {
        size_t begin = r->slab + atomic_fetch_add(&r->next, 1) * BLOCK_ROWS;
        if (begin >= r->slab_end)
            break;
        size_t end = begin + BLOCK_ROWS < r->slab_end ? begin + BLOCK_ROWS : r->slab_end;
        for (size_t row = begin; row < end; row++) {
            if (stays(r, row))
                continue;
            memcpy(s->gathered + s->batch * r->dim, row_at(r, row), r->dim * sizeof(float));
            s->rows[s->batch++] = row;
            if (s->batch == BATCH_ROWS)
                changed += flush(r, s);
        }
    }
    changed += flush(r, s);
    atomic_fetch_add(&r->changed, changed);
}

/* Half the distance from the nearest other centroid: a row nearer than that to its own stays. */
static void measure_apart(void *context, size_t centroid)
{
    run *r = context;
    float least = INFINITY;
    for (size_t j = 0; j < r->out->k; j++) {
        float from = j == centroid ? INFINITY
                                   : vt_distance()->l2_f32(centroid_at(r, centroid),
                                                           centroid_at(r, j), r->dim);
        least = from < least ? from : least;
    }
    r->apart[centroid] = 0.5F * sqrtf(least) * (1 - sum_error);
}

/* Every row to its nearest centroid; *changed: how many labels are others than before. */
static vt_status assign(run *r, int iteration, size_t *changed)
{
    size_t k = r->out->k;
    uint64_t total = (uint64_t)r->options->iterations * r->count;
    assert(k > 0); /* there are rows, so there is a seed */
    r->largest_norm = 0;
    for (size_t j = 0; j < k; j++) {
        r->norms[j] = vt_distance()->dot_f32(centroid_at(r, j), centroid_at(r, j), r->dim);
        r->largest_norm = fmaxf(r->largest_norm, r->norms[j]);
    }
    memset(r->apart, 0, k * sizeof *r->apart);
    if (r->count / k >= APART_LEAST_ROWS)
        vt_pool_for(r->options->pool, k, measure_apart, r);
    atomic_store(&r->changed, 0);
    for (r->slab = 0; r->slab < r->count; r->slab = r->slab_end) {
        if (!vt_kmeans_goes_on(r->options, (uint64_t)iteration * r->count + r->slab, total))
            return VT_ERR_CANCELLED;
        r->slab_end = r->count - r->slab < SLAB_ROWS ? r->count : r->slab + SLAB_ROWS;
        atomic_store(&r->next, 0);
        vt_pool_for(r->options->pool, r->worker_count, assign_worker, r);
    }
    *changed = atomic_load(&r->changed);
    return VT_OK;
}

/* ---- groups without rows ---- */

static void measure_block(void *context, size_t block)
{
    run *r = context;
    size_t begin = block * BLOCK_ROWS;
    for (size_t row = begin; row < r->count && row < begin + BLOCK_ROWS; row++)
        r->upper[row] =
            vt_distance()->l2_f32(row_at(r, row), centroid_at(r, r->out->labels[row]), r->dim);
}

/* Squared distances of all rows from their centroids, in place of the upper bounds. */
static void measure_rows(run *r)
{
    vt_pool_for(r->options->pool, (r->count + BLOCK_ROWS - 1) / BLOCK_ROWS, measure_block, r);
}

static void count_sizes(run *r)
{
    memset(r->out->sizes, 0, r->out->k * sizeof *r->out->sizes);
    for (size_t row = 0; row < r->count; row++)
        r->out->sizes[r->out->labels[row]]++;
}

/* Gives the empty group the row that lies farthest from its centroid; false: none lies apart. */
static bool mend_one(run *r, uint32_t group)
{
    uint32_t *labels = r->out->labels, *sizes = r->out->sizes;
    size_t far = r->count;
    for (size_t row = 0; row < r->count; row++)
        if (sizes[labels[row]] > 1 && r->upper[row] > (far < r->count ? r->upper[far] : 0))
            far = row;
    if (far == r->count)
        return false;
    sizes[labels[far]]--;
    labels[far] = group;
    sizes[group] = 1;
    memcpy(centroid_at(r, group), row_at(r, far), r->dim * sizeof(float));
    r->upper[far] = 0;
    return true;
}

/* Whether a group was empty and is no longer. */
static bool mend(run *r)
{
    bool mended = false, any = false;
    count_sizes(r);
    for (size_t j = 0; j < r->out->k; j++) {
        if (r->out->sizes[j] > 0)
            continue;
        if (!any)
            measure_rows(r);
        any = true;
        if (!mend_one(r, (uint32_t)j))
            break;
        mended = true;
    }
    for (size_t row = 0; any && row < r->count; row++) { /* nothing is known of what jumped */
        r->upper[row] = INFINITY;
        r->lower[row] = 0;
    }
    return mended;
}

/* ---- update ---- */

static void sort_by_label(run *r)
{
    size_t k = r->out->k, sum = 0;
    for (size_t j = 0; j < k; j++) {
        r->starts[j] = sum;
        sum += r->out->sizes[j];
    }
    for (size_t row = 0; row < r->count; row++)
        r->order[r->starts[r->out->labels[row]]++] = (uint32_t)row;
    for (size_t j = k; j > 0; j--)
        r->starts[j] = r->starts[j - 1];
    r->starts[0] = 0;
}

static void update_one(run *r, scratch *s, size_t j)
{
    float *fresh = r->fresh + j * r->dim;
    memcpy(fresh, centroid_at(r, j), r->dim * sizeof *fresh);
    r->moved[j] = 0;
    if (r->out->sizes[j] == 0)
        return;
    memset(s->sum, 0, r->dim * sizeof *s->sum);
    for (size_t i = r->starts[j]; i < r->starts[j + 1]; i++) {
        const float *x = row_at(r, r->order[i]);
        for (size_t d = 0; d < r->dim; d++)
            s->sum[d] += (double)x[d];
    }
    double square = 0;
    for (size_t d = 0; d < r->dim; d++)
        square += s->sum[d] * s->sum[d];
    double divisor = r->options->spherical ? sqrt(square) : (double)r->out->sizes[j];
    /* Directions that cancel have no mean: the centroid stays. */
    if (r->options->spherical && !(divisor > 1e-6 * (double)r->out->sizes[j]))
        return;
    for (size_t d = 0; d < r->dim; d++)
        fresh[d] = (float)(s->sum[d] / divisor);
    r->moved[j] = sqrtf(vt_distance()->l2_f32(fresh, centroid_at(r, j), r->dim)) * (1 + sum_error);
}

static void update_worker(void *context, size_t worker)
{
    run *r = context;
    for (size_t j; (j = atomic_fetch_add(&r->next, 1)) < r->out->k;)
        update_one(r, &r->workers[worker], j);
}

/* Moves bounds as far as centroids went. */
static void follow(run *r)
{
    size_t farthest = 0;
    float most = 0, second = 0;
    for (size_t j = 0; j < r->out->k; j++) {
        if (r->moved[j] > most) {
            second = most;
            most = r->moved[j];
            farthest = j;
        } else if (r->moved[j] > second) {
            second = r->moved[j];
        }
    }
    for (size_t row = 0; row < r->count; row++) {
        uint32_t label = r->out->labels[row];
        float others = label == farthest ? second : most;
        r->upper[row] = (r->upper[row] + r->moved[label]) * (1 + sum_error);
        r->lower[row] = fmaxf((r->lower[row] - others) - sum_error * r->lower[row], 0);
    }
}

static void update(run *r)
{
    sort_by_label(r);
    atomic_store(&r->next, 0);
    vt_pool_for(r->options->pool, r->worker_count, update_worker, r);
    float *kept = r->out->centroids;
    r->out->centroids = r->fresh;
    r->fresh = kept;
    follow(r);
}

/* ---- the whole ---- */

static vt_status iterate(run *r)
{
    vt_kmeans *out = r->out;
    memset(out->labels, 0xff, r->count * sizeof *out->labels);
    for (int i = 0; i < r->options->iterations; i++) {
        size_t changed = 0;
        vt_status status = assign(r, i, &changed);
        if (status != VT_OK)
            return status;
        bool mended = mend(r);
        out->iterations = i + 1;
        out->converged = changed == 0 && !mended;
        if (out->converged)
            return VT_OK;
        update(r);
    }
    size_t changed = 0;
    return assign(r, r->options->iterations, &changed);
}

/* Closes the gaps that empty groups leave, and sums distances up. */
static void finish(run *r)
{
    vt_kmeans *out = r->out;
    size_t kept = 0;
    count_sizes(r);
    measure_rows(r);
    for (size_t row = 0; row < r->count; row++)
        out->inertia += (double)r->upper[row];
    for (size_t j = 0; j < out->k; j++) {
        r->starts[j] = kept;
        if (out->sizes[j] == 0)
            continue;
        memmove(centroid_at(r, kept), centroid_at(r, j), r->dim * sizeof(float));
        out->sizes[kept++] = out->sizes[j];
    }
    for (size_t row = 0; row < r->count; row++)
        out->labels[row] = (uint32_t)r->starts[out->labels[row]];
    out->k = kept;
}

static vt_status check(const run *r, vt_error *error)
{
    const vt_kmeans_options *options = r->options;
    if (options->k == 0 || options->k > VT_KMEANS_MAX_K || options->iterations < 1)
        return vt_fail(error, VT_ERR_USAGE,
                       "k-means: %zu groups in %d iterations were asked for; 1 to %d groups and at "
                       "least one iteration can be",
                       options->k, options->iterations, VT_KMEANS_MAX_K);
    if (r->count == 0 || r->count >= UINT32_MAX || r->dim == 0 || r->dim > VT_KMEANS_MAX_DIM)
        return vt_fail(error, VT_ERR_USAGE, "k-means: %zu rows of %zu elements cannot be grouped",
                       r->count, r->dim);
    for (size_t row = 0; row < r->count; row++) {
        float square = vt_distance()->dot_f32(row_at(r, row), row_at(r, row), r->dim);
        if (!(square <= longest * longest))
            return vt_fail(error, VT_ERR_USAGE,
                           "k-means: row %zu is not finite, or longer than 1e18", row);
        if (options->spherical && square != 0 && fabsf(square - 1) > 0.01F)
            return vt_fail(error, VT_ERR_USAGE,
                           "k-means: row %zu has length %g, on a sphere it must be 1 or 0", row,
                           sqrt((double)square));
    }
    return VT_OK;
}

static bool reserve_scratch(run *r)
{
    r->worker_count = r->options->pool != NULL ? (size_t)vt_pool_threads(r->options->pool) : 1;
    r->workers = vt_calloc(r->worker_count, sizeof *r->workers);
    for (size_t i = 0; r->workers != NULL && i < r->worker_count; i++) {
        scratch *s = &r->workers[i];
        s->gathered = vt_alloc_array(r->dim, BATCH_ROWS * sizeof *s->gathered);
        s->dots = vt_alloc_array(BATCH_ROWS, TILE_CENTROIDS * sizeof *s->dots);
        s->sum = vt_alloc_array(r->dim, sizeof *s->sum);
        if (s->gathered == NULL || s->dots == NULL || s->sum == NULL)
            return false;
    }
    return r->workers != NULL;
}

static bool reserve(run *r, size_t k)
{
    vt_kmeans *out = r->out;
    out->centroids = vt_alloc_array(k, r->dim * sizeof(float));
    out->labels = vt_alloc_array(r->count, sizeof *out->labels);
    out->sizes = vt_calloc(k, sizeof *out->sizes);
    r->fresh = vt_alloc_array(k, r->dim * sizeof(float));
    r->norms = vt_alloc_array(k, sizeof *r->norms);
    r->apart = vt_alloc_array(k, sizeof *r->apart);
    r->moved = vt_alloc_array(k, sizeof *r->moved);
    r->upper = vt_calloc(r->count, sizeof *r->upper);
    r->lower = vt_calloc(r->count, sizeof *r->lower);
    r->order = vt_alloc_array(r->count, sizeof *r->order);
    r->starts = vt_alloc_array(k + 1, sizeof *r->starts);
    return out->centroids != NULL && out->labels != NULL && out->sizes != NULL &&
           r->fresh != NULL && r->norms != NULL && r->apart != NULL && r->moved != NULL &&
           r->upper != NULL && r->lower != NULL && r->order != NULL && r->starts != NULL &&
           reserve_scratch(r);
}

static void release(run *r)
{
    for (size_t i = 0; r->workers != NULL && i < r->worker_count; i++) {
        vt_free(r->workers[i].gathered);
        vt_free(r->workers[i].dots);
        vt_free(r->workers[i].sum);
    }
    vt_free(r->workers);
    vt_free(r->fresh);
    vt_free(r->norms);
    vt_free(r->apart);
    vt_free(r->moved);
    vt_free(r->upper);
    vt_free(r->lower);
    vt_free(r->order);
    vt_free(r->starts);
}

vt_status vt_kmeans_new(const float *rows, size_t count, size_t dim,
                        const vt_kmeans_options *options, vt_kmeans **out, vt_error *error)
{
    run r = {.rows = rows, .count = count, .dim = dim, .options = options};
    vt_status status = check(&r, error);
    if (status != VT_OK)
        return status;
    r.out = vt_calloc(1, sizeof *r.out);
    if (r.out == NULL)
        return vt_fail_memory(error, "groups");
    r.out->count = count;
    r.out->dim = dim;
    bool room = reserve(&r, options->k < count ? options->k : count);
    status = room ? vt_kmeans_seed(rows, count, dim, options, r.out->centroids, &r.out->k)
                  : VT_ERR_NO_MEMORY;
    if (status == VT_OK)
        status = iterate(&r);
    if (status == VT_OK)
        finish(&r);
    else if (status == VT_ERR_CANCELLED)
        vt_fail(error, status, "k-means: cancelled");
    else
        vt_fail_memory(error, "groups");
    release(&r);
    if (status != VT_OK) {
        vt_kmeans_free(r.out);
        return status;
    }
    *out = r.out;
    return VT_OK;
}
