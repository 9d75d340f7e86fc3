/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files and directories: bounded reads, atomic replacement, paths that stay inside a root.
 *
 * Threads: no shared state.
 */
#ifndef VT_BASE_FILE_H
#define VT_BASE_FILE_H

#include "base/buf.h"
#include "base/status.h"

/* Appends the whole file to `out`. Only regular files; VT_ERR_LIMIT when it is larger than
 * maximum_bytes (checked before anything is read). */
vt_status vt_file_read(const char *path, size_t maximum_bytes, vt_buf *out, vt_error *error);

/* Replaces `path` by these bytes so that after a crash it holds the old or the new content, whole:
 * temporary file beside it, fsync, rename, fsync of the directory. `durable` false leaves out both
 * fsyncs (for derived files that carry their own proof, such as content-addressed thumbnails). */
vt_status vt_file_replace(const char *path, const void *bytes, size_t length, bool durable,
                          vt_error *error);

/* A read-only mapping of a whole regular file. */
typedef struct vt_mapping {
    const uint8_t *bytes; /* NULL for an empty file */
    size_t length;
} vt_mapping;
vt_status vt_mapping_open(const char *path, size_t maximum_bytes, vt_mapping *out, vt_error *error);
void vt_mapping_close(vt_mapping *mapping);
/* Tells the kernel that the pages of these bytes may go for now: they no longer count as this
 * process's memory, and are read from the file again when someone looks. Always safe. */
void vt_mapping_release(const vt_mapping *mapping, size_t offset, size_t length);

bool vt_file_exists(const char *path);
bool vt_dir_exists(const char *path);
vt_status vt_dir_make(const char *path, vt_error *error); /* with parents; existing is fine */
vt_status vt_dir_sync(const char *path, vt_error *error); /* so that what was renamed in it stays */
vt_status vt_dir_is_empty(const char *path, bool *empty, vt_error *error);

/* One directory's entry names, sorted bytewise, without "." and "..". */
typedef struct vt_dir_list {
    char **names; /* owned */
    size_t count;
} vt_dir_list;
vt_status vt_dir_list_open(const char *path, size_t maximum_count, vt_dir_list *out,
                           vt_error *error);
void vt_dir_list_close(vt_dir_list *list);

/* `a` "/" `b`, or `b` alone when it is absolute or `a` is NULL or "". The caller's; NULL: no
 * memory. */
char *vt_path_join(const char *a, const char *b);
const char *vt_path_base(const char *path); /* what follows the last '/', borrowed */

/* Takes every `folder` with the slash behind it out of the text; NULL or "": none. */
void vt_path_hide(char *text, const char *folder);

/* Resolves `relative` below `root` with every symbolic link followed and hands out the real path
 * (the caller's) if it lies inside the real root. VT_ERR_DENIED when it leaves it, is absolute, or
 * is empty; VT_ERR_NOT_FOUND when nothing is there. `root` must exist. */
vt_status vt_path_inside(const char *root, const char *relative, char **out, vt_error *error);

#endif
