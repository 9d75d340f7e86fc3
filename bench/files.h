/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that a list names, one a line, read into memory before a clock starts.
 *
 *     vt_bench_files files;
 *     vt_status status = vt_bench_files_open(&files, "list.txt", error);
 *     ... files.contents[i], i < files.count ...
 *     vt_bench_files_close(&files);      // also after a failure
 *
 * Threads: read-only once open.
 */
#ifndef VT_BENCH_FILES_H
#define VT_BENCH_FILES_H

#include "base/buf.h"
#include "base/status.h"

enum { VT_BENCH_FILES = 100000, VT_BENCH_FILE_BYTES = 16 << 20 };

typedef struct vt_bench_files {
    vt_buf list;
    vt_buf *contents; /* (count) */
    size_t count;
} vt_bench_files;

vt_status vt_bench_files_open(vt_bench_files *files, const char *list, vt_error *error);
void vt_bench_files_close(vt_bench_files *files);

#endif
