/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of the database to products and pictures.
 *
 * Method: a row is untrusted, however it got there: each column's type, size and range are
 * checked before it is used, and a fault is VT_ERR_CORRUPT. Everything is copied into the caller's
 * arena, whose maximum bounds what a damaged file can make us hold.
 */
#include "store/sqlite/sqlite.h"

#include "base/status.h"

#include <limits.h>
#include <math.h>
#include <string.h>

static vt_status fail_column(sqlite3_stmt *row, int column, const char *what, vt_error *error)
{
    return vt_fail(error, VT_ERR_CORRUPT, "read column \"%s\" of the catalogue: %s",
                   sqlite3_column_name(row, column), what);
}

vt_status vt_sqlite_row_text(sqlite3_stmt *row, int column, const char **out, vt_error *error)
{
    int type = sqlite3_column_type(row, column);
    if (type == SQLITE_NULL) {
        *out = NULL;
        return VT_OK;
    }
    if (type != SQLITE_TEXT)
        return fail_column(row, column, "it is not text", error);
    const char *text = (const char *)sqlite3_column_text(row, column);
    if (text == NULL)
        return vt_fail_memory(error, "a text of the catalogue");
    size_t length = (size_t)sqlite3_column_bytes(row, column);
    if (memchr(text, '\0', length) != NULL || !vt_utf8_valid(text, length))
        return fail_column(row, column, "its text is not UTF-8", error);
    *out = text;
    return VT_OK;
}

vt_status vt_sqlite_row_int(sqlite3_stmt *row, int column, int64_t minimum, int64_t maximum,
                            int64_t *out, vt_error *error)
{
    int64_t value = sqlite3_column_int64(row, column);
    if (sqlite3_column_type(row, column) != SQLITE_INTEGER || value < minimum || value > maximum)
        return fail_column(row, column, "it is not a number in its range", error);
    *out = value;
    return VT_OK;
}

vt_status vt_sqlite_row_key(sqlite3_stmt *row, int column, uint32_t *out, vt_error *error)
{
    int64_t value = 0;
    vt_status status = vt_sqlite_row_int(row, column, 1, UINT32_MAX, &value, error);
    if (status == VT_OK)
        *out = (uint32_t)value;
    return status;
}

vt_status vt_sqlite_row_hash(sqlite3_stmt *row, int column, vt_hash *out, vt_error *error)
{
    const void *bytes = sqlite3_column_blob(row, column);
    if (sqlite3_column_type(row, column) != SQLITE_BLOB || bytes == NULL ||
        sqlite3_column_bytes(row, column) != VT_HASH_BYTES)
        return fail_column(row, column, "it is not a hash of 32 bytes", error);
    memcpy(out->bytes, bytes, VT_HASH_BYTES);
    return VT_OK;
}

vt_status vt_sqlite_row_number(sqlite3_stmt *row, int column, double *out, vt_error *error)
{
    int type = sqlite3_column_type(row, column);
    if (type == SQLITE_NULL)
        *out = (double)NAN;
    else if (type == SQLITE_FLOAT || type == SQLITE_INTEGER)
        *out = sqlite3_column_double(row, column);
    else
        return fail_column(row, column, "it is not a number", error);
    return VT_OK;
}

void vt_sqlite_swap_halves(uint16_t *halves, size_t count)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    for (size_t i = 0; i < count; i++)
        halves[i] = __builtin_bswap16(halves[i]);
#else
    (void)halves;
    (void)count;
#endif
}

bool vt_sqlite_halves_are_finite(const uint16_t *halves, size_t count)
{
    bool finite = true;
    for (size_t i = 0; i < count; i++)
        finite &= (halves[i] & 0x7c00) != 0x7c00;
    return finite;
}

vt_status vt_sqlite_row_halves(sqlite3_stmt *row, int column, size_t dim, uint16_t *out,
                               vt_error *error)
{
    const void *bytes = sqlite3_column_blob(row, column);
    if (sqlite3_column_type(row, column) != SQLITE_BLOB || bytes == NULL ||
        (size_t)sqlite3_column_bytes(row, column) != dim * sizeof *out)
        return fail_column(row, column, "the vector does not have its model's dimension", error);
    memcpy(out, bytes, dim * sizeof *out);
    vt_sqlite_swap_halves(out, dim);
    if (!vt_sqlite_halves_are_finite(out, dim))
        return fail_column(row, column, "the vector is not finite", error);
    return VT_OK;
}

static vt_status copy_text(sqlite3_stmt *row, int column, vt_arena *arena, const char **out,
                           vt_error *error)
{
    const char *text = NULL;
    vt_status status = vt_sqlite_row_text(row, column, &text, error);
    if (text != NULL) {
        text = vt_arena_strdup(arena, text);
        if (text == NULL)
            return vt_fail_memory(error, "a product");
    }
    *out = text; /* NOLINT(clang-analyzer-core.NullDereference): every caller passes a member */
    return status;
}

vt_status vt_sqlite_row_picture(sqlite3_stmt *row, int column, vt_picture *out, vt_error *error)
{
    *out = (vt_picture){0};
    int64_t width = 0, height = 0, bytes = 0, phash = 0;
    vt_status status = vt_sqlite_row_key(row, column, &out->key, error);
    if (status == VT_OK)
        status = vt_sqlite_row_text(row, column + 1, &out->source, error);
    if (status == VT_OK)
        status = vt_sqlite_row_hash(row, column + 2, &out->hash, error);
    if (status == VT_OK)
        status = vt_sqlite_row_int(row, column + 3, INT64_MIN, INT64_MAX, &phash, error);
    if (status == VT_OK)
        status = vt_sqlite_row_int(row, column + 4, 0, INT_MAX, &width, error);
    if (status == VT_OK)
        status = vt_sqlite_row_int(row, column + 5, 0, INT_MAX, &height, error);
    if (status == VT_OK)
        status = vt_sqlite_row_int(row, column + 6, 0, INT64_MAX, &bytes, error);
    out->phash = (uint64_t)phash;
    out->width = (int)width;
    out->height = (int)height;
    out->file_bytes = (uint64_t)bytes;
    return status;
}

/* ---- a product's parts: rows are first linked, as their number is known only at the end ---- */

typedef struct attribute_row {
    struct attribute_row *next;
    int64_t position;
    vt_attribute attribute; /* of a list: `text` is this item */
} attribute_row;

typedef struct picture_row {
    struct picture_row *next;
    vt_picture picture;
} picture_row;

static vt_status read_attribute(sqlite3_stmt *row, vt_arena *arena, attribute_row *out,
                                vt_error *error)
{
    int64_t kind = 0;
    vt_status status = vt_sqlite_row_int(row, 0, 0, INT_MAX, &out->position, error);
    if (status == VT_OK)
        status = copy_text(row, 1, arena, &out->attribute.name, error);
    if (status == VT_OK && out->attribute.name == NULL)
        status = fail_column(row, 1, "it is missing", error);
    if (status == VT_OK)
        status = vt_sqlite_row_int(row, 2, VT_ATTRIBUTE_TEXT, VT_ATTRIBUTE_LIST, &kind, error);
    if (status == VT_OK)
        status = copy_text(row, 3, arena, &out->attribute.text, error);
    if (status == VT_OK && kind == VT_ATTRIBUTE_NUMBER)
        status = vt_sqlite_row_number(row, 4, &out->attribute.number, error);
    out->attribute.kind = (vt_attribute_kind)kind;
    return status;
}

/* Makes one list of the rows from *row on that share its position; *row: the first one after them.
 */
static bool gather_list(vt_arena *arena, const attribute_row **row, vt_attribute *out)
{
    const attribute_row *first = *row, *end = first;
    size_t count = 0;
    for (; end != NULL && end->position == first->position; end = end->next)
        count += end->attribute.text != NULL;
    const char **items = vt_arena_array(arena, count, sizeof *items);
    if (items == NULL)
        return false;
    *out = (vt_attribute){.name = first->attribute.name,
                          .kind = VT_ATTRIBUTE_LIST,
                          .items = items,
                          .item_count = count};
    size_t at = 0;
    for (const attribute_row *item = first; item != end; item = item->next)
        if (item->attribute.text != NULL)
            items[at++] = item->attribute.text;
    *row = end;
    return true;
}

static vt_status gather_attributes(const attribute_row *rows, size_t count, vt_arena *arena,
                                   vt_product *out, vt_error *error)
{
    vt_attribute *attributes = vt_arena_array(arena, count, sizeof *attributes);
    if (attributes == NULL)
        return vt_fail_memory(error, "a product");
    out->attributes = attributes;
    while (rows != NULL) {
        vt_attribute *next = &attributes[out->attribute_count++];
        if (rows->attribute.kind == VT_ATTRIBUTE_LIST) {
            if (!gather_list(arena, &rows, next))
                return vt_fail_memory(error, "a product");
        } else {
            *next = rows->attribute;
            rows = rows->next;
        }
    }
    return VT_OK;
}

static vt_status read_attributes(vt_sqlite_connection *connection, vt_arena *arena, vt_product *out,
                                 vt_error *error)
{
    sqlite3_stmt *row = connection->statements[VT_SQL_ATTRIBUTES];
    attribute_row *first = NULL, **last = &first;
    size_t count = 0;
    vt_status status = VT_OK;
    int result;
    sqlite3_bind_int64(row, 1, out->key);
    while (status == VT_OK && (result = sqlite3_step(row)) != SQLITE_DONE) {
        attribute_row *next = NULL;
        if (result != SQLITE_ROW)
            status = vt_sqlite_fail(connection->db, error, "read product", out->id);
        else if ((next = vt_arena_alloc(arena, sizeof *next)) == NULL)
            status = vt_fail_memory(error, "a product");
        else
            status = read_attribute(row, arena, next, error);
        *last = next;
        if (next != NULL)
            last = &next->next;
        count++;
    }
    vt_sqlite_reset(row);
    return status != VT_OK ? status : gather_attributes(first, count, arena, out, error);
}

static vt_status read_pictures(vt_sqlite_connection *connection, vt_arena *arena, vt_product *out,
                               vt_error *error)
{
    sqlite3_stmt *row = connection->statements[VT_SQL_PICTURES];
    picture_row *first = NULL, **last = &first;
    size_t count = 0;
    vt_status status = VT_OK;
    int result;
    sqlite3_bind_int64(row, 1, out->key);
    while (status == VT_OK && (result = sqlite3_step(row)) != SQLITE_DONE) {
        picture_row *next = NULL;
        if (result != SQLITE_ROW)
            status = vt_sqlite_fail(connection->db, error, "read product", out->id);
        else if ((next = vt_arena_alloc(arena, sizeof *next)) == NULL)
            status = vt_fail_memory(error, "a product");
        else
            status = vt_sqlite_row_picture(row, 0, &next->picture, error);
        if (status == VT_OK)
            status = copy_text(row, 1, arena, &next->picture.source, error);
        *last = next;
        if (next != NULL)
            last = &next->next;
        count++;
    }
    vt_sqlite_reset(row);
    if (status != VT_OK)
        return status;
    vt_picture *pictures = vt_arena_array(arena, count, sizeof *pictures);
    if (pictures == NULL)
        return vt_fail_memory(error, "a product");
    for (size_t i = 0; first != NULL; first = first->next)
        pictures[i++] = first->picture;
    out->pictures = pictures;
    out->picture_count = count;
    return VT_OK;
}

vt_status vt_sqlite_row_product(vt_sqlite_connection *connection, sqlite3_stmt *row,
                                vt_arena *arena, vt_product *out, vt_error *error)
{
    vt_product product = {0};
    const char **texts[] = {&product.id,    &product.title, &product.description, &product.category,
                            &product.brand, &product.link,  &product.currency};
    int64_t change = 0;
    vt_status status = vt_sqlite_row_key(row, 0, &product.key, error);
    for (int i = 0; status == VT_OK && i < 7; i++)
        status = copy_text(row, i + 1, arena, texts[i], error);
    if (status == VT_OK && (product.id == NULL || product.id[0] == '\0'))
        status = fail_column(row, 1, "a product has no id", error);
    if (status == VT_OK)
        status = vt_sqlite_row_number(row, 8, &product.price, error);
    if (status == VT_OK)
        status = vt_sqlite_row_hash(row, 9, &product.content, error);
    if (status == VT_OK)
        status = vt_sqlite_row_int(row, 10, 1, INT64_MAX, &change, error);
    product.change = (uint64_t)change;
    if (status == VT_OK)
        status = read_attributes(connection, arena, &product, error);
    if (status == VT_OK)
        status = read_pictures(connection, arena, &product, error);
    if (status == VT_OK)
        *out = product;
    return status;
}
