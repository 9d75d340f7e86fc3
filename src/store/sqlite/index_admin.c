/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index as its owner sees it: what it is and why, building it on demand, and whether it equals
 * the store.
 *
 * Method of the check: with changes held up, and one snapshot of the database of the same change
 * number, every row of the database is looked for in what is in memory, and the counts must agree;
 * the validator of graph or lists looks at the rest.
 */
#include "store/sqlite/vectors.h"

#include "base/status.h"
#include "vector/distance.h"

#include <stdio.h>
#include <string.h>

/* ---- what it is ---- */

static void memory_tell(vt_sqlite_index *index, vt_store_index_info *out)
{
    unsigned turn;
    vt_ann *ann = vt_sqlite_ann_enter(index, &turn);
    out->rows = atomic_load(&index->row_count);
    out->products = atomic_load(&index->product_count);
    out->dim = index->dim;
    out->change = (uint64_t)atomic_load(&index->change);
    out->kind = VT_INDEX_EXACT;
    out->codec = vt_codec_name(VT_CODEC_F16);
    if (ann != NULL) {
        vt_ann_facts facts;
        ann->driver->tell(ann, &facts);
        out->kind = facts.lists > 0 ? VT_INDEX_IVF : VT_INDEX_GRAPH;
        out->codec = facts.codec;
        out->degree = facts.degree;
        out->lists = facts.lists;
        out->index_bytes = ann->driver->bytes(ann);
    }
    vt_sqlite_ann_leave(index, turn);
    pthread_rwlock_rdlock(&index->rows);
    memcpy(out->snapshot_fault, index->fault, sizeof out->snapshot_fault);
    out->resident = index->flat != NULL;
    out->screen_bytes = atomic_load(&index->screen_bytes);
    out->vector_bytes = vt_members_bytes(index->members);
    if (index->flat != NULL)
        out->vector_bytes += vt_flat_bytes(index->flat);
    pthread_rwlock_unlock(&index->rows);
}

static void choice_tell(vt_sqlite_index *index, vt_store_index_info *out)
{
    vt_index_choice choice;
    vt_index_choose(out->rows, index->dim, index->store->memory_bytes, VT_INDEX_AUTO, &choice);
    out->wanted = choice.kind;
    out->wanted_codec = choice.codec;
    memcpy(out->why, choice.why, sizeof out->why);
    if (choice.kind == VT_INDEX_EXACT || atomic_load(&index->uneven) == 0)
        return;
    out->wanted = VT_INDEX_EXACT;
    out->wanted_codec = vt_codec_name(VT_CODEC_F16);
    snprintf(out->why, sizeof out->why,
             "%zu vectors do not have the length 1: among them walks go astray",
             atomic_load(&index->uneven));
}

vt_status vt_sqlite_index_info(vt_store *base, uint32_t model, vt_store_index_info *out,
                               vt_error *error)
{
    vt_sqlite *store = (vt_sqlite *)base;
    vt_sqlite_index *index;
    vt_status status = vt_sqlite_index_share(store, model, &index, error);
    if (status != VT_OK)
        return status;
    vt_store_index_info info = {0};
    memory_tell(index, &info);
    choice_tell(index, &info);
    vt_sqlite_index_release(store);
    vt_sqlite_connection *connection;
    status = vt_sqlite_reader_take(store, &connection, error);
    if (status != VT_OK)
        return status;
    int64_t newest = 0;
    status = vt_sqlite_newest_change(connection, &newest, error);
    vt_sqlite_reader_give(store, connection);
    info.newest = (uint64_t)newest;
    vt_sqlite_ann_tell(store, model, &info);
    if (status == VT_OK)
        *out = info;
    return status;
}

/* ---- building ---- */

vt_status vt_sqlite_index_build(vt_store *base, uint32_t model, bool always,
                                const vt_store_index_options *options, vt_error *error)
{
    vt_sqlite *store = (vt_sqlite *)base;
    vt_sqlite_index *index;
    vt_status status = vt_sqlite_index_share(store, model, &index, error);
    if (status != VT_OK)
        return status;
    vt_sqlite_build how = {.pool = options->pool,
                           .on_progress = options->on_progress,
                           .context = options->context,
                           .told = true};
    size_t memory = options->memory_bytes > 0 ? options->memory_bytes : store->memory_bytes;
    if (always)
        vt_index_choose(atomic_load(&index->row_count), index->dim, memory, options->kind,
                        &how.choice);
    else
        vt_sqlite_ann_choose(index, options->memory_bytes, &how.choice);
    bool wanted = how.choice.kind != VT_INDEX_EXACT;
    bool build = wanted && (always || atomic_load(&index->ann) == NULL);
    bool save = wanted && !build && vt_sqlite_ann_is_unsaved(index);
    bool begun = (build || save) && vt_sqlite_ann_begin(index);
    bool refused = !wanted && options->kind != VT_INDEX_AUTO && options->kind != VT_INDEX_EXACT;
    bool discard = !wanted && always && !refused;
    if (discard && atomic_load(&index->ann) != NULL)
        atomic_store(&index->broken, true); /* the next question has one without */
    vt_sqlite_index_release(store);
    if (refused)
        return vt_fail(error, VT_ERR_LIMIT, "build the index: %s", how.choice.why);
    if (discard)
        vt_sqlite_ann_discard(store, model);
    if ((build || save) && !begun)
        return vt_fail(error, VT_ERR_BUSY, "build the index: it is being built");
    if (build) {
        status = vt_sqlite_ann_build(index, &how, error);
    } else if (save) {
        status = vt_sqlite_ann_save(index, error);
        atomic_store(&index->building, false);
    }
    if (status == VT_OK && options->why != NULL)
        memcpy(options->why, how.choice.why, sizeof how.choice.why);
    return status;
}

/* ---- checking ---- */

enum { TELL_ROWS = 1024 };

typedef struct check {
    vt_sqlite_index *index;
    vt_ann *ann;
    vt_sqlite_connection *connection;
    const vt_store_index_options *options;
    size_t rows, seen, total; /* of the database; of all that is looked at */
    uint16_t *halves;         /* (dim) */
    float *want, *have;       /* (dim) */
    vt_idset *pictures;       /* that the database has */
} check;

static vt_status go_on(check *c, vt_error *error)
{
    vt_on_progress *on_progress = c->options->on_progress;
    if (c->seen++ % TELL_ROWS != 0 || on_progress == NULL ||
        on_progress(c->options->context, c->seen - 1, c->total))
        return VT_OK;
    return vt_fail(error, VT_ERR_CANCELLED, "check the index: cancelled after %zu of %zu rows",
                   c->seen - 1, c->total);
}

static vt_status row_check(check *c, sqlite3_stmt *row, vt_error *error)
{
    uint32_t picture = 0, product = 0, held = 0;
    vt_sqlite_index *index = c->index;
    vt_status status = go_on(c, error);
    if (status == VT_OK)
        status = vt_sqlite_row_key(row, 0, &picture, error);
    if (status == VT_OK)
        status = vt_sqlite_row_key(row, 1, &product, error);
    if (status == VT_OK)
        status = vt_sqlite_row_halves(row, 2, index->dim, c->halves, error);
    if (status == VT_OK)
        status = vt_idset_add(c->pictures, picture, error);
    if (status != VT_OK)
        return status;
    c->rows++;
    vt_distance()->f16_to_f32(c->halves, c->want, index->dim);
    if (index->flat != NULL &&
        (!vt_flat_get_row(index->flat, picture, c->have, &held) || held != product ||
         memcmp(c->want, c->have, index->dim * sizeof *c->want) != 0))
        return vt_fail(error, VT_ERR_CORRUPT,
                       "check the index: picture %u of product %u is not in memory as it is in the "
                       "catalogue",
                       picture, product);
    return VT_OK;
}

static vt_status rows_check(check *c, vt_error *error)
{
    sqlite3_stmt *row = c->connection->statements[VT_SQL_VECTOR_EACH];
    sqlite3_bind_int64(row, 1, c->index->model);
    vt_status status = VT_OK;
    int result;
    while (status == VT_OK && (result = sqlite3_step(row)) != SQLITE_DONE)
        status = result == SQLITE_ROW ? row_check(c, row, error)
                                      : vt_sqlite_fail(c->connection->db, error, "read vectors",
                                                       c->index->store->path);
    vt_sqlite_reset(row);
    if (status == VT_OK && c->index->flat != NULL && vt_flat_count(c->index->flat) != c->rows)
        status = vt_fail(error, VT_ERR_CORRUPT,
                         "check the index: %zu vectors are in memory, %zu in the catalogue",
                         vt_flat_count(c->index->flat), c->rows);
    return status;
}

static vt_status ann_row_check(void *context, uint32_t id, uint32_t group, vt_error *error)
{
    check *c = context;
    uint32_t held = 0;
    vt_status status = go_on(c, error);
    if (status != VT_OK)
        return status;
    if (vt_idset_has(c->pictures, id) &&
        (c->index->flat == NULL ||
         (vt_flat_get_row(c->index->flat, id, c->have, &held) && held == group)))
        return VT_OK;
    return vt_fail(error, VT_ERR_CORRUPT,
                   "check the index: the %s has picture %u of product %u, the catalogue has not",
                   c->ann->driver->name, id, group);
}

static vt_status ann_check(check *c, vt_error *error)
{
    size_t rows = 0;
    vt_status status = c->ann->driver->check(c->ann, &rows, error);
    if (status == VT_OK && rows != c->rows)
        status = vt_fail(error, VT_ERR_CORRUPT,
                         "check the index: the %s has %zu vectors, the catalogue %zu",
                         c->ann->driver->name, rows, c->rows);
    return status == VT_OK ? c->ann->driver->each(c->ann, ann_row_check, c, error) : status;
}

/* With `follow` held: of one state of the catalogue. */
static vt_status index_check(check *c, vt_error *error)
{
    vt_sqlite_index *index = c->index;
    int64_t newest = -1;
    vt_status status = VT_OK;
    c->total = atomic_load(&index->row_count) * (c->ann != NULL ? 2 : 1);
    do {
        status = vt_sqlite_index_follow(index, c->connection, error);
        if (status == VT_OK && atomic_load(&index->broken))
            return vt_fail(error, VT_ERR_BUSY, "check the index: too much has changed meanwhile");
        if (status == VT_OK && !vt_sqlite_run(c->connection->statements[VT_SQL_BEGIN]))
            status = vt_sqlite_fail(c->connection->db, error, "read vectors", index->store->path);
        if (status == VT_OK)
            status = vt_sqlite_newest_change(c->connection, &newest, error);
        bool same = newest == atomic_load(&index->change);
        if (status == VT_OK && same)
            status = rows_check(c, error);
        vt_sqlite_run(c->connection->statements[VT_SQL_ROLLBACK]);
        if (same)
            break;
    } while (status == VT_OK);
    return status == VT_OK && c->ann != NULL ? ann_check(c, error) : status;
}

vt_status vt_sqlite_index_check(vt_store *base, uint32_t model,
                                const vt_store_index_options *options, vt_error *error)
{
    vt_sqlite *store = (vt_sqlite *)base;
    check c = {.options = options};
    vt_status status = vt_sqlite_index_share(store, model, &c.index, error);
    if (status != VT_OK)
        return status;
    c.halves = vt_alloc_array(c.index->dim, sizeof *c.halves);
    c.want = vt_alloc_array(c.index->dim, sizeof *c.want);
    c.have = vt_alloc_array(c.index->dim, sizeof *c.have);
    status = vt_idset_new(&c.pictures, error);
    if (status == VT_OK && (c.halves == NULL || c.want == NULL || c.have == NULL))
        status = vt_fail_memory(error, "check of the index");
    if (status == VT_OK)
        status = vt_sqlite_reader_take(store, &c.connection, error);
    if (status == VT_OK) {
        pthread_mutex_lock(&c.index->follow);
        c.ann = atomic_load(&c.index->ann);
        status = index_check(&c, error);
        pthread_mutex_unlock(&c.index->follow);
        vt_sqlite_reader_give(store, c.connection);
    }
    vt_sqlite_index_release(store);
    vt_idset_free(c.pictures);
    vt_free(c.halves);
    vt_free(c.want);
    vt_free(c.have);
    return status;
}
