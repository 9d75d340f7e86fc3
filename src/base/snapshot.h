/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshot files: sections with checksums, replaced atomically. The frame that derived files of a
 * shop's index folder have in common; docs/formats/snapshot.md is the format, and what is in the
 * sections is that of each kind.
 *
 *     vt_snapshot_writer *writer;
 *     vt_snapshot_create(path, &kind, &head, &writer, error);
 *     vt_snapshot_section(writer, tag);                      // then any number of
 *     vt_snapshot_write(writer, bytes, length);              // failures are remembered
 *     vt_snapshot_commit(writer, error);                     // or vt_snapshot_abandon(writer)
 *
 *     vt_snapshot *file;
 *     vt_snapshot_open(path, &kind, maximum_bytes, &file, error);
 *     vt_snapshot_read(file, index, parts, part_count, error); // checked against its checksum
 *     vt_snapshot_close(file);
 *
 * Threads: a writer belongs to one thread; sections of an open file may be read by many at once.
 */
#ifndef VT_BASE_SNAPSHOT_H
#define VT_BASE_SNAPSHOT_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VT_SNAPSHOT_MAX_SECTIONS = 1 << 20, VT_SNAPSHOT_ALIGN = 64 };

/* Who gave a change number. Change numbers are those of one catalogue, but a catalogue that was put
 * back from a backup gives numbers a second time; each process that writes to it has a session of
 * its own, drawn at random, and the catalogue knows from which number on each of them gave them. */
typedef struct vt_snapshot_session {
    uint8_t bytes[16];
} vt_snapshot_session;

typedef struct vt_snapshot_kind {
    char magic[9];    /* 8 characters */
    uint32_t version; /* that is written, and the newest that is read */
    const char *what; /* for messages: "graph index" */
} vt_snapshot_kind;

typedef struct vt_snapshot_head {
    uint64_t change;
    vt_snapshot_session session;
} vt_snapshot_head;

typedef struct vt_snapshot_writer vt_snapshot_writer;

/* Makes `<path>.new`. VT_ERR_BUSY when that is being written already. */
vt_status vt_snapshot_create(const char *path, const vt_snapshot_kind *kind,
                             const vt_snapshot_head *head, vt_snapshot_writer **out,
                             vt_error *error);
/* Begins a section; the one before it ends. The first failure of these two is kept for
 * vt_snapshot_commit, what follows it does nothing; false: it has failed. */
bool vt_snapshot_section(vt_snapshot_writer *writer, uint32_t tag);
bool vt_snapshot_write(vt_snapshot_writer *writer, const void *bytes, size_t length);
/* Syncs and renames; frees the writer either way. On failure what was at `path` is untouched. */
vt_status vt_snapshot_commit(vt_snapshot_writer *writer, vt_error *error);
void vt_snapshot_abandon(vt_snapshot_writer *writer); /* NULL is fine */

typedef struct vt_snapshot vt_snapshot;

typedef struct vt_snapshot_section_info {
    uint32_t tag;
    uint64_t length; /* of what was written, without the padding */
} vt_snapshot_section_info;

/* Checks the head and the table of sections, which then lie within the file, without gaps.
 * VT_ERR_NOT_FOUND; VT_ERR_CORRUPT: no file of this kind, or damaged; VT_ERR_UNSUPPORTED: of a
 * newer version; VT_ERR_LIMIT: larger than maximum_bytes. The kind is borrowed until the
 * end. */
vt_status vt_snapshot_open(const char *path, const vt_snapshot_kind *kind, uint64_t maximum_bytes,
                           vt_snapshot **out, vt_error *error);
void vt_snapshot_close(vt_snapshot *file); /* NULL is fine */
vt_snapshot_head vt_snapshot_head_of(const vt_snapshot *file);
uint32_t vt_snapshot_version(const vt_snapshot *file);
uint64_t vt_snapshot_bytes(const vt_snapshot *file);
size_t vt_snapshot_sections(const vt_snapshot *file);
vt_snapshot_section_info vt_snapshot_section_at(const vt_snapshot *file, size_t index);

typedef struct vt_snapshot_part {
    void *bytes;
    size_t length;
} vt_snapshot_part;

/* Reads a section into the parts, one after another, whose lengths must add up to the section's
 * (VT_ERR_CORRUPT otherwise). What they hold is of use only after VT_OK: the checksum is that of
 * the bytes that were delivered. */
vt_status vt_snapshot_read(const vt_snapshot *file, size_t index, const vt_snapshot_part *parts,
                           size_t part_count, vt_error *error);
/* VT_ERR_CORRUPT, with the file's name and the reason. */
vt_status vt_snapshot_damaged(const vt_snapshot *file, vt_error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
