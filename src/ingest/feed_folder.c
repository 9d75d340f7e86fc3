/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A folder of pictures as a feed: each picture a product of the category its folder names, or each
 * folder with pictures a product.
 *
 * Method: depth first, entries in bytewise order, so that the same folder always gives the same
 * rows; held in memory are the names of the folder at hand and of those above it. The tree is
 * counted once at the start, for progress. Hidden entries are passed over; everything else that is
 * no picture is rejected by name. Symbolic links to pictures inside the folder are followed, links
 * to folders are not (they can loop), links that leave the folder are refused.
 *
 * Ids are relative paths without the extension; pictures that would share one ("mug.jpg" beside
 * "mug.png") keep their extensions.
 */
#include "ingest/feed_row.h"

#include "base/buf.h"
#include "base/file.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct folder_frame {
    char *relative; /* owned; "" for the root */
    vt_dir_list list;
    size_t next;
    bool product_given; /* product per folder: this one's product has been handed out */
} folder_frame;

typedef struct folder_feed {
    vt_feed feed;
    char *root; /* owned */
    bool product_per_folder;
    uint64_t number; /* rows handed out */
    size_t depth;
    folder_frame frames[VT_FEED_FOLDER_DEPTH];
} folder_feed;

typedef enum folder_kind {
    FOLDER_PICTURE,
    FOLDER_FOLDER,
    FOLDER_HIDDEN,
    FOLDER_REFUSED, /* with an error */
} folder_kind;

/* ---- names ---- */

static bool folder_is_picture_name(const char *name)
{
    static const char *const extensions[] = {".jpg",  ".jpeg", ".jpe",  ".jfif", ".png",
                                             ".webp", ".gif",  ".tif",  ".tiff", ".bmp",
                                             ".avif", ".heic", ".heif", ".jxl"};
    for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++)
        if (vt_text_ends_nocase(name, extensions[i]))
            return true;
    return false;
}

static size_t folder_stem_length(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? (size_t)(dot - name) : strlen(name);
}

/* Is there another picture with this one's stem in the folder? All names that start with the stem
 * and a dot are neighbours in bytewise order. */
static bool folder_stem_is_shared(const vt_dir_list *list, size_t index)
{
    const char *name = list->names[index];
    size_t stem = folder_stem_length(name);
    for (int step = -1; step <= 1; step += 2) {
        for (size_t i = index;;) {
            if (step < 0 ? i == 0 : i + 1 == list->count)
                break;
            i = step < 0 ? i - 1 : i + 1;
            const char *other = list->names[i];
            if (strncmp(other, name, stem + 1) != 0)
                break;
            if (folder_stem_length(other) == stem && folder_is_picture_name(other))
                return true;
        }
    }
    return false;
}

/* "red-mug_02" -> "red mug 02" */
static char *folder_title(vt_arena *arena, const char *name, size_t length)
{
    char *title = vt_arena_strndup(arena, name, length);
    size_t out = 0;
    if (!title)
        return NULL;
    for (size_t i = 0; i < length; i++) {
        char c = title[i] == '-' || title[i] == '_' ? ' ' : title[i];
        if (c != ' ' || (out > 0 && title[out - 1] != ' '))
            title[out++] = c;
    }
    while (out > 0 && title[out - 1] == ' ')
        out--;
    title[out] = '\0';
    return out > 0 ? title : vt_arena_strndup(arena, name, length);
}

/* "Fruit/Apple" -> "Fruit > Apple"; "" stays "". */
static char *folder_category(vt_arena *arena, const char *relative, size_t length)
{
    size_t slashes = 0, out = 0;
    for (size_t i = 0; i < length; i++)
        slashes += relative[i] == '/';
    char *category = vt_arena_alloc(arena, length + 2 * slashes + 1);
    if (!category)
        return NULL;
    for (size_t i = 0; i < length; i++) {
        if (relative[i] != '/') {
            category[out++] = relative[i];
            continue;
        }
        memcpy(category + out, " > ", 3);
        out += 3;
    }
    return category;
}

/* ---- looking ---- */

static vt_status folder_refuse(vt_error *error, vt_status status, const char *relative,
                               const char *reason)
{
    return vt_fail(error, status, "take \"%.*s\": %s", vt_text_clip(relative, 200), relative,
                   reason);
}

static folder_kind folder_look_at_link(const folder_feed *folder, const char *relative,
                                       vt_error *error)
{
    char *target;
    struct stat info;
    vt_status status = vt_path_inside(folder->root, relative, &target, error);
    if (status == VT_ERR_DENIED)
        folder_refuse(error, status, relative, "symbolic link leaves the folder");
    else if (status != VT_OK && status != VT_ERR_NO_MEMORY)
        folder_refuse(error, VT_ERR_NOT_FOUND, relative, "symbolic link leads nowhere");
    if (status != VT_OK)
        return FOLDER_REFUSED;
    int looked = stat(target, &info);
    vt_free(target);
    if (looked == 0 && S_ISREG(info.st_mode) && folder_is_picture_name(relative))
        return FOLDER_PICTURE;
    if (looked == 0 && S_ISDIR(info.st_mode))
        folder_refuse(error, VT_ERR_DENIED, relative, "symbolic links to folders are not followed");
    else
        folder_refuse(error, VT_ERR_UNSUPPORTED, relative, "not a picture file name");
    return FOLDER_REFUSED;
}

/* What the entry is. A refusal leaves its reason in *error, which must not be NULL. */
static folder_kind folder_look(const folder_feed *folder, const char *relative, vt_error *error)
{
    struct stat info;
    if (vt_path_base(relative)[0] == '.')
        return FOLDER_HIDDEN;
    char *path = vt_path_join(folder->root, relative);
    if (!path) {
        vt_fail_memory(error, "a path");
        return FOLDER_REFUSED;
    }
    if (lstat(path, &info) != 0) {
        vt_fail_errno(error, errno, "look at", relative);
        vt_free(path);
        return FOLDER_REFUSED;
    }
    vt_free(path);
    if (S_ISLNK(info.st_mode))
        return folder_look_at_link(folder, relative, error);
    if (S_ISDIR(info.st_mode))
        return FOLDER_FOLDER;
    if (S_ISREG(info.st_mode) && folder_is_picture_name(relative))
        return FOLDER_PICTURE;
    folder_refuse(error, VT_ERR_UNSUPPORTED, relative,
                  S_ISREG(info.st_mode) ? "not a picture file name" : "not a regular file");
    return FOLDER_REFUSED;
}

static vt_status folder_list(const folder_feed *folder, const char *relative, vt_dir_list *list,
                             vt_error *error)
{
    char *path = *relative ? vt_path_join(folder->root, relative) : vt_strdup(folder->root);
    if (!path)
        return vt_fail_memory(error, "a path");
    vt_status status = vt_dir_list_open(path, VT_FEED_FOLDER_NAMES, list, error);
    vt_free(path);
    return status;
}

static char *folder_join(const char *relative, const char *name)
{
    return *relative ? vt_path_join(relative, name) : vt_strdup(name);
}

/* A shop's own thumbnails are no products: importing the folder that the shop lies in is common. */
static bool folder_is_shop(const vt_dir_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->names[i], "catalog.db") == 0)
            return true;
    return false;
}

static vt_status folder_push(folder_feed *folder, const char *relative, vt_error *error)
{
    if (folder->depth == VT_FEED_FOLDER_DEPTH)
        return folder_refuse(error, VT_ERR_LIMIT, relative, "folders are nested too deep");
    folder_frame *frame = &folder->frames[folder->depth];
    *frame = (folder_frame){.relative = vt_strdup(relative)};
    if (!frame->relative)
        return vt_fail_memory(error, "a path");
    vt_status status = folder_list(folder, relative, &frame->list, error);
    if (status == VT_OK && folder_is_shop(&frame->list)) {
        status = folder_refuse(error, VT_ERR_DENIED, *relative ? relative : folder->root,
                               "it is a shop, not a folder of pictures");
        vt_dir_list_close(&frame->list);
    }
    if (status != VT_OK) {
        vt_free(frame->relative);
        return status;
    }
    folder->depth++;
    return VT_OK;
}

static void folder_pop(folder_feed *folder)
{
    folder_frame *frame = &folder->frames[--folder->depth];
    vt_dir_list_close(&frame->list);
    vt_free(frame->relative);
}

/* ---- rows ---- */

static vt_status folder_check_name(vt_feed_row *row, const char *relative, vt_error *error)
{
    if (!vt_utf8_valid(relative, strlen(relative)))
        return vt_fail(error, VT_ERR_FORMAT, "file name is not valid UTF-8");
    row->product.id = vt_arena_strdup(row->arena, relative);
    return row->product.id ? VT_OK : vt_fail_memory(error, "a feed row");
}

/* Fills what both kinds of product have: id, title and category. */
static vt_status folder_set_texts(vt_row_builder *builder, const char *id, const char *title,
                                  const char *category, vt_error *error)
{
    if (!id || !title || !category)
        return vt_fail_memory(error, "a feed row");
    vt_status status = vt_row_set_text(builder, VT_COLUMN_ID, id, error);
    if (status == VT_OK)
        status = vt_row_set_text(builder, VT_COLUMN_TITLE, title, error);
    if (status == VT_OK)
        status = vt_row_set_text(builder, VT_COLUMN_CATEGORY, category, error);
    return status;
}

static vt_status folder_picture_row(folder_frame *frame, size_t index, const char *relative,
                                    vt_feed_row *row, vt_error *error)
{
    vt_row_builder builder;
    vt_arena *arena = row->arena;
    const char *base = vt_path_base(relative);
    size_t cut = strlen(base) - folder_stem_length(base);
    size_t id_length = strlen(relative) - (folder_stem_is_shared(&frame->list, index) ? 0 : cut);
    vt_row_begin(&builder, row);
    vt_status status =
        folder_set_texts(&builder, vt_arena_strndup(arena, relative, id_length),
                         folder_title(arena, base, folder_stem_length(base)),
                         folder_category(arena, frame->relative, strlen(frame->relative)), error);
    const char *image = vt_arena_strdup(arena, relative);
    if (status == VT_OK && !image)
        status = vt_fail_memory(error, "a feed row");
    if (status == VT_OK)
        status = vt_row_add_image(&builder, image, error);
    return status == VT_OK ? vt_row_finish(&builder, error) : status;
}

static vt_status folder_add_pictures(const folder_feed *folder, const folder_frame *frame,
                                     vt_row_builder *builder, vt_error *error)
{
    for (size_t i = 0; i < frame->list.count; i++) {
        vt_error ignored; /* what is refused here is reported when the walk comes to it */
        char *relative = folder_join(frame->relative, frame->list.names[i]);
        if (!relative)
            return vt_fail_memory(error, "a path");
        vt_status status = VT_OK;
        if (folder_is_picture_name(relative) && vt_utf8_valid(relative, strlen(relative)) &&
            folder_look(folder, relative, &ignored) == FOLDER_PICTURE) {
            const char *image = vt_arena_strdup(builder->row->arena, relative);
            status = image ? vt_row_add_image(builder, image, error)
                           : vt_fail_memory(error, "a feed row");
        }
        vt_free(relative);
        if (status != VT_OK)
            return status;
    }
    return VT_OK;
}

/* The product that a folder with pictures is; no id when it has none. */
static vt_status folder_product_row(const folder_feed *folder, const folder_frame *frame,
                                    vt_feed_row *row, vt_error *error)
{
    vt_row_builder builder;
    vt_arena *arena = row->arena;
    const char *id = *frame->relative ? frame->relative : vt_path_base(folder->root);
    const char *base = vt_path_base(id);
    size_t parent = *frame->relative && base > id ? (size_t)(base - id) - 1 : 0;
    vt_row_begin(&builder, row);
    if (!vt_utf8_valid(id, strlen(id)))
        return vt_fail(error, VT_ERR_FORMAT, "folder name is not valid UTF-8");
    vt_status status = folder_add_pictures(folder, frame, &builder, error);
    if (status == VT_OK && row->image_count == 0)
        return VT_OK;
    vt_error of_texts;
    vt_status named = folder_set_texts(&builder, vt_arena_strdup(arena, *id ? id : "/"),
                                       folder_title(arena, base, strlen(base)),
                                       folder_category(arena, id, parent), &of_texts);
    if (status == VT_OK && named != VT_OK) {
        *error = of_texts;
        status = named;
    }
    return status == VT_OK ? vt_row_finish(&builder, error) : status;
}

/* One entry: a row (status OK and an id), nothing (OK and none), or why it was refused. */
static vt_status folder_entry(folder_feed *folder, folder_frame *frame, size_t index,
                              vt_feed_row *row, vt_error *error)
{
    char *relative = folder_join(frame->relative, frame->list.names[index]);
    if (!relative)
        return vt_fail_memory(error, "a path");
    vt_status status = VT_OK;
    error->status = VT_OK;
    switch (folder_look(folder, relative, error)) {
    case FOLDER_HIDDEN:
        break;
    case FOLDER_FOLDER:
        status = folder_push(folder, relative, error);
        break;
    case FOLDER_PICTURE:
        status = vt_utf8_valid(relative, strlen(relative))
                     ? VT_OK
                     : vt_fail(error, VT_ERR_FORMAT, "file name is not valid UTF-8");
        if (status == VT_OK && !folder->product_per_folder)
            status = folder_picture_row(frame, index, relative, row, error);
        break;
    case FOLDER_REFUSED:
        status = error->status;
        break;
    }
    if (status != VT_OK && vt_feed_status_is_of_row(status) && !row->product.id) {
        vt_error unnamed;
        vt_status checked = folder_check_name(row, relative, &unnamed);
        if (checked != VT_OK) { /* its name must not get into a message either */
            *error = unnamed;
            status = checked;
        }
    }
    vt_free(relative);
    return status;
}

static vt_status folder_next(vt_feed *feed, vt_feed_row *row, vt_error *error)
{
    folder_feed *folder = (folder_feed *)feed;
    vt_error detail;
    vt_row_builder empty;
    vt_status status = VT_OK;
    row->line = folder->number + 1;
    vt_row_begin(&empty, row);
    while (folder->depth > 0 && status == VT_OK && !row->product.id) {
        folder_frame *frame = &folder->frames[folder->depth - 1];
        if (folder->product_per_folder && !frame->product_given) {
            frame->product_given = true;
            status = folder_product_row(folder, frame, row, &detail);
        } else if (frame->next < frame->list.count) {
            status = folder_entry(folder, frame, frame->next++, row, &detail);
        } else {
            folder_pop(folder);
        }
    }
    if (status != VT_OK || row->product.id)
        folder->number++;
    if (status != VT_OK && error)
        *error = detail;
    return status;
}

/* ---- open and close ---- */

static void folder_close(vt_feed *feed)
{
    folder_feed *folder = (folder_feed *)feed;
    while (folder->depth > 0)
        folder_pop(folder);
    vt_free(folder->root);
    vt_free(folder);
}

static double folder_position(const vt_feed *feed)
{
    const folder_feed *folder = (const folder_feed *)feed;
    if (feed->total == 0)
        return 0;
    double share = (double)folder->number / (double)feed->total;
    return share > 1 ? 1 : share;
}

/* How many rows the walk will hand out, near enough for progress: what cannot be read counts 0. */
static vt_status folder_count(folder_feed *folder, uint64_t *total, vt_error *error)
{
    while (folder->depth > 0) {
        folder_frame *frame = &folder->frames[folder->depth - 1];
        if (frame->next == frame->list.count) {
            folder_pop(folder);
            continue;
        }
        vt_error ignored;
        char *relative = folder_join(frame->relative, frame->list.names[frame->next++]);
        if (!relative)
            return vt_fail_memory(error, "a path");
        folder_kind kind = folder_look(folder, relative, &ignored);
        if (kind == FOLDER_FOLDER)
            folder_push(folder, relative, &ignored);
        else if (kind == FOLDER_REFUSED || (kind == FOLDER_PICTURE && !folder->product_per_folder))
            ++*total;
        else if (kind == FOLDER_PICTURE && !frame->product_given)
            ++*total;
        if (kind == FOLDER_PICTURE)
            frame->product_given = true;
        vt_free(relative);
    }
    return VT_OK;
}

vt_status vt_feed_folder_open(const char *path, const vt_feed_options *options, vt_feed **out,
                              vt_error *error)
{
    folder_feed *folder = vt_calloc(1, sizeof *folder);
    uint64_t total = 0;
    if (!folder)
        return vt_fail_memory(error, "a feed");
    folder->feed = (vt_feed){
        .next = folder_next, .close = folder_close, .position = folder_position, .is_folder = true};
    folder->product_per_folder = options && options->product_per_folder;
    char resolved[PATH_MAX];
    vt_status status = VT_OK;
    if (!realpath(path, resolved))
        status = vt_fail_errno(error, errno, "open folder", path);
    else if (!(folder->root = vt_strdup(resolved)))
        status = vt_fail_memory(error, "a path");
    if (status == VT_OK)
        status = folder_push(folder, "", error);
    if (status == VT_OK)
        status = folder_count(folder, &total, error);
    if (status == VT_OK)
        status = folder_push(folder, "", error);
    if (status != VT_OK) {
        folder_close(&folder->feed);
        return status;
    }
    folder->feed.total = total;
    *out = &folder->feed;
    return VT_OK;
}
