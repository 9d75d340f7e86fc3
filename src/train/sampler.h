/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which examples an epoch sees, in which order.
 *
 *     vt_sampler_options options = {VT_SAMPLER_SHUFFLED, .batch = 64, .seed = 1};
 *     vt_sampler_new(labels, indices, count, label_count, &options, &sampler, error);
 *     vt_sampler_epoch(sampler, epoch, order);       // (vt_sampler_count): whole batches
 *     vt_sampler_free(sampler);
 *
 * The order depends on the seed and the epoch's number alone.
 *
 * Threads: a sampler belongs to one thread at a time.
 */
#ifndef VT_TRAIN_SAMPLER_H
#define VT_TRAIN_SAMPLER_H

#include "base/status.h"

typedef enum vt_sampler_kind {
    VT_SAMPLER_SHUFFLED, /* each example once, what is no whole batch at the end is left out */
    VT_SAMPLER_BALANCED, /* all labels equally often, as many examples as there are */
    VT_SAMPLER_CLASSES,  /* each batch: P labels with K examples of each, side by side */
} vt_sampler_kind;

typedef struct vt_sampler_options {
    vt_sampler_kind kind;
    size_t batch;     /* of CLASSES: P * K */
    size_t per_label; /* K, from 1 to batch */
    uint64_t seed;
} vt_sampler_options;
/* "shuffled" "balanced" "classes:K" (text may be NULL: shuffled). Sets kind and per_label. */
vt_status vt_sampler_parse(const char *text, vt_sampler_options *out, vt_error *error);

typedef struct vt_sampler vt_sampler;

typedef struct vt_sampler_examples {
    const uint32_t *indices; /* (count), what `order` is made of */
    const uint32_t *labels;  /* (count), each below label_count */
    size_t count, label_count;
} vt_sampler_examples;
/* VT_ERR_USAGE when there are fewer examples than a batch, or fewer labels than P. */
vt_status vt_sampler_new(const vt_sampler_examples *examples, const vt_sampler_options *options,
                         vt_sampler **out, vt_error *error);
void vt_sampler_free(vt_sampler *sampler);
size_t vt_sampler_count(const vt_sampler *sampler); /* of examples in an epoch: whole batches */
void vt_sampler_epoch(vt_sampler *sampler, uint64_t epoch, uint32_t *order);

#endif
