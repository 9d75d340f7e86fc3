/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One step: a batch forward and backward, and, when enough batches were gathered, an update.
 *
 * The number of the batch in the run decides the masks of dropout, the place in the epoch the
 * learning rate; both are in the checkpoint, so that a resumed run takes the same steps.
 */
#include "train/objective.h"
#include "train/run_state.h"

#include <math.h>

static double rate_of(const vt_run_state *run)
{
    const vt_recipe *recipe = run->recipe;
    double epoch = (double)run->epoch + (double)run->batch / (double)run->per_epoch;
    return recipe->lr * vt_schedule_factor(&recipe->rates, &run->plateau, epoch, recipe->epochs);
}

static vt_status gather(vt_run_state *run, bool alone, vt_error *error)
{
    for (size_t i = 0; i < run->parameter_count; i++)
        run->gradients[i] = vt_training_parameter(run->training, i).gradient;
    vt_optimizer_set_gradients(run->optimizer, run->gradients);
    return alone ? VT_OK : vt_optimizer_add(run->optimizer, error);
}

vt_status vt_run_step(vt_run_state *run, const vt_batch *batch, float *loss, double *norm,
                      vt_error *error)
{
    vt_tensor inputs[VT_OBJECTIVE_INPUTS];
    size_t count = 0;
    uint64_t every = (uint64_t)run->recipe->accumulate;
    bool last = (run->batch + 1) % every == 0 || run->batch + 1 == run->per_epoch;
    vt_status status = vt_objective_inputs(run, batch, inputs, &count, error);
    if (status == VT_OK) {
        vt_training_set_step(run->training, run->steps);
        status = vt_training_step(run->training, inputs, count, loss, NULL, error);
    }
    if (status == VT_OK && isfinite(*loss) && vt_sam_is_due(run))
        status = vt_sam_gradients(run, inputs, count, error);
    *norm = 0;
    if (status != VT_OK || !isfinite(*loss))
        return status;
    status = gather(run, every == 1, error);
    if (status != VT_OK || !last)
        return status;
    run->rate = rate_of(run);
    vt_optimizer_step(run->optimizer, run->rate, norm);
    if (run->ema != NULL && isfinite(*norm))
        vt_ema_update(run->ema, run->pool);
    return VT_OK;
}
