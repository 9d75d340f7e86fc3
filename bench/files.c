/* SPDX-License-Identifier: Apache-2.0 */
/* Files in memory, see files.h. */
#include "bench/files.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"

vt_status vt_bench_files_open(vt_bench_files *files, const char *list, vt_error *error)
{
    vt_buf_init(&files->list, 16 << 20);
    files->count = 0;
    files->contents = vt_calloc(VT_BENCH_FILES, sizeof *files->contents);
    if (!files->contents)
        return vt_fail_memory(error, "the list of files");
    vt_status status = vt_file_read(list, files->list.maximum, &files->list, error);
    char *line = files->list.data;
    while (status == VT_OK && line && *line && files->count < VT_BENCH_FILES) {
        char *end = strchr(line, '\n');
        if (end)
            *end = '\0';
        vt_buf *content = &files->contents[files->count++];
        vt_buf_init(content, VT_BENCH_FILE_BYTES);
        status = vt_file_read(line, VT_BENCH_FILE_BYTES, content, error);
        line = end ? end + 1 : NULL;
    }
    if (status == VT_OK && files->count == 0)
        status = vt_fail(error, VT_ERR_USAGE, "read \"%s\": it names no files", list);
    return status;
}

void vt_bench_files_close(vt_bench_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        vt_buf_deinit(&files->contents[i]);
    vt_free(files->contents);
    vt_buf_deinit(&files->list);
}
