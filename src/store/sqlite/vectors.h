/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One model's vectors in memory, and the graph over them. Internal to the sqlite driver.
 *
 *     vectors.c        loading, following the database's changes
 *     graph.c          building the graph, beside searches or in the foreground
 *     graph_snapshot.c the graph in a file
 *     nearest.c        answering
 *     nearest_rows.c   the exact scan, of memory or of the database
 *     index_admin.c    what it is, whether it equals the store
 *
 * Who may touch what:
 *   - store->index_lock, shared: the index stays; alone: indexes are made and dropped.
 *   - follow: held by whoever makes the index contain further changes. He alone changes anything.
 *   - rows: shared, to read `flat` and `members`; alone, to change them, which takes microseconds.
 *   - the graph takes care of itself: walks wait for nobody. It is exchanged with `follow` held;
 *     who looks at it without that enters first, and the one before is freed when all who came
 *     before have left.
 * In that order. Searches that walk hold index_lock shared and nothing else.
 */
#ifndef VT_STORE_SQLITE_VECTORS_H
#define VT_STORE_SQLITE_VECTORS_H

#include "index/flat.h"
#include "index/graph.h"
#include "store/planner.h"
#include "store/sqlite/sqlite.h"

#include <stdatomic.h>

struct vt_sqlite_index {
    vt_sqlite_index *next;
    vt_sqlite *store;
    uint32_t model;
    size_t dim;

    pthread_mutex_t follow;
    pthread_rwlock_t rows;
    vt_flat *flat;        /* NULL: vectors stay in the database */
    atomic_bool resident; /* there is one */
    vt_members *members;
    _Atomic(vt_graph *) graph; /* NULL: none */
    atomic_uint turn;          /* how often it was replaced */
    atomic_size_t walkers[2];  /* who came in an even turn, in an odd one */
    _Atomic int64_t change;    /* newest contained */
    atomic_size_t row_count, product_count;
    atomic_size_t uneven; /* vectors whose length is not 1: walks are not made for them */
    atomic_bool broken;   /* could not be brought up to date: to be dropped */

    /* The follower's. */
    uint16_t *halves;         /* (room, dim) rows of one product */
    uint32_t *pictures, *old; /* (room), (old_room) */
    size_t room, old_room;
    float *floats;     /* (2, dim) */
    vt_idset *touched; /* pictures changed while a graph is built; NULL: none is */

    /* Of the builder in the background. */
    vt_thread *builder; /* index_lock alone, or its starter's */
    atomic_bool building, stop;
    atomic_size_t scans; /* searches that a graph would have answered */

    _Atomic int64_t saved_change; /* of the snapshot that is on disk; -1: none */
    char fault[256]; /* why a snapshot was not used; "": it was, or none is wanted yet. rows */
    atomic_size_t fetched; /* vectors that scans have read from the database */
};

/* ---- vectors.c ---- */
/* Leaves with index_lock held shared and *out in step with all that was committed and acknowledged
 * before; or fails without the lock. */
vt_status vt_sqlite_index_share(vt_sqlite *store, uint32_t model, vt_sqlite_index **out,
                                vt_error *error);
void vt_sqlite_index_release(vt_sqlite *store);
/* With `follow` held: makes it contain all that the connection sees. */
vt_status vt_sqlite_index_follow(vt_sqlite_index *index, vt_sqlite_connection *connection,
                                 vt_error *error);

/* Brings the vectors into memory, where they are not yet and may be. */
vt_status vt_sqlite_index_settle_in(vt_sqlite_index *index, vt_error *error);

/* ---- graph_snapshot.c ---- */
/* Into an index that is empty, with its change; inside a transaction. Anything but VT_OK: it is as
 * it was but for its members, and the reason is to be reported unless it is VT_ERR_NOT_FOUND. */
vt_status vt_sqlite_graph_load(vt_sqlite_index *index, vt_sqlite_connection *connection,
                               vt_error *reason);
/* After a reason of VT_ERR_NOT_FOUND, with the vectors read instead: where a file should have been,
 * that is another reason, to be reported. */
void vt_sqlite_graph_miss(vt_sqlite_index *index, vt_sqlite_connection *connection,
                          vt_error *reason);
/* Writes the graph that is in place. */
vt_status vt_sqlite_graph_save(vt_sqlite_index *index, vt_error *error);
bool vt_sqlite_graph_is_unsaved(vt_sqlite_index *index); /* the file lacks much */
void vt_sqlite_graph_tell(vt_sqlite *store, uint32_t model, vt_store_index_info *out);

/* ---- nearest_rows.c ---- */
/* As vt_flat_search over the vectors in memory or, when they are not, in the database. */
vt_status vt_sqlite_rows_search(vt_sqlite_index *index, const float *queries, size_t count,
                                const vt_scan_options *options, vt_hit *hits, size_t *hit_counts,
                                size_t *scanned, vt_error *error);

/* ---- graph.c ---- */
typedef struct vt_sqlite_build {
    size_t memory_bytes;
    vt_pool *pool;
    vt_on_progress *on_progress; /* may be NULL */
    void *context;
    bool told; /* that the snapshot could not be written is a failure */
} vt_sqlite_build;
/* The graph, which stays until it is left again; NULL: there is none, it is left all the same.
 * Waits for nobody. index_lock shared. */
vt_graph *vt_sqlite_graph_enter(vt_sqlite_index *index, unsigned *turn);
void vt_sqlite_graph_leave(vt_sqlite_index *index, unsigned turn);
/* Whoever begins builds, and from then on needs no lock: the index stays until he is done. False:
 * another is being built. index_lock shared. */
bool vt_sqlite_graph_begin(vt_sqlite_index *index);
/* Builds a graph of all vectors and puts it in place; the index is not to be touched after it. */
vt_status vt_sqlite_graph_build(vt_sqlite_index *index, const vt_sqlite_build *how,
                                vt_error *error);
/* Starts a builder when enough searches would have had use for it. index_lock shared. */
void vt_sqlite_graph_want(vt_sqlite_index *index);
/* Ends a builder and waits for it. */
void vt_sqlite_graph_stop(vt_sqlite_index *index);

#endif
