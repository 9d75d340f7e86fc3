/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where training gets its photos and labels: a folder per class (train/dataset_folder.c), a CSV
 * manifest, or the products of a shop.
 *
 * A shop keeps no originals: its photos are those of the feed where they can still be found, else
 * its thumbnails.
 */
#include "shop/train_data.h"

#include "base/file.h"
#include "base/log.h"
#include "ingest/csv.h"
#include "shop/shop.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { WINDOW_BYTES = VT_FEED_ROW_BYTES + (64 << 10) };
enum { PHOTO, LABEL, PRODUCT, SPLIT, COLUMNS };

/* ---- a manifest ---- */

typedef struct manifest {
    const vt_train_source *source;
    vt_csv reader;
    vt_arena arena; /* texts of the newest row */
    const char *names[COLUMNS];
    size_t columns[COLUMNS], column_count; /* SIZE_MAX: absent */
    char *folder;
} manifest;

static vt_status read_header(manifest *m, vt_error *error)
{
    m->column_count = m->reader.field_count;
    for (size_t c = 0; c < COLUMNS; c++)
        m->columns[c] = SIZE_MAX;
    for (size_t i = 0; i < m->column_count; i++) {
        const char *name = vt_csv_text(&m->reader, &m->reader.fields[i], &m->arena);
        if (name == NULL)
            return vt_fail_memory(error, "a header");
        for (size_t c = 0; c < COLUMNS; c++)
            if (m->columns[c] == SIZE_MAX && vt_text_equal_nocase(name, m->names[c]))
                m->columns[c] = i;
    }
    return VT_OK;
}

/* Under the first delimiter that shows both needed columns. */
static vt_status find_header(manifest *m, vt_error *error)
{
    static const char delimiters[] = {',', ';', '\t', '|'};
    char forced = m->reader.delimiter;
    for (size_t d = 0; d < (forced != '\0' ? 1 : sizeof(delimiters)); d++) {
        vt_csv_record record;
        m->reader.delimiter = forced != '\0' ? forced : delimiters[d];
        vt_status status = vt_csv_scan(&m->reader, &record, error);
        if (status == VT_OK && !record.end)
            status = vt_csv_check_text(&m->reader, record.length, error);
        if (status == VT_OK)
            status = read_header(m, error);
        if (status != VT_OK && !vt_feed_status_is_of_row(status))
            return status;
        if (status == VT_OK && !record.end && m->columns[PHOTO] != SIZE_MAX &&
            m->columns[LABEL] != SIZE_MAX) {
            vt_csv_skip(&m->reader, &record);
            return VT_OK;
        }
    }
    return vt_fail(error, VT_ERR_FORMAT, "the first line does not name the columns %s and %s",
                   m->names[PHOTO], m->names[LABEL]);
}

static vt_status add_row(vt_dataset *data, manifest *m, vt_error *error)
{
    const char *texts[COLUMNS] = {NULL};
    if (m->reader.field_count != m->column_count)
        return vt_fail(error, VT_ERR_FORMAT, "row has %zu fields, the header %zu",
                       m->reader.field_count, m->column_count);
    for (size_t c = 0; c < COLUMNS; c++) {
        if (m->columns[c] == SIZE_MAX)
            continue;
        texts[c] = vt_csv_text(&m->reader, &m->reader.fields[m->columns[c]], &m->arena);
        if (texts[c] == NULL)
            return vt_fail_memory(error, "a row");
    }
    if (texts[PHOTO][0] == '\0' || texts[LABEL][0] == '\0')
        return vt_fail(error, VT_ERR_FORMAT, "row has no %s",
                       m->names[texts[PHOTO][0] == '\0' ? PHOTO : LABEL]);
    vt_example_text row = {
        .label = texts[LABEL], .product = texts[PRODUCT], .split = m->source->split};
    if (texts[SPLIT] != NULL && texts[SPLIT][0] != '\0' &&
        !vt_split_from_name(texts[SPLIT], &row.split))
        return vt_fail(error, VT_ERR_FORMAT, "split is \"%.40s\", it is train, val or test",
                       texts[SPLIT]);
    char *path = vt_path_join(m->folder, texts[PHOTO]);
    row.photo = path;
    vt_status status =
        path == NULL ? vt_fail_memory(error, "a path") : vt_dataset_add(data, &row, error);
    vt_free(path);
    return status;
}

/* A row that is wrong ends it: what a person lists to train on is to be right. */
static vt_status add_rows(vt_dataset *data, manifest *m, vt_error *error)
{
    for (;;) {
        vt_csv_record record = {0};
        uint64_t line = 0;
        vt_error detail;
        vt_arena_reset(&m->arena);
        vt_status status = vt_csv_next(&m->reader, &record, &line, &detail);
        if (status == VT_OK && record.end)
            return VT_OK;
        if (status == VT_OK)
            status = vt_csv_check_text(&m->reader, record.length, &detail);
        if (status == VT_OK)
            status = add_row(data, m, &detail);
        if (status != VT_OK)
            return vt_fail(error, status, "line %" PRIu64 ": %s", line, detail.message);
        vt_csv_skip(&m->reader, &record);
    }
}

/* The directory part of a path; the caller's. */
static char *folder_of(const char *path)
{
    const char *base = vt_path_base(path);
    return base == path ? vt_strdup("") : vt_strndup(path, (size_t)(base - path) - 1);
}

static vt_status add_manifest(vt_dataset *data, const vt_train_source *source, vt_error *error)
{
    manifest m = {
        .source = source,
        .names = {"photo", source->label != NULL ? source->label : "label", "product", "split"}};
    vt_error detail = {0};
    vt_arena_init(&m.arena, VT_FEED_ARENA_BYTES);
    m.folder = source->images_dir != NULL ? vt_strdup(source->images_dir) : folder_of(source->data);
    vt_status status = m.folder == NULL
                           ? vt_fail_memory(&detail, "a path")
                           : vt_window_open(&m.reader.window, source->data, WINDOW_BYTES, &detail);
    if (status == VT_OK) {
        m.reader.line = 1;
        status = vt_csv_skip_preamble(&m.reader, &detail);
        if (status == VT_OK)
            status = find_header(&m, &detail);
        if (status == VT_OK)
            status = add_rows(data, &m, &detail);
        vt_csv_deinit(&m.reader);
    }
    vt_arena_deinit(&m.arena);
    vt_free(m.folder);
    return status == VT_OK
               ? VT_OK
               : vt_fail(error, status, "read \"%s\": %s", source->data, detail.message);
}

/* ---- a shop ---- */

typedef struct shop_walk {
    vt_dataset *data;
    const vt_train_source *source;
    size_t unlabelled;
} shop_walk;

const char *vt_train_label_of(const vt_product *product, const char *label)
{
    if (label == NULL || strcmp(label, "category") == 0)
        return product->category;
    if (strcmp(label, "product") == 0)
        return product->id;
    for (size_t i = 0; i < product->attribute_count; i++) {
        const vt_attribute *one = &product->attributes[i];
        if (strcmp(one->name, label) != 0)
            continue;
        if (one->kind == VT_ATTRIBUTE_TEXT)
            return one->text;
        if (one->kind == VT_ATTRIBUTE_LIST && one->item_count == 1)
            return one->items[0];
    }
    return NULL;
}

/* The caller's; NULL: no memory. */
static char *photo_of(const shop_walk *walk, const vt_picture *picture)
{
    const char *folder = walk->source->images_dir;
    bool remote = strstr(picture->source, "://") != NULL;
    char *path = !remote && (folder != NULL || picture->source[0] == '/')
                     ? vt_path_join(folder, picture->source)
                     : NULL;
    if (path != NULL && vt_file_exists(path))
        return path;
    vt_free(path);
    char hex[VT_HASH_HEX];
    vt_buf text;
    vt_buf_init(&text, 1 << 16);
    vt_hash_hex(&picture->hash, hex);
    vt_buf_printf(&text, "%s/thumbs/%.2s/%s.jpg", walk->source->data, hex, hex + 2);
    return vt_buf_take(&text, NULL);
}

static vt_status add_product(void *context, const vt_product *product, vt_error *error)
{
    shop_walk *walk = context;
    const char *label = vt_train_label_of(product, walk->source->label);
    vt_status status = VT_OK;
    if (label == NULL || label[0] == '\0') {
        walk->unlabelled++;
        return VT_OK;
    }
    for (size_t i = 0; status == VT_OK && i < product->picture_count; i++) {
        char *path = photo_of(walk, &product->pictures[i]);
        const vt_example_text row = {path, label, product->id, walk->source->split};
        status = path == NULL ? vt_fail_memory(error, "a path")
                              : vt_dataset_add(walk->data, &row, error);
        vt_free(path);
    }
    return status;
}

static vt_status add_shop(vt_dataset *data, const vt_train_source *source, vt_error *error)
{
    vt_store *store = NULL;
    shop_walk walk = {data, source, 0};
    vt_status status = vt_store_open(source->data, VT_STORE_READ, &store, error);
    if (status == VT_OK)
        status = vt_store_each(store, add_product, &walk, error);
    vt_store_close(store);
    if (status == VT_OK && walk.unlabelled > 0)
        vt_log(VT_LOG_WARN, "read \"%s\": %zu products have no %s and are left out", source->data,
               walk.unlabelled, source->label != NULL ? source->label : "category");
    return status;
}

vt_status vt_train_data_add(vt_dataset *data, const vt_train_source *source, vt_error *error)
{
    if (!vt_dir_exists(source->data))
        return add_manifest(data, source, error);
    char *settings = vt_path_join(source->data, "vitrine.json");
    if (settings == NULL)
        return vt_fail_memory(error, "a path");
    bool shop = vt_file_exists(settings);
    vt_free(settings);
    return shop ? add_shop(data, source, error)
                : vt_dataset_add_folder(data, source->data, source->split, error);
}
