/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recomputation of activations in a list of actions, inside src/nn/dnnl.
 *
 *     vt_dnnl_recompute(dnnl, forward, error);  // after lowering, before buffers are placed
 *
 * The list afterwards computes the same numbers in less memory, some of them twice.
 *
 * Threads: as the runner.
 */
#ifndef VT_NN_DNNL_RECOMPUTE_H
#define VT_NN_DNNL_RECOMPUTE_H

#include "nn/dnnl/runner.h"

/* forward: how many actions at the begin make the loss; what the others read of theirs may be made
 * again. No buffer of these is written by the others (forms.c sees to it). On failure the runner
 * can only be freed. */
vt_status vt_dnnl_recompute(vt_dnnl *dnnl, size_t forward, vt_error *error);

#endif
