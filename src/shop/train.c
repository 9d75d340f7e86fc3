/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vt_train: recipe and data are read and put together, src/train does the work, and what came of it
 * is told.
 */
#include "shop/promote.h"
#include "shop/train_data.h"
#include "shop/train_in_shop.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "train/run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

_Static_assert((int)VT_TRAIN_MEASURES == (int)VT_MEASURES, "the public header names every measure");
_Static_assert((int)VT_TRAIN_MAX_HEADS == (int)VT_HEADS_MAX, "the public header has every head");

enum { REPORT_BYTES = 1 << 24 };

/* The report the caller holds, and what it points to. */
typedef struct report_block {
    vt_train_report report; /* first */
    vt_promote_report promotion;
    vt_error failure; /* of the promotion */
    char *json;
    char measure[sizeof(((vt_run_goal *)NULL)->name)];
    char heads[VT_HEADS_MAX][VT_LOSS_HEAD_BYTES];
} report_block;

vt_train_options vt_train_options_defaults(void)
{
    return (vt_train_options){.checkpoint_s = 60};
}

void vt_train_report_free(vt_train_report *report)
{
    if (report == NULL)
        return;
    vt_free(((report_block *)report)->json);
    vt_free(report);
}

/* ---- recipe and data ---- */

/* A network that a stranger names: as a path, or refused. */
static vt_status confine_model(const char *shop, vt_recipe *recipe, const char **model,
                               vt_error *error)
{
    vt_buf path;
    if (*model == NULL || strcmp(*model, "vitrine-s") == 0)
        return VT_OK;
    if (strchr(*model, '/') != NULL || (*model)[0] == '.')
        return vt_fail(error, VT_ERR_DENIED, "recipe: \"%.80s\" is no name of a model of this shop",
                       *model);
    vt_buf_init(&path, 1 << 16);
    vt_buf_printf(&path, "%s/models/%s", shop, *model);
    bool found = !path.failed && vt_file_exists(path.data);
    char *kept = found ? vt_arena_strdup(&recipe->arena, path.data) : NULL;
    vt_buf_deinit(&path);
    if (!found)
        return vt_fail(error, VT_ERR_NOT_FOUND, "recipe: the shop has no model \"%.80s\"", *model);
    *model = kept;
    return kept != NULL ? VT_OK : vt_fail_memory(error, "a recipe");
}

static vt_status confine(const char *shop, vt_recipe *recipe, vt_error *error)
{
    vt_split split;
    if (recipe->val != NULL && !vt_split_from_name(recipe->val, &split))
        return vt_fail(error, VT_ERR_DENIED,
                       "recipe: \"val\" names no split, and other data is "
                       "not looked at here");
    vt_status status = confine_model(shop, recipe, &recipe->from, error);
    return status == VT_OK ? confine_model(shop, recipe, &recipe->teacher, error) : status;
}

/* shop: the directory of one that a stranger's recipe is confined to; NULL: it is ours. */
static vt_status read_recipe(const char *shop, const vt_train_options *options, vt_recipe *recipe,
                             vt_error *error)
{
    vt_status status = vt_recipe_init(recipe, error);
    if (status == VT_OK && options->recipe != NULL)
        status = vt_recipe_read(recipe, options->recipe, error);
    for (size_t i = 0; status == VT_OK && i < options->setting_count; i++) {
        const vt_train_setting *one = &options->settings[i];
        /* Who names the one on the command line means it instead of the recipe's other. */
        if (strcmp(one->key, "arch") == 0)
            recipe->from = NULL;
        if (strcmp(one->key, "from") == 0)
            recipe->arch = NULL;
        status = vt_recipe_set(recipe, one->key, one->value, error);
    }
    if (status == VT_OK && shop != NULL)
        status = confine(shop, recipe, error);
    return status == VT_OK ? vt_recipe_check(recipe, error) : status;
}

/* Which split is measured on, after the data was read; makes one where none was named. */
static vt_status choose_validation(const vt_recipe *recipe, vt_dataset *data, bool other_data,
                                   vt_split *out, vt_error *error)
{
    bool by_product = strcmp(recipe->split, "product") == 0;
    *out = VT_SPLIT_VAL;
    if (recipe->val != NULL && !other_data) {
        vt_split_from_name(recipe->val, out);
        if (!data->has_split[*out])
            return vt_fail(error, VT_ERR_NOT_FOUND, "train on \"%s\": it has no %s split",
                           data->name, vt_split_name(*out));
        if (*out == VT_SPLIT_TRAIN)
            return vt_fail(error, VT_ERR_USAGE,
                           "train on \"%s\": to validate on the train split measures nothing",
                           data->name);
    } else if (!data->has_split[VT_SPLIT_VAL]) {
        const vt_split_options options = {by_product ? VT_SPLIT_BY_PRODUCT : VT_SPLIT_BY_PHOTO,
                                          recipe->val_share, (uint64_t)recipe->seed};
        return vt_split_make(data, &options, error);
    }
    return by_product ? vt_split_check_products(data, *out, error) : VT_OK;
}

/* title: what it is called in messages and reports. */
static vt_status read_data(const char *name, const char *title, const vt_train_options *options,
                           const vt_recipe *recipe, vt_dataset **out, vt_error *error)
{
    vt_dataset *data = NULL;
    vt_split split;
    vt_heads heads;
    bool other = recipe->val != NULL && !vt_split_from_name(recipe->val, &split);
    vt_train_source source = {name, options->images_dir, recipe->label, VT_SPLIT_TRAIN};
    vt_status status = vt_heads_parse(recipe, &heads, error);
    if (status == VT_OK)
        status = vt_dataset_new(title, &data, error);
    if (status == VT_OK && heads.named)
        status = vt_heads_set_columns(&heads, data, error);
    if (status == VT_OK)
        status = vt_train_data_add(data, &source, error);
    if (status == VT_OK && other) {
        size_t before = data->count;
        /* Its own validation photos, if it has any, make room for these. */
        for (size_t i = 0; i < before; i++)
            if (data->examples[i].split == VT_SPLIT_VAL)
                data->examples[i].split = VT_SPLIT_TEST;
        source.data = recipe->val;
        source.images_dir = NULL;
        status = vt_train_data_add(data, &source, error);
        for (size_t i = before; i < data->count; i++)
            data->examples[i].split = VT_SPLIT_VAL;
    }
    if (status == VT_OK)
        status = vt_dataset_finish(data, error);
    if (status != VT_OK) {
        vt_dataset_free(data);
        return status;
    }
    *out = data;
    return VT_OK;
}

/* ---- progress and report ---- */

static bool on_progress(void *context, const vt_run_progress *now)
{
    static const char *const phases[] = {"decode", "imprint", "train", "evaluate"};
    const vt_train_options *options = context;
    const char *names[VT_HEADS_MAX];
    double values[VT_HEADS_MAX];
    vt_train_progress progress = {
        .phase = phases[now->phase],
        .done = now->done,
        .total = now->total,
        .epoch = now->epoch,
        .epochs = now->epochs,
        .loss = now->loss,
        .measure = now->goal->name,
        .value = now->newest != NULL ? vt_run_goal_value(now->goal, now->newest) : (double)NAN,
        .heads = names,
        .head_values = values,
        .head_count = now->heads->named ? now->heads->count : 0};
    for (size_t h = 0; h < progress.head_count; h++) {
        names[h] = now->heads->items[h].name;
        values[h] = now->newest != NULL ? now->newest->heads[h][now->goal->measure] : (double)NAN;
    }
    return options->on_progress == NULL || options->on_progress(options->context, &progress);
}

static void print_promotion(const vt_train_report *report, vt_json_writer *writer)
{
    if (report->promotion == NULL && report->promotion_failure == NULL)
        return;
    vt_json_open_object(writer, "promotion");
    if (report->promotion != NULL)
        vt_promote_put(writer, report->promotion);
    else
        vt_json_put_text(writer, "failure", report->promotion_failure);
    vt_json_close(writer);
}

static void print_heads(const vt_train_report *report, vt_json_writer *writer)
{
    vt_json_open_array(writer, "heads");
    for (size_t h = 0; h < report->head_count; h++) {
        const vt_train_head *head = &report->heads[h];
        vt_json_open_object(writer, NULL);
        vt_json_put_text(writer, "head", head->name);
        vt_json_put_bool(writer, "classes", head->classes);
        vt_json_put_bool(writer, "several", head->several);
        vt_json_put_int(writer, "labels", (int64_t)head->labels);
        vt_json_put_int(writer, "trained", (int64_t)head->trained);
        vt_json_put_int(writer, "validated", (int64_t)head->validated);
        for (size_t i = 0; i < VT_TRAIN_MEASURES; i++)
            vt_json_put_number(writer, report->measures[i], head->values[i], 6);
        vt_json_close(writer);
    }
    vt_json_close(writer);
}

static void print_report(const vt_train_report *report, const char *out, vt_buf *json)
{
    vt_json_writer writer;
    vt_json_begin(&writer, json, true);
    vt_json_open_object(&writer, NULL);
    vt_json_put_text(&writer, "model", out);
    vt_json_put_text(&writer, "measure", report->measure_name);
    for (size_t i = 0; i < VT_TRAIN_MEASURES; i++)
        vt_json_put_number(&writer, report->measures[i], report->values[i], 6);
    vt_json_put_int(&writer, "epochs", report->epochs);
    vt_json_put_int(&writer, "best_epoch", report->best_epoch);
    vt_json_put_number(&writer, "train_loss", report->loss, 6);
    vt_json_put_int(&writer, "parameters", (int64_t)report->parameters);
    vt_json_put_int(&writer, "labels", (int64_t)report->labels);
    vt_json_put_int(&writer, "trained", (int64_t)report->trained);
    vt_json_put_int(&writer, "validated", (int64_t)report->validated);
    vt_json_put_int(&writer, "left_out", (int64_t)report->left_out);
    vt_json_put_int(&writer, "memory_bytes", (int64_t)report->memory_bytes);
    vt_json_put_int(&writer, "activation_bytes", (int64_t)report->activation_bytes);
    vt_json_put_bool(&writer, "resumed", report->resumed);
    vt_json_put_bool(&writer, "stopped_early", report->stopped_early);
    vt_json_put_number(&writer, "took_s", report->took_s, 3);
    print_promotion(report, &writer);
    if (report->head_count > 0)
        print_heads(report, &writer);
    vt_json_close(&writer);
}

static vt_status print_json(report_block *block, const char *out, vt_error *error)
{
    vt_buf json;
    vt_buf_init(&json, REPORT_BYTES);
    print_report(&block->report, out, &json);
    vt_free(block->json);
    block->report.json = block->json = vt_buf_take(&json, NULL);
    return block->json == NULL ? vt_fail_memory(error, "a report") : VT_OK;
}

typedef struct finished {
    const vt_run_result *result;
    const vt_dataset *data;
    const vt_train_options *options;
    vt_shop *shop; /* to promote in; NULL: options->promote */
    double took_s;
} finished;

static void fill_heads(const finished *run, report_block *block)
{
    const vt_dataset *data = run->data;
    const vt_run_result *result = run->result;
    block->report.head_count = data->column_count;
    for (size_t h = 0; h < data->column_count; h++) {
        const vt_label_column *column = &data->columns[h];
        snprintf(block->heads[h], sizeof(block->heads[h]), "%s", column->name);
        vt_train_head *head = &block->report.heads[h];
        *head = (vt_train_head){.name = block->heads[h],
                                .classes = column->classes,
                                .several = column->several,
                                .labels = column->label_count,
                                .trained = result->head_trained[h],
                                .validated = result->head_validated[h]};
        memcpy(head->values, result->best.heads[h], sizeof(head->values));
    }
}

static vt_status make_report(const finished *run, report_block **out, vt_error *error)
{
    const vt_run_result *result = run->result;
    report_block *block = vt_calloc(1, sizeof(*block));
    if (block == NULL)
        return vt_fail_memory(error, "a report");
    vt_train_report *report = &block->report;
    memcpy(block->measure, result->goal.name, sizeof(block->measure));
    *report = (vt_train_report){.measure = (size_t)result->goal.measure,
                                .measure_name = block->measure,
                                .epochs = (int)result->last.epoch,
                                .best_epoch = (int)result->best.epoch,
                                .loss = result->last.loss,
                                .parameters = result->parameters,
                                .labels = run->data->label_count,
                                .trained = result->trained,
                                .validated = result->validated,
                                .left_out = result->left_out,
                                .memory_bytes = result->memory_bytes,
                                .activation_bytes = result->activation_bytes,
                                .resumed = result->resumed,
                                .stopped_early = result->stopped_early,
                                .took_s = run->took_s};
    for (int i = 0; i < VT_MEASURES; i++) {
        report->measures[i] = vt_measure_name((vt_measure)i);
        report->values[i] = result->best.measures[i];
    }
    fill_heads(run, block);
    vt_status status = print_json(block, run->options->out, error);
    if (status != VT_OK)
        vt_free(block);
    else
        *out = block;
    return status;
}

/* ---- promotion ---- */

/* A shop that cannot be promoted in is found out before hours of training. */
static vt_status check_shop(const vt_train_options *options, vt_error *error)
{
    vt_shop *shop = NULL;
    if (options->promote == NULL)
        return VT_OK;
    vt_status status = vt_shop_open(options->promote, VT_OPEN_READ, &shop, error);
    vt_shop_close(shop);
    return status;
}

typedef struct promote_view {
    const vt_train_options *options;
    const char *phase;
} promote_view;

static void on_promote_phase(void *context, const char *phase, const char *unit)
{
    promote_view *view = context;
    view->phase = phase;
    (void)unit;
}

static bool on_promote_progress(void *context, uint64_t done, uint64_t total)
{
    const promote_view *view = context;
    const vt_train_progress progress = {
        .phase = view->phase, .done = done, .total = total, .value = (double)NAN};
    return view->options->on_progress == NULL ||
           view->options->on_progress(view->options->context, &progress);
}

/* Photos of the validation split, with the label of the first head. *photos is the caller's. */
static vt_status list_held_out(const finished *run, vt_split validation, vt_held_out_photo **photos,
                               size_t *count, vt_error *error)
{
    const vt_dataset *data = run->data;
    *photos = vt_alloc_array(data->count, sizeof(**photos));
    if (*photos == NULL)
        return vt_fail_memory(error, "the validation photos");
    for (size_t i = 0; i < data->count; i++) {
        const vt_example *one = &data->examples[i];
        if (one->split != validation || one->left_out || one->label == VT_NO_LABEL)
            continue;
        (*photos)[(*count)++] = (vt_held_out_photo){
            one->photo, data->labels[one->label],
            one->product != VT_NO_PRODUCT ? data->products[one->product] : NULL};
    }
    return VT_OK;
}

/* What it comes to is told in the report: the training did not fail. */
static void promote(const finished *run, vt_split validation, const char *label,
                    vt_train_report *report)
{
    const vt_train_options *options = run->options;
    report_block *block = (report_block *)report;
    promote_view view = {.options = options, .phase = "prepare"};
    vt_promote_options how = vt_promote_options_defaults();
    vt_held_out_photo *photos = NULL;
    vt_held_out held_out = {.label = label, .forget = run->shop != NULL};
    vt_shop *shop = run->shop;
    how.images_dir = options->images_dir;
    how.force = options->force;
    how.on_phase = on_promote_phase;
    how.on_progress = on_promote_progress;
    how.context = &view;
    vt_status status = list_held_out(run, validation, &photos, &held_out.count, &block->failure);
    held_out.photos = photos;
    if (status == VT_OK && shop == NULL)
        status = vt_shop_open(options->promote, VT_OPEN_READ, &shop, &block->failure);
    if (status == VT_OK)
        status =
            vt_promote_run(shop, options->out, &how, &held_out, &block->promotion, &block->failure);
    if (run->shop == NULL)
        vt_shop_close(shop);
    vt_free(photos);
    report->promotion_status = status;
    if (status == VT_OK)
        report->promotion = &block->promotion;
    else
        report->promotion_failure = block->failure.message;
}

static vt_status train(vt_shop *shop, const char *name, const vt_train_options *options,
                       vt_train_report **out, vt_error *error)
{
    vt_recipe recipe = {0};
    vt_dataset *data = NULL;
    vt_run_result result;
    report_block *report = NULL;
    vt_run_options run = {.recipe = &recipe,
                          .out = options->out,
                          .cache = options->cache,
                          .report = options->report,
                          .logdir = options->logdir,
                          .resume = options->resume,
                          .checkpoint_s = options->checkpoint_s,
                          .on_progress = on_progress,
                          .context = (void *)(uintptr_t)options}; /* only read */
    vt_split split;
    double started = vt_clock_ms();
    if (options->out == NULL || options->out[0] == '\0')
        return vt_fail(error, VT_ERR_USAGE, "train: the file to write is not named");
    vt_status status = read_recipe(shop != NULL ? name : NULL, options, &recipe, error);
    if (status == VT_OK && shop == NULL)
        status = check_shop(options, error);
    if (status == VT_OK)
        status = read_data(name, shop != NULL ? vt_path_base(name) : name, options, &recipe, &data,
                           error);
    bool other = status == VT_OK && recipe.val != NULL && !vt_split_from_name(recipe.val, &split);
    if (status == VT_OK)
        status = choose_validation(&recipe, data, other, &run.validation, error);
    run.data = data;
    if (status == VT_OK)
        status = vt_run(&run, &result, error);
    if (status == VT_OK) {
        const finished all = {&result, data, options, shop, (vt_clock_ms() - started) / 1e3};
        status = make_report(&all, &report, error);
        bool wanted = options->promote != NULL || shop != NULL;
        if (status == VT_OK && wanted)
            promote(&all, run.validation,
                    data->column_count > 0 ? data->columns[0].name : recipe.label, &report->report);
        if (status == VT_OK && wanted)
            status = print_json(report, options->out, error);
        if (status == VT_OK)
            *out = &report->report;
        else if (report != NULL)
            vt_train_report_free(&report->report);
    }
    vt_dataset_free(data);
    vt_recipe_deinit(&recipe);
    return status;
}

vt_status vt_train(const char *name, const vt_train_options *options, vt_train_report **out,
                   vt_error *error)
{
    return train(NULL, name, options, out, error);
}

vt_status vt_train_in_shop(vt_shop *shop, const vt_train_options *options, vt_train_report **out,
                           vt_error *error)
{
    return train(shop, shop->directory, options, out, error);
}

vt_status vt_train_in_shop_check(const char *directory, const vt_train_options *options,
                                 vt_error *error)
{
    vt_recipe recipe = {0};
    vt_status status = read_recipe(directory, options, &recipe, error);
    vt_recipe_deinit(&recipe);
    return status;
}
