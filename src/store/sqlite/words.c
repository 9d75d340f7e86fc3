/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products by words: SQLite's full-text search FTS5 over what words_text.c makes of their texts.
 *
 * The row of a product is written in the transaction that writes the product (write.c), so that
 * the two cannot part. Ranking is FTS5's bm25 (Robertson and Zaragoza 2009, k1 1.2, b 0.75) with
 * weights per column: a word of the title says more about a product than one of its description.
 *
 * The check is FTS5's own (`integrity-check`: a sum over all words with their places, once from the
 * index and once from the texts), made here because theirs must be able to write.
 */
#include "store/sqlite/words.h"

#include "base/status.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

typedef struct hits {
    vt_word_hit *all;
    size_t count, capacity;
} hits;

static vt_status fail(vt_sqlite_connection *connection, vt_error *error)
{
    return vt_sqlite_fail(connection->db, error, "search words",
                          sqlite3_db_filename(connection->db, "main"));
}

static vt_status read_hits(vt_sqlite_connection *connection, const char *question, bool scored,
                           hits *out, vt_error *error)
{
    sqlite3_stmt *row = connection->statements[scored ? VT_SQL_WORDS_SCORED : VT_SQL_WORDS_FIND];
    sqlite3_bind_text(row, 1, question, -1, SQLITE_STATIC);
    vt_status status = VT_OK;
    int result;
    while (status == VT_OK && (result = sqlite3_step(row)) != SQLITE_DONE) {
        vt_word_hit hit = {.score = (double)NAN};
        status = result == SQLITE_ROW ? vt_sqlite_row_key(row, 0, &hit.product, error)
                                      : fail(connection, error);
        if (status == VT_OK && scored)
            hit.score = -sqlite3_column_double(row, 1); /* FTS5's best is the smallest */
        if (status == VT_OK && !vt_grow((void **)&out->all, &out->capacity, out->count + 1,
                                        sizeof *out->all, UINT32_MAX))
            status = vt_fail_memory(error, "the products that have the words");
        if (status == VT_OK)
            out->all[out->count++] = hit;
    }
    vt_sqlite_reset(row);
    return status;
}

/* The question for FTS5 (freed by the caller), of a catalogue that has words. */
static vt_status ask(vt_sqlite_connection *connection, const char *text, char **out,
                     vt_error *error)
{
    if (connection->version < VT_SQLITE_VERSION_WORDS)
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "search words: the catalogue has the older format %d, which has none; open "
                       "it for writing once to bring it to %d",
                       connection->version, VT_SQLITE_VERSION);
    return vt_sqlite_words_question(connection->db, text, out, error);
}

vt_status vt_sqlite_words(vt_store *base, const char *text, bool scored, vt_word_hit **out,
                          size_t *count, vt_error *error)
{
    vt_sqlite *store = (vt_sqlite *)base;
    vt_sqlite_connection *connection;
    char *question = NULL;
    hits found = {0};
    vt_status status = vt_sqlite_reader_take(store, &connection, error);
    if (status != VT_OK)
        return status;
    status = ask(connection, text, &question, error);
    if (status == VT_OK)
        status = read_hits(connection, question, scored, &found, error);
    vt_sqlite_reader_give(store, connection);
    vt_free(question);
    if (status != VT_OK) {
        vt_free(found.all);
        return status;
    }
    *out = found.all;
    *count = found.count;
    return VT_OK;
}

vt_status vt_sqlite_words_fields(vt_store *base, const char *text, uint32_t product, unsigned *out,
                                 vt_error *error)
{
    vt_sqlite *store = (vt_sqlite *)base;
    vt_sqlite_connection *connection;
    char *question = NULL;
    vt_status status = vt_sqlite_reader_take(store, &connection, error);
    if (status != VT_OK)
        return status;
    status = ask(connection, text, &question, error);
    if (status == VT_OK) {
        sqlite3_stmt *row = connection->statements[VT_SQL_WORDS_FIELDS];
        sqlite3_bind_text(row, 1, question, -1, SQLITE_STATIC);
        sqlite3_bind_int64(row, 2, product);
        int result = sqlite3_step(row);
        if (result == SQLITE_ROW)
            *out = (unsigned)sqlite3_column_int(row, 0);
        else if (result == SQLITE_DONE)
            *out = 0;
        else
            status = fail(connection, error);
        vt_sqlite_reset(row);
    }
    vt_sqlite_reader_give(store, connection);
    vt_free(question);
    return status;
}

/* ---- the check ---- */

typedef struct word_sum {
    int64_t product;
    int column, place; /* of the next word */
    uint64_t total;    /* modulo 2^64: the order of adding does not matter */
} word_sum;

static void add_up(word_sum *sum, const char *word, size_t length)
{
    struct {
        uint64_t word;
        int64_t product;
        int32_t column, place;
    } one = {vt_table_hash(word, length), sum->product, sum->column, sum->place};
    sum->total += vt_table_hash(&one, sizeof one);
}

/* Of the tokenizer. */
static int add_token(void *context, int flags, const char *word, int length, int start, int end)
{
    word_sum *sum = context;
    (void)flags;
    (void)start;
    (void)end;
    add_up(sum, word, (size_t)length);
    sum->place++;
    return SQLITE_OK;
}

static vt_status sum_texts(vt_sqlite_connection *connection, const vt_sqlite_cutter *cutter,
                           uint64_t *out, vt_error *error)
{
    sqlite3_stmt *row = connection->statements[VT_SQL_WORDS_EACH];
    word_sum sum = {0};
    int result;
    while ((result = sqlite3_step(row)) == SQLITE_ROW) {
        sum.product = sqlite3_column_int64(row, 0);
        for (sum.column = 0; sum.column < VT_SQLITE_WORD_COLUMNS; sum.column++) {
            const char *text = (const char *)sqlite3_column_text(row, sum.column + 1);
            sum.place = 0;
            if (text != NULL &&
                cutter->functions.xTokenize(cutter->self, &sum, FTS5_TOKENIZE_DOCUMENT, text,
                                            sqlite3_column_bytes(row, sum.column + 1),
                                            add_token) != SQLITE_OK) {
                vt_sqlite_reset(row);
                return vt_fail_memory(error, "the words of a product");
            }
        }
    }
    vt_status status = result == SQLITE_DONE ? VT_OK : fail(connection, error);
    vt_sqlite_reset(row);
    *out = sum.total;
    return status;
}

static int column_of(const char *name)
{
    static const char *const names[VT_SQLITE_WORD_COLUMNS] = {"title", "category", "attributes",
                                                              "description"};
    int i = 0;
    while (i < VT_SQLITE_WORD_COLUMNS && !vt_text_equal(names[i], name))
        i++;
    return i;
}

/* In a transaction that is rolled back: the table of its words is gone after it. */
static vt_status sum_index(vt_sqlite_connection *connection, uint64_t *out, vt_error *error)
{
    sqlite3_stmt *row = NULL;
    word_sum sum = {0};
    if (sqlite3_exec(connection->db,
                     "CREATE VIRTUAL TABLE temp.indexed USING fts5vocab('main', 'words',"
                     " 'instance')",
                     NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(connection->db, "SELECT term, doc, col, \"offset\" FROM temp.indexed",
                           -1, &row, NULL) != SQLITE_OK)
        return fail(connection, error);
    int result;
    while ((result = sqlite3_step(row)) == SQLITE_ROW) {
        const char *word = (const char *)sqlite3_column_text(row, 0);
        size_t length = (size_t)sqlite3_column_bytes(row, 0);
        sum.product = sqlite3_column_int64(row, 1);
        sum.column = column_of((const char *)sqlite3_column_text(row, 2));
        sum.place = sqlite3_column_int(row, 3);
        add_up(&sum, word == NULL ? "" : word, length);
    }
    vt_status status = result == SQLITE_DONE ? VT_OK : fail(connection, error);
    sqlite3_finalize(row);
    *out = sum.total;
    return status;
}

vt_status vt_sqlite_words_check(vt_sqlite *store, vt_sqlite_connection *connection, vt_error *error)
{
    vt_sqlite_cutter cutter;
    uint64_t texts = 0, index = 0;
    vt_status status = vt_sqlite_cutter_init(connection->db, &cutter, error);
    if (status != VT_OK)
        return status;
    status = sum_texts(connection, &cutter, &texts, error);
    if (status == VT_OK)
        status = sum_index(connection, &index, error);
    vt_sqlite_cutter_deinit(&cutter);
    if (status == VT_OK && texts != index)
        status = vt_fail(error, VT_ERR_CORRUPT,
                         "check catalogue \"%s\": the index of words is not that of its texts",
                         store->path);
    return status;
}
