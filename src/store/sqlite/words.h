/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index of words, table `words` (FTS5), of the sqlite driver. Internal to it.
 *
 *     words_text.c   what is indexed of a text; what was typed -> a question to FTS5
 *     words.c        asking; whether the index is as the products are
 *
 * Threads: a connection belongs to one thread at a time.
 */
#ifndef VT_STORE_SQLITE_WORDS_H
#define VT_STORE_SQLITE_WORDS_H

#include "store/sqlite/sqlite.h"

/* What `words` holds of products p. Used by every statement that fills the table or checks it. */
#define VT_SQL_WORDS_ATTRIBUTES                                                                    \
    "apart(coalesce(p.brand, '') || ' ' || coalesce((SELECT group_concat(text, ' ') FROM"          \
    " (SELECT text FROM attributes a WHERE a.product = p.key AND a.text IS NOT NULL"               \
    " ORDER BY a.position, a.item)), ''))"
#define VT_SQL_WORDS_OF                                                                            \
    "p.key, apart(p.title), apart(p.category), " VT_SQL_WORDS_ATTRIBUTES ", apart(p.description)"

enum { VT_SQLITE_WORD_COLUMNS = 4 };

/* What cuts texts into words. */
typedef struct vt_sqlite_cutter {
    fts5_tokenizer functions;
    Fts5Tokenizer *self;
} vt_sqlite_cutter;
vt_status vt_sqlite_cutter_init(sqlite3 *db, vt_sqlite_cutter *out, vt_error *error);
void vt_sqlite_cutter_deinit(vt_sqlite_cutter *cutter);

/* Makes the functions known that the statements use. VT_ERR_UNSUPPORTED: this SQLite has no FTS5.
 */
vt_status vt_sqlite_words_register(sqlite3 *db, vt_error *error);
/* *out: what is asked of FTS5, the caller's (vt_free). */
vt_status vt_sqlite_words_question(sqlite3 *db, const char *text, char **out, vt_error *error);

/* ---- words.c ---- */
vt_status vt_sqlite_words(vt_store *store, const char *text, bool scored, vt_word_hit **out,
                          size_t *count, vt_error *error);
vt_status vt_sqlite_words_fields(vt_store *store, const char *text, uint32_t product, unsigned *out,
                                 vt_error *error);
/* Holds the index to the texts that it was made of, word by word. */
vt_status vt_sqlite_words_check(vt_sqlite *store, vt_sqlite_connection *connection,
                                vt_error *error);

#endif
