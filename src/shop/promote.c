/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another encoder for a shop that is in use.
 *
 * Method: (1) the new model file is put beside the old one and prepared in the catalogue; (2) both
 * encoders are measured; when recall does not rise the new one is taken away again; (3) every
 * picture without a vector of it is embedded, in batches, the writer's lock being taken for the
 * moment of each write; (4) when nothing is missing the lock is kept, what came in at the last
 * moment is embedded, and one transaction switches; (5) vitrine.json follows, a graph of the new
 * vectors is built where there are enough of them, the old ones are removed a piece at a time, and
 * the old files.
 *
 * A shop that this process has open for writing is promoted through its own handle. While another
 * process has, it goes two ways: a promotion that has not begun is refused at once, as an import
 * is, because a server with --write would make it wait for ever; one that has begun waits, for then
 * it is an import that came in between.
 *
 * A crash before (4) leaves the old encoder serving and a model that is coming, which the same
 * command goes on with, or another takes away; after (4) the new one serves and what is left of the
 * old is taken away by the next one that writes. The file is named by the fingerprint of what was
 * given, so that the same is found again.
 */
#include "shop/promote.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum {
    WAIT_MS = 50,
    WAIT_SHOWN_MS = 1000,
    EMPTY_BATCH = 4096,  /* vectors removed in one transaction */
    LAST_PICTURES = 128, /* at most so many are embedded while other writers wait */
    STEM_BYTES = 100,    /* of a file's name */
    NAME_HEX = 12,       /* digits of its fingerprint */
    MODEL_FILES = 65536,
};
#define PACKED_BYTES ((size_t)(1 << 30) + (16 << 20))

vt_promote_options vt_promote_options_defaults(void)
{
    return (vt_promote_options){0};
}

/* ---- telling, and the writer ---- */

void vt_promote_phase(vt_promotion *p, const char *phase, const char *unit)
{
    p->phase = phase;
    p->unit = unit;
    p->done = p->total = 0;
    if (p->options->on_phase != NULL)
        p->options->on_phase(p->options->context, phase, unit);
}

vt_status vt_promote_tell(vt_promotion *p, uint64_t done, uint64_t total, vt_error *error)
{
    const vt_promote_options *options = p->options;
    if (p->deaf || options->on_progress == NULL ||
        options->on_progress(options->context, done, total))
        return VT_OK;
    return vt_fail(error, VT_ERR_CANCELLED,
                   "promote in shop \"%s\": stopped; the same command goes on from here",
                   p->shop->directory);
}

static vt_status refuse(vt_error *error, const vt_error *reason)
{
    return vt_fail(error, VT_ERR_BUSY,
                   "promote: %.400s; end it first, or let it serve without --write",
                   reason->message);
}

vt_status vt_promote_writer_take(vt_promotion *p, vt_error *error)
{
    if (p->shop->writing) {
        p->writer = p->shop->store;
        return VT_OK;
    }
    const char *phase = p->phase, *unit = p->unit;
    uint64_t done = p->done, total = p->total;
    double started = vt_clock_ms();
    bool shown = false;
    vt_error reason = {0};
    vt_status status;
    while ((status = vt_store_open(p->shop->directory, VT_STORE_WRITE | VT_STORE_BRIEF, &p->writer,
                                   &reason)) == VT_ERR_BUSY) {
        if (!p->begun)
            return refuse(error, &reason);
        double waited = vt_clock_ms() - started;
        if (!shown && waited > WAIT_SHOWN_MS) {
            vt_promote_phase(p, "wait for another process that writes", "seconds");
            shown = true;
        }
        status =
            vt_promote_tell(p, shown ? (uint64_t)(waited / 1000) : done, shown ? 0 : total, error);
        if (status != VT_OK)
            return status;
        const struct timespec pause = {0, WAIT_MS * 1000000L};
        nanosleep(&pause, NULL);
    }
    if (shown) {
        vt_promote_phase(p, phase, unit);
        p->done = done;
        p->total = total;
    }
    if (status != VT_OK)
        return vt_fail(error, status, "%s", reason.message);
    p->begun = true;
    return VT_OK;
}

void vt_promote_writer_give(vt_promotion *p)
{
    if (p->writer != p->shop->store)
        vt_store_close(p->writer);
    p->writer = NULL;
}

/* One promotion at a time. *fd is closed by the caller. */
static vt_status take_turn(const vt_shop *shop, int *fd, vt_error *error)
{
    char *path = vt_path_join(shop->directory, "promote.lock");
    if (path == NULL)
        return vt_fail_memory(error, "a path");
    vt_status status = VT_OK;
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (file < 0)
        status = vt_fail_errno(error, errno, "open", path);
    else if (flock(file, LOCK_EX | LOCK_NB) != 0)
        status = errno == EWOULDBLOCK
                     ? vt_fail(error, VT_ERR_BUSY,
                               "promote in shop \"%s\": another promotion is on its way",
                               shop->directory)
                     : vt_fail_errno(error, errno, "lock", path);
    vt_free(path);
    if (status == VT_OK)
        *fd = file;
    else if (file >= 0)
        close(file);
    return status;
}

/* ---- the model file ---- */

static void hex_of(const vt_encoder_info *info, char out[VT_HASH_HEX])
{
    vt_hash_hex(&info->fingerprint, out);
}

/* Name for people, and place in the shop. */
static vt_status name_model(vt_promotion *p, const vt_encoder_info *info, vt_error *error)
{
    vt_settings *to = &p->settings;
    char hex[VT_HASH_HEX];
    if (strlen(info->name) >= sizeof(to->name))
        return vt_fail(error, VT_ERR_LIMIT, "use model \"%.60s...\": its name is too long",
                       info->name);
    snprintf(to->name, sizeof(to->name), "%s", info->name);
    if (info->contract == NULL) {
        snprintf(to->source, sizeof(to->source), "%s", info->name);
        return VT_OK;
    }
    size_t stem = strlen(info->name);
    if (vt_text_ends_nocase(info->name, ".onnx"))
        stem -= strlen(".onnx");
    if (stem > STEM_BYTES)
        for (stem = STEM_BYTES; stem > 0 && ((unsigned char)info->name[stem] & 0xC0) == 0x80;)
            stem--; /* not within a character */
    hex_of(info, hex);
    snprintf(to->source, sizeof(to->source), "models/%.*s-%.*s.onnx", (int)stem, info->name,
             NAME_HEX, hex);
    return VT_OK;
}

/* Packs the file into the shop unless an earlier call did. */
static vt_status copy_model(const vt_encoder *given, const char *directory, const char *path,
                            vt_error *error)
{
    if (vt_file_exists(path))
        return VT_OK;
    vt_buf file;
    vt_buf_init(&file, PACKED_BYTES);
    char *models = vt_path_join(directory, "models");
    vt_status status = models == NULL ? vt_fail_memory(error, "a path") : VT_OK;
    if (status == VT_OK)
        status = vt_dir_make(models, error);
    if (status == VT_OK)
        status = vt_encoder_pack(given, &file, error);
    if (status == VT_OK)
        status = vt_file_replace(path, file.data, file.length, true, error);
    vt_free(models);
    vt_buf_deinit(&file);
    return status;
}

/* What a promotion that was killed left of a file that it wrote. Only one writes there at a time.
 */
static void remove_unfinished(const vt_shop *shop)
{
    vt_dir_list list;
    char *models = vt_path_join(shop->directory, "models");
    if (models != NULL && vt_dir_list_open(models, MODEL_FILES, &list, NULL) == VT_OK) {
        for (size_t i = 0; i < list.count; i++) {
            char *path = vt_text_ends_nocase(list.names[i], ".tmp")
                             ? vt_path_join(models, list.names[i])
                             : NULL;
            if (path != NULL)
                unlink(path);
            vt_free(path);
        }
        vt_dir_list_close(&list);
    }
    vt_free(models);
}

static void note_encoder(vt_promotion *p)
{
    vt_encoder_info info = vt_encoder_info_of(p->encoder);
    p->settings.dimension = info.dim;
    p->settings.fingerprint = info.fingerprint;
    if (p->settings.precision == VT_PRECISION_AUTO)
        vt_precision_note(&p->settings, p->encoder);
}

/* The encoder as the shop will have it: from its own copy, which checks the golden picture. */
static vt_status open_packed(vt_promotion *p, const vt_encoder *given, vt_error *error)
{
    char *path = vt_path_join(p->shop->directory, p->settings.source);
    vt_encoder_options how = vt_precision_options(&p->settings, p->settings.precision);
    vt_status status = path == NULL ? vt_fail_memory(error, "a path")
                                    : copy_model(given, p->shop->directory, path, error);
    if (status == VT_OK && vt_encoder_open(path, &how, &p->encoder, error) != VT_OK) {
        /* A copy that was damaged since: once more. */
        unlink(path);
        status = copy_model(given, p->shop->directory, path, error);
        if (status == VT_OK)
            status = vt_encoder_open(path, &how, &p->encoder, error);
        if (status != VT_OK)
            unlink(path);
    }
    vt_free(path);
    return status;
}

static vt_status open_model(vt_promotion *p, const char *model, vt_error *error)
{
    vt_encoder *given = NULL;
    vt_encoder_options how = vt_encoder_options_defaults();
    how.preset = p->options->preset;
    how.output = p->options->output;
    how.unit_length = true;           /* the store compares by dot product */
    how.precision = VT_PRECISION_F32; /* of the golden vector */
    p->settings = (vt_settings){.precision = p->shop->settings.precision};
    p->settings.verdict.similarity = (double)NAN;
    vt_status status = VT_OK;
    if (p->options->precision != NULL)
        status = vt_precision_of(p->options->precision, &p->settings.precision, error);
    if (status == VT_OK)
        status = vt_encoder_open(model, &how, &given, error);
    if (status != VT_OK)
        return status;
    vt_encoder_info info = vt_encoder_info_of(given);
    status = name_model(p, &info, error);
    if (status == VT_OK && info.contract == NULL) {
        p->encoder = given;
        given = NULL;
    } else if (status == VT_OK) {
        status = open_packed(p, given, error);
    }
    vt_encoder_free(given);
    if (status == VT_OK)
        note_encoder(p);
    return status;
}

/* ---- what is left behind ---- */

typedef struct stale_list {
    uint32_t keys[64];
    char sources[64][256];
    size_t count;
    const vt_promotion *p;
    bool coming; /* those too whose promotion was given up */
} stale_list;

static vt_status note_stale(void *context, const vt_store_model *model, vt_error *error)
{
    stale_list *list = context;
    bool stale = model->state == VT_MODEL_GOING ||
                 (list->coming && model->state == VT_MODEL_COMING && model->key != list->p->to);
    (void)error;
    if (!stale || list->count == sizeof(list->keys) / sizeof(list->keys[0]))
        return VT_OK;
    const char *source = model->source;
    if (source == NULL || strncmp(source, "models/", 7) != 0 ||
        strlen(source) >= sizeof(list->sources[0]))
        source = "";
    snprintf(list->sources[list->count], sizeof(list->sources[0]), "%s", source);
    list->keys[list->count++] = model->key;
    return VT_OK;
}

/* The file first: the model is forgotten with its last vector. */
static vt_status remove_model(vt_promotion *p, uint32_t key, const char *source, vt_error *error)
{
    uint32_t after = 0;
    vt_status status = VT_OK;
    char *path = source[0] != '\0' ? vt_path_join(p->shop->directory, source) : NULL;
    if (path != NULL && strcmp(source, p->shop->settings.source) != 0)
        unlink(path);
    vt_free(path);
    while (status == VT_OK && after != UINT32_MAX) {
        bool held = p->writer != NULL;
        status = held ? VT_OK : vt_promote_writer_take(p, error);
        if (status == VT_OK)
            status = vt_store_model_empty(p->writer, key, EMPTY_BATCH, &after, error);
        if (!held)
            vt_promote_writer_give(p);
        if (status == VT_OK)
            status = vt_promote_tell(p, ++p->done, 0, error);
    }
    return status;
}

static vt_status remove_stale(vt_promotion *p, bool coming, vt_error *error)
{
    stale_list list = {.p = p, .coming = coming};
    vt_status status = vt_store_each_model(p->shop->store, note_stale, &list, error);
    for (size_t i = 0; status == VT_OK && i < list.count; i++)
        status = remove_model(p, list.keys[i], list.sources[i], error);
    return status;
}

vt_status vt_promote_clean(vt_shop *shop, vt_error *error)
{
    const vt_promote_options options = vt_promote_options_defaults();
    vt_promotion p = {.shop = shop, .options = &options};
    return remove_stale(&p, false, error);
}

/* ---- the switch ---- */

static vt_status count_unfound(void *context, const char *product_id, vt_error *error)
{
    vt_error *first = context;
    (void)error;
    if (first->message[0] == '\0')
        snprintf(first->message, sizeof(first->message), "%.80s", product_id);
    first->status++;
    return VT_OK;
}

/* Whether every product would still be found. */
static vt_status check_found(vt_promotion *p, vt_error *error)
{
    vt_error first = {0}; /* the id of the first, and how many */
    vt_status status = vt_store_unfound(p->shop->store, p->to, count_unfound, &first, error);
    if (status != VT_OK || first.status == 0 || p->options->force)
        return status;
    return vt_fail(error, VT_ERR_MISMATCH,
                   "promote in shop \"%s\": %d products, the first \"%s\", would not be found any "
                   "more, no picture of them could be embedded: %.200s",
                   p->shop->directory, (int)first.status, first.message, p->report->first_failure);
}

/* With the writer taken and nothing missing. */
static vt_status switch_over(vt_promotion *p, vt_error *error)
{
    const vt_store_model from = {.key = p->from, .source = p->shop->settings.source};
    vt_status status = check_found(p, error);
    vt_promote_phase(p, "switch", "steps");
    if (status == VT_OK)
        status = vt_promote_tell(p, 0, 2, error);
    if (status == VT_OK)
        status = vt_store_model_switch(p->writer, &from, p->to, error);
    if (status != VT_OK)
        return status;
    p->report->switched = true;
    /* From here on there is no way back; a wish to stop is heard while cleaning. */
    vt_promote_tell(p, 1, 2, NULL);
    status = vt_settings_write(p->shop->directory, &p->settings, error);
    vt_promote_tell(p, 2, 2, NULL);
    return status;
}

/* Until nothing is missing while nobody else can write. */
static vt_status fill_and_switch(vt_promotion *p, vt_error *error)
{
    bool left = true, done = false;
    vt_store_stats stats = {0};
    vt_status status = vt_store_stats_of(p->shop->store, p->to, &stats, error);
    vt_promote_phase(p, "embed", "pictures");
    p->done = stats.vectors;
    p->total = stats.pictures;
    while (status == VT_OK && !done) {
        status = vt_promote_fill(p, SIZE_MAX, &left, error);
        if (status != VT_OK)
            return status;
        pthread_mutex_lock(&p->shop->writing_turn);
        status = vt_promote_writer_take(p, error);
        if (status == VT_OK)
            status = vt_promote_fill(p, LAST_PICTURES, &left, error);
        done = status == VT_OK && !left;
        if (done)
            status = switch_over(p, error);
        vt_promote_writer_give(p);
        pthread_mutex_unlock(&p->shop->writing_turn);
    }
    return status;
}

/* ---- the order of things ---- */

static vt_status prepare(vt_promotion *p, vt_error *error)
{
    const vt_store_model wanted = {.fingerprint = p->settings.fingerprint,
                                   .name = p->settings.name,
                                   .source = p->settings.source,
                                   .dim = p->settings.dimension};
    vt_store_stats stats = {0};
    vt_promote_phase(p, "prepare", "steps");
    if (memcmp(&wanted.fingerprint, &p->shop->settings.fingerprint, sizeof(vt_hash)) == 0) {
        /* Perhaps since a promotion that was cut off while it cleaned. */
        vt_status cleaned = remove_stale(p, false, error);
        return cleaned != VT_OK
                   ? cleaned
                   : vt_fail(error, VT_ERR_EXISTS,
                             "promote \"%s\" in shop \"%s\": it is the shop's encoder already",
                             p->settings.name, p->shop->directory);
    }
    vt_status status = vt_promote_writer_take(p, error);
    if (status == VT_OK)
        status = vt_store_model_prepare(p->writer, &wanted, &p->to, error);
    vt_promote_writer_give(p);
    if (status == VT_OK)
        status = remove_stale(p, true, error);
    if (status == VT_OK)
        status = vt_store_stats_of(p->shop->store, p->to, &stats, error);
    p->report->resumed = stats.vectors;
    return status;
}

static vt_status open_workers(vt_promotion *p, vt_error *error)
{
    vt_batcher_options options = vt_batcher_options_defaults();
    options.bulk = true;
    vt_status status = vt_batcher_new(p->encoder, &options, &p->batcher, error);
    if (status == VT_OK)
        status = vt_pool_new(vt_core_count() * 2, &p->pool, error);
    return status == VT_OK ? vt_idset_new(&p->failed, error) : status;
}

/* Measures, and says in the report whether to go on. */
static vt_status decide(vt_promotion *p, vt_error *error)
{
    vt_promote_report *report = p->report;
    vt_store_stats stats = {0};
    vt_status status = vt_store_stats_of(p->shop->store, p->to, &stats, error);
    if (status != VT_OK || stats.products == 0)
        return status; /* nothing can be found worse than before */
    vt_error reason = {0};
    status = vt_promote_measure(p, &reason);
    bool of_measuring = status != VT_OK && status != VT_ERR_CANCELLED &&
                        status != VT_ERR_NO_MEMORY && status != VT_ERR_IO;
    if (of_measuring && p->options->force) {
        vt_log(VT_LOG_WARN, "not measured: %s", reason.message);
        return VT_OK;
    }
    if (status != VT_OK)
        return vt_fail(error, status, "%s", reason.message);
    if (report->recall_after[0] > report->recall_before[0] || p->options->force)
        return VT_OK;
    snprintf(report->refused, sizeof(report->refused),
             "recall at 1 does not rise: %.4f with \"%.60s\", %.4f with \"%.60s\"",
             report->recall_before[0], report->before, report->recall_after[0], report->after);
    return VT_OK;
}

/* The new model and what was made for it. */
static vt_status take_back(vt_promotion *p, vt_error *error)
{
    vt_promote_phase(p, "clean", "steps");
    return remove_model(
        p, p->to, vt_text_equal(p->settings.source, "classic") ? "" : p->settings.source, error);
}

/* What ended early, where nobody will go on with it. */
static void forget(vt_promotion *p)
{
    vt_error error;
    if (p->held_out == NULL || !p->held_out->forget || p->to == 0 || p->report->switched)
        return;
    p->deaf = true;
    if (take_back(p, &error) != VT_OK)
        vt_log(VT_LOG_WARN, "%s; the next promotion takes it away", error.message);
}

/* Inside vt_shop_enter. */
static vt_status run_inside(vt_promotion *p, const char *model, vt_error *error)
{
    vt_promote_report *report = p->report;
    const vt_settings *old = &p->shop->settings;
    snprintf(report->before, sizeof(report->before), "%s", old->name);
    report->dimension_before = old->dimension;
    p->from = p->shop->model;
    /* Whether it may be written at all: before anything is. */
    vt_status status = vt_promote_writer_take(p, error);
    vt_promote_writer_give(p);
    if (status == VT_OK)
        status = open_model(p, model, error);
    if (status == VT_OK) {
        snprintf(report->after, sizeof(report->after), "%s", p->settings.name);
        report->dimension_after = p->settings.dimension;
        status = prepare(p, error);
    }
    if (status == VT_OK)
        status = open_workers(p, error);
    if (status == VT_OK)
        status = decide(p, error);
    if (status == VT_OK && report->refused[0] != '\0')
        return take_back(p, error);
    if (status == VT_OK)
        status = fill_and_switch(p, error);
    if (status != VT_OK)
        forget(p);
    return status;
}

static void close_promotion(vt_promotion *p)
{
    vt_idset_free(p->failed);
    vt_pool_free(p->pool);
    vt_batcher_free(p->batcher);
    vt_encoder_free(p->encoder);
}

static bool report_index(void *context, uint64_t done, uint64_t total)
{
    return vt_promote_tell(context, done, total, NULL) == VT_OK;
}

/* So that the next search finds an index. The shop has been switched: what fails here is only said.
 * Inside vt_shop_enter. */
static void refresh_index(vt_promotion *p)
{
    vt_shop *shop = p->shop;
    vt_error error;
    const vt_store_index_options how = {.pool = p->pool, .on_progress = report_index, .context = p};
    vt_promote_phase(p, "index", "pictures");
    vt_status status = vt_store_index_refresh(shop->store, shop->model, &how, &error);
    if (status != VT_OK && status != VT_ERR_CANCELLED)
        vt_log(VT_LOG_WARN, "%s; the next search scans", error.message);
}

static vt_status run(vt_promotion *p, const char *model, vt_error *error)
{
    vt_status status = vt_shop_enter(p->shop, NULL, error);
    if (status != VT_OK)
        return status;
    status = run_inside(p, model, error);
    vt_shop_leave(p->shop);
    if (status != VT_OK || !p->report->switched)
        return status;
    /* Lets go of the old encoder here, too. */
    status = vt_shop_enter(p->shop, NULL, error);
    if (status != VT_OK)
        return status;
    refresh_index(p);
    vt_promote_phase(p, "clean", "steps");
    status = remove_stale(p, false, error);
    vt_shop_leave(p->shop);
    return status;
}

vt_status vt_promote_run(vt_shop *shop, const char *model, const vt_promote_options *options,
                         const vt_held_out *held_out, vt_promote_report *report, vt_error *error)
{
    vt_promotion p = {.shop = shop, .options = options, .held_out = held_out, .report = report};
    double started = vt_clock_ms();
    int turn = -1;
    *report = (vt_promote_report){0};
    for (size_t i = 0; i < VT_PROMOTE_RANKS; i++)
        report->recall_before[i] = report->recall_after[i] = (double)NAN;
    vt_status status = take_turn(shop, &turn, error);
    if (status == VT_OK) {
        remove_unfinished(shop);
        status = run(&p, model, error);
    }
    close_promotion(&p);
    if (turn >= 0)
        close(turn);
    report->took_s = (vt_clock_ms() - started) / 1000.0;
    return status;
}

vt_status vt_shop_promote(vt_shop *shop, const char *model, const vt_promote_options *options,
                          vt_promote_report *report, vt_error *error)
{
    return vt_promote_run(shop, model, options, NULL, report, error);
}
