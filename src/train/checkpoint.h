/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints: a JSON text and named arrays in one file that is replaced atomically. The format is
 * docs/formats/checkpoint.md.
 *
 *     vt_checkpoint_write(path, json, arrays, count, error);
 *
 *     vt_checkpoint_open(path, &checkpoint, error);          // whole and undamaged
 *     text = vt_checkpoint_json(checkpoint, &length);
 *     vt_checkpoint_read(checkpoint, &array, error);         // by name, into array.value
 *     vt_checkpoint_close(checkpoint);
 *
 * Threads: no shared state.
 */
#ifndef VT_TRAIN_CHECKPOINT_H
#define VT_TRAIN_CHECKPOINT_H

#include "base/status.h"

typedef struct vt_checkpoint_array {
    const char *name; /* borrowed */
    float *value;     /* (count), borrowed; only read by vt_checkpoint_write */
    size_t count;
} vt_checkpoint_array;

/* What was at `path` stays until the new one is whole and on the disk. */
vt_status vt_checkpoint_write(const char *path, const char *json, const vt_checkpoint_array *arrays,
                              size_t count, vt_error *error);

typedef struct vt_checkpoint vt_checkpoint;
/* VT_ERR_NOT_FOUND; VT_ERR_CORRUPT; VT_ERR_UNSUPPORTED: of a newer version. */
vt_status vt_checkpoint_open(const char *path, vt_checkpoint **out, vt_error *error);
void vt_checkpoint_close(vt_checkpoint *checkpoint);
const char *vt_checkpoint_json(const vt_checkpoint *checkpoint, size_t *length); /* borrowed */
bool vt_checkpoint_has(const vt_checkpoint *checkpoint, const char *name);
/* VT_ERR_MISMATCH: there is none of that name with so many values. */
vt_status vt_checkpoint_read(const vt_checkpoint *checkpoint, const vt_checkpoint_array *array,
                             vt_error *error);

#endif
