/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the sqlite driver share. The schema and its rules: docs/formats/catalog.md.
 *
 *     open.c        the shop's directory: writer lock, create, open, close; the driver's table
 *     connection.c  one connection: settings, prepared statements, error texts
 *     schema.c      the tables, and how older catalogues become newer ones
 *     readers.c     read-only connections, taken and given back
 *     write.c       put, remove                        read.c     get, each, content, counts
 *     models.c      models, and the switch from one to another
 *     rows.c        rows to products, with bounds      check.c    is everything as it must be
 *     nearest.c     vectors in memory, kept in step    members.c  which pictures a product has
 * there                                              postings.c values in memory, kept in step
 *     words.c       products by words (words.h)        words_text.c texts and questions for it
 *     session.c     who gave which change number       postings_snapshot.c values in a file
 *     kept_pairs.c  products that stay although they look alike
 *
 * Call order: vt_sqlite_reader_take, statements, vt_sqlite_reader_give; or write_lock, the writer's
 * statements inside one transaction, write_unlock.
 *
 * Threads: a connection belongs to one thread at a time. No two of the four locks are ever held
 * together, but for index_lock before readers_lock.
 */
#ifndef VT_STORE_SQLITE_SQLITE_H
#define VT_STORE_SQLITE_SQLITE_H

#include "base/snapshot.h"
#include "store/postings.h"
#include "store/store_driver.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

enum {
    VT_SQLITE_APPLICATION_ID = 0x5654524E, /* "VTRN" */
    VT_SQLITE_VERSION_SERVING = 3,         /* that brought which model serves */
    VT_SQLITE_VERSION_WORDS = 4,           /* that brought the index of words */
    VT_SQLITE_VERSION_KEPT = 5, /* that brought pairs that are to stay; the last one so far */
    VT_SQLITE_VERSION = VT_SQLITE_VERSION_KEPT,
    VT_SQLITE_READABLE = 1, /* versions below it have to be migrated before they are read */
    VT_SQLITE_CHANGE_PUT = 0,
    VT_SQLITE_CHANGE_REMOVED = 1
};

/* ---- statements: prepared once per connection; the text of each is in connection.c ---- */
typedef enum vt_sqlite_sql {
    VT_SQL_BEGIN,
    VT_SQL_COMMIT,
    VT_SQL_ROLLBACK,
    VT_SQL_MODEL_FIND,
    VT_SQL_MODEL_DIM,
    VT_SQL_MODEL_SERVING,
    VT_SQL_MODEL_EACH,
    VT_SQL_MISSING,
    VT_SQL_UNFOUND,
    VT_SQL_MODEL_FINGERPRINT,
    VT_SQL_PRODUCT_BY_ID,
    VT_SQL_PRODUCT_BY_KEY,
    VT_SQL_PRODUCT_EACH,
    VT_SQL_ATTRIBUTES,
    VT_SQL_PICTURES,
    VT_SQL_PICTURE_EACH,
    VT_SQL_CONTENT,
    VT_SQL_CATEGORIES,
    VT_SQL_COUNTS,
    VT_SQL_NEWEST_CHANGE,
    VT_SQL_CHANGES_SINCE,
    VT_SQL_SESSION_OF,
    VT_SQL_VECTOR,
    VT_SQL_VECTOR_ROW,
    VT_SQL_VECTOR_COUNT,
    VT_SQL_VECTOR_EACH,
    VT_SQL_VECTORS_OF_PRODUCT,
    VT_SQL_POSTINGS_PRODUCTS,
    VT_SQL_POSTINGS_ATTRIBUTES,
    VT_SQL_POSTINGS_PRODUCT,
    VT_SQL_POSTINGS_ATTRIBUTES_OF,
    VT_SQL_WORDS_FIND,
    VT_SQL_WORDS_SCORED,
    VT_SQL_WORDS_FIELDS,
    VT_SQL_WORDS_EACH,
    VT_SQL_KEPT_EACH,
    VT_SQL_READ_COUNT, /* readers prepare those above, the writer all */
    VT_SQL_BEGIN_WRITE = VT_SQL_READ_COUNT,
    VT_SQL_MODEL_INSERT,
    VT_SQL_MODEL_COMING,
    VT_SQL_MODEL_RETIRE,
    VT_SQL_MODEL_SERVE,
    VT_SQL_MODEL_EMPTIED,
    VT_SQL_PRODUCT_FIND,
    VT_SQL_PRODUCT_INSERT,
    VT_SQL_PRODUCT_UPDATE,
    VT_SQL_PRODUCT_DELETE,
    VT_SQL_CHANGE_NEXT,
    VT_SQL_CHANGE_INSERT,
    VT_SQL_CHANGE_DELETE,
    VT_SQL_SESSION_PUT,
    VT_SQL_ATTRIBUTE_INSERT,
    VT_SQL_ATTRIBUTES_DELETE,
    VT_SQL_PICTURE_HASHES,
    VT_SQL_PICTURE_INSERT,
    VT_SQL_PICTURE_UPDATE,
    VT_SQL_PICTURE_DELETE,
    VT_SQL_PICTURE_FIND,
    VT_SQL_KEPT_PUT,
    VT_SQL_KEPT_DELETE,
    VT_SQL_VECTOR_PUT,
    VT_SQL_VECTOR_ADD,
    VT_SQL_VECTORS_LAST,
    VT_SQL_VECTORS_DELETE,
    VT_SQL_WORDS_PUT,
    VT_SQL_WORDS_DELETE,
    VT_SQL_COUNT
} vt_sqlite_sql;

typedef struct vt_sqlite_connection {
    sqlite3 *db;
    int version; /* of the catalogue when it was opened; below today's only of readers */
    sqlite3_stmt *statements[VT_SQL_COUNT];
    struct vt_sqlite_connection *next; /* among the idle readers */
    vt_snapshot_session session;       /* the writer's, drawn with its first change */
    bool session_noted, session_known; /* in this transaction; committed */
    bool doubtful; /* the writer's: SQLite itself ended its transaction (write.c) */
} vt_sqlite_connection;

typedef struct vt_sqlite_index vt_sqlite_index; /* vectors.h: one model's vectors in memory */

typedef struct vt_sqlite {
    vt_store base;
    char *dir;
    char *path;  /* of catalog.db */
    int lock_fd; /* -1 with READ */
    bool keeps;  /* closing brings derived files up to date: it opened, and not for a moment only */

    pthread_mutex_t write_lock;
    vt_sqlite_connection *writer; /* NULL with READ */

    pthread_mutex_t readers_lock;
    vt_sqlite_connection *idle_readers;
    int idle_count;

    pthread_rwlock_t index_lock;
    vt_sqlite_index *indexes;
    size_t memory_bytes; /* that an index may take where nobody says so; 0: index_choice.c's */
    int64_t opened_picture, opened_change; /* the newest when it was opened; 0: none */

    pthread_rwlock_t postings_lock;
    vt_postings *postings;     /* NULL until a question needs them */
    int64_t postings_change;   /* newest contained */
    int64_t postings_saved;    /* newest contained in the snapshot file; 0: there is none to use */
    bool postings_tried;       /* the snapshot file was looked for */
    vt_thread *postings_saver; /* under way, or to be joined; NULL */
    atomic_bool postings_being_saved;
} vt_sqlite;

/* ---- connection.c ---- */
/* Opens without looking inside: flags are SQLite's. *out is NULL on failure. */
vt_status vt_sqlite_db_open(const char *path, int flags, sqlite3 **out, vt_error *error);
/* Opens, checks that it is a catalogue of a version we know, migrates (writer), prepares. */
vt_status vt_sqlite_connection_open(const char *path, bool writer, vt_sqlite_connection **out,
                                    vt_error *error);
void vt_sqlite_connection_close(vt_sqlite_connection *connection); /* NULL is fine */
/* The writer's, with write_lock held and outside a transaction: a new one to the same file in its
 * place, its session kept. As it was on failure. */
vt_status vt_sqlite_connection_renew(vt_sqlite_connection *writer, vt_error *error);
/* What one of SQLite's result codes, extended or not, means here. */
vt_status vt_sqlite_status(int code);
/* Turns the connection's last error into a status and `<action> "<item>": <SQLite's text>`. */
vt_status vt_sqlite_fail(sqlite3 *db, vt_error *error, const char *action, const char *item);
/* One step of a statement that yields no row (or one that does not matter), then reset; false: the
 * reason is the connection's last error. */
bool vt_sqlite_run(sqlite3_stmt *statement);
void vt_sqlite_reset(sqlite3_stmt *statement); /* and forgets what was bound */
/* The one integer that `sql` yields; for PRAGMAs. action: as vt_sqlite_fail has it. */
vt_status vt_sqlite_query_int(sqlite3 *db, const char *action, const char *sql, int64_t *out,
                              vt_error *error);
/* Before anything is read: a file that a stranger made can do no more than hold rows, and others
 * who write are waited for. False: the reason is the connection's last error. */
bool vt_sqlite_harden(sqlite3 *db);

/* ---- schema.c ---- */
typedef struct vt_sqlite_migration {
    int version;     /* that it leads to */
    const char *sql; /* statements */
} vt_sqlite_migration;
extern const vt_sqlite_migration vt_sqlite_migrations[VT_SQLITE_VERSION];
/* Runs the steps above the file's user_version, all in one transaction. mark: also makes it a
 * catalogue (application_id), for a new file. */
vt_status vt_sqlite_migrate(sqlite3 *db, const vt_sqlite_migration *steps, size_t count, bool mark,
                            vt_error *error);

/* ---- readers.c ---- */
vt_status vt_sqlite_reader_take(vt_sqlite *store, vt_sqlite_connection **out, vt_error *error);
void vt_sqlite_reader_give(vt_sqlite *store, vt_sqlite_connection *connection);
void vt_sqlite_readers_close(vt_sqlite *store);

/* ---- write.c ---- */
/* A transaction of the writer's connection; with write_lock held. finish commits when `status` is
 * VT_OK and rolls back otherwise. */
vt_status vt_sqlite_begin_write(vt_sqlite_connection *connection, const char *action,
                                const char *id, vt_error *error);
vt_status vt_sqlite_finish_write(vt_sqlite_connection *connection, vt_status status,
                                 const char *action, const char *id, vt_error *error);
/* Why an insert that gives a key failed. */
vt_status vt_sqlite_fail_insert(sqlite3 *db, const char *action, const char *item, vt_error *error);
/* The next change number; false with the connection's error. */
bool vt_sqlite_next_change(vt_sqlite_connection *connection, int64_t *change);
vt_status vt_sqlite_put(vt_store *store, uint32_t model, const vt_product *product,
                        vt_error *error);
vt_status vt_sqlite_remove(vt_store *store, const char *id, vt_error *error);

/* ---- models.c ---- */
vt_status vt_sqlite_model_put(vt_store *store, const vt_hash *fingerprint, const char *name,
                              size_t dim, uint32_t *model, vt_error *error);
vt_status vt_sqlite_serving(vt_store *store, uint32_t *model, vt_error *error);
vt_status vt_sqlite_each_model(vt_store *store, vt_store_visit_model *visit, void *context,
                               vt_error *error);
vt_status vt_sqlite_model_prepare(vt_store *store, const vt_store_model *wanted, uint32_t *model,
                                  vt_error *error);
vt_status vt_sqlite_each_missing(vt_store *store, const vt_store_missing *which,
                                 vt_store_visit_picture *visit, void *context, vt_error *error);
vt_status vt_sqlite_put_vectors(vt_store *store, uint32_t model, const vt_picture_vector *rows,
                                size_t count, vt_error *error);
vt_status vt_sqlite_unfound(vt_store *store, uint32_t model, vt_store_visit_id *visit,
                            void *context, vt_error *error);
vt_status vt_sqlite_model_switch(vt_store *store, const vt_store_model *from, uint32_t to,
                                 vt_error *error);
vt_status vt_sqlite_model_empty(vt_store *store, uint32_t model, size_t limit, uint32_t *after,
                                vt_error *error);
/* VT_ERR_MISMATCH when the catalogue names another model as the one that serves. *since (may be
 * NULL): the number of the change that made it serve, 0: none did. What was derived from its
 * vectors before that is of no use: they are others. */
vt_status vt_sqlite_model_serves(vt_sqlite_connection *connection, uint32_t model, int64_t *since,
                                 vt_error *error);

/* ---- read.c ---- */
vt_status vt_sqlite_model_find(vt_store *store, const vt_hash *fingerprint, uint32_t *model,
                               vt_error *error);
vt_status vt_sqlite_get(vt_store *store, const char *id, vt_arena *arena, vt_product *out,
                        vt_error *error);
vt_status vt_sqlite_get_by_key(vt_store *store, uint32_t key, vt_arena *arena, vt_product *out,
                               vt_error *error);
vt_status vt_sqlite_has(vt_store *store, const char *id, bool *out, vt_error *error);
vt_status vt_sqlite_content(vt_store *store, uint32_t model, const char *id, vt_hash *out,
                            vt_error *error);
vt_status vt_sqlite_each(vt_store *store, vt_store_visit *visit, void *context, vt_error *error);
/* What a statement that gives product id, product key and a picture is walked for. */
typedef struct vt_sqlite_picture_visit {
    const char *path; /* of the catalogue, for messages */
    vt_store_visit_picture *visit;
    void *context;
} vt_sqlite_picture_visit;
vt_status vt_sqlite_visit_pictures(vt_sqlite_connection *connection, vt_sqlite_sql statement,
                                   const vt_sqlite_picture_visit *to, vt_error *error);
vt_status vt_sqlite_each_picture(vt_store *store, vt_store_visit_picture *visit, void *context,
                                 vt_error *error);
vt_status vt_sqlite_each_category(vt_store *store, vt_store_visit_category *visit, void *context,
                                  vt_error *error);
vt_status vt_sqlite_stats(vt_store *store, uint32_t model, vt_store_stats *out, vt_error *error);
vt_status vt_sqlite_change(vt_store *store, uint64_t *out, vt_error *error);
vt_status vt_sqlite_vector(vt_store *store, uint32_t model, uint32_t picture, float *out,
                           vt_error *error);
/* The dimension of a model. VT_ERR_NOT_FOUND. */
vt_status vt_sqlite_model_dim(vt_sqlite_connection *connection, uint32_t model, size_t *dim,
                              vt_error *error);

/* ---- rows.c ---- */
/* The product in the current row of VT_SQL_PRODUCT_*, with attributes and pictures. */
vt_status vt_sqlite_row_product(vt_sqlite_connection *connection, sqlite3_stmt *row,
                                vt_arena *arena, vt_product *out, vt_error *error);
/* The picture in the columns from `column` on: key, source, hash, phash, width, height, bytes. The
 * source is borrowed from the row. */
/* Hands every row of a statement without parameters to `take`, on a connection of its own, until
 * one fails. */
typedef vt_status vt_sqlite_take_row(void *context, sqlite3_stmt *row, vt_error *error);
vt_status vt_sqlite_each_row(vt_sqlite *store, vt_sqlite_sql statement, vt_sqlite_take_row *take,
                             void *context, vt_error *error);
vt_status vt_sqlite_row_picture(sqlite3_stmt *row, int column, vt_picture *out, vt_error *error);
/* Borrowed from the row; NULL for NULL. VT_ERR_CORRUPT when it is no valid text. */
vt_status vt_sqlite_row_text(sqlite3_stmt *row, int column, const char **out, vt_error *error);
vt_status vt_sqlite_row_key(sqlite3_stmt *row, int column, uint32_t *out, vt_error *error);
/* VT_ERR_CORRUPT when it is no integer in the range. */
vt_status vt_sqlite_row_int(sqlite3_stmt *row, int column, int64_t minimum, int64_t maximum,
                            int64_t *out, vt_error *error);
/* NULL is NAN, as in the structs. */
vt_status vt_sqlite_row_number(sqlite3_stmt *row, int column, double *out, vt_error *error);
vt_status vt_sqlite_row_hash(sqlite3_stmt *row, int column, vt_hash *out, vt_error *error);
/* A stored vector: (dim) half floats in the machine's byte order. */
vt_status vt_sqlite_row_halves(sqlite3_stmt *row, int column, size_t dim, uint16_t *out,
                               vt_error *error);
/* Between the machine's byte order and the file's, which is little-endian; in place. */
void vt_sqlite_swap_halves(uint16_t *halves, size_t count);
bool vt_sqlite_halves_are_finite(const uint16_t *halves, size_t count);

/* ---- kept_pairs.c ---- */
vt_status vt_sqlite_keep_pair(vt_store *store, const vt_store_pair *pair, vt_error *error);
vt_status vt_sqlite_forget_pair(vt_store *store, const char *first, const char *second,
                                vt_error *error);
vt_status vt_sqlite_each_kept(vt_store *store, vt_store_visit_pair *visit, void *context,
                              vt_error *error);

/* ---- check.c ---- */
vt_status vt_sqlite_check(vt_store *store, vt_error *error);

/* ---- vectors.c, vectors_follow.c ---- */
/* What is in memory follows what this process has committed; before it is acknowledged. */
void vt_sqlite_indexes_follow(vt_sqlite *store);
/* Gives back what is kept of one model's vectors, also the index's file when another serves. */
void vt_sqlite_release(vt_store *store, uint32_t model);

/* ---- nearest.c ---- */
vt_status vt_sqlite_nearest(vt_store *store, uint32_t model, const float *queries, size_t count,
                            const vt_nearest_options *options, vt_hit *hits, size_t *hit_counts,
                            vt_nearest_answer *answer, vt_error *error);
uint64_t vt_sqlite_index_bytes(vt_sqlite *store);
void vt_sqlite_indexes_free(vt_sqlite *store);

/* The number of the newest change; 0: there is none. */
vt_status vt_sqlite_newest_change(vt_sqlite_connection *connection, int64_t *out, vt_error *error);

/* ---- ann_snapshot.c ---- */
/* Before the store is closed: brings the files up to date where that is worth it. */
void vt_sqlite_anns_keep(vt_sqlite *store);
void vt_sqlite_ann_discard(vt_sqlite *store, uint32_t model); /* the files */

/* ---- index_admin.c ---- */
vt_status vt_sqlite_index_info(vt_store *store, uint32_t model, vt_store_index_info *out,
                               vt_error *error);
vt_status vt_sqlite_index_build(vt_store *store, uint32_t model, bool always,
                                const vt_store_index_options *options, vt_error *error);
vt_status vt_sqlite_index_check(vt_store *store, uint32_t model,
                                const vt_store_index_options *options, vt_error *error);

/* ---- session.c: which catalogue's changes a derived file was made from ---- */
/* Inside the writer's transaction, with the change that it has just logged. */
bool vt_sqlite_session_note(vt_sqlite_connection *writer, int64_t change);
void vt_sqlite_session_end(vt_sqlite_connection *writer, bool committed); /* of the transaction */
/* Who gave this change number; zeros: nobody, it is beyond the newest one. */
vt_status vt_sqlite_session_of(vt_sqlite_connection *connection, int64_t change,
                               vt_snapshot_session *out, vt_error *error);
/* Whether a file that contains the changes up to this one, given by this session, is of this
 * catalogue, so that replaying the later ones brings it up to date. */
vt_status vt_sqlite_session_fits(vt_sqlite_connection *connection, const vt_snapshot_head *head,
                                 bool *fits, vt_error *error);

/* ---- postings_snapshot.c ---- */
/* With postings_lock held alone and none loaded: from the file, with the change that they contain;
 * *out NULL: they must be read from the catalogue, and why is logged. */
vt_status vt_sqlite_postings_load(vt_sqlite *store, vt_sqlite_connection *connection,
                                  vt_postings **out, int64_t *change, vt_error *error);
/* Writes the file from what is in memory; nothing when nothing is. VT_ERR_BUSY when that is being
 * done. */
vt_status vt_sqlite_postings_save(vt_sqlite *store, vt_error *error);
/* Saves them in a thread of their own when what the file lacks has become much. Without locks. */
void vt_sqlite_postings_offer(vt_sqlite *store);
/* Before the store is closed: brings the file up to date where that is worth it. */
void vt_sqlite_postings_keep(vt_sqlite *store);

/* ---- postings.c ---- */
/* Makes the postings contain what is committed and keeps them from changing: give them back with
 * vt_sqlite_postings_release. */
vt_status vt_sqlite_postings_share(vt_sqlite *store, vt_error *error);
void vt_sqlite_postings_release(vt_sqlite *store);
vt_status vt_sqlite_select(vt_store *store, const vt_select *what, vt_arena *arena,
                           vt_selection *out, vt_error *error);
vt_status vt_sqlite_check_postings(vt_store *store, vt_error *error);
uint64_t vt_sqlite_postings_bytes(vt_sqlite *store);

/* ---- members.c: product key -> picture keys, one thread at a time ---- */
typedef struct vt_members vt_members;
vt_status vt_members_new(vt_members **out, vt_error *error);
void vt_members_free(vt_members *members);
vt_status vt_members_add(vt_members *members, uint32_t product, uint32_t picture,
                         vt_error *error); /* product >= 1 */
bool vt_members_pop(vt_members *members, uint32_t product,
                    uint32_t *picture); /* false: none left */
/* *out (*count), the caller's: the pictures of these products; products NULL: of all. */
vt_status vt_members_collect(const vt_members *members, const vt_idset *products, uint32_t **out,
                             size_t *count, vt_error *error);
size_t vt_members_products(const vt_members *members); /* that have pictures */
size_t vt_members_bytes(const vt_members *members);

#endif
