/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of things in a run: check, decode, build, go on from a checkpoint, epochs, the model
 * file, the report.
 *
 * A checkpoint is written after every epoch, now and then between updates, when the run is
 * interrupted, and never after a loss that is no number: what lies on the disk is always a state
 * worth going on from.
 */
#include "train/run.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "train/objective.h"
#include "train/run_state.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LEFT_OUT_TOLD = 5, LOG_EVERY = 20, MAXIMUM_EPOCHS = 1 << 20, SMALL_PX = 64 };

/* ---- before the first step ---- */

/* ImageNet's mean and deviation, which files that people start from were trained with too. */
static void default_contract(vt_run_state *run)
{
    static const float mean[3] = {0.485f, 0.456f, 0.406f}, std[3] = {0.229f, 0.224f, 0.225f};
    vt_pixel_spec *spec = &run->contract.pixels;
    *spec = (vt_pixel_spec){.width = (int)run->recipe->size,
                            .height = (int)run->recipe->size,
                            .fit = run->recipe->pixel_fit,
                            .kernel = run->recipe->pixel_kernel,
                            .crop_ratio = (float)run->recipe->crop_ratio,
                            .scale = 1 / 255.0f};
    memcpy(spec->mean, mean, sizeof(mean));
    memcpy(spec->std, std, sizeof(std));
    memset(spec->fill_rgb, 255, sizeof(spec->fill_rgb));
}

/* Each with its length before it, so that no two lists look the same. */
static void hash_values(const vt_dataset *data, size_t column, size_t example, vt_hasher *hasher)
{
    size_t count;
    const uint32_t *values = vt_dataset_values(data, column, example, &count);
    const uint64_t length = count;
    vt_hasher_add(hasher, &length, sizeof(length));
    for (size_t v = 0; v < count; v++)
        vt_hasher_add_text(hasher, data->columns[column].labels[values[v]]);
}

/* What the order of steps depends on. */
static vt_hash hash_data(const vt_dataset *data)
{
    vt_hasher hasher;
    vt_hasher_init(&hasher);
    for (size_t i = 0; i < data->count; i++) {
        const vt_example *one = &data->examples[i];
        const uint8_t facts[2] = {(uint8_t)one->split, one->left_out};
        vt_hasher_add_text(&hasher, one->photo);
        if (data->column_count == 0)
            vt_hasher_add_text(&hasher, data->labels[one->label]);
        for (size_t c = 0; c < data->column_count; c++)
            hash_values(data, c, i, &hasher);
        vt_hasher_add(&hasher, facts, sizeof(facts));
    }
    return vt_hasher_finish(&hasher);
}

static bool on_decode(void *context, uint64_t done, uint64_t total)
{
    const vt_run_state *run = context;
    const vt_run_progress progress = {.phase = VT_RUN_DECODE,
                                      .done = done,
                                      .total = total,
                                      .goal = &run->goal,
                                      .heads = &run->heads};
    return run->options->on_progress == NULL ||
           run->options->on_progress(run->options->context, &progress);
}

static void leave_out(vt_run_state *run)
{
    size_t told = 0;
    for (size_t i = 0; i < run->data->count; i++) {
        vt_image image;
        vt_error reason;
        if (vt_picture_cache_get(run->cache, i, &image))
            continue;
        run->data->examples[i].left_out = true;
        vt_picture_cache_reason(run->cache, i, &reason);
        if (told++ < LEFT_OUT_TOLD)
            vt_log(VT_LOG_WARN, "left out: %s", reason.message);
    }
    if (told > LEFT_OUT_TOLD)
        vt_log(VT_LOG_WARN, "left out: %zu more photos that cannot be decoded",
               told - LEFT_OUT_TOLD);
}

/* An eighth more than the network sees, for crops and turns; small pictures are kept whole. */
static int cache_side(const vt_run_state *run)
{
    int size = (int)run->recipe->size;
    return size < SMALL_PX ? size : (int)((double)size * 1.15 / run->recipe->crop_ratio + 0.5);
}

static vt_status decode(vt_run_state *run, vt_error *error)
{
    const vt_dataset *data = run->data;
    vt_picture_cache_options options = vt_picture_cache_options_defaults();
    const char **paths = vt_alloc_array(data->count + 1, sizeof(*paths));
    if (paths == NULL)
        return vt_fail_memory(error, "the photos of a data set");
    for (size_t i = 0; i < data->count; i++)
        paths[i] = data->examples[i].photo;
    options.path = run->cache_path;
    options.short_side_px = cache_side(run);
    options.pool = run->pool;
    options.on_progress = on_decode;
    options.context = run;
    vt_status status = vt_picture_cache_open(paths, data->count, &options, &run->cache, error);
    vt_free(paths);
    if (status == VT_OK)
        leave_out(run);
    return status;
}

/* With several heads by the first one's labels; photos that have none are one more. */
static vt_status make_sampler(vt_run_state *run, vt_error *error)
{
    const vt_dataset *data = run->data;
    uint32_t *indices = vt_alloc_array(data->count + 1, sizeof(*indices));
    uint32_t *labels = vt_alloc_array(data->count + 1, sizeof(*labels));
    uint32_t unlabelled = (uint32_t)data->label_count;
    vt_sampler_examples examples = {indices, labels, 0, data->label_count + 1};
    vt_sampler_options options = run->recipe->sampling;
    vt_status status = VT_OK;
    run->views = (run->heads.needs & VT_LOSS_INSTANCES) != 0 ? 2 : 1;
    options.batch /= run->views;
    if (indices == NULL || labels == NULL)
        status = vt_fail_memory(error, "a sampler");
    for (size_t i = 0; status == VT_OK && i < data->count; i++)
        if (data->examples[i].split == VT_SPLIT_TRAIN && !data->examples[i].left_out) {
            uint32_t label = data->examples[i].label;
            indices[examples.count] = (uint32_t)i;
            labels[examples.count++] = label != VT_NO_LABEL ? label : unlabelled;
        }
    if (status == VT_OK)
        status = vt_sampler_new(&examples, &options, &run->sampler, error);
    vt_free(indices);
    vt_free(labels);
    if (status != VT_OK)
        return status;
    run->per_epoch = vt_sampler_count(run->sampler) / options.batch;
    run->order = vt_alloc_array(vt_sampler_count(run->sampler) * run->views, sizeof(uint32_t));
    return run->order != NULL ? VT_OK : vt_fail_memory(error, "a sampler");
}

static char *beside(const char *path, const char *ending)
{
    vt_buf text;
    vt_buf_init(&text, 1 << 16);
    vt_buf_printf(&text, "%s%s", path, ending);
    return vt_buf_take(&text, NULL);
}

static vt_status check_data(const vt_run_state *run, bool quiet, vt_error *error)
{
    const vt_dataset_need need = {.validation = run->options->validation,
                                  .classes = run->heads.items[0].scores,
                                  .quiet = quiet};
    vt_status status = vt_dataset_check(run->data, &need, error);
    return status == VT_OK ? vt_run_check_goal(run, error) : status;
}

static vt_status prepare(vt_run_state *run, vt_error *error)
{
    vt_status status = vt_heads_parse(run->recipe, &run->heads, error);
    if (status == VT_OK)
        status = vt_run_choose_goal(run, error);
    if (status == VT_OK && run->heads.named != (run->data->column_count == run->heads.count))
        status = vt_fail(error, VT_ERR_USAGE, "train on \"%s\": it was not read for these heads",
                         run->data->name);
    if (status != VT_OK)
        return status;
    run->checkpoint_path = beside(run->options->out, ".checkpoint");
    run->cache_path = run->options->cache != NULL ? vt_strdup(run->options->cache)
                                                  : beside(run->options->out, ".pictures");
    if (run->checkpoint_path == NULL || run->cache_path == NULL)
        return vt_fail_memory(error, "a path");
    if (!run->options->resume && vt_run_is_unfinished(run))
        return vt_fail(error, VT_ERR_EXISTS,
                       "train \"%s\": \"%s\" is of a run that has not ended; resume it, or remove "
                       "the file to begin anew",
                       run->options->out, run->checkpoint_path);
    default_contract(run);
    status = check_data(run, true, error);
    if (status == VT_OK)
        status = vt_pool_new((int)run->recipe->threads, &run->pool, error);
    if (status == VT_OK)
        status = decode(run, error);
    if (status == VT_OK) /* once more without those that cannot be decoded */
        status = check_data(run, false, error);
    if (status == VT_OK)
        status = make_sampler(run, error);
    if (status == VT_OK) {
        run->data_hash = hash_data(run->data);
        status = vt_run_build(run, error);
    }
    return status;
}

/* ---- epochs ---- */

static bool report(vt_run_state *run)
{
    size_t batch = (size_t)run->recipe->batch;
    const vt_run_progress progress = {
        .phase = VT_RUN_TRAIN,
        .done = run->steps * batch,
        .total = (uint64_t)run->recipe->epochs * run->per_epoch * batch,
        .epoch = (int)fmin((double)run->epoch + 1, run->recipe->epochs),
        .epochs = (int)run->recipe->epochs,
        .loss = run->smooth_loss,
        .rate = run->rate,
        .newest = run->epoch > 0 ? &run->epochs[run->epoch - 1] : NULL,
        .goal = &run->goal,
        .heads = &run->heads};
    return run->options->on_progress == NULL ||
           run->options->on_progress(run->options->context, &progress);
}

static vt_status diverged(const vt_run_state *run, vt_error *error)
{
    bool saved = vt_file_exists(run->checkpoint_path);
    return vt_fail(error, VT_ERR_MISMATCH,
                   "train: the loss is no number any more in epoch %d, step %llu; a lower \"lr\", "
                   "a \"clip\" on the optimizer or a longer warm-up may help; %s%s",
                   (int)run->epoch + 1, (unsigned long long)run->steps,
                   saved ? "the last good state is in " : "there was no checkpoint yet",
                   saved ? run->checkpoint_path : "");
}

/* After a batch: counts it, says so, saves when it is time. */
static vt_status after_step(vt_run_state *run, float loss, double norm, vt_error *error)
{
    run->loss_sum += (double)loss;
    run->norm_sum += norm;
    run->smooth_loss =
        run->steps == 0 ? (double)loss : 0.95 * run->smooth_loss + 0.05 * (double)loss;
    run->steps++;
    run->batch++;
    if (run->steps % LOG_EVERY == 0)
        vt_run_log_step(run, (double)loss, norm);
    bool whole = run->batch % (uint64_t)run->recipe->accumulate == 0;
    if (!report(run)) {
        /* Between updates the gathered gradients would be lost; the last checkpoint is good. */
        vt_status status = whole ? vt_run_save(run, error) : VT_OK;
        return status != VT_OK ? status
                               : vt_fail(error, VT_ERR_CANCELLED,
                                         "train: interrupted; resume to go on from \"%s\"",
                                         run->checkpoint_path);
    }
    if (whole && run->batch < run->per_epoch &&
        vt_clock_ms() - run->saved_ms >= run->options->checkpoint_s * 1e3)
        return vt_run_save(run, error);
    return VT_OK;
}

static void order_epoch(vt_run_state *run)
{
    size_t count = vt_sampler_count(run->sampler);
    vt_sampler_epoch(run->sampler, run->epoch, run->order);
    for (size_t i = count; run->views == 2 && i-- > 0;) /* two views side by side */
        run->order[2 * i] = run->order[2 * i + 1] = run->order[i];
}

static vt_status train_epoch(vt_run_state *run, vt_error *error)
{
    order_epoch(run);
    const vt_pixel_spec pixels = vt_run_pixels(run);
    const vt_loader_plan plan = {.cache = run->cache,
                                 .augment = &run->recipe->augmentation,
                                 .spec = &pixels,
                                 .order = run->order,
                                 .count = run->per_epoch * (size_t)run->recipe->batch,
                                 .batch = (size_t)run->recipe->batch,
                                 .first = (size_t)run->batch,
                                 .seed = (uint64_t)run->recipe->seed,
                                 .epoch = run->epoch};
    vt_loader *loader = NULL;
    vt_status status = vt_loader_open(&plan, &loader, error);
    while (status == VT_OK && run->batch < run->per_epoch) {
        vt_batch batch;
        float loss = 0;
        double norm = 0;
        status = vt_loader_next(loader, &batch, error);
        if (status == VT_OK)
            status = vt_run_step(run, &batch, &loss, &norm, error);
        if (status == VT_OK && (!isfinite(loss) || !isfinite(norm)))
            status = diverged(run, error);
        if (status == VT_OK)
            status = after_step(run, loss, norm, error);
    }
    vt_loader_close(loader);
    return status;
}

static vt_status add_epoch(vt_run_state *run, const vt_evaluation *evaluation, vt_error *error)
{
    void *epochs = run->epochs;
    bool room = vt_grow(&epochs, &run->epoch_capacity, run->epoch + 1, sizeof(*run->epochs),
                        MAXIMUM_EPOCHS);
    run->epochs = epochs;
    if (!room)
        return vt_fail_memory(error, "the measures of an epoch");
    vt_run_epoch *one = &run->epochs[run->epoch];
    double updates = ceil((double)run->per_epoch / run->recipe->accumulate);
    *one = (vt_run_epoch){.epoch = (double)run->epoch + 1,
                          .steps = (double)run->steps,
                          .loss = run->loss_sum / (double)run->per_epoch,
                          .rate = run->rate,
                          .norm = run->norm_sum / updates,
                          .seconds = (vt_clock_ms() - run->epoch_started_ms) / 1e3};
    memcpy(one->measures, evaluation->measures, sizeof(one->measures));
    for (size_t h = 0; h < run->heads.count; h++)
        memcpy(one->heads[h], evaluation->heads[h].measures, sizeof(one->heads[h]));
    run->epoch++;
    run->batch = 0;
    run->loss_sum = run->norm_sum = 0;
    return VT_OK;
}

static vt_status end_epoch(vt_run_state *run, vt_error *error)
{
    vt_evaluation evaluation;
    vt_status status = vt_run_evaluate(run, NULL, &evaluation, error);
    if (status != VT_OK)
        return status;
    status = add_epoch(run, &evaluation, error);
    vt_evaluation_deinit(&evaluation);
    if (status != VT_OK)
        return status;
    const vt_run_epoch *epoch = &run->epochs[run->epoch - 1];
    bool best =
        vt_plateau_note(&run->plateau, &run->recipe->rates, vt_run_goal_value(&run->goal, epoch),
                        vt_measure_is_better_higher(run->goal.measure));
    if (best && run->keep_best) {
        status = vt_run_weights_copy(run, &run->best, error);
        run->best_epoch = run->epoch;
    }
    run->stopped_early = run->keep_best && (double)run->plateau.waited >= run->recipe->early_stop;
    vt_run_log_epoch(run, epoch);
    return status == VT_OK ? vt_run_save(run, error) : status;
}

static vt_status train(vt_run_state *run, vt_error *error)
{
    vt_status status = VT_OK;
    run->saved_ms = vt_clock_ms();
    while (status == VT_OK && run->epoch < (uint64_t)run->recipe->epochs && !run->stopped_early) {
        run->epoch_started_ms = vt_clock_ms();
        status = train_epoch(run, error);
        if (status == VT_OK)
            status = end_epoch(run, error);
        if (status == VT_OK && !report(run) && run->epoch < (uint64_t)run->recipe->epochs)
            status =
                vt_fail(error, VT_ERR_CANCELLED, "train: interrupted; resume to go on from \"%s\"",
                        run->checkpoint_path);
    }
    return status;
}

/* ---- the whole ---- */

/* Photos that have a label of the head. */
static void count_labelled(const vt_run_state *run, size_t head, size_t *trained, size_t *validated)
{
    for (size_t i = 0; i < run->data->count; i++) {
        const vt_example *one = &run->data->examples[i];
        if (one->left_out || vt_dataset_value(run->data, head, i) == VT_NO_LABEL)
            continue;
        *trained += one->split == VT_SPLIT_TRAIN;
        *validated += one->split == run->options->validation;
    }
}

static void fill_result(const vt_run_state *run, vt_run_result *out)
{
    *out = (vt_run_result){.goal = run->goal,
                           .parameters = run->parameter_numbers,
                           .resumed = run->resumed,
                           .stopped_early = run->stopped_early};
    const vt_training_memory memory = vt_training_memory_of(run->training);
    out->activation_bytes = memory.activations_bytes;
    if (memory.activations_bytes > 0)
        out->memory_bytes =
            memory.parameters_bytes + memory.gradients_bytes + memory.activations_bytes;
    for (size_t i = 0; i < run->data->count; i++) {
        const vt_example *one = &run->data->examples[i];
        out->left_out += one->left_out;
        out->trained += !one->left_out && one->split == VT_SPLIT_TRAIN;
        out->validated += !one->left_out && one->split == run->options->validation;
    }
    for (size_t h = 0; h < run->heads.count; h++)
        count_labelled(run, h, &out->head_trained[h], &out->head_validated[h]);
    if (run->epoch > 0)
        out->last = out->best = run->epochs[run->epoch - 1];
    if (run->best_epoch > 0 && run->best_epoch <= run->epoch)
        out->best = run->epochs[run->best_epoch - 1];
}

static vt_status finish(vt_run_state *run, vt_error *error)
{
    const vt_run_weights *weights = run->best_epoch > 0 ? &run->best : NULL;
    vt_evaluation evaluation;
    vt_status status = vt_run_export(run, weights, error);
    if (status != VT_OK || run->options->report == NULL)
        return status;
    status = vt_run_evaluate(run, weights, &evaluation, error);
    if (status == VT_OK) {
        status = vt_run_report(run, &evaluation, error);
        vt_evaluation_deinit(&evaluation);
    }
    return status;
}

static void release(vt_run_state *run)
{
    vt_run_log_close(run);
    vt_run_weights_deinit(&run->best);
    vt_run_unbuild(run);
    vt_sampler_free(run->sampler);
    vt_picture_cache_close(run->cache);
    vt_pool_free(run->pool);
    vt_free(run->order);
    vt_free(run->epochs);
    vt_free(run->checkpoint_path);
    vt_free(run->cache_path);
}

vt_status vt_run(const vt_run_options *options, vt_run_result *out, vt_error *error)
{
    vt_run_state run = {.options = options, .recipe = options->recipe, .data = options->data};
    vt_status status = prepare(&run, error);
    if (status == VT_OK && options->resume)
        status = vt_run_restore(&run, &run.resumed, error);
    if (status == VT_OK)
        status = vt_run_log_open(&run, error);
    if (status == VT_OK)
        status = train(&run, error);
    if (status == VT_OK)
        status = finish(&run, error);
    if (status == VT_OK)
        fill_result(&run, out);
    release(&run);
    return status;
}
