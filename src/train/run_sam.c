/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sharpness-aware minimisation: steps by the gradient of the worst point nearby, which ends where
 * the loss is flat around, and flat minima generalise better (Foret et al., "Sharpness-Aware
 * Minimization for Efficiently Improving Generalization", 2021, algorithm 1). A step costs two, so
 * a run can keep it for its last epochs, where most of the gain is (Zhou et al., "Sharpness-Aware
 * Minimization Efficiently Selects Flatter Minima Late In Training", 2025).
 *
 * The way there is the gradient times rho / its norm, over all parameters at once. Running
 * statistics are those of the weights, not of the point nearby. With several batches to an update
 * each has its own point.
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

static double gradient_norm(const vt_run_state *run)
{
    double sum = 0;
    for (size_t i = 0; i < run->parameter_count; i++) {
        vt_parameter one = vt_run_parameter(run, i);
        sum += vt_vector_squares(one.gradient, one.count);
    }
    return sqrt(sum);
}

/* Everything that a step changes is kept, parameters move. */
static void move_away(vt_run_state *run, float step)
{
    float *kept = run->sam_kept;
    for (size_t i = 0; i < run->parameter_count + run->state_count; i++) {
        vt_parameter one = vt_run_parameter(run, i);
        memcpy(kept, one.value, one.count * sizeof(float));
        for (size_t j = 0; i < run->parameter_count && j < one.count; j++)
            one.value[j] += step * one.gradient[j];
        kept += one.count;
    }
}

static void move_back(vt_run_state *run)
{
    const float *kept = run->sam_kept;
    for (size_t i = 0; i < run->parameter_count + run->state_count; i++) {
        vt_parameter one = vt_run_parameter(run, i);
        memcpy(one.value, kept, one.count * sizeof(float));
        kept += one.count;
    }
}

vt_status vt_sam_gradients(vt_run_state *run, const vt_tensor *inputs, size_t count,
                           vt_error *error)
{
    float loss;
    double norm = gradient_norm(run);
    if (!(norm > 0) || !isfinite(norm))
        return VT_OK;
    move_away(run, (float)(run->recipe->sam / norm));
    vt_training_set_step(run->training, run->steps); /* what was dropped is dropped again */
    vt_status status = vt_training_step(run->training, inputs, count, &loss, NULL, error);
    move_back(run);
    return status;
}
