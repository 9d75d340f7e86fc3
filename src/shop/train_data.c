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
enum { PHOTO, LABEL, PRODUCT, SPLIT, COLUMNS, MAXIMUM_VALUES = 256 };

/* ---- a manifest ---- */

typedef struct manifest {
    const vt_train_source *source;
    vt_csv reader;
    vt_arena arena; /* texts of the newest row */
    const char *names[COLUMNS];
    size_t columns[COLUMNS], column_count; /* SIZE_MAX: absent */
    /* Of data with several labels, instead of LABEL. */
    const vt_dataset *data;
    size_t labels[VT_DATASET_MAX_COLUMNS]; /* (columns of the data) */
    const char *missing;                   /* a column that is not there beside the photo's */
    size_t unlabelled;                     /* rows */
    char *folder;
} manifest;

static vt_status read_header(manifest *m, vt_error *error)
{
    m->column_count = m->reader.field_count;
    for (size_t c = 0; c < COLUMNS; c++)
        m->columns[c] = SIZE_MAX;
    for (size_t c = 0; c < VT_DATASET_MAX_COLUMNS; c++)
        m->labels[c] = SIZE_MAX;
    for (size_t i = 0; i < m->column_count; i++) {
        const char *name = vt_csv_text(&m->reader, &m->reader.fields[i], &m->arena);
        if (name == NULL)
            return vt_fail_memory(error, "a header");
        for (size_t c = 0; c < COLUMNS; c++)
            if (m->columns[c] == SIZE_MAX && vt_text_equal_nocase(name, m->names[c]))
                m->columns[c] = i;
        for (size_t c = 0; c < m->data->column_count; c++)
            if (m->labels[c] == SIZE_MAX && vt_text_equal_nocase(name, m->data->columns[c].name))
                m->labels[c] = i;
    }
    return VT_OK;
}

/* Whether the header has what is needed; notes what is missing beside a photo's column. */
static bool is_complete(manifest *m)
{
    if (m->columns[PHOTO] == SIZE_MAX)
        return false;
    if (m->data->column_count == 0)
        return m->columns[LABEL] != SIZE_MAX;
    for (size_t c = 0; c < m->data->column_count; c++)
        if (m->labels[c] == SIZE_MAX) {
            m->missing = m->data->columns[c].name;
            return false;
        }
    return true;
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
        if (status == VT_OK && !record.end && is_complete(m)) {
            vt_csv_skip(&m->reader, &record);
            return VT_OK;
        }
    }
    if (m->missing != NULL)
        return vt_fail(error, VT_ERR_FORMAT, "the first line does not name the column %s",
                       m->missing);
    return vt_fail(error, VT_ERR_FORMAT, "the first line does not name the columns %s and %s",
                   m->names[PHOTO],
                   m->data->column_count > 0 ? m->data->columns[0].name : m->names[LABEL]);
}

static bool all_empty(const char *const *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (items[i][0] != '\0')
            return false;
    return true;
}

/* The values of a cell: one, or those between "|". */
static vt_status split_cell(manifest *m, const vt_label_column *column, const char *cell,
                            vt_label_texts *out, vt_error *error)
{
    size_t count = 1;
    for (const char *at = cell; column->several && *at != '\0'; at++)
        count += *at == '|';
    if (count > MAXIMUM_VALUES)
        return vt_fail(error, VT_ERR_LIMIT, "%s has %zu values, up to %d can be told apart",
                       column->name, count, MAXIMUM_VALUES);
    const char **items = vt_arena_array(&m->arena, count, sizeof(*items));
    for (size_t i = 0; items != NULL && i < count; i++) {
        size_t length = column->several ? strcspn(cell, "|") : strlen(cell);
        const char *from = cell, *end = cell + length;
        while (column->several && from < end && *from == ' ')
            from++;
        while (column->several && end > from && end[-1] == ' ')
            end--;
        items[i] = vt_arena_strndup(&m->arena, from, (size_t)(end - from));
        if (items[i] == NULL)
            items = NULL;
        cell += length + 1;
    }
    if (items == NULL)
        return vt_fail_memory(error, "a row");
    *out = (vt_label_texts){items, all_empty(items, count) ? 0 : count};
    return VT_OK;
}

static vt_status add_labelled(vt_dataset *data, manifest *m, const vt_example_text *row,
                              vt_error *error)
{
    vt_label_texts labels[VT_DATASET_MAX_COLUMNS];
    bool any = false;
    for (size_t c = 0; c < data->column_count; c++) {
        const char *cell = vt_csv_text(&m->reader, &m->reader.fields[m->labels[c]], &m->arena);
        if (cell == NULL)
            return vt_fail_memory(error, "a row");
        vt_status status = split_cell(m, &data->columns[c], cell, &labels[c], error);
        if (status != VT_OK)
            return status;
        any |= labels[c].count > 0;
    }
    m->unlabelled += !any;
    return any ? vt_dataset_add_labelled(data, row, labels, error) : VT_OK;
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
    bool labelled = data->column_count > 0 || texts[LABEL][0] != '\0';
    if (texts[PHOTO][0] == '\0' || !labelled)
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
    vt_status status = path == NULL             ? vt_fail_memory(error, "a path")
                       : data->column_count > 0 ? add_labelled(data, m, &row, error)
                                                : vt_dataset_add(data, &row, error);
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
        .data = data,
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
    if (status == VT_OK && m.unlabelled > 0)
        vt_log(VT_LOG_WARN, "read \"%s\": %zu photos have none of the labels and are left out",
               source->data, m.unlabelled);
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

/* All values of a label; one: room for a single one. */
static vt_label_texts values_of(const vt_product *product, const vt_label_column *column,
                                const char **one)
{
    const char *name = column->name;
    for (size_t i = 0; column->several && i < product->attribute_count; i++)
        if (product->attributes[i].kind == VT_ATTRIBUTE_LIST &&
            strcmp(product->attributes[i].name, name) == 0 && strcmp(name, "category") != 0 &&
            strcmp(name, "product") != 0)
            return (vt_label_texts){product->attributes[i].items,
                                    product->attributes[i].item_count};
    *one = vt_train_label_of(product, name);
    return (vt_label_texts){one, *one != NULL && (*one)[0] != '\0'};
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

/* labels NULL: by the one label. */
static vt_status add_pictures(shop_walk *walk, const vt_product *product, const char *label,
                              const vt_label_texts *labels, vt_error *error)
{
    vt_status status = VT_OK;
    for (size_t i = 0; status == VT_OK && i < product->picture_count; i++) {
        char *path = photo_of(walk, &product->pictures[i]);
        const vt_example_text row = {path, label, product->id, walk->source->split};
        if (path == NULL)
            status = vt_fail_memory(error, "a path");
        else
            status = labels != NULL ? vt_dataset_add_labelled(walk->data, &row, labels, error)
                                    : vt_dataset_add(walk->data, &row, error);
        vt_free(path);
    }
    return status;
}

static vt_status add_labelled_product(shop_walk *walk, const vt_product *product, vt_error *error)
{
    vt_label_texts labels[VT_DATASET_MAX_COLUMNS];
    const char *singles[VT_DATASET_MAX_COLUMNS];
    bool any = false;
    for (size_t c = 0; c < walk->data->column_count; c++) {
        labels[c] = values_of(product, &walk->data->columns[c], &singles[c]);
        any |= labels[c].count > 0;
    }
    walk->unlabelled += !any;
    return any ? add_pictures(walk, product, NULL, labels, error) : VT_OK;
}

static vt_status add_product(void *context, const vt_product *product, vt_error *error)
{
    shop_walk *walk = context;
    if (walk->data->column_count > 0)
        return add_labelled_product(walk, product, error);
    const char *label = vt_train_label_of(product, walk->source->label);
    if (label == NULL || label[0] == '\0') {
        walk->unlabelled++;
        return VT_OK;
    }
    return add_pictures(walk, product, label, NULL, error);
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
               walk.unlabelled,
               data->column_count > 0  ? "label that is asked for"
               : source->label != NULL ? source->label
                                       : "category");
    return status;
}

vt_status vt_train_data_is_folder(const char *data, bool *out, vt_error *error)
{
    *out = false;
    if (!vt_dir_exists(data))
        return VT_OK;
    char *settings = vt_path_join(data, "vitrine.json");
    if (settings == NULL)
        return vt_fail_memory(error, "a path");
    *out = !vt_file_exists(settings);
    vt_free(settings);
    return VT_OK;
}

vt_status vt_train_data_add(vt_dataset *data, const vt_train_source *source, vt_error *error)
{
    bool folder;
    if (!vt_dir_exists(source->data))
        return add_manifest(data, source, error);
    vt_status status = vt_train_data_is_folder(source->data, &folder, error);
    if (status != VT_OK)
        return status;
    if (folder && data->column_count > 0)
        return vt_fail(error, VT_ERR_USAGE,
                       "read \"%s\": a folder of classes gives photos one label without a name; "
                       "labels by name need a CSV manifest or a shop",
                       source->data);
    return folder ? vt_dataset_add_folder(data, source->data, source->split, error)
                  : add_shop(data, source, error);
}
