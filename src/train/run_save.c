/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints of a run: everything that the next step depends on. Doubles are written so that they
 * read back the same; counts stay far below 2^53.
 */
#include "train/run_state.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "train/checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { STATE_BYTES = 64 << 20, STATE_DEPTH = 8, KINDS = 6 };

/* ---- arrays ---- */

typedef struct array_list {
    vt_checkpoint_array *items;
    size_t count;
    vt_arena names;
    bool failed;
} array_list;

static void list_add(array_list *list, const char *prefix, const char *name, float *value,
                     size_t count)
{
    const char *full = vt_arena_printf(&list->names, "%s/%s", prefix, name);
    list->failed = list->failed || full == NULL;
    list->items[list->count++] = (vt_checkpoint_array){full, value, count};
}

static vt_status list_arrays(vt_run_state *run, bool best, array_list *list, vt_error *error)
{
    size_t values = run->parameter_count + run->state_count;
    *list = (array_list){.items = vt_calloc(values * KINDS + 1, sizeof(*list->items))};
    vt_arena_init(&list->names, STATE_BYTES);
    for (size_t i = 0; list->items != NULL && i < values; i++) {
        const char *name = vt_run_value_name(run, i);
        size_t count = vt_run_value_length(run, i);
        bool state = i >= run->parameter_count;
        vt_parameter own = state ? vt_training_state(run->training, i - run->parameter_count)
                                 : vt_training_parameter(run->training, i);
        list_add(list, state ? "state" : "weight", name, own.value, count);
        for (size_t s = 0; !state && s < vt_optimizer_slots(run->optimizer); s++)
            list_add(list, s == 0 ? "slot0" : "slot1", name,
                     vt_optimizer_slot(run->optimizer, i, s), count);
        if (run->ema != NULL)
            list_add(list, "average", name, vt_ema_value(run->ema, i), count);
        if (best)
            list_add(list, "best", name, run->best.values[i], count);
    }
    return list->items == NULL || list->failed ? vt_fail_memory(error, "a checkpoint") : VT_OK;
}

static void list_deinit(array_list *list)
{
    vt_free(list->items);
    vt_arena_deinit(&list->names);
}

/* ---- the text ---- */

/* heads: how many have measures of their own. */
static void put_epoch(vt_json_writer *writer, const vt_run_epoch *epoch, size_t heads)
{
    const double values[] = {epoch->epoch, epoch->steps, epoch->loss,
                             epoch->rate,  epoch->norm,  epoch->seconds};
    vt_json_open_array(writer, NULL);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        vt_json_put_number(writer, NULL, values[i], -1);
    for (int i = 0; i < VT_MEASURES; i++)
        vt_json_put_number(writer, NULL, epoch->measures[i], -1);
    for (size_t h = 0; h < heads; h++)
        for (int i = 0; i < VT_MEASURES; i++)
            vt_json_put_number(writer, NULL, epoch->heads[h][i], -1);
    vt_json_close(writer);
}

static void put_recipe(const vt_run_state *run, vt_json_writer *writer)
{
    vt_json_open_object(writer, "recipe");
    vt_recipe_print(run->recipe, writer);
    vt_json_close(writer);
}

static bool put_state(const vt_run_state *run, vt_buf *text)
{
    vt_json_writer writer;
    char hash[VT_HASH_HEX];
    vt_hash_hex(&run->data_hash, hash);
    vt_json_begin(&writer, text, true);
    vt_json_open_object(&writer, NULL);
    put_recipe(run, &writer);
    vt_json_put_text(&writer, "data", hash);
    vt_json_put_int(&writer, "epoch", (int64_t)run->epoch);
    vt_json_put_int(&writer, "batch", (int64_t)run->batch);
    vt_json_put_int(&writer, "steps", (int64_t)run->steps);
    vt_json_put_int(&writer, "updates", (int64_t)vt_optimizer_steps(run->optimizer));
    vt_json_put_int(&writer, "averaged", run->ema != NULL ? (int64_t)vt_ema_steps(run->ema) : 0);
    vt_json_put_number(&writer, "loss_sum", run->loss_sum, -1);
    vt_json_put_number(&writer, "norm_sum", run->norm_sum, -1);
    vt_json_put_number(&writer, "smooth_loss", run->smooth_loss, -1);
    vt_json_put_bool(&writer, "plateau_any", run->plateau.any);
    vt_json_put_number(&writer, "plateau_best", run->plateau.best, -1);
    vt_json_put_number(&writer, "plateau_drops", run->plateau.drops, -1);
    vt_json_put_int(&writer, "plateau_waited", (int64_t)run->plateau.waited);
    vt_json_put_int(&writer, "plateau_patience", (int64_t)run->plateau.patience);
    vt_json_put_int(&writer, "best_epoch", (int64_t)run->best_epoch);
    vt_json_put_bool(&writer, "stopped_early", run->stopped_early);
    vt_json_put_int(&writer, "log_bytes", (int64_t)run->lines_bytes);
    vt_json_open_array(&writer, "epochs");
    for (size_t i = 0; i < run->epoch; i++)
        put_epoch(&writer, &run->epochs[i], run->heads.named ? run->heads.count : 0);
    vt_json_close(&writer);
    vt_json_close(&writer);
    return !text->failed;
}

vt_status vt_run_save(vt_run_state *run, vt_error *error)
{
    vt_buf text;
    array_list list;
    vt_buf_init(&text, STATE_BYTES);
    if (run->lines != NULL)
        fflush(run->lines);
    vt_status status = list_arrays(run, run->best_epoch > 0, &list, error);
    if (status == VT_OK && !put_state(run, &text))
        status = vt_fail_memory(error, "a checkpoint");
    if (status == VT_OK)
        status =
            vt_checkpoint_write(run->checkpoint_path, text.data, list.items, list.count, error);
    list_deinit(&list);
    vt_buf_deinit(&text);
    run->saved_ms = vt_clock_ms();
    return status;
}

/* ---- going on ---- */

static uint64_t count_of(const vt_json *json, const char *member)
{
    double value = vt_json_number(vt_json_get(json, member), 0);
    return value >= 0 && value < 9007199254740992.0 ? (uint64_t)value : 0;
}

static double number_of(const vt_json *json, const char *member)
{
    return vt_json_number(vt_json_get(json, member), 0);
}

/* Member by member, as it was printed. */
static bool same_members(const vt_json *a, const vt_json *b)
{
    bool same = vt_json_count(a) == vt_json_count(b);
    for (size_t i = 0; same && i < vt_json_count(a); i++) {
        const vt_json *one;
        const char *key = vt_json_key_at(a, i, &one);
        const vt_json *other = vt_json_get(b, key);
        same = vt_json_kind_of(one) == vt_json_kind_of(other) &&
               vt_text_equal(vt_json_text(one, NULL), vt_json_text(other, NULL)) &&
               vt_json_number(one, 0) == vt_json_number(other, 0) &&
               vt_json_bool(one, false) == vt_json_bool(other, false);
    }
    return same;
}

static bool same_recipe(const vt_run_state *run, const vt_json *json)
{
    vt_buf text;
    vt_json_writer writer;
    vt_json *mine = NULL;
    vt_buf_init(&text, STATE_BYTES);
    vt_json_begin(&writer, &text, false);
    vt_json_open_object(&writer, NULL);
    vt_recipe_print(run->recipe, &writer);
    vt_json_close(&writer);
    bool same = !text.failed &&
                vt_json_parse(text.data, text.length, STATE_DEPTH, &mine, NULL) == VT_OK &&
                same_members(mine, vt_json_get(json, "recipe"));
    vt_json_free(mine);
    vt_buf_deinit(&text);
    return same;
}

static vt_status get_epochs(vt_run_state *run, const vt_json *list, vt_error *error)
{
    size_t count = vt_json_count(list);
    void *epochs = run->epochs;
    bool room = vt_grow(&epochs, &run->epoch_capacity, count + 1, sizeof(*run->epochs), 1 << 20);
    run->epochs = epochs;
    if (!room)
        return vt_fail_memory(error, "a checkpoint");
    for (size_t i = 0; i < count; i++) {
        const vt_json *row = vt_json_at(list, i);
        vt_run_epoch *one = &run->epochs[i];
        double *const values[] = {&one->epoch, &one->steps, &one->loss,
                                  &one->rate,  &one->norm,  &one->seconds};
        size_t at = 0;
        for (; at < sizeof(values) / sizeof(values[0]); at++)
            *values[at] = vt_json_number(vt_json_at(row, at), NAN);
        for (int m = 0; m < VT_MEASURES; m++)
            one->measures[m] = vt_json_number(vt_json_at(row, at++), NAN);
        for (size_t h = 0; run->heads.named && h < run->heads.count; h++)
            for (int m = 0; m < VT_MEASURES; m++)
                one->heads[h][m] = vt_json_number(vt_json_at(row, at++), NAN);
    }
    return VT_OK;
}

static vt_status get_state(vt_run_state *run, const vt_json *json, vt_error *error)
{
    char hash[VT_HASH_HEX];
    vt_hash_hex(&run->data_hash, hash);
    if (!same_recipe(run, json))
        return vt_fail(error, VT_ERR_MISMATCH,
                       "resume from \"%s\": it is of another recipe; run it with the same options",
                       run->checkpoint_path);
    if (!vt_text_equal(vt_json_text(vt_json_get(json, "data"), ""), hash))
        return vt_fail(error, VT_ERR_MISMATCH,
                       "resume from \"%s\": the photos, labels or splits have changed since",
                       run->checkpoint_path);
    run->epoch = count_of(json, "epoch");
    run->batch = count_of(json, "batch");
    run->steps = count_of(json, "steps");
    run->loss_sum = number_of(json, "loss_sum");
    run->norm_sum = number_of(json, "norm_sum");
    run->smooth_loss = number_of(json, "smooth_loss");
    run->plateau = (vt_plateau){.any = vt_json_bool(vt_json_get(json, "plateau_any"), false),
                                .best = number_of(json, "plateau_best"),
                                .drops = number_of(json, "plateau_drops"),
                                .waited = count_of(json, "plateau_waited"),
                                .patience = count_of(json, "plateau_patience")};
    run->best_epoch = count_of(json, "best_epoch");
    run->stopped_early = vt_json_bool(vt_json_get(json, "stopped_early"), false);
    run->lines_bytes = count_of(json, "log_bytes");
    vt_optimizer_set_steps(run->optimizer, count_of(json, "updates"));
    if (run->ema != NULL)
        vt_ema_set_steps(run->ema, count_of(json, "averaged"));
    vt_status status = get_epochs(run, vt_json_get(json, "epochs"), error);
    if (status == VT_OK && vt_json_count(vt_json_get(json, "epochs")) != run->epoch)
        status = vt_fail(error, VT_ERR_CORRUPT, "read checkpoint \"%s\": epochs are missing",
                         run->checkpoint_path);
    return status;
}

static vt_status parse_state(const vt_checkpoint *checkpoint, vt_json **out, vt_error *error)
{
    size_t length;
    const char *text = vt_checkpoint_json(checkpoint, &length);
    return vt_json_parse(text, length, STATE_DEPTH, out, error);
}

vt_status vt_run_restore(vt_run_state *run, bool *found, vt_error *error)
{
    vt_checkpoint *checkpoint = NULL;
    vt_json *json = NULL;
    array_list list = {0};
    *found = vt_file_exists(run->checkpoint_path);
    if (!*found)
        return VT_OK;
    vt_status status = vt_checkpoint_open(run->checkpoint_path, &checkpoint, error);
    if (status == VT_OK)
        status = parse_state(checkpoint, &json, error);
    if (status == VT_OK)
        status = get_state(run, json, error);
    if (status == VT_OK && run->best_epoch > 0)
        status = vt_run_weights_copy(run, &run->best, error);
    if (status == VT_OK)
        status = list_arrays(run, run->best_epoch > 0, &list, error);
    for (size_t i = 0; status == VT_OK && i < list.count; i++)
        status = vt_checkpoint_read(checkpoint, &list.items[i], error);
    list_deinit(&list);
    vt_json_free(json);
    vt_checkpoint_close(checkpoint);
    return status;
}

bool vt_run_is_unfinished(const vt_run_state *run)
{
    vt_checkpoint *checkpoint = NULL;
    vt_json *json = NULL;
    bool unfinished = false;
    if (vt_checkpoint_open(run->checkpoint_path, &checkpoint, NULL) == VT_OK &&
        parse_state(checkpoint, &json, NULL) == VT_OK)
        unfinished = number_of(json, "epoch") < number_of(vt_json_get(json, "recipe"), "epochs") &&
                     !vt_json_bool(vt_json_get(json, "stopped_early"), false);
    vt_json_free(json);
    vt_checkpoint_close(checkpoint);
    return unfinished;
}
