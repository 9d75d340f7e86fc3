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

#include <math.h>
#include <string.h>

struct vt_sam {
    float *kept; /* all parameters, then all states */
};

/* Of everything that a step changes. */
static size_t count_numbers(const vt_run_state *run)
{
    size_t count = 0;
    for (size_t i = 0; i < run->parameter_count; i++)
        count += vt_training_parameter(run->training, i).count;
    for (size_t i = 0; i < run->state_count; i++)
        count += vt_training_state(run->training, i).count;
    return count;
}

vt_status vt_sam_new(vt_run_state *run, vt_error *error)
{
    if (run->recipe->sam == 0)
        return VT_OK;
    run->sam = vt_calloc(1, sizeof(*run->sam));
    if (run->sam != NULL)
        run->sam->kept = vt_alloc_array(count_numbers(run) + 1, sizeof(float));
    return run->sam != NULL && run->sam->kept != NULL
               ? VT_OK
               : vt_fail_memory(error, "a second copy of the weights (\"sam\")");
}

void vt_sam_free(struct vt_sam *sam)
{
    if (sam != NULL)
        vt_free(sam->kept);
    vt_free(sam);
}

bool vt_sam_is_due(const vt_run_state *run)
{
    double left = run->recipe->epochs - (double)run->epoch;
    return run->sam != NULL && (run->recipe->sam_epochs == 0 || left <= run->recipe->sam_epochs);
}

static double gradient_norm(const vt_run_state *run)
{
    double sum = 0;
    for (size_t i = 0; i < run->parameter_count; i++) {
        vt_parameter one = vt_training_parameter(run->training, i);
        for (size_t j = 0; j < one.count; j++)
            sum += (double)one.gradient[j] * (double)one.gradient[j];
    }
    return sqrt(sum);
}

static void move_away(vt_run_state *run, float step)
{
    float *kept = run->sam->kept;
    for (size_t i = 0; i < run->parameter_count; i++) {
        vt_parameter one = vt_training_parameter(run->training, i);
        memcpy(kept, one.value, one.count * sizeof(float));
        for (size_t j = 0; j < one.count; j++)
            one.value[j] += step * one.gradient[j];
        kept += one.count;
    }
    for (size_t i = 0; i < run->state_count; i++) {
        vt_parameter one = vt_training_state(run->training, i);
        memcpy(kept, one.value, one.count * sizeof(float));
        kept += one.count;
    }
}

static void move_back(vt_run_state *run)
{
    const float *kept = run->sam->kept;
    for (size_t i = 0; i < run->parameter_count + run->state_count; i++) {
        vt_parameter one = i < run->parameter_count
                               ? vt_training_parameter(run->training, i)
                               : vt_training_state(run->training, i - run->parameter_count);
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
