/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots of inverted lists. Derived: whatever is wrong with one, the lists are built again from
 * the store. docs/formats/inverted-lists.md is the format.
 *
 *     vt_index_origin origin = {.change = newest, .session = session, .model = fingerprint};
 *     vt_ivf_save(ivf, path, &origin, error);
 *
 *     vt_ivf_file_info info;
 *     vt_ivf_load(path, maximum_bytes, pool, &ivf, &info, error);    // then replay what is newer
 *
 * Consistency: lists may be saved while searches and writers go on. Searches do not notice; writers
 * wait while the lists are copied to the file (to the page cache), not while it is synced. What is
 * saved is therefore the lists between two changes. `origin->change` is read before the call: every
 * change up to it must be in the lists by then; later ones may be in them too, and whoever loads
 * and replays takes a change that is there already.
 *
 * Threads: saving the same lists from two threads is fine, the later rename stays; loading has no
 * shared state.
 */
#ifndef VT_INDEX_IVF_FILE_H
#define VT_INDEX_IVF_FILE_H

#include "index/ivf.h"
#include "index/origin.h"

/* Writes beside `path`, syncs, renames, syncs the directory: afterwards, and after a crash, the
 * file is the old one or the new one, whole. VT_ERR_USAGE while the lists are not trained;
 * VT_ERR_IO, VT_ERR_NO_MEMORY: the old one stays. Directories are not made. */
vt_status vt_ivf_save(const vt_ivf *ivf, const char *path, const vt_index_origin *origin,
                      vt_error *error);

typedef struct vt_ivf_file_info {
    vt_index_origin origin;
    vt_ivf_options options; /* that the lists were made with */
    size_t dim, rows, lists;
    uint64_t bytes; /* of the file */
} vt_ivf_file_info;

/* The head of a snapshot, checked as far as it goes; fails as vt_ivf_load does. */
vt_status vt_ivf_file_info_of(const char *path, vt_ivf_file_info *out, vt_error *error);

/* Makes lists like any others; the file may go. All of the file is checked before: VT_ERR_NOT_FOUND
 * when there is none; VT_ERR_CORRUPT when it is no snapshot of lists or is damaged; VT_ERR_LIMIT
 * when it is larger than maximum_bytes; VT_ERR_UNSUPPORTED when it is of a newer version (which the
 * message names) or of a program whose codes differ; VT_ERR_IO, VT_ERR_NO_MEMORY. Whether it is of
 * the right model, change and session is the caller's to see (info; may be NULL). pool: shares out
 * reading; may be NULL. */
vt_status vt_ivf_load(const char *path, uint64_t maximum_bytes, vt_pool *pool, vt_ivf **out,
                      vt_ivf_file_info *info, vt_error *error);

#endif
