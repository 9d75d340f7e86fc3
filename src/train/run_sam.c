/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sharpness-aware minimisation: steps by the gradient of the worst point nearby, which ends where
 * the loss is flat around, and flat minima generalise better.
 *
 * Along the gradient: Foret et al., "Sharpness-Aware Minimization for Efficiently Improving
 * Generalization" (2021), algorithm 1. A step costs two, so a run can keep it for its last epochs,
 * where most of the gain is (Zhou et al., "Sharpness-Aware Minimization Efficiently Selects Flatter
 * Minima Late In Training", 2025). Running statistics are those of the weights, not of the point
 * nearby. With several batches to an update each has its own point.
 *
 * Along the momentum, which knows of the batches before and not of this one, and costs nothing:
 * Becker et al., "Momentum-SAM: Sharpness Aware Minimization without Computational Overhead"
 * (2024). Loss and running statistics are those of the point nearby.
 *
 * The way there is rho long, over all parameters at once.
 */
#include "train/run_state.h"

#include "vector/distance.h"

#include <math.h>
#include <string.h>

vt_status vt_sam_begin(vt_run_state *run, vt_error *error)
{
    size_t count = 0;
    if (run->recipe->sam == 0)
        return VT_OK;
    for (size_t i = 0; i < run->parameter_count + run->state_count; i++)
        count += vt_run_value_length(run, i);
    run->sam_kept = vt_alloc_array(count + 1, sizeof(float));
    return run->sam_kept != NULL ? VT_OK
                                 : vt_fail_memory(error, "a second copy of the weights (\"sam\")");
}

bool vt_sam_is_due(const vt_run_state *run)
{
    double left = run->recipe->epochs - (double)run->epoch;
    return run->recipe->sam > 0 &&
           (run->recipe->sam_epochs == 0 || left <= run->recipe->sam_epochs);
}

static const float *way_of(const vt_run_state *run, size_t parameter)
{
    return run->recipe->sam_along_momentum ? vt_optimizer_momentum(run->optimizer, parameter)
                                           : vt_run_parameter(run, parameter).gradient;
}

/* Of the whole way, all parameters together. */
static double way_norm(const vt_run_state *run)
{
    double sum = 0;
    for (size_t i = 0; i < run->parameter_count; i++)
        sum += vt_vector_squares(way_of(run, i), vt_run_parameter(run, i).count);
    return sqrt(sum);
}

/* Everything that a step changes is kept, parameters move; false where there is no way. */
static bool move_away(vt_run_state *run)
{
    float *kept = run->sam_kept;
    double norm = way_norm(run);
    if (!(norm > 0) || !isfinite(norm))
        return false;
    float step = (float)(run->recipe->sam / norm);
    for (size_t i = 0; i < run->parameter_count + run->state_count; i++) {
        vt_parameter one = vt_run_parameter(run, i);
        memcpy(kept, one.value, one.count * sizeof(float));
        const float *way = i < run->parameter_count ? way_of(run, i) : NULL;
        for (size_t j = 0; way != NULL && j < one.count; j++)
            one.value[j] += step * way[j];
        kept += one.count;
    }
    return true;
}

/* The first `count` of parameters and states are again what they were. */
static void move_back(vt_run_state *run, size_t count)
{
    const float *kept = run->sam_kept;
    for (size_t i = 0; i < count; i++) {
        vt_parameter one = vt_run_parameter(run, i);
        memcpy(one.value, kept, one.count * sizeof(float));
        kept += one.count;
    }
}

static vt_status along_momentum(vt_run_state *run, const vt_tensor *inputs, size_t count,
                                float *loss, vt_error *error)
{
    bool moved = move_away(run);
    vt_status status = vt_training_step(run->training, inputs, count, loss, NULL, error);
    if (moved)
        move_back(run, run->parameter_count);
    return status;
}

static vt_status along_gradient(vt_run_state *run, const vt_tensor *inputs, size_t count,
                                float *loss, vt_error *error)
{
    float loss_there;
    vt_status status = vt_training_step(run->training, inputs, count, loss, NULL, error);
    if (status != VT_OK || !isfinite(*loss) || !move_away(run))
        return status;
    vt_training_set_step(run->training, run->steps); /* what was dropped is dropped again */
    status = vt_training_step(run->training, inputs, count, &loss_there, NULL, error);
    move_back(run, run->parameter_count + run->state_count);
    return status;
}

vt_status vt_sam_step(vt_run_state *run, const vt_tensor *inputs, size_t count, float *loss,
                      vt_error *error)
{
    return run->recipe->sam_along_momentum ? along_momentum(run, inputs, count, loss, error)
                                           : along_gradient(run, inputs, count, loss, error);
}
