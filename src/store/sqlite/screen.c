/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The screen over a model's vectors in memory (index/flat.h), which spares the exact scan most of
 * its reading.
 *
 * Method: like graph and lists it is made beside searches, by a process that has scanned so much,
 * or read so many rows of sets, that it would have been of use; many queries at once wait for it,
 * since they gain more than they wait. Rows are covered a few thousand at a time, with searches
 * held up for the milliseconds that one such piece takes: scans use what is covered already. From
 * then on it follows the vectors by itself.
 */
#include "store/sqlite/vectors.h"

#include "base/log.h"
#include "base/status.h"

enum {
    LEAST_ROWS = 4096,
    WORTH_SCANS = 64, /* of all rows: that is about what making it reads and computes */
    PIECE = 2048
};

/* Whether memory has room for it beside what is there, or is to be. */
static bool has_room(vt_sqlite_index *index, const vt_flat_screen *screen)
{
    vt_index_choice choice;
    vt_sqlite_ann_choose(index, 0, &choice);
    size_t bytes = atomic_load(&index->row_count) * vt_flat_screen_row_bytes(screen);
    return choice.resident && bytes <= choice.memory_bytes &&
           choice.bytes <= choice.memory_bytes - bytes;
}

static vt_status screen_begin(vt_sqlite_index *index, vt_flat_screen **out, vt_error *error)
{
    pthread_rwlock_rdlock(&index->rows);
    vt_status status = vt_flat_screen_begin(index->flat, out, error);
    pthread_rwlock_unlock(&index->rows);
    return status == VT_OK ? vt_flat_screen_train(out, error) : status;
}

static vt_status rows_cover(vt_sqlite_index *index, vt_pool *pool, vt_error *error)
{
    vt_status status = VT_OK;
    for (bool all = false; status == VT_OK && !all && !atomic_load(&index->stop);) {
        pthread_rwlock_wrlock(&index->rows);
        status = vt_flat_screen_extend(index->flat, PIECE, pool, error);
        all = vt_flat_screen_covers(index->flat) == vt_flat_count(index->flat);
        pthread_rwlock_unlock(&index->rows);
    }
    return status;
}

static vt_status screen_make(vt_sqlite_index *index, vt_pool *pool, vt_error *error)
{
    vt_flat_screen *screen = NULL;
    vt_status status = screen_begin(index, &screen, error);
    if (status == VT_OK && screen != NULL && has_room(index, screen)) {
        size_t row_bytes = vt_flat_screen_row_bytes(screen);
        pthread_rwlock_wrlock(&index->rows);
        vt_flat_screen_take(index->flat, screen);
        pthread_rwlock_unlock(&index->rows);
        status = rows_cover(index, pool, error);
        if (status == VT_OK)
            atomic_store(&index->screen_bytes, row_bytes);
    } else {
        vt_flat_screen_free(screen);
    }
    return status;
}

/* By whoever has set `screened`. */
static void screen_build(vt_sqlite_index *index, vt_pool *pool)
{
    vt_error error = {0};
    if (screen_make(index, pool, &error) != VT_OK)
        vt_log(VT_LOG_WARN, "scans read all vectors in full: %s", error.message);
}

static void background_build(void *context)
{
    screen_build(context, NULL);
}

void vt_sqlite_screen_want(vt_sqlite_index *index, size_t queries, uint64_t rows, vt_pool *pool)
{
    uint64_t there = atomic_load(&index->row_count), worth = WORTH_SCANS * there;
    if (atomic_load(&index->screened) || !atomic_load(&index->resident) || there < LEAST_ROWS)
        return;
    uint64_t read = queries * rows;
    uint64_t before = atomic_fetch_add_explicit(&index->rows_read, read, memory_order_relaxed);
    /* Also where none can be made: it is not tried again for each scan. */
    if (before + read < worth || atomic_exchange(&index->screened, true))
        return;
    if (read < worth)
        (void)vt_thread_start("screen", background_build, index, &index->screener, NULL);
    else
        screen_build(index, pool);
}

void vt_sqlite_screen_stop(vt_sqlite_index *index)
{
    vt_thread_join(index->screener);
    index->screener = NULL;
}
