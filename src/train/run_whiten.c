/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first convolution of a new network as a whitening of small patches.
 *
 * Neighbouring pixels say nearly the same, so that a network that starts at random spends its first
 * epochs on undoing that. Filters that are the eigenvectors of the patches' covariance, each
 * divided by its deviation, give outputs that say different things from the start; each comes with
 * its negative, which the ReLU behind needs to keep both halves (Page, "How to train your ResNet",
 * part 8, 2019; Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024, section 3.1).
 * Filters that are left over stay as drawn. The layer is not trained: it is good from the start,
 * and its small filters would be washed away by rates that the others want.
 *
 * The sample is the same in a run that is resumed, and sums are taken in one order by one thread:
 * the same filters come out, which is why checkpoints need not hold them.
 */
#include "train/run_state.h"

#include "nn/weights.h"
#include "vector/eigen.h"

#include <math.h>
#include <string.h>

enum { SAMPLE = 1000, BATCH = 50, MOST_NUMBERS = 3 * 11 * 11 };
static const double SMALLEST_VARIANCE = 5e-4; /* added, so that what never varies stays small */

typedef struct whitening {
    char *name; /* of the weight, owned */
    size_t filters, side, numbers;
    size_t patches;
    double *mean, *moment; /* (numbers) and (numbers, numbers): sums over patches */
} whitening;

static bool note_first(void *context, const vt_weight_info *weight)
{
    whitening *first = context;
    const int64_t *dims = weight->shape.dims;
    if (weight->role != VT_WEIGHT_KERNEL)
        return true;
    if (strcmp(weight->op_type, "Conv") == 0 && weight->shape.rank == 4 && dims[1] == 3 &&
        dims[2] == dims[3] && dims[2] > 1 && dims[2] * dims[3] * 3 <= MOST_NUMBERS) {
        first->name = vt_strdup(weight->name);
        first->filters = (size_t)dims[0];
        first->side = (size_t)dims[2];
        first->numbers = 3 * first->side * first->side;
    }
    return false;
}

/* ---- the covariance of patches ---- */

static void add_patch(whitening *sum, const float *patch)
{
    size_t n = sum->numbers;
    for (size_t i = 0; i < n; i++) {
        double value = (double)patch[i];
        sum->mean[i] += value;
        for (size_t j = i; j < n; j++)
            sum->moment[i * n + j] += value * (double)patch[j];
    }
    sum->patches++;
}

/* All patches of a small picture; of a big one so many that the work stays within seconds. */
static size_t patch_step(const whitening *sum, size_t length)
{
    enum { NUMBERS_A_SIDE = 128 };
    return 1 + length * sum->side / NUMBERS_A_SIDE;
}

static void add_picture(whitening *sum, const float *pixels, size_t width, size_t height)
{
    float patch[MOST_NUMBERS];
    size_t side = sum->side, step_x = patch_step(sum, width), step_y = patch_step(sum, height);
    for (size_t y = 0; y + side <= height; y += step_y)
        for (size_t x = 0; x + side <= width; x += step_x) {
            float *at = patch;
            for (size_t c = 0; c < 3; c++)
                for (size_t row = 0; row < side; row++, at += side)
                    memcpy(at, pixels + (c * height + y + row) * width + x, side * sizeof(float));
            add_patch(sum, patch);
        }
}

/* Photos to train on, evenly out of all. */
static size_t choose_sample(const vt_run_state *run, uint32_t *order)
{
    size_t trained = 0, taken = 0, seen = 0;
    const vt_dataset *data = run->data;
    for (size_t i = 0; i < data->count; i++)
        trained += data->examples[i].split == VT_SPLIT_TRAIN && !data->examples[i].left_out;
    size_t wanted = trained < SAMPLE ? trained : SAMPLE;
    for (size_t i = 0; i < data->count && taken < wanted; i++) {
        if (data->examples[i].split != VT_SPLIT_TRAIN || data->examples[i].left_out)
            continue;
        if (seen++ * wanted / trained >= taken)
            order[taken++] = (uint32_t)i;
    }
    return taken;
}

static vt_status add_sample(const vt_run_state *run, whitening *sum, vt_error *error)
{
    uint32_t order[SAMPLE];
    const vt_pixel_spec *spec = &run->contract.pixels;
    const vt_loader_plan plan = {.cache = run->cache,
                                 .spec = spec,
                                 .order = order,
                                 .count = choose_sample(run, order),
                                 .batch = BATCH};
    size_t width = (size_t)spec->width, height = (size_t)spec->height;
    vt_loader *loader = NULL;
    vt_batch batch = {.count = 1};
    vt_status status = vt_loader_open(&plan, &loader, error);
    while (status == VT_OK && batch.count > 0) {
        status = vt_loader_next(loader, &batch, error);
        for (size_t i = 0; status == VT_OK && i < batch.count; i++)
            add_picture(sum, batch.pixels + i * 3 * width * height, width, height);
    }
    vt_loader_close(loader);
    if (status == VT_OK && sum->patches < 2)
        return vt_fail(error, VT_ERR_USAGE,
                       "whiten: the photos are smaller than the first filters");
    return status;
}

/* ---- filters ---- */

/* matrix: (numbers, numbers), what add_sample has summed becomes the covariance. */
static void make_covariance(whitening *sum)
{
    size_t n = sum->numbers;
    double count = (double)sum->patches;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i; j < n; j++) {
            double value =
                sum->moment[i * n + j] / count - sum->mean[i] * sum->mean[j] / count / count;
            sum->moment[i * n + j] = sum->moment[j * n + i] = value;
        }
}

/* Pairs of filters, of the directions in which patches vary most. */
static vt_status write_filters(vt_run_state *run, const whitening *sum, const double *values,
                               const double *vectors, vt_error *error)
{
    vt_tensor weight = {0};
    size_t n = sum->numbers, pairs = sum->filters / 2 < n ? sum->filters / 2 : n;
    vt_status status = vt_model_weight_read(run->network, sum->name, &weight, error);
    float *filters = weight.data;
    for (size_t p = 0; status == VT_OK && p < pairs; p++) {
        double scale = 1 / sqrt(fmax(values[p], 0) + SMALLEST_VARIANCE);
        for (size_t i = 0; i < n; i++) {
            filters[p * n + i] = (float)(vectors[p * n + i] * scale);
            filters[(pairs + p) * n + i] = -filters[p * n + i];
        }
    }
    if (status == VT_OK)
        status = vt_model_weight_write(run->network, sum->name, filters, sum->filters * n, error);
    vt_tensor_deinit(&weight);
    return status;
}

static vt_status whiten(vt_run_state *run, whitening *sum, vt_error *error)
{
    size_t n = sum->numbers;
    double *values = vt_alloc_array(n + 1, sizeof(double));
    double *vectors = vt_alloc_array(n * n + 1, sizeof(double));
    sum->mean = vt_calloc(n + 1, sizeof(double));
    sum->moment = vt_calloc(n * n + 1, sizeof(double));
    vt_status status = values && vectors && sum->mean && sum->moment
                           ? add_sample(run, sum, error)
                           : vt_fail_memory(error, "the covariance of patches");
    if (status == VT_OK) {
        make_covariance(sum);
        status = vt_eigen_symmetric(sum->moment, n, values, vectors)
                     ? write_filters(run, sum, values, vectors, error)
                     : vt_fail(error, VT_ERR_INTERNAL, "whiten: no eigenvectors were found");
    }
    vt_free(values);
    vt_free(vectors);
    vt_free(sum->mean);
    vt_free(sum->moment);
    return status;
}

vt_status vt_run_whiten(vt_run_state *run, vt_error *error)
{
    whitening first = {0};
    vt_status status = vt_model_each_weight(run->network, note_first, &first, error);
    if (status != VT_OK)
        return status;
    if (first.name == NULL)
        return first.numbers > 0
                   ? vt_fail_memory(error, "a name")
                   : vt_fail(error, VT_ERR_USAGE,
                             "whiten: \"%s\" does not begin with a convolution of 2 x 2 to 11 x 11 "
                             "pixels",
                             run->recipe->arch);
    run->whitened = first.name;
    return whiten(run, &first, error);
}
