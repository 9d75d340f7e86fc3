/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside src/train: the labels and products of a data set, each text with a number.
 *
 *     vt_names *names = vt_calloc(1, sizeof(*names));
 *     vt_names_number(names, &arena, "ant", &number, error);   // 0, 1, ... as they come
 *     vt_names_sort(names, &renumber, error);                  // now in the order of the texts
 *     vt_names_free(names);
 *
 * Threads: a table belongs to one thread while it is filled.
 */
#ifndef VT_TRAIN_NAMES_H
#define VT_TRAIN_NAMES_H

#include "base/mem.h"
#include "base/status.h"

typedef struct vt_names {
    const char **texts; /* (count) by number */
    size_t count, capacity;
    uint32_t *slots; /* (slot_count, a power of two) number + 1; 0: empty */
    size_t slot_count;
} vt_names;

void vt_names_free(vt_names *names); /* NULL is fine */
/* A text that is new is copied into the arena. */
vt_status vt_names_number(vt_names *names, vt_arena *arena, const char *text, uint32_t *out,
                          vt_error *error);
/* Sorts the texts; renumber: (count) from the old number to the new one, the caller's. */
vt_status vt_names_sort(vt_names *names, uint32_t **renumber, vt_error *error);

#endif
