/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Learning rates over a run, and when to stop.
 *
 *     vt_schedule schedule = vt_schedule_defaults();
 *     vt_schedule_parse("cosine:warmup=2", &schedule, error);
 *     rate = base_rate * vt_schedule_factor(&schedule, &plateau, epoch_with_fraction, epochs);
 *
 * Threads: no state beyond the caller's.
 */
#ifndef VT_TRAIN_SCHEDULE_H
#define VT_TRAIN_SCHEDULE_H

#include "base/buf.h"
#include "base/status.h"

typedef enum vt_schedule_kind {
    VT_SCHEDULE_CONSTANT,
    VT_SCHEDULE_STEP,
    VT_SCHEDULE_COSINE,
    VT_SCHEDULE_ONECYCLE,
    VT_SCHEDULE_CYCLIC,
    VT_SCHEDULE_PLATEAU,
    VT_SCHEDULE_KINDS
} vt_schedule_kind;

/* Times are in epochs, fractions allowed. */
typedef struct vt_schedule {
    vt_schedule_kind kind;
    double warmup;   /* from 0 to the full rate, linear; not with onecycle, which has its own */
    double every;    /* step: between drops; cyclic: of one cycle */
    double factor;   /* step, plateau: what a drop leaves */
    double final;    /* cosine, onecycle: share of the rate at the end; cyclic: at the bottom */
    double peak;     /* onecycle: share of the run that rises */
    double start;    /* onecycle: share of the rate at the start */
    double patience; /* plateau: epochs without a better measure before a drop */
} vt_schedule;
vt_schedule vt_schedule_defaults(void); /* cosine to 0 */
vt_status vt_schedule_parse(const char *text, vt_schedule *out, vt_error *error);
bool vt_schedule_print(const vt_schedule *schedule, vt_buf *out);

/* What plateau and early stopping remember; zeroed at the start. */
typedef struct vt_plateau {
    bool any;
    double best;
    double drops;      /* product of factors so far is factor to this power */
    uint64_t waited;   /* epochs since the best, for stopping */
    uint64_t patience; /* epochs since the best or the last drop, for dropping */
} vt_plateau;
/* After an epoch. better: higher measures are (accuracy) or lower ones (loss). True: it is the best
 * so far. A measure that is not a number never is. */
bool vt_plateau_note(vt_plateau *plateau, const vt_schedule *schedule, double measure,
                     bool higher_is_better);

/* epoch: 0 to epochs, with its fraction. The factor on the base rate. */
double vt_schedule_factor(const vt_schedule *schedule, const vt_plateau *plateau, double epoch,
                          double epochs);

#endif
