/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schedules: step decay; cosine (Loshchilov and Hutter 2017, without restarts); one cycle (Smith
 * and Topin 2018, with the cosine sides that PyTorch gives it); triangular cycles (Smith 2017);
 * reduction on a plateau. Warm-up is linear (Goyal et al. 2017).
 */
#include "train/schedule.h"

#include "train/choice.h"

#include <math.h>
#include <stddef.h>

static const char *const names[] = {"constant", "step", "cosine", "onecycle", "cyclic", "plateau"};

enum {
    STEP = 1 << VT_SCHEDULE_STEP,
    COSINE = 1 << VT_SCHEDULE_COSINE,
    ONECYCLE = 1 << VT_SCHEDULE_ONECYCLE,
    CYCLIC = 1 << VT_SCHEDULE_CYCLIC,
    PLATEAU = 1 << VT_SCHEDULE_PLATEAU,
    WARM = 1 << VT_SCHEDULE_CONSTANT | STEP | COSINE | CYCLIC | PLATEAU
};

static const vt_choice_key keys[] = {
    {"warmup", offsetof(vt_schedule, warmup), WARM, 1, 0, 1e6},
    {"every", offsetof(vt_schedule, every), STEP | CYCLIC, 10, 1e-3, 1e6},
    {"factor", offsetof(vt_schedule, factor), STEP | PLATEAU, 0.1, 1e-6, 1},
    {"final", offsetof(vt_schedule, final), COSINE | ONECYCLE | CYCLIC, 0, 0, 1},
    {"peak", offsetof(vt_schedule, peak), ONECYCLE, 0.3, 0.001, 0.999},
    {"start", offsetof(vt_schedule, start), ONECYCLE, 0.04, 0, 1},
    {"patience", offsetof(vt_schedule, patience), PLATEAU, 5, 0, 1e6},
};

static const vt_choice choice = {"schedule", names, VT_SCHEDULE_KINDS, keys,
                                 sizeof(keys) / sizeof(keys[0])};

vt_schedule vt_schedule_defaults(void)
{
    return (vt_schedule){.kind = VT_SCHEDULE_COSINE,
                         .every = 10,
                         .factor = 0.1,
                         .peak = 0.3,
                         .start = 0.04,
                         .patience = 5};
}

vt_status vt_schedule_parse(const char *text, vt_schedule *out, vt_error *error)
{
    vt_schedule schedule = vt_schedule_defaults();
    size_t name;
    vt_status status = vt_choice_parse(&choice, text, &name, &schedule, error);
    if (status != VT_OK)
        return status;
    schedule.kind = (vt_schedule_kind)name;
    *out = schedule;
    return VT_OK;
}

bool vt_schedule_print(const vt_schedule *schedule, vt_buf *out)
{
    return vt_choice_print(&choice, (size_t)schedule->kind, schedule, out);
}

bool vt_plateau_note(vt_plateau *plateau, const vt_schedule *schedule, double measure,
                     bool higher_is_better)
{
    bool better =
        !isnan(measure) &&
        (!plateau->any || (higher_is_better ? measure > plateau->best : measure < plateau->best));
    plateau->waited++;
    plateau->patience++;
    if (better) {
        plateau->any = true;
        plateau->best = measure;
        plateau->waited = plateau->patience = 0;
    } else if (schedule->kind == VT_SCHEDULE_PLATEAU &&
               (double)plateau->patience > schedule->patience) {
        plateau->drops++;
        plateau->patience = 0;
    }
    return better;
}

/* From a to b as t goes from 0 to 1. */
static double ease(double a, double b, double t)
{
    t = t < 0 ? 0 : t > 1 ? 1 : t;
    return b + (a - b) * (1 + cos(M_PI * t)) / 2;
}

static double shape(const vt_schedule *schedule, const vt_plateau *plateau, double epoch,
                    double epochs)
{
    double t = epochs > 0 ? epoch / epochs : 0;
    switch (schedule->kind) {
    case VT_SCHEDULE_STEP:
        return pow(schedule->factor, floor(epoch / schedule->every));
    case VT_SCHEDULE_COSINE: {
        double left = epochs - schedule->warmup;
        return ease(1, schedule->final, left > 0 ? (epoch - schedule->warmup) / left : 1);
    }
    case VT_SCHEDULE_ONECYCLE:
        return t < schedule->peak
                   ? ease(schedule->start, 1, t / schedule->peak)
                   : ease(1, schedule->final, (t - schedule->peak) / (1 - schedule->peak));
    case VT_SCHEDULE_CYCLIC: {
        double phase = fmod(epoch, schedule->every) / schedule->every;
        double height = 1 - fabs(2 * phase - 1);
        return schedule->final + (1 - schedule->final) * height;
    }
    case VT_SCHEDULE_PLATEAU:
        return pow(schedule->factor, plateau->drops);
    default:
        return 1;
    }
}

double vt_schedule_factor(const vt_schedule *schedule, const vt_plateau *plateau, double epoch,
                          double epochs)
{
    double factor = shape(schedule, plateau, epoch, epochs);
    bool warming = schedule->kind != VT_SCHEDULE_ONECYCLE && epoch < schedule->warmup;
    return warming ? factor * epoch / schedule->warmup : factor;
}
