/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots of the graph index: a file that a graph is made from in a fraction of the time that
 * building it takes. Derived: whatever is wrong with one, the graph is built again from the store.
 * docs/formats/graph-index.md is the format.
 *
 *     vt_index_origin origin = {.change = newest, .session = session, .model = fingerprint};
 *     vt_graph_save(graph, path, &origin, error);
 *
 *     vt_graph_file_info info;
 *     vt_graph_load_options options = vt_graph_load_options_defaults();
 *     vt_graph_load(path, &options, &graph, &info, error);    // then replay what is newer
 *
 * Consistency: a graph may be saved while searches and writers go on. Searches do not notice.
 * vt_graph_add, vt_graph_build and vt_graph_remove wait while the graph is copied to the file (to
 * the page cache: memory's speed), not while it is synced. What is saved is therefore the graph
 * between two changes. `origin->change` is read before the call: every change up to it must be in
 * the graph by then; later ones may be in it too. Whoever loads replays all that is newer than it,
 * and so must take a change that is there already (forget the product's rows, then add them).
 *
 * Threads: saving the same graph from two threads is fine, the later rename stays; loading has no
 * shared state.
 */
#ifndef VT_INDEX_GRAPH_FILE_H
#define VT_INDEX_GRAPH_FILE_H

#include "index/graph.h"
#include "index/origin.h"

/* Writes beside `path`, syncs, renames, syncs the directory: afterwards, and after a crash, the
 * file is the old one or the new one, whole. VT_ERR_IO (no room, too), VT_ERR_NO_MEMORY: the old
 * one stays. Directories are not made. */
vt_status vt_graph_save(vt_graph *graph, const char *path, const vt_index_origin *origin,
                        vt_error *error);

typedef struct vt_graph_file_info {
    vt_index_origin origin;
    vt_graph_options options; /* that the graph was made with */
    size_t dim, rows;
    uint64_t bytes; /* of the file */
} vt_graph_file_info;

/* The head of a snapshot, checked as far as it goes; fails as vt_graph_load does. */
vt_status vt_graph_file_info_of(const char *path, vt_graph_file_info *out, vt_error *error);

typedef struct vt_graph_load_options {
    uint64_t maximum_bytes; /* of the file: VT_ERR_LIMIT beyond it */
    vt_pool *pool;          /* shares out copying and checking; NULL: in the caller's thread */
} vt_graph_load_options;
vt_graph_load_options vt_graph_load_options_defaults(void); /* 1 TiB, no pool */

/* Makes a graph, like any other afterwards: it is searched, added to and removed from, and the file
 * may go. All of the file is checked before: VT_ERR_NOT_FOUND when there is none; VT_ERR_CORRUPT
 * when it is no snapshot of a graph or is damaged; VT_ERR_UNSUPPORTED when it is of a newer
 * version (which the message names) or of a program whose codes differ; VT_ERR_IO,
 * VT_ERR_NO_MEMORY. Whether it is of the right model, change and session is the caller's to see
 * (info; may be NULL).
 */
vt_status vt_graph_load(const char *path, const vt_graph_load_options *options, vt_graph **out,
                        vt_graph_file_info *info, vt_error *error);

#endif
