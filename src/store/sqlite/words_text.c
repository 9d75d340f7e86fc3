/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts for the index of words: what is indexed, and how a stranger's words become a question.
 *
 * Words are cut by SQLite's tokenizer unicode61, with diacritics removed. Chinese and Japanese are
 * written without spaces, so there each character is set apart before and becomes a word of its
 * own: most of their words have two characters, which an index of trigrams could not find at all.
 *
 * A question is made of words that the same tokenizer has cut, each in quotes, joined by AND: of
 * what was typed nothing is left that FTS5 could take for syntax. The last word also stands for its
 * continuations, unless something was typed behind it. A run of such characters is a phrase; one of
 * three and more is also answered by products that have all of its characters, as it may be several
 * words; where it stands as it is counts twice in the ranking, since bm25 adds both up.
 */
#include "store/sqlite/words.h"

#include "base/status.h"

#include <string.h>

enum { QUERY_BYTES = 16 * VT_STORE_MAX_WORDS_BYTES, APART_BYTES = 2 * VT_STORE_MAX_PRODUCT_BYTES };

/* The character at `text` and its bytes; a byte that is no UTF-8 stands for itself. */
static uint32_t character(const unsigned char *text, size_t left, size_t *bytes)
{
    static const uint8_t masks[] = {0, 0, 0x1f, 0x0f, 0x07};
    size_t length = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : text[0] >= 0xc0 ? 2 : 1;
    *bytes = 1;
    if (length == 1 || length > left)
        return text[0];
    uint32_t value = text[0] & masks[length];
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return text[0];
        value = value << 6 | (text[i] & 0x3f);
    }
    *bytes = length;
    return value;
}

/* Written without spaces: Han, kana. */
static bool stands_alone(uint32_t c)
{
    static const uint32_t ranges[][2] = {
        {0x3005, 0x3007}, {0x3041, 0x3096},   {0x309d, 0x309f},   {0x30a1, 0x30fa},
        {0x30fc, 0x30ff}, {0x31f0, 0x31ff},   {0x3400, 0x4dbf},   {0x4e00, 0x9fff},
        {0xf900, 0xfaff}, {0x20000, 0x2fa1f}, {0x30000, 0x323af},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (c >= ranges[i][0] && c <= ranges[i][1])
            return true;
    return false;
}

/* Where the run of characters that (do not) stand alone ends. */
static size_t run_end(const char *text, size_t length, size_t at, bool alone)
{
    size_t bytes = 0;
    while (at < length &&
           stands_alone(character((const unsigned char *)text + at, length - at, &bytes)) == alone)
        at += bytes;
    return at;
}

static void append_apart(vt_buf *out, const char *text, size_t length)
{
    size_t bytes = 0;
    for (size_t at = 0; at < length; at += bytes) {
        character((const unsigned char *)text + at, length - at, &bytes);
        vt_buf_append_char(out, ' ');
        vt_buf_append(out, text + at, bytes);
    }
}

/* SQL: apart(text), what is indexed of a text; NULL of NULL. */
static void apart(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    const char *text = (const char *)sqlite3_value_text(values[0]);
    size_t length = text == NULL ? 0 : (size_t)sqlite3_value_bytes(values[0]), at = 0;
    if (text == NULL)
        return;
    vt_buf out;
    vt_buf_init(&out, APART_BYTES);
    while (at < length) {
        size_t end = run_end(text, length, at, false);
        vt_buf_append(&out, text + at, end - at);
        at = run_end(text, length, end, true);
        append_apart(&out, text + end, at - end);
        if (at > end)
            vt_buf_append_char(&out, ' ');
    }
    if (out.failed)
        sqlite3_result_error_nomem(context);
    else
        sqlite3_result_text64(context, vt_buf_text(&out), out.length, SQLITE_TRANSIENT,
                              SQLITE_UTF8);
    vt_buf_deinit(&out);
}

/* FTS5: fields(words), in which columns of the row at hand the question's words stand. */
static void fields(const Fts5ExtensionApi *api, Fts5Context *row, sqlite3_context *context,
                   int count, sqlite3_value **values)
{
    (void)count;
    (void)values;
    int instances = 0, phrase = 0, column = 0, place = 0;
    int64_t mask = 0;
    int result = api->xInstCount(row, &instances);
    for (int i = 0; result == SQLITE_OK && i < instances; i++) {
        result = api->xInst(row, i, &phrase, &column, &place);
        mask |= (int64_t)1 << (column & 31);
    }
    if (result == SQLITE_OK)
        sqlite3_result_int64(context, mask);
    else
        sqlite3_result_error_code(context, result);
}

/* FTS5's own table of functions; what SQLite answered when there is none. */
static int find_api(sqlite3 *db, fts5_api **out)
{
    fts5_api *api = NULL;
    sqlite3_stmt *row = NULL;
    int result = sqlite3_prepare_v2(db, "SELECT fts5(?1)", -1, &row, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_bind_pointer(row, 1, &api, "fts5_api_ptr", NULL);
    if (result == SQLITE_OK)
        sqlite3_step(row);
    int ended = sqlite3_finalize(row);
    *out = api;
    if (result == SQLITE_OK)
        result = ended;
    return result == SQLITE_OK && api == NULL ? SQLITE_ERROR : result;
}

static vt_status fail_fts5(int result, vt_error *error)
{
    if ((result & 0xff) == SQLITE_NOMEM)
        return vt_fail_memory(error, "the functions of full-text search");
    return vt_fail(error, VT_ERR_UNSUPPORTED,
                   "search words: this SQLite has no full-text search (FTS5)");
}

vt_status vt_sqlite_words_register(sqlite3 *db, vt_error *error)
{
    fts5_api *api;
    int result = find_api(db, &api);
    if (result == SQLITE_OK)
        result = sqlite3_create_function_v2(db, "apart", 1,
                                            SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY,
                                            NULL, apart, NULL, NULL, NULL);
    if (result == SQLITE_OK)
        result = api->xCreateFunction(api, "fields", NULL, fields, NULL);
    return result == SQLITE_OK ? VT_OK : fail_fts5(result, error);
}

/* ---- questions ---- */

typedef struct question {
    vt_buf text;
    size_t words;
    size_t last_end; /* of the run's last word, within the run */
} question;

static void begin_word(question *q)
{
    if (q->words++ > 0)
        vt_buf_append_text(&q->text, " AND ");
}

/* "word", quotes within doubled. */
static void append_quoted(vt_buf *out, const char *word, size_t length)
{
    vt_buf_append_char(out, '"');
    for (size_t i = 0; i < length; i++) {
        if (word[i] == '"')
            vt_buf_append_char(out, '"');
        vt_buf_append_char(out, word[i]);
    }
    vt_buf_append_char(out, '"');
}

/* Of the tokenizer. */
static int add_word(void *context, int flags, const char *word, int length, int start, int end)
{
    question *q = context;
    (void)flags;
    (void)start;
    begin_word(q);
    append_quoted(&q->text, word, (size_t)length);
    q->last_end = (size_t)end;
    return q->text.failed || q->words > VT_STORE_MAX_WORDS ? SQLITE_FULL : SQLITE_OK;
}

static void add_run(question *q, const char *text, size_t length)
{
    enum { SHORT_RUN = 2 };
    size_t bytes = 0, characters = 0;
    begin_word(q);
    vt_buf_append_text(&q->text, "(\"");
    append_apart(&q->text, text, length);
    vt_buf_append_char(&q->text, '"');
    for (size_t at = 0; at < length; at += bytes, characters++)
        character((const unsigned char *)text + at, length - at, &bytes);
    for (size_t at = 0; characters > SHORT_RUN && at < length; at += bytes) {
        character((const unsigned char *)text + at, length - at, &bytes);
        vt_buf_append_text(&q->text, at == 0 ? " OR (" : " AND ");
        append_quoted(&q->text, text + at, bytes);
    }
    vt_buf_append_text(&q->text, characters > SHORT_RUN ? "))" : ")");
    q->words += characters - 1;
}

static int add_words(question *q, const vt_sqlite_cutter *cutter, const char *text, size_t length)
{
    int result = SQLITE_OK;
    for (size_t at = 0, end; result == SQLITE_OK && at < length; at = end) {
        end = run_end(text, length, at, false);
        q->last_end = SIZE_MAX;
        if (end > at)
            result = cutter->functions.xTokenize(cutter->self, q, FTS5_TOKENIZE_QUERY, text + at,
                                                 (int)(end - at), add_word);
        if (result == SQLITE_OK && end == length && q->last_end == end - at)
            vt_buf_append_char(&q->text, '*');
        at = end;
        end = run_end(text, length, at, true);
        if (end > at)
            add_run(q, text + at, end - at);
        if (q->words > VT_STORE_MAX_WORDS)
            result = SQLITE_FULL;
    }
    return result;
}

vt_status vt_sqlite_cutter_init(sqlite3 *db, vt_sqlite_cutter *out, vt_error *error)
{
    static const char *arguments[] = {"remove_diacritics", "2"};
    fts5_api *api;
    void *context = NULL;
    int result = find_api(db, &api);
    if (result == SQLITE_OK)
        result = api->xFindTokenizer(api, "unicode61", &context, &out->functions);
    if (result == SQLITE_OK)
        result = out->functions.xCreate(context, arguments, 2, &out->self);
    return result == SQLITE_OK ? VT_OK : fail_fts5(result, error);
}

void vt_sqlite_cutter_deinit(vt_sqlite_cutter *cutter)
{
    cutter->functions.xDelete(cutter->self);
}

vt_status vt_sqlite_words_question(sqlite3 *db, const char *text, char **out, vt_error *error)
{
    vt_sqlite_cutter cutter;
    vt_status status = vt_sqlite_cutter_init(db, &cutter, error);
    if (status != VT_OK)
        return status;
    question q = {.words = 0};
    vt_buf_init(&q.text, QUERY_BYTES);
    int result = add_words(&q, &cutter, text, strlen(text));
    vt_sqlite_cutter_deinit(&cutter);
    if (q.words > VT_STORE_MAX_WORDS)
        status = vt_fail(error, VT_ERR_LIMIT, "search words: more than %d", VT_STORE_MAX_WORDS);
    else if (result != SQLITE_OK || q.text.failed)
        status = vt_fail_memory(error, "a question");
    else if (q.words == 0)
        status = vt_fail(error, VT_ERR_USAGE, "search words: there is no word in \"%.100s\"", text);
    if (status == VT_OK && (*out = vt_buf_take(&q.text, NULL)) == NULL)
        status = vt_fail_memory(error, "a question");
    vt_buf_deinit(&q.text);
    return status;
}
