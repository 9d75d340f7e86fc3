/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One model's vectors in memory, and the graph or the inverted lists over them: either is an
 * approximate index (index/ann.h). Internal to the sqlite driver.
 *
 *     vectors.c        loading, sharing
 *     vectors_follow.c following the database's changes
 *     ann.c            building graph or lists, beside searches or in the foreground
 *     ann_snapshot.c   the same in a file
 *     screen.c         what spares scans of memory their reading
 *     nearest.c        answering
 *     nearest_rows.c   the exact scan, of memory or of the database; single vectors
 *     index_admin.c    what it is, whether it equals the store
 *
 * Who may touch what:
 *   - store->index_lock, shared: the index stays; alone: indexes are made and dropped.
 *   - follow: held by whoever makes the index contain further changes. He alone changes anything.
 *   - rows: shared, to read `flat` and `members`; alone, to change them, which takes microseconds.
 *   - graph and lists take care of themselves: walks wait for nobody, who looks into lists for the
 *     copying of a row at most. They are exchanged with `follow` held; who looks at them without
 *     that enters first, and the ones before are freed when all who came before have left.
 * In that order. Searches that are not the scan's hold index_lock shared and nothing else; who
 * looks into lists takes `rows` for vectors meanwhile.
 */
#ifndef VT_STORE_SQLITE_VECTORS_H
#define VT_STORE_SQLITE_VECTORS_H

#include "index/ann.h"
#include "index/flat.h"
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
    _Atomic(vt_ann *) ann;      /* graph or lists; NULL: neither */
    _Atomic vt_index_kind kind; /* of it; VT_INDEX_EXACT: neither */
    atomic_uint turn;           /* how often it was replaced */
    atomic_size_t walkers[2];   /* who came in an even turn, in an odd one */
    _Atomic int64_t change;     /* newest contained */
    atomic_size_t row_count, product_count;
    atomic_size_t uneven; /* vectors whose length is not 1: walks are not made for them */
    atomic_bool broken;   /* could not be brought up to date: to be dropped */

    /* The follower's. */
    uint16_t *halves;         /* (room, dim) rows of one product */
    uint32_t *pictures, *old; /* (room), (old_room) */
    size_t room, old_room;
    float *floats;     /* (2, dim) */
    vt_idset *touched; /* pictures changed while one is built; NULL: none is */

    /* Of the builder in the background. */
    vt_thread *builder; /* index_lock alone, or its starter's */
    atomic_bool building, stop;
    atomic_size_t scans; /* searches that graph or lists would have answered */

    vt_thread *screener;        /* makes a screen; his who set `screened` */
    atomic_bool screened;       /* one was begun, once and for all */
    atomic_size_t screen_bytes; /* of a row in it; 0: there is none, or not of all rows yet */
    _Atomic uint64_t rows_read; /* vectors in memory that queries were compared with, about */

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
/* Brings the vectors into memory, where they are not yet and may be. */
vt_status vt_sqlite_index_settle_in(vt_sqlite_index *index, vt_error *error);

/* ---- vectors_follow.c ---- */
/* With `follow` held: makes it contain all that the connection sees. */
vt_status vt_sqlite_index_follow(vt_sqlite_index *index, vt_sqlite_connection *connection,
                                 vt_error *error);
/* The same inside a transaction, whose state of the catalogue it is. */
vt_status vt_sqlite_index_follow_within(vt_sqlite_index *index, vt_sqlite_connection *connection,
                                        vt_error *error);
/* What came after the change that it contains, inside a transaction; the change is the caller's to
 * set. */
vt_status vt_sqlite_index_replay(vt_sqlite_index *index, vt_sqlite_connection *connection,
                                 vt_error *error);
/* All rows into a flat index (NULL: none) and, where that is asked for, into `members`. */
vt_status vt_sqlite_index_rows_load(vt_sqlite_index *index, vt_sqlite_connection *connection,
                                    vt_flat *flat, bool members, vt_error *error);
vt_status vt_sqlite_vector_count(vt_sqlite_index *index, vt_sqlite_connection *connection,
                                 size_t *out, vt_error *error);
void vt_sqlite_counts_publish(vt_sqlite_index *index, size_t rows);

/* ---- ann_snapshot.c ---- */
/* Into an index that is empty, with its change; inside a transaction. Anything but VT_OK: it is as
 * it was but for its members, and the reason is to be reported unless it is VT_ERR_NOT_FOUND. */
vt_status vt_sqlite_ann_load(vt_sqlite_index *index, vt_sqlite_connection *connection,
                             vt_error *reason);
/* After a reason of VT_ERR_NOT_FOUND, with the vectors read instead: where a file should have been,
 * that is another reason, to be reported. */
void vt_sqlite_ann_miss(vt_sqlite_index *index, vt_sqlite_connection *connection, vt_error *reason);
/* Writes what is in place, and takes away the file of the other kind. */
vt_status vt_sqlite_ann_save(vt_sqlite_index *index, vt_error *error);
bool vt_sqlite_ann_is_unsaved(vt_sqlite_index *index); /* the file lacks much */
void vt_sqlite_ann_tell(vt_sqlite *store, uint32_t model, vt_store_index_info *out);
/* What a model's index is to be, by the file that is there, whole or not: lists stay lists, since
 * their owner, or a limit that is not known any more, wanted them. VT_INDEX_AUTO: it says nothing.
 */
vt_index_kind vt_sqlite_ann_wish(const vt_sqlite *store, uint32_t model);

/* ---- nearest_rows.c ---- */
/* As vt_flat_search over the vectors in memory or, when they are not, in the database. */
vt_status vt_sqlite_rows_search(vt_sqlite_index *index, const float *queries, size_t count,
                                const vt_scan_options *options, vt_hit *hits, size_t *hit_counts,
                                size_t *scanned, vt_error *error);
/* Where a picture's vector is read from, when it is not in memory; both may be NULL when it is. */
typedef struct vt_sqlite_source {
    vt_sqlite_connection *connection;
    uint16_t *halves; /* (dim) scratch */
} vt_sqlite_source;
/* A picture's vector (dim) and product as the index has them now, without `rows`; VT_ERR_NOT_FOUND,
 * without a message: it has gone. */
vt_status vt_sqlite_vector_fetch(vt_sqlite_index *index, const vt_sqlite_source *from,
                                 uint32_t picture, float *out, uint32_t *product, vt_error *error);

/* ---- ann.c ---- */
typedef struct vt_sqlite_build {
    vt_index_choice choice; /* graph or lists */
    vt_pool *pool;
    vt_on_progress *on_progress; /* may be NULL */
    void *context;
    bool told; /* that the snapshot could not be written is a failure */
} vt_sqlite_build;
/* What auto builds, and the memory it keeps: as lists where there are some already. */
void vt_sqlite_ann_choose(vt_sqlite_index *index, size_t memory_bytes, vt_index_choice *out);
/* Graph or lists, which stay until they are left again; NULL: there are none, they are left all the
 * same. Waits for nobody. index_lock shared. */
vt_ann *vt_sqlite_ann_enter(vt_sqlite_index *index, unsigned *turn);
void vt_sqlite_ann_leave(vt_sqlite_index *index, unsigned turn);
/* Whoever begins builds, and from then on needs no lock: the index stays until he is done. False:
 * another is being built. index_lock shared. */
bool vt_sqlite_ann_begin(vt_sqlite_index *index);
/* Builds one of all vectors and puts it in place; the index is not to be touched after it. */
vt_status vt_sqlite_ann_build(vt_sqlite_index *index, const vt_sqlite_build *how, vt_error *error);
/* Starts a builder when enough searches would have had use for it. index_lock shared. */
void vt_sqlite_ann_want(vt_sqlite_index *index);
/* Ends a builder and waits for it. */
void vt_sqlite_ann_stop(vt_sqlite_index *index);

/* ---- screen.c ---- */
/* So many queries are about to be compared with so many vectors in memory: makes a screen, now or
 * beside searches, where it is worth it. index_lock shared, and nothing else. */
void vt_sqlite_screen_want(vt_sqlite_index *index, size_t queries, uint64_t rows, vt_pool *pool);
/* Ends the making of one beside searches; after vt_sqlite_ann_stop. index_lock alone. */
void vt_sqlite_screen_stop(vt_sqlite_index *index);

#endif
