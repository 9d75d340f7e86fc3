/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building graph or inverted lists over a model's vectors, while searches and changes go on.
 *
 * Method: the pictures there are at the beginning, in random order, enter an index that nobody sees
 * yet, some thousands at a time: after each piece comes a report of progress and the question
 * whether to stop. The first piece is as large as its training wants. Meanwhile whoever follows the
 * database's changes notes the pictures he touches. At the end those are looked at once more, most
 * of them while changes may still come, the last few with changes held up; then it is put in place,
 * and is followed like everything else.
 *
 * A process builds by itself when it has scanned so often that it would have been of use. What is
 * asked once, by a command, is not worth it: commands find a snapshot or scan.
 */
#include "store/sqlite/vectors.h"

#include "base/log.h"
#include "base/random.h"
#include "base/status.h"

#include <time.h>

enum {
    LEAST_ROWS = 4096,
    MOST_ROWS = 32768,
    GROW_SHARE = 4,   /* of what is built comes next: the end of each piece looks at all of it */
    TOUCHED_FEW = 64, /* so few are looked at with changes held up */
    WORTH_SCANS = 16,
};

static const vt_ann_driver *driver_of(vt_index_kind kind)
{
    return kind == VT_INDEX_IVF ? &vt_ann_ivf : &vt_ann_graph;
}

void vt_sqlite_ann_choose(vt_sqlite_index *index, size_t memory_bytes, vt_index_choice *out)
{
    size_t rows = atomic_load(&index->row_count);
    vt_index_kind kind = atomic_load(&index->kind);
    if (memory_bytes == 0)
        memory_bytes = index->store->memory_bytes;
    if (kind == VT_INDEX_EXACT)
        kind = vt_sqlite_ann_wish(index->store, index->model);
    if (kind == VT_INDEX_IVF && rows > 0) {
        vt_index_choose(rows, index->dim, memory_bytes, kind, out);
        if (out->kind == kind)
            return;
    }
    vt_index_choose(rows, index->dim, memory_bytes, VT_INDEX_AUTO, out);
}

typedef struct build {
    vt_sqlite_index *index;
    vt_sqlite_connection *connection; /* taken when vectors are not in memory */
    const vt_sqlite_build *how;
    vt_ann *ann;
    uint32_t *ids;               /* (count) shuffled, owned */
    size_t count, first;         /* of the first piece */
    float *vectors;              /* (piece, dim) */
    uint32_t *pictures, *groups; /* (piece) */
    size_t piece;
    uint16_t *halves; /* (dim) */
} build;

/* ---- pieces ---- */

static vt_status vector_read(build *b, uint32_t picture, float *out, uint32_t *product,
                             vt_error *error)
{
    const vt_sqlite_source from = {b->connection, b->halves};
    return vt_sqlite_vector_fetch(b->index, &from, picture, out, product, error);
}

static vt_status piece_add(build *b, size_t first, size_t count, vt_error *error)
{
    size_t held = 0;
    vt_status status = VT_OK;
    for (size_t i = 0; status == VT_OK && i < count; i++) {
        uint32_t picture = b->ids[first + i];
        b->pictures[held] = picture;
        status =
            vector_read(b, picture, b->vectors + held * b->index->dim, &b->groups[held], error);
        held += status == VT_OK;
        if (status == VT_ERR_NOT_FOUND) /* it is among the touched */
            status = VT_OK;
    }
    const vt_ann_rows rows = {b->vectors, b->pictures, b->groups, held};
    if (status == VT_OK)
        status = b->ann->driver->build(b->ann, &rows, b->count, b->how->pool, error);
    return status;
}

static vt_status go_on(const build *b, size_t done, vt_error *error)
{
    const vt_sqlite_build *how = b->how;
    if (atomic_load(&b->index->stop) ||
        (how->on_progress != NULL && !how->on_progress(how->context, done, b->count)))
        return vt_fail(error, VT_ERR_CANCELLED, "build the index: cancelled after %zu of %zu", done,
                       b->count);
    return VT_OK;
}

static vt_status pieces_add(build *b, vt_error *error)
{
    vt_status status = go_on(b, 0, error);
    for (size_t done = 0; status == VT_OK && done < b->count;) {
        size_t count = done / GROW_SHARE;
        count = count < LEAST_ROWS ? LEAST_ROWS : count < MOST_ROWS ? count : MOST_ROWS;
        if (done == 0)
            count = b->first;
        count = count < b->count - done ? count : b->count - done;
        status = piece_add(b, done, count, error);
        done += count;
        if (status == VT_OK)
            status = go_on(b, done, error);
    }
    return status;
}

/* ---- what changed meanwhile ---- */

static vt_status picture_update(build *b, uint32_t picture, vt_error *error)
{
    uint32_t product = 0;
    b->ann->driver->remove(b->ann, picture);
    vt_status status = vector_read(b, picture, b->vectors, &product, error);
    if (status == VT_ERR_NOT_FOUND)
        return VT_OK;
    if (status == VT_OK)
        status = b->ann->driver->add(b->ann, picture, product, b->vectors, error);
    return status;
}

static vt_status touched_update(build *b, const vt_idset *touched, vt_error *error)
{
    vt_status status = VT_OK;
    for (vt_idset_cursor c = vt_idset_begin(touched); status == VT_OK && c.valid; vt_idset_next(&c))
        status = picture_update(b, c.id, error);
    return status;
}

/* ---- in place ---- */

/* Read-copy-update with two counters (McKenney, Is parallel programming hard, 9.5): walkers count
 * themselves in that of the turn they see, and look once more whether it is still that. */
vt_ann *vt_sqlite_ann_enter(vt_sqlite_index *index, unsigned *turn)
{
    for (;;) {
        *turn = atomic_load(&index->turn);
        atomic_fetch_add(&index->walkers[*turn % 2], 1);
        if (atomic_load(&index->turn) == *turn)
            return atomic_load(&index->ann);
        atomic_fetch_sub(&index->walkers[*turn % 2], 1);
    }
}

void vt_sqlite_ann_leave(vt_sqlite_index *index, unsigned turn)
{
    atomic_fetch_sub(&index->walkers[turn % 2], 1);
}

static void moment_wait(void)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    nanosleep(&moment, NULL);
}

/* Frees what is not in place any more, after the last search that began before. Only one who builds
 * comes here, so that the counter of the turn to come has nobody left of an earlier. */
static void retire(vt_sqlite_index *index, vt_ann *ann)
{
    if (ann == NULL)
        return;
    unsigned turn = atomic_fetch_add(&index->turn, 1);
    while (atomic_load(&index->walkers[turn % 2]) > 0)
        moment_wait();
    vt_ann_free(ann);
}

/* Until few are left: then, with `follow` held, also those, and it is everyone's. */
static vt_status finish(build *b, vt_error *error)
{
    vt_sqlite_index *index = b->index;
    vt_ann *replaced = NULL;
    vt_status status = VT_OK;
    for (bool last = false; status == VT_OK && !last;) {
        vt_idset *next = NULL, *touched = NULL;
        status = vt_idset_new(&next, error);
        if (status != VT_OK)
            break;
        pthread_mutex_lock(&index->follow);
        touched = index->touched;
        last = vt_idset_count(touched) <= TOUCHED_FEW;
        index->touched = next;
        if (last) {
            status = touched_update(b, touched, error);
            if (status == VT_OK) {
                replaced = atomic_exchange(&index->ann, b->ann);
                atomic_store(&index->kind, b->how->choice.kind);
                b->ann = NULL;
            }
        }
        pthread_mutex_unlock(&index->follow);
        if (!last)
            status = touched_update(b, touched, error);
        vt_idset_free(touched);
    }
    retire(index, replaced);
    return status;
}

/* ---- all of it ---- */

static void build_deinit(build *b)
{
    pthread_mutex_lock(&b->index->follow);
    vt_idset_free(b->index->touched);
    b->index->touched = NULL;
    pthread_mutex_unlock(&b->index->follow);
    if (b->connection != NULL)
        vt_sqlite_reader_give(b->index->store, b->connection);
    vt_ann_free(b->ann);
    vt_free(b->ids);
    vt_free(b->vectors);
    vt_free(b->pictures);
    vt_free(b->groups);
    vt_free(b->halves);
}

static vt_status memory_take(build *b, vt_error *error)
{
    b->first = b->ann->driver->first_rows(b->count, b->index->dim);
    b->piece = b->count < MOST_ROWS ? b->count : MOST_ROWS;
    b->piece = b->piece < b->first ? b->first : b->piece;
    b->piece = b->piece < LEAST_ROWS ? LEAST_ROWS : b->piece; /* what is touched wants one */
    b->vectors = vt_alloc_array(b->piece, b->index->dim * sizeof *b->vectors);
    b->pictures = vt_alloc_array(b->piece, sizeof *b->pictures);
    b->groups = vt_alloc_array(b->piece, sizeof *b->groups);
    b->halves = vt_alloc_array(b->index->dim, sizeof *b->halves);
    if (b->vectors == NULL || b->pictures == NULL || b->groups == NULL || b->halves == NULL)
        return vt_fail_memory(error, "the building of an index");
    return vt_sqlite_reader_take(b->index->store, &b->connection, error);
}

static void ids_shuffle(build *b)
{
    vt_random random;
    vt_random_init(&random, b->count);
    for (size_t i = b->count; i > 1; i--) {
        size_t at = (size_t)vt_random_below(&random, i);
        uint32_t id = b->ids[i - 1];
        b->ids[i - 1] = b->ids[at];
        b->ids[at] = id;
    }
}

/* From here on changes are noted. */
static vt_status ids_take(build *b, vt_error *error)
{
    vt_sqlite_index *index = b->index;
    pthread_mutex_lock(&index->follow);
    vt_status status = vt_idset_new(&index->touched, error);
    if (status == VT_OK)
        status = vt_members_collect(index->members, NULL, &b->ids, &b->count, error);
    pthread_mutex_unlock(&index->follow);
    return status;
}

static vt_status ann_make(build *b, vt_error *error)
{
    const vt_index_choice *choice = &b->how->choice;
    vt_status status =
        vt_ann_new(driver_of(choice->kind), b->index->dim, &choice->options, &b->ann, error);
    if (status == VT_OK)
        status = ids_take(b, error);
    if (status == VT_OK && b->count == 0 && choice->kind == VT_INDEX_IVF)
        status = vt_fail(error, VT_ERR_USAGE,
                         "build inverted lists: there are no vectors to train them with");
    if (status == VT_OK)
        status = memory_take(b, error);
    if (status == VT_OK) {
        ids_shuffle(b);
        status = pieces_add(b, error);
    }
    return status == VT_OK ? finish(b, error) : status;
}

static vt_status ann_build(vt_sqlite_index *index, const vt_sqlite_build *how, vt_error *error)
{
    build b = {.index = index, .how = how};
    vt_status status = ann_make(&b, error);
    build_deinit(&b);
    if (status != VT_OK)
        return status;
    vt_error reason;
    pthread_rwlock_wrlock(&index->rows);
    index->fault[0] = '\0';
    pthread_rwlock_unlock(&index->rows);
    status = vt_sqlite_ann_save(index, &reason);
    if (status != VT_OK) /* it answers all the same; the owner who asked for it is told */
        return how->told ? vt_fail(error, status, "%s", reason.message) : VT_OK;
    return VT_OK;
}

bool vt_sqlite_ann_begin(vt_sqlite_index *index)
{
    return !atomic_exchange(&index->building, true);
}

vt_status vt_sqlite_ann_build(vt_sqlite_index *index, const vt_sqlite_build *how, vt_error *error)
{
    vt_status status = ann_build(index, how, error);
    atomic_store(&index->building, false);
    return status;
}

/* ---- in the background ---- */

static void background_build(void *context)
{
    vt_sqlite_index *index = context;
    vt_sqlite_build how = {0};
    vt_error error = {0};
    vt_pool *pool = NULL;
    int threads = vt_core_count() / 2; /* the rest is for searches */
    if (vt_pool_new(threads > 0 ? threads : 1, &pool, &error) == VT_OK)
        how.pool = pool;
    vt_sqlite_ann_choose(index, 0, &how.choice);
    vt_status status =
        how.choice.kind != VT_INDEX_EXACT ? ann_build(index, &how, &error) : VT_ERR_CANCELLED;
    if (status != VT_OK && status != VT_ERR_CANCELLED)
        vt_log(VT_LOG_WARN, "no index could be built, searches scan: %s", error.message);
    vt_pool_free(pool);
    atomic_store(&index->scans, 0);
    atomic_store(&index->building, false);
}

void vt_sqlite_ann_want(vt_sqlite_index *index)
{
    if (atomic_load(&index->ann) != NULL ||
        atomic_fetch_add_explicit(&index->scans, 1, memory_order_relaxed) < WORTH_SCANS)
        return;
    vt_index_choice choice;
    vt_sqlite_ann_choose(index, 0, &choice);
    if (choice.kind == VT_INDEX_EXACT || atomic_load(&index->uneven) > 0) {
        atomic_store(&index->scans, 0);
        return;
    }
    if (atomic_exchange(&index->building, true))
        return;
    vt_thread_join(index->builder); /* an earlier one, which has ended */
    index->builder = NULL;
    if (vt_thread_start("index", background_build, index, &index->builder, NULL) != VT_OK) {
        atomic_store(&index->scans, 0);
        atomic_store(&index->building, false);
    }
}

void vt_sqlite_ann_stop(vt_sqlite_index *index)
{
    atomic_store(&index->stop, true);
    vt_thread_join(index->builder);
    index->builder = NULL;
    while (atomic_load(&index->building)) /* in the foreground of someone else */
        moment_wait();
}
