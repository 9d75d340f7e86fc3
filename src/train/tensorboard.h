/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TensorBoard event files: curves that other people's tools show.
 *
 *     vt_tensorboard_open("runs/1", &board, error);
 *     vt_tensorboard_scalar(board, "train/loss", step, loss);
 *     vt_tensorboard_close(board, error);
 *
 * Threads: one thread at a time.
 */
#ifndef VT_TRAIN_TENSORBOARD_H
#define VT_TRAIN_TENSORBOARD_H

#include "base/status.h"

typedef struct vt_tensorboard vt_tensorboard;

/* A new file in the directory, which is made when it is not there. */
vt_status vt_tensorboard_open(const char *directory, vt_tensorboard **out, vt_error *error);
/* A failed write is kept for the end: training goes on without its curve. board NULL: nothing. */
void vt_tensorboard_scalar(vt_tensorboard *board, const char *tag, uint64_t step, double value);
void vt_tensorboard_flush(vt_tensorboard *board);
vt_status vt_tensorboard_close(vt_tensorboard *board, vt_error *error); /* NULL is fine */

#endif
