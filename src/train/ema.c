/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exponential moving average of weights (Polyak and Juditsky 1992; with the warm-up that
 * TensorFlow's ExponentialMovingAverage uses), which generalises better than the newest ones.
 */
#include "train/optimizer.h"

#include "base/mem.h"

#include <string.h>

struct vt_ema {
    double decay;
    const float **values; /* (count), borrowed */
    float **averages;     /* (count) */
    size_t *counts;
    size_t count;
    uint64_t steps;
    float keep; /* of the running update */
};

vt_status vt_ema_new(double decay, const vt_ema_array *arrays, size_t count, vt_ema **out,
                     vt_error *error)
{
    vt_ema *ema = vt_calloc(1, sizeof(*ema));
    if (ema == NULL)
        return vt_fail_memory(error, "a moving average");
    ema->decay = decay;
    ema->values = vt_calloc(count + 1, sizeof(*ema->values));
    ema->averages = vt_calloc(count + 1, sizeof(*ema->averages));
    ema->counts = vt_calloc(count + 1, sizeof(*ema->counts));
    bool good = ema->values != NULL && ema->averages != NULL && ema->counts != NULL;
    for (size_t i = 0; good && i < count; i++) {
        ema->values[i] = arrays[i].value;
        ema->counts[i] = arrays[i].count;
        ema->averages[i] = vt_alloc_array(arrays[i].count, sizeof(float));
        good = ema->averages[i] != NULL;
        if (good)
            memcpy(ema->averages[i], arrays[i].value, arrays[i].count * sizeof(float));
        ema->count = i + 1;
    }
    if (!good) {
        vt_ema_free(ema);
        return vt_fail_memory(error, "a moving average");
    }
    *out = ema;
    return VT_OK;
}

void vt_ema_free(vt_ema *ema)
{
    if (ema == NULL)
        return;
    for (size_t i = 0; ema->averages != NULL && i < ema->count; i++)
        vt_free(ema->averages[i]);
    vt_free(ema->averages);
    vt_free(ema->values);
    vt_free(ema->counts);
    vt_free(ema);
}

static void update_one(void *context, size_t index)
{
    vt_ema *ema = context;
    float *restrict average = ema->averages[index];
    const float *restrict value = ema->values[index];
    float keep = ema->keep;
    for (size_t i = 0; i < ema->counts[index]; i++)
        average[i] += (1 - keep) * (value[i] - average[i]);
}

void vt_ema_update(vt_ema *ema, vt_pool *pool)
{
    double early = (1 + (double)ema->steps) / (10 + (double)ema->steps);
    ema->keep = (float)(early < ema->decay ? early : ema->decay);
    vt_pool_for(pool, ema->count, update_one, ema);
    ema->steps++;
}

float *vt_ema_value(vt_ema *ema, size_t index)
{
    return ema->averages[index];
}

uint64_t vt_ema_steps(const vt_ema *ema)
{
    return ema->steps;
}

void vt_ema_set_steps(vt_ema *ema, uint64_t steps)
{
    ema->steps = steps;
}
