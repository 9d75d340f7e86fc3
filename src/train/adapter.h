/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Low-rank adapters (LoRA): small trained changes of large frozen weights.
 *
 *     vt_adapter_options options = vt_adapter_options_defaults();
 *     options.rank = 8;
 *     vt_adapter_add(model, &options, &adapted, &count, error);
 *     ... train what "all-but-adapters" of train/freeze.h selects ...
 *     vt_adapter_merge(trained, &merged, error);
 *
 * Threads: no shared state.
 */
#ifndef VT_TRAIN_ADAPTER_H
#define VT_TRAIN_ADAPTER_H

#include "nn/weights.h"

typedef struct vt_adapter_options {
    int rank;         /* default 8 */
    double alpha;     /* the change is multiplied by alpha / rank; 0: alpha is the rank */
    uint64_t seed;    /* of first values */
    const char *only; /* weights whose name contains this text; NULL: all that can */
} vt_adapter_options;
vt_adapter_options vt_adapter_options_defaults(void);

/* A copy of the model in which every kernel of MatMul, Gemm and 1x1 convolutions, outside the head,
 * whose sides are larger than the rank is read as W + alpha / rank B A. A, "<weight>.lora_a",
 * (rank, rest of W's shape), starts random, B, "<weight>.lora_b", (first side, rank), with zeros:
 * at first the network is what it was. *count: how many; VT_ERR_USAGE when none. */
vt_status vt_adapter_add(const vt_model *model, const vt_adapter_options *options, vt_model **out,
                         size_t *count, vt_error *error);
/* A copy without adapters, whose weights have taken their changes in. Only what the outputs need is
 * left. */
vt_status vt_adapter_merge(const vt_model *model, vt_model **out, vt_error *error);

#endif
