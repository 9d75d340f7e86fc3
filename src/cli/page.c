/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frame of pages that commands write: self-contained, pictures inside, so that they work from a
 * file without a network; light and dark. No scripts: the page's own policy forbids them, so that
 * nothing that comes from a catalogue could run. Whoever appends a stranger's text escapes it.
 */
#include "base/file.h"
#include "cli/cli.h"

static const char head[] =
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
    "style-src 'unsafe-inline'\">\n";

static const char colours[] =
    ":root{color-scheme:light dark;--ink:#1d1d24;--soft:#62626e;--page:#f6f5f2;--card:#fff;"
    "--line:#e4e2dc;--accent:#b4552d}\n"
    "@media (prefers-color-scheme:dark){:root{--ink:#eceaf0;--soft:#a5a3ae;--page:#17161b;"
    "--card:#211f27;--line:#34323c;--accent:#e58a5f}}\n"
    "*{box-sizing:border-box}body{margin:0;font:16px/1.45 system-ui,sans-serif;color:var(--ink);"
    "background:var(--page)}\n";

void vt_cli_page_begin(vt_buf *page, const char *title, const char *style)
{
    vt_buf_init(page, VT_CLI_DOCUMENT_BYTES);
    vt_buf_append_text(page, head);
    vt_buf_append_text(page, "<title>vitrine - ");
    vt_buf_append_html(page, title);
    vt_buf_append_text(page, "</title>\n<style>\n");
    vt_buf_append_text(page, colours);
    vt_buf_append_text(page, style);
    vt_buf_append_text(page, "</style>\n</head>\n<body>\n");
}

vt_status vt_cli_page_end(vt_buf *page, vt_status status, const char *path, vt_error *error)
{
    vt_buf_append_text(page, "</body>\n</html>\n");
    if (status == VT_OK && page->failed)
        status = vt_fail_memory(error, "the page");
    if (status == VT_OK)
        status = vt_file_replace(path, page->data, page->length, false, error);
    vt_buf_deinit(page);
    return status;
}

void vt_cli_page_picture(vt_buf *page, const void *jpeg, size_t length, const char *alt)
{
    vt_buf_append_text(page, "<img alt=\"");
    vt_buf_append_html(page, alt);
    vt_buf_append_text(page, "\" src=\"data:image/jpeg;base64,");
    vt_buf_append_base64(page, jpeg, length);
    vt_buf_append_text(page, "\">\n");
}
