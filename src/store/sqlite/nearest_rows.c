/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exact scan: the truth that walks are held to, and the answer wherever they are not worth it.
 *
 * Method: over the vectors in memory, all of them or those of a small set alone. Where memory does
 * not hold them they are read from the database, product by product or one after another, whichever
 * is less, and scanned in batches of so many that memory stays bounded, keeping the best. When
 * scans have read as many as there are, and memory suffices, all are brought into memory once and
 * for all: reading costs at most twice what the better choice would have cost.
 */
#include "store/sqlite/vectors.h"

#include "base/status.h"
#include "vector/distance.h"

#include <string.h>

enum {
    PICK_SHARE = 8, /* sets below this part of the products are looked up row by row, ... */
    PICK_SHARE_SCREENED = 32, /* below this where scans are screened, ... */
    PICK_QUERIES = 8, /* ... for so few queries at once; for more a scan shares its reading */
    BATCH_BYTES = 8 << 20,
    FETCH_SHARE = 4, /* sets below this part are read by product: it is so much dearer */
    QUERY_BLOCK = 64
};

/* ---- in memory ---- */

static vt_status pick(const vt_sqlite_index *index, const float *queries, size_t count,
                      const vt_scan_options *options, vt_hit *hits, size_t *hit_counts,
                      size_t *scanned, vt_error *error)
{
    uint32_t *ids = NULL;
    vt_scan_options few = *options;
    vt_status status =
        vt_members_collect(index->members, options->groups, &ids, &few.id_count, error);
    few.ids = ids;
    few.groups = NULL;
    if (status == VT_OK)
        status =
            vt_flat_search(index->flat, queries, count, &few, hits, hit_counts, scanned, error);
    vt_free(ids);
    return status;
}

static bool is_picked(vt_sqlite_index *index, size_t queries, const vt_scan_options *options)
{
    const vt_idset *groups = options->groups;
    bool screened = atomic_load(&index->screen_bytes) > 0 && !options->estimated;
    size_t share = screened ? PICK_SHARE_SCREENED : PICK_SHARE;
    return groups != NULL && (queries <= PICK_QUERIES || options->estimated) &&
           vt_idset_count(groups) < atomic_load(&index->product_count) / share;
}

/* Vectors that are about to be compared with each query, about. */
static uint64_t rows_due(vt_sqlite_index *index, const vt_idset *groups)
{
    uint64_t rows = atomic_load(&index->row_count);
    uint64_t wanted = groups != NULL ? vt_idset_count(groups) : rows;
    return wanted < rows ? wanted : rows;
}

/* ---- in the database ---- */

typedef struct stream {
    vt_sqlite_index *index;
    vt_sqlite_connection *connection;
    const float *queries; /* (count, dim), a block */
    size_t count;
    vt_scan_options scan; /* of a batch */
    vt_topk *tops;        /* (count) */
    vt_flat *batch;
    size_t batch_rows;
    uint16_t *halves; /* (dim) */
    vt_hit *hits;     /* (count, k) */
    size_t *hit_counts;
    size_t scanned;
} stream;

static vt_status batch_scan(stream *s, vt_error *error)
{
    if (vt_flat_count(s->batch) == 0)
        return VT_OK;
    vt_status status = vt_flat_search(s->batch, s->queries, s->count, &s->scan, s->hits,
                                      s->hit_counts, NULL, error);
    for (size_t q = 0; status == VT_OK && q < s->count; q++)
        for (size_t i = 0; i < s->hit_counts[q]; i++) {
            const vt_hit *hit = &s->hits[q * s->scan.k + i];
            if (hit->similarity >= vt_topk_threshold(&s->tops[q]))
                vt_topk_push(&s->tops[q], hit->similarity, hit->id, hit->group);
        }
    vt_flat_free(s->batch);
    s->batch = NULL;
    return status != VT_OK
               ? status
               : vt_flat_new(s->index->dim, VT_CODEC_F16, VT_METRIC_DOT, &s->batch, error);
}

/* The rows of a bound statement that may answer, then resets it. */
static vt_status rows_scan(stream *s, sqlite3_stmt *row, const vt_idset *products, vt_error *error)
{
    vt_status status = VT_OK;
    int result;
    while (status == VT_OK && (result = sqlite3_step(row)) != SQLITE_DONE) {
        uint32_t picture = 0, product = 0;
        status = result == SQLITE_ROW ? vt_sqlite_row_key(row, 0, &picture, error)
                                      : vt_sqlite_fail(s->connection->db, error, "read vectors",
                                                       s->index->store->path);
        if (status == VT_OK)
            status = vt_sqlite_row_key(row, 1, &product, error);
        if (status != VT_OK || (products != NULL && !vt_idset_has(products, product)))
            continue;
        status = vt_sqlite_row_halves(row, 2, s->index->dim, s->halves, error);
        if (status == VT_OK)
            status = vt_flat_add_f16(s->batch, picture, product, s->halves, error);
        s->scanned++;
        if (status == VT_OK && vt_flat_count(s->batch) >= s->batch_rows)
            status = batch_scan(s, error);
    }
    vt_sqlite_reset(row);
    return status;
}

static vt_status all_scan(stream *s, const vt_idset *products, vt_error *error)
{
    vt_status status = VT_OK;
    size_t there = atomic_load(&s->index->product_count);
    if (products == NULL || vt_idset_count(products) > there / FETCH_SHARE) {
        sqlite3_stmt *row = s->connection->statements[VT_SQL_VECTOR_EACH];
        sqlite3_bind_int64(row, 1, s->index->model);
        status = rows_scan(s, row, products, error);
    } else {
        sqlite3_stmt *row = s->connection->statements[VT_SQL_VECTORS_OF_PRODUCT];
        for (vt_idset_cursor c = vt_idset_begin(products); status == VT_OK && c.valid;
             vt_idset_next(&c)) {
            sqlite3_bind_int64(row, 1, s->index->model);
            sqlite3_bind_int64(row, 2, c.id);
            status = rows_scan(s, row, NULL, error);
        }
    }
    return status == VT_OK ? batch_scan(s, error) : status;
}

static void stream_deinit(stream *s)
{
    for (size_t q = 0; s->tops != NULL && q < QUERY_BLOCK; q++)
        vt_topk_deinit(&s->tops[q]);
    vt_free(s->tops);
    vt_free(s->halves);
    vt_free(s->hits);
    vt_free(s->hit_counts);
    vt_flat_free(s->batch);
}

static vt_status stream_init(stream *s, const vt_scan_options *options, vt_error *error)
{
    s->scan = *options;
    s->scan.groups = NULL;
    size_t rows = atomic_load(&s->index->row_count) + 1, hits = 0;
    s->scan.k = options->k < rows ? options->k : rows;
    s->batch_rows = BATCH_BYTES / (s->index->dim * sizeof *s->halves) + 1;
    s->tops = vt_calloc(QUERY_BLOCK, sizeof *s->tops);
    s->halves = vt_alloc_array(s->index->dim, sizeof *s->halves);
    s->hit_counts = vt_calloc(QUERY_BLOCK, sizeof *s->hit_counts);
    if (vt_size_mul(s->count < QUERY_BLOCK ? s->count : QUERY_BLOCK, s->scan.k, &hits))
        s->hits = vt_alloc_array(hits, sizeof *s->hits);
    if (s->tops == NULL || s->halves == NULL || s->hit_counts == NULL || s->hits == NULL)
        return vt_fail_memory(error, "a search of the catalogue");
    return vt_flat_new(s->index->dim, VT_CODEC_F16, VT_METRIC_DOT, &s->batch, error);
}

static vt_status block_search(stream *s, const vt_scan_options *options, vt_hit *hits,
                              size_t *hit_counts, vt_error *error)
{
    vt_status status = VT_OK;
    for (size_t q = 0; status == VT_OK && q < s->count; q++) {
        vt_topk_deinit(&s->tops[q]);
        status = vt_topk_init(&s->tops[q], s->scan.k, options->grouped, error);
    }
    if (status == VT_OK)
        status = all_scan(s, options->groups, error);
    for (size_t q = 0; status == VT_OK && q < s->count; q++) {
        hit_counts[q] = vt_topk_sort(&s->tops[q]);
        memcpy(hits + q * options->k, s->tops[q].hits, hit_counts[q] * sizeof *hits);
    }
    return status;
}

static vt_status search_database(vt_sqlite_index *index, const float *queries, size_t count,
                                 const vt_scan_options *options, vt_hit *hits, size_t *hit_counts,
                                 size_t *scanned, vt_error *error)
{
    stream s = {.index = index, .count = count};
    vt_status status = vt_sqlite_reader_take(index->store, &s.connection, error);
    if (status != VT_OK)
        return status;
    status = stream_init(&s, options, error);
    /* An empty index refuses what is no query, as one with rows does. */
    if (status == VT_OK)
        status = vt_flat_search(s.batch, queries, count, options, hits, hit_counts, NULL, error);
    for (size_t first = 0; status == VT_OK && first < count; first += QUERY_BLOCK) {
        s.queries = queries + first * index->dim;
        s.count = count - first < QUERY_BLOCK ? count - first : QUERY_BLOCK;
        s.scanned = 0;
        status = block_search(&s, options, hits + first * options->k, hit_counts + first, error);
    }
    *scanned = s.scanned;
    stream_deinit(&s);
    vt_sqlite_reader_give(index->store, s.connection);
    return status;
}

/* Whether scans have cost as much as having the vectors in memory would. */
static bool worth_memory(vt_sqlite_index *index, const vt_idset *products)
{
    size_t there = atomic_load(&index->product_count), rows = atomic_load(&index->row_count);
    vt_index_choice choice;
    if (products != NULL && vt_idset_count(products) <= there / FETCH_SHARE &&
        atomic_load(&index->fetched) < rows)
        return false;
    vt_sqlite_ann_choose(index, 0, &choice);
    return choice.resident;
}

vt_status vt_sqlite_rows_search(vt_sqlite_index *index, const float *queries, size_t count,
                                const vt_scan_options *options, vt_hit *hits, size_t *hit_counts,
                                size_t *scanned, vt_error *error)
{
    vt_status status = VT_OK;
    if (!atomic_load(&index->resident) && worth_memory(index, options->groups))
        status = vt_sqlite_index_settle_in(index, error);
    if (status != VT_OK)
        return status;
    if (!atomic_load(&index->resident)) {
        status = search_database(index, queries, count, options, hits, hit_counts, scanned, error);
        atomic_fetch_add(&index->fetched, *scanned);
        return status;
    }
    const bool picked = is_picked(index, count, options);
    vt_sqlite_screen_want(index, count, rows_due(index, options->groups), options->pool);
    pthread_rwlock_rdlock(&index->rows);
    status = picked ? pick(index, queries, count, options, hits, hit_counts, scanned, error)
                    : vt_flat_search(index->flat, queries, count, options, hits, hit_counts,
                                     scanned, error);
    pthread_rwlock_unlock(&index->rows);
    return status;
}

/* ---- single vectors ---- */

static vt_status vector_read(vt_sqlite_index *index, const vt_sqlite_source *from, uint32_t picture,
                             float *out, uint32_t *product, vt_error *error)
{
    sqlite3_stmt *row = from->connection->statements[VT_SQL_VECTOR_ROW];
    sqlite3_bind_int64(row, 1, picture);
    sqlite3_bind_int64(row, 2, index->model);
    int result = sqlite3_step(row);
    vt_status status = VT_ERR_NOT_FOUND;
    if (result == SQLITE_ROW)
        status = vt_sqlite_row_key(row, 0, product, error);
    else if (result != SQLITE_DONE)
        status = vt_sqlite_fail(from->connection->db, error, "read vectors", index->store->path);
    if (status == VT_OK)
        status = vt_sqlite_row_halves(row, 1, index->dim, from->halves, error);
    if (status == VT_OK)
        vt_distance()->f16_to_f32(from->halves, out, index->dim);
    vt_sqlite_reset(row);
    return status;
}

vt_status vt_sqlite_vector_fetch(vt_sqlite_index *index, const vt_sqlite_source *from,
                                 uint32_t picture, float *out, uint32_t *product, vt_error *error)
{
    pthread_rwlock_rdlock(&index->rows);
    bool resident = index->flat != NULL;
    bool found = resident && vt_flat_get_row(index->flat, picture, out, product);
    pthread_rwlock_unlock(&index->rows);
    if (resident)
        return found ? VT_OK : VT_ERR_NOT_FOUND;
    return vector_read(index, from, picture, out, product, error);
}
