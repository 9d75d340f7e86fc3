/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CSV out (RFC 4180 with LF): one write(2) per row, so that what is there after a crash are whole
 * rows. The apostrophe against formulas is OWASP's advice on CSV injection.
 */
#include "ingest/table.h"

#include "base/buf.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { TABLE_ROW_BYTES = 8 << 20 };

struct vt_table {
    int fd;
    char *path;
    vt_buf row;
    bool failed;
    vt_error error; /* of the first failure */
};

static void table_write(vt_table *table)
{
    const char *at = table->row.data;
    size_t left = table->row.length;
    if (table->failed)
        return;
    if (table->row.failed) {
        vt_fail_memory(&table->error, "a table row");
        table->failed = true;
        return;
    }
    while (left > 0) {
        ssize_t wrote = write(table->fd, at, left);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0) {
            vt_fail_errno(&table->error, errno, "write", table->path);
            table->failed = true;
            return;
        }
        at += wrote;
        left -= (size_t)wrote;
    }
}

static void table_append_cell(vt_buf *row, const char *cell)
{
    bool formula = *cell != '\0' && strchr("=+-@\t\r", *cell);
    if (!strpbrk(cell, ",\"\r\n")) {
        if (formula)
            vt_buf_append_char(row, '\'');
        vt_buf_append_text(row, cell);
        return;
    }
    vt_buf_append_text(row, formula ? "\"'" : "\"");
    for (const char *c = cell; *c; c++) {
        if (*c == '"')
            vt_buf_append_char(row, '"');
        vt_buf_append_char(row, *c);
    }
    vt_buf_append_char(row, '"');
}

vt_status vt_table_open(const char *path, const char *const *header, size_t count, vt_table **out,
                        vt_error *error)
{
    vt_table *table = vt_calloc(1, sizeof *table);
    char *copy = vt_strdup(path);
    if (!table || !copy) {
        vt_free(copy);
        vt_free(table);
        return vt_fail_memory(error, "a table");
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) {
        vt_status status = vt_fail_errno(error, errno, "write", path);
        vt_free(copy);
        vt_free(table);
        return status;
    }
    table->fd = fd;
    table->path = copy;
    vt_buf_init(&table->row, TABLE_ROW_BYTES);
    vt_table_row(table, header, count);
    if (table->failed)
        return vt_table_close(table, error);
    *out = table;
    return VT_OK;
}

void vt_table_row(vt_table *table, const char *const *cells, size_t count)
{
    if (!table)
        return;
    vt_buf_clear(&table->row);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            vt_buf_append_char(&table->row, ',');
        table_append_cell(&table->row, cells[i] ? cells[i] : "");
    }
    vt_buf_append_char(&table->row, '\n');
    table_write(table);
}

vt_status vt_table_close(vt_table *table, vt_error *error)
{
    if (!table)
        return VT_OK;
    if (close(table->fd) != 0 && !table->failed) {
        vt_fail_errno(&table->error, errno, "write", table->path);
        table->failed = true;
    }
    vt_status status = VT_OK;
    if (table->failed) {
        status = table->error.status;
        if (error)
            *error = table->error;
    }
    vt_buf_deinit(&table->row);
    vt_free(table->path);
    vt_free(table);
    return status;
}
