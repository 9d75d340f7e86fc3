/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Picks the source of a feed: a directory is a folder feed; a file is what its name says, or, when
 * the name says nothing, JSON Lines if it starts with '{' and a table otherwise. Files that are
 * something else altogether (compressed, a spreadsheet's own format, UTF-16) are named as what they
 * are instead of failing later with a row nobody understands.
 */
#include "ingest/feed.h"

#include "base/file.h"

#include <string.h>

/* One row, what was read ahead of it, and one more block. */
enum { FEED_WINDOW_BYTES = VT_FEED_ROW_BYTES + (64 << 10) };

bool vt_feed_status_is_of_row(vt_status status)
{
    return status == VT_ERR_FORMAT || status == VT_ERR_LIMIT || status == VT_ERR_USAGE ||
           status == VT_ERR_UNSUPPORTED || status == VT_ERR_DENIED || status == VT_ERR_NOT_FOUND;
}

static vt_status feed_refuse_foreign(const vt_window *window, const char *name, vt_error *error)
{
    static const struct {
        const char *magic;
        size_t length;
        const char *what;
    } foreign[] = {
        {"\x1f\x8b", 2, "compressed with gzip: unpack it first"},
        {"PK\x03\x04", 4, "a zip archive or spreadsheet: export it as CSV"},
        {"\xd0\xcf\x11\xe0", 4, "an old spreadsheet: export it as CSV"},
        {"\xff\xfe", 2, "UTF-16: save it as UTF-8"},
        {"\xfe\xff", 2, "UTF-16: save it as UTF-8"},
        {"<?xml", 5, "XML: export the feed as CSV or JSON Lines"},
        {"[", 1, "one JSON array: JSON Lines have one object on each line"},
    };
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (window->length >= foreign[i].length &&
            memcmp(window->bytes, foreign[i].magic, foreign[i].length) == 0)
            return vt_fail(error, VT_ERR_UNSUPPORTED, "read feed \"%s\": the file is %s", name,
                           foreign[i].what);
    return VT_OK;
}

/* By the name, else by the first byte that is no white space. */
static bool feed_is_json(const char *name, const vt_window *window)
{
    if (vt_text_ends_nocase(name, ".csv") || vt_text_ends_nocase(name, ".tsv"))
        return false;
    if (vt_text_ends_nocase(name, ".jsonl") || vt_text_ends_nocase(name, ".ndjson"))
        return true;
    const char *text = (const char *)window->bytes;
    return window->length > 0 && vt_text_trim(&text, window->length) > 0 && *text == '{';
}

static vt_status feed_open_window(vt_window *window, const char *name, vt_feed **out,
                                  vt_error *error)
{
    vt_status status = vt_window_need(window, 4096, error);
    if (status == VT_OK)
        status = feed_refuse_foreign(window, name, error);
    if (status != VT_OK) {
        vt_window_close(window);
        return status;
    }
    if (window->length >= 3 && memcmp(window->bytes, "\xef\xbb\xbf", 3) == 0)
        vt_window_skip(window, 3);
    return feed_is_json(name, window) ? vt_feed_jsonl_open(window, name, out, error)
                                      : vt_feed_csv_open(window, name, out, error);
}

static char *feed_directory_of(const char *path)
{
    size_t length = (size_t)(vt_path_base(path) - path);
    if (length == 0)
        return vt_strdup(".");
    return vt_strndup(path, length > 1 ? length - 1 : length);
}

vt_status vt_feed_open(const char *source, const vt_feed_options *options, vt_feed **out,
                       vt_error *error)
{
    bool folder = vt_dir_exists(source);
    char *images_dir = folder ? vt_strdup(source) : feed_directory_of(source);
    vt_feed *feed;
    vt_window window;
    vt_status status;
    if (!images_dir)
        return vt_fail_memory(error, "a feed");
    if (folder) {
        status = vt_feed_folder_open(source, options, &feed, error);
    } else {
        status = vt_window_open(&window, source, FEED_WINDOW_BYTES, error);
        if (status == VT_OK)
            status = feed_open_window(&window, source, &feed, error);
    }
    if (status != VT_OK) {
        vt_free(images_dir);
        return status;
    }
    feed->images_dir = images_dir;
    *out = feed;
    return VT_OK;
}

vt_status vt_feed_open_bytes(const char *kind, const void *bytes, size_t length, vt_feed **out,
                             vt_error *error)
{
    vt_window window;
    bool json = vt_text_equal(kind, "jsonl");
    if (!json && !vt_text_equal(kind, "csv"))
        return vt_fail(error, VT_ERR_USAGE, "open feed of kind \"%s\": only csv and jsonl", kind);
    vt_window_open_bytes(&window, bytes, length);
    return feed_open_window(&window, json ? "memory.jsonl" : "memory.csv", out, error);
}

void vt_feed_close(vt_feed *feed)
{
    if (!feed)
        return;
    vt_free(feed->images_dir);
    feed->close(feed);
}

vt_status vt_feed_next(vt_feed *feed, vt_feed_row *row, vt_error *error)
{
    return feed->next(feed, row, error);
}

double vt_feed_position(const vt_feed *feed)
{
    return feed->position(feed);
}

uint64_t vt_feed_total(const vt_feed *feed)
{
    return feed->total;
}

const char *vt_feed_images_dir(const vt_feed *feed)
{
    return feed->images_dir;
}
