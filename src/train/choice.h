/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Choices with settings as one word: "sgd:momentum=0.9,nesterov", "step:every=30,factor=0.1".
 * A table says which names and keys there are and where their numbers go.
 *
 * Threads: no state.
 */
#ifndef VT_TRAIN_CHOICE_H
#define VT_TRAIN_CHOICE_H

#include "base/buf.h"
#include "base/status.h"

typedef struct vt_choice_key {
    const char *key;
    size_t offset;    /* of a double in the options struct */
    unsigned names;   /* bit i: belongs to name i */
    double bare;      /* value of the key without "=" */
    double low, high; /* what it may be */
} vt_choice_key;

typedef struct vt_choice {
    const char *what; /* for messages: "optimizer" */
    const char *const *names;
    size_t name_count;
    const vt_choice_key *keys;
    size_t key_count;
} vt_choice;

/* *name: which; keys that are named are set in `options`, others stay. On failure `options` may
 * be changed in part. */
vt_status vt_choice_parse(const vt_choice *choice, const char *text, size_t *name, void *options,
                          vt_error *error);
/* The text that parses to these options, appended. */
bool vt_choice_print(const vt_choice *choice, size_t name, const void *options, vt_buf *out);

#endif
