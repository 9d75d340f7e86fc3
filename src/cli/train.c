/* SPDX-License-Identifier: Apache-2.0 */
/* vitrine train */
#include "cli/cli.h"

#include "base/status.h"

#include <math.h>
#include <string.h>

/* Options that are keys of the recipe under their own name. */
enum { KEYS = 29 };
static const struct key_option {
    const char *key, *name, *value, *help;
} key_options[KEYS] = {
    {"arch", "arch", "NAME", "architecture to train from random weights (resnet9, resnet18 ...)"},
    {"from", "from", "MODEL.onnx", "network to go on from, or vitrine-s"},
    {"preset", "preset", "P", "its colours, if it does not say: imagenet, caffe ..."},
    {"size", "size", "PX", "side of the network's input (default: as --from takes, else 128)"},
    {"dim", "dim", "D", "dimension of the embedding head (default: none with loss ce, else 128)"},
    {"loss", "loss", "L[:HEAD][=WEIGHT],...", "ce, triplet, arcface ... (default ce)"},
    {"teacher", "teacher", "MODEL.onnx", "network that losses kd, kd-cosine and kd-mse learn from"},
    {"epochs", "epochs", "E", "passes over the photos (default 30)"},
    {"batch", "batch", "B", "photos per step (default 64)"},
    {"accumulate", "accumulate", "N", "batches per update (default 1)"},
    {"lr", "lr", "RATE", "learning rate (default 0.05)"},
    {"optimizer", "optimizer", "O[:KEY=V,...]", "sgd, adam, adamw, rmsprop (default sgd)"},
    {"schedule", "schedule", "S[:KEY=V,...]",
     "constant, step, cosine, onecycle, cyclic, plateau (default cosine:warmup=1)"},
    {"ema", "ema", "DECAY", "moving average of the weights, 0.999 (default 0: none)"},
    {"augment", "augment", "A[,KEY=V...]",
     "none, light, standard, strong, trivial and single changes (default standard)"},
    {"sampler", "sampler", "S", "shuffled, balanced, classes:K (default shuffled)"},
    {"val", "val", "SPLIT|DATA", "what to measure on (default: split val, else a tenth of train)"},
    {"split", "split", "photo|product", "what is held out whole (default photo)"},
    {"val_share", "val-share", "SHARE", "share of train to hold out (default 0.1)"},
    {"measure", "measure", "NAME",
     "accuracy, top5, f1, recall@1, recall@5, recall@10, loss; HEAD.accuracy ..."},
    {"early_stop", "early-stop", "N",
     "stop after N epochs without a better measure, keep the best"},
    {"precision", "precision", "f32|bf16", "what the network computes in (default f32)"},
    {"layer_rate", "layer-rate", "FACTOR", "each stage learns slower than the next by this"},
    {"bias_rate", "bias-rate", "FACTOR", "biases of normalisations learn faster by this"},
    {"imprint", "imprint", "SCALE",
     "new classifiers begin as the mean of each class's photos, times this (16)"},
    {"freeze", "freeze", "WHAT",
     "all-but-classes, all-but-head, all-but-norms, all-but-biases, stages=N"},
    {"lora", "lora", "RANK", "train low-rank adapters instead, merged at the end"},
    {"seed", "seed", "S", "of everything that is random (default 1)"},
    {"threads", "threads", "N", "cores to use (default: all)"},
};

static void name_phase(vt_cli_phase_bar *shown, const vt_train_progress *now)
{
    char *title = shown->title;
    int length = snprintf(title, sizeof(shown->title), "%s", now->phase);
    if (strcmp(now->phase, "train") != 0)
        return;
    length += snprintf(title + length, sizeof(shown->title) - (size_t)length,
                       " epoch %d/%d, loss %.4f", now->epoch, now->epochs, now->loss);
    if (isnan(now->value) || length < 0 || length >= (int)sizeof(shown->title))
        return;
    length += snprintf(title + length, sizeof(shown->title) - (size_t)length, ", %s %.4f",
                       now->measure, now->value);
    /* As many heads as there is room for. */
    for (size_t h = 0; h < now->head_count; h++) {
        char part[64];
        int more = isnan(now->head_values[h]) ? 0
                                              : snprintf(part, sizeof(part), ", %.24s %.3f",
                                                         now->heads[h], now->head_values[h]);
        if (length + more >= (int)sizeof(shown->title))
            break;
        memcpy(title + length, more > 0 ? part : "", (size_t)more + 1);
        length += more;
    }
}

static bool on_progress(void *context, const vt_train_progress *now)
{
    vt_cli_phase_bar *shown = context;
    name_phase(shown, now);
    return vt_cli_phase_update(shown, now->phase, now->done, now->total);
}

static void print_head(const vt_train_report *report, const vt_train_head *head)
{
    printf("head ");
    vt_cli_print(stdout, head->name);
    printf(": %zu labels%s, %zu photos, %zu to measure on\n", head->labels,
           head->several ? ", several a photo" : "", head->trained, head->validated);
    for (size_t i = 0; i < VT_TRAIN_MEASURES; i++)
        if (!isnan(head->values[i]))
            printf("  %-10s %.4f\n", report->measures[i], head->values[i]);
}

static void print_text(const vt_train_report *report, const char *out, const char *shop)
{
    if (report->head_count > 0)
        printf("%zu photos with %zu heads, %zu to measure on", report->trained, report->head_count,
               report->validated);
    else
        printf("%zu photos of %zu labels, %zu to measure on", report->trained, report->labels,
               report->validated);
    if (report->left_out > 0)
        printf(", %zu left out", report->left_out);
    printf("; %zu parameters\n", report->parameters);
    if (report->memory_bytes > 0)
        printf("planned memory of a step: %.0f MB, %.0f MB of them activations\n",
               (double)report->memory_bytes / 1e6, (double)report->activation_bytes / 1e6);
    printf("%d epochs in %.0f s%s%s, loss %.4f\n", report->epochs, report->took_s,
           report->resumed ? " (resumed)" : "",
           report->stopped_early ? " (no better measure, stopped)" : "", report->loss);
    for (size_t i = 0; i < VT_TRAIN_MEASURES; i++)
        if (!isnan(report->values[i]))
            printf("  %-10s %.4f%s\n", report->measures[i], report->values[i],
                   report->head_count > 0 ? " (mean of the heads)" : "");
    for (size_t h = 0; h < report->head_count; h++)
        print_head(report, &report->heads[h]);
    printf("written: ");
    vt_cli_print(stdout, out);
    printf(" (weights of epoch %d)\n", report->best_epoch);
    if (report->promotion != NULL)
        vt_cli_print_promotion(report->promotion, shop);
    if (shop != NULL)
        return;
    printf("next: vitrine init my.shop --model ");
    vt_cli_print(stdout, out);
    putchar('\n');
}

static int run(const char *data, vt_train_options *how, bool json)
{
    vt_error error = {0};
    vt_train_report *report = NULL;
    vt_cli_phase_bar shown = {.unit = "photos"};
    how->on_progress = on_progress;
    how->context = &shown;
    vt_status status = vt_train(data, how, &report, &error);
    vt_cli_phase_finish(&shown);
    if (status != VT_OK)
        return vt_cli_fail("train", json, status, &error);
    int code = 0;
    if (json)
        printf("%s\n", report->json);
    else
        print_text(report, how->out, how->promote);
    if (report->promotion != NULL)
        code = vt_cli_end_promotion("train", report->promotion);
    if (report->promotion_failure != NULL) {
        vt_fail(&error, report->promotion_status, "%s", report->promotion_failure);
        vt_cli_complain("train", error.status, &error);
        code = vt_status_exit_code(error.status);
    }
    vt_train_report_free(report);
    return code;
}

/* "--set key=value" becomes a setting; false: there is no "=". */
static bool add_settings(const vt_cli_list *list, vt_train_setting *settings, size_t *count,
                         char (*keys)[64])
{
    for (size_t i = 0; i < list->count; i++) {
        const char *sign = strchr(list->items[i], '=');
        if (sign == NULL || (size_t)(sign - list->items[i]) >= sizeof(keys[0]))
            return false;
        memcpy(keys[i], list->items[i], (size_t)(sign - list->items[i]));
        keys[i][sign - list->items[i]] = '\0';
        settings[(*count)++] = (vt_train_setting){keys[i], sign + 1};
    }
    return true;
}

enum { OWN_OPTIONS = 13, FLAGS = 3, LABEL_BYTES = 4096 };
typedef struct given {
    const char *values[KEYS];
    vt_cli_list set, label;
    char labels[LABEL_BYTES]; /* all of them, as the recipe has them: between commas */
    bool small_input, whiten, recompute, json;
} given;

static size_t list_options(vt_train_options *how, given *all, vt_cli_option *options)
{
    const vt_cli_option own[OWN_OPTIONS] = {
        VT_CLI_TEXT_OPTION("out", "MODEL.onnx", &how->out, "file to write; needed"),
        VT_CLI_TEXT_OPTION("recipe", "FILE.json", &how->recipe,
                           "values of these options under the same names; options override it"),
        VT_CLI_LIST_OPTION("label", "NAME", &all->label,
                           "column of a manifest, or category, product, attribute of a shop; "
                           "several: a head for each"),
        VT_CLI_LIST_OPTION("set", "KEY=VALUE", &all->set, "any other key of the recipe"),
        VT_CLI_TEXT_OPTION("images", "DIR", &how->images_dir,
                           "where photos of a manifest or shop lie"),
        VT_CLI_TEXT_OPTION("cache", "FILE", &how->cache,
                           "decoded photos (default: MODEL.onnx.pictures)"),
        VT_CLI_TEXT_OPTION("report", "FILE.html", &how->report,
                           "write a report with curves, confusions and hard examples"),
        VT_CLI_TEXT_OPTION("logdir", "DIR", &how->logdir,
                           "write log.jsonl and TensorBoard events there"),
        {"checkpoint", "SECONDS", VT_CLI_NUMBER, &how->checkpoint_s,
         "between checkpoints within an epoch (default 60)", 0, 1e6},
        VT_CLI_FLAG_OPTION("resume", &how->resume, "go on from MODEL.onnx.checkpoint"),
        VT_CLI_TEXT_OPTION("promote", "SHOP", &how->promote,
                           "give it to this shop if recall on the validation photos rises there"),
        VT_CLI_FLAG_OPTION("force", &how->force, "promote also when it does not rise"),
        VT_CLI_FLAG_OPTION("json", &all->json, "print one JSON document"),
    };
    size_t count = 0;
    options[count++] = own[0];
    for (size_t i = 0; i < KEYS; i++)
        options[count++] = (vt_cli_option){key_options[i].name,
                                           key_options[i].value,
                                           VT_CLI_TEXT,
                                           &all->values[i],
                                           key_options[i].help,
                                           0,
                                           0};
    options[count++] = (vt_cli_option)VT_CLI_FLAG_OPTION(
        "small-input", &all->small_input, "keep the resolution at the stem, for 32 to 64 px");
    options[count++] = (vt_cli_option)VT_CLI_FLAG_OPTION(
        "whiten", &all->whiten, "the first convolution whitens patches, and is not trained");
    options[count++] = (vt_cli_option)VT_CLI_FLAG_OPTION(
        "recompute", &all->recompute, "less memory for more time: make activations again");
    for (size_t i = 1; i < OWN_OPTIONS; i++)
        options[count++] = own[i];
    return count;
}

static bool join_labels(given *all)
{
    size_t length = 0;
    for (size_t i = 0; i < all->label.count; i++) {
        int more = snprintf(all->labels + length, sizeof(all->labels) - length, "%s%s",
                            i > 0 ? "," : "", all->label.items[i]);
        if (more < 0 || length + (size_t)more >= sizeof(all->labels))
            return false;
        length += (size_t)more;
    }
    return true;
}

/* What was given becomes settings, in the order of their weight. */
static vt_status gather(given *all, vt_train_setting *settings, size_t *count, char (*keys)[64],
                        vt_error *error)
{
    for (size_t i = 0; i < KEYS; i++)
        if (all->values[i] != NULL)
            settings[(*count)++] = (vt_train_setting){key_options[i].key, all->values[i]};
    if (!join_labels(all))
        return vt_fail(error, VT_ERR_USAGE, "--label: more than %d bytes of names", LABEL_BYTES);
    if (all->label.count > 0)
        settings[(*count)++] = (vt_train_setting){"label", all->labels};
    if (all->small_input)
        settings[(*count)++] = (vt_train_setting){"small_input", "true"};
    if (all->whiten)
        settings[(*count)++] = (vt_train_setting){"whiten", "true"};
    if (all->recompute)
        settings[(*count)++] = (vt_train_setting){"recompute", "true"};
    if (!add_settings(&all->set, settings, count, keys))
        return vt_fail(error, VT_ERR_USAGE, "--set takes KEY=VALUE");
    return VT_OK;
}

int vt_cli_train(int argc, char **argv)
{
    vt_train_options how = vt_train_options_defaults();
    given all = {0};
    vt_cli_option options[KEYS + OWN_OPTIONS + FLAGS];
    vt_train_setting settings[KEYS + VT_CLI_LIST_CAPACITY + 1 + FLAGS];
    char keys[VT_CLI_LIST_CAPACITY][64];
    size_t count = list_options(&how, &all, options);
    const vt_cli_usage usage = {
        "train",
        "DATA",
        "Trains a network on photos and writes it as an encoder that 'vitrine init --model' "
        "takes.\n"
        "DATA is a folder with a folder per class (or with train, val and test folders of those),\n"
        "a CSV manifest (photo,label[,product][,split]), or a shop. Ctrl-C saves; --resume goes "
        "on.",
        "  vitrine train photos --out my.onnx --arch resnet18 --epochs 30 --report report.html",
        1,
        1,
        options,
        count};
    vt_cli_arguments arguments;
    int code = vt_cli_parse(&usage, argc, argv, &arguments);
    if (code != VT_CLI_GO)
        return code;
    vt_error error = {0};
    how.settings = settings;
    if (gather(&all, settings, &how.setting_count, keys, &error) != VT_OK)
        return vt_cli_fail("train", all.json, VT_ERR_USAGE, &error);
    if (how.out == NULL)
        return vt_cli_fail("train", all.json, VT_ERR_USAGE,
                           (vt_fail(&error, VT_ERR_USAGE,
                                    "--out is missing: the file to write; see 'vitrine train "
                                    "--help'"),
                            &error));
    vt_cli_catch_interrupt();
    return run(arguments.items[0], &how, all.json);
}
