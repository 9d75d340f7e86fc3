/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recipes, by one table of keys: what a key is, where it goes, what it may be. The same table
 * serves the file, the command line and what is written down.
 */
#include "train/recipe.h"

#include "base/file.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { RECIPE_BYTES = 1 << 20, RECIPE_DEPTH = 4, NAME_BYTES = 1024 };
enum { SIZE_LEAST = 8, SIZE_USUAL = 128, SIZE_MOST = 1024 }; /* pixels of a side */
#define ARENA_BYTES ((size_t)4 << 20)

typedef enum kind { TEXT, INTEGER, NUMBER, FLAG } kind;

typedef struct key {
    const char *name;
    kind kind;
    size_t offset;
    double low, high, usual; /* of numbers */
    const char *text;        /* usual text; NULL: none */
} key;

#define TEXT_KEY(name, usual)                                                                      \
    {                                                                                              \
#name, TEXT, offsetof(vt_recipe, name), 0, 0, 0, usual                                     \
    }
#define INTEGER_KEY(name, low, high, usual)                                                        \
    {                                                                                              \
#name, INTEGER, offsetof(vt_recipe, name), low, high, usual, NULL                          \
    }
#define NUMBER_KEY(name, low, high, usual)                                                         \
    {                                                                                              \
#name, NUMBER, offsetof(vt_recipe, name), low, high, usual, NULL                           \
    }

static const key keys[] = {
    TEXT_KEY(arch, NULL),
    TEXT_KEY(from, NULL),
    TEXT_KEY(preset, NULL),
    INTEGER_KEY(size, 0, SIZE_MOST, 0),
    INTEGER_KEY(first_size, 0, 1024, 0),
    INTEGER_KEY(first_epochs, 0, 100000, 0),
    INTEGER_KEY(dim, 0, 4096, 0),
    TEXT_KEY(pooling, "average"),
    INTEGER_KEY(fuse, 0, 4, 0),
    NUMBER_KEY(width, 0.1, 4, 1),
    NUMBER_KEY(dropout, -1, 0.95, -1),
    NUMBER_KEY(depth, -1, 0.95, -1),
    TEXT_KEY(activation, "relu"),
    {"small_input", FLAG, offsetof(vt_recipe, small_input), 0, 0, 0, NULL},
    {"whiten", FLAG, offsetof(vt_recipe, whiten), 0, 0, 0, NULL},
    {"identity", FLAG, offsetof(vt_recipe, identity), 0, 0, 0, NULL},
    TEXT_KEY(fit, "cover"),
    TEXT_KEY(kernel, "bilinear"),
    NUMBER_KEY(crop_ratio, 0.1, 1, 1),
    TEXT_KEY(loss, "ce"),
    TEXT_KEY(teacher, NULL),
    INTEGER_KEY(epochs, 1, 100000, 30),
    INTEGER_KEY(batch, 1, 65536, 64),
    INTEGER_KEY(accumulate, 1, 4096, 1),
    NUMBER_KEY(lr, 1e-12, 1000, 0.05),
    TEXT_KEY(optimizer, "sgd"),
    TEXT_KEY(schedule, "cosine:warmup=1"),
    NUMBER_KEY(layer_rate, 0.01, 1, 1),
    NUMBER_KEY(bias_rate, 0.001, 1000, 1),
    NUMBER_KEY(imprint, 0, 1000, 0),
    NUMBER_KEY(ema, 0, 0.999999, 0),
    NUMBER_KEY(sam, 0, 100, 0),
    INTEGER_KEY(sam_epochs, 0, 100000, 0),
    TEXT_KEY(augment, "standard"),
    TEXT_KEY(sampler, "shuffled"),
    TEXT_KEY(label, NULL),
    TEXT_KEY(val, NULL),
    NUMBER_KEY(val_share, 0.001, 0.9, 0.1),
    TEXT_KEY(split, "photo"),
    TEXT_KEY(measure, NULL),
    INTEGER_KEY(early_stop, 0, 100000, 0),
    TEXT_KEY(precision, "f32"),
    {"recompute", FLAG, offsetof(vt_recipe, recompute), 0, 0, 0, NULL},
    TEXT_KEY(freeze, NULL),
    INTEGER_KEY(lora, 0, 4096, 0),
    INTEGER_KEY(seed, 0, 9007199254740991.0, 1),
    INTEGER_KEY(threads, 0, 4096, 0),
};
enum { KEYS = sizeof(keys) / sizeof(keys[0]) };

static void *place_of(vt_recipe *recipe, const key *one)
{
    return (char *)recipe + one->offset;
}

static vt_status put_text(vt_recipe *recipe, const key *one, const char *text, vt_error *error)
{
    char *copy = vt_arena_strdup(&recipe->arena, text);
    if (copy == NULL)
        return vt_fail_memory(error, "a recipe");
    *(const char **)place_of(recipe, one) = copy;
    return VT_OK;
}

static vt_status put_number(vt_recipe *recipe, const key *one, double value, vt_error *error)
{
    bool whole = one->kind == NUMBER || value == floor(value);
    if (!(value >= one->low && value <= one->high) || !whole)
        return vt_fail(error, VT_ERR_USAGE, "recipe: \"%s\" is %g, it is a%s number from %g to %g",
                       one->name, value, one->kind == INTEGER ? " whole" : "", one->low, one->high);
    *(double *)place_of(recipe, one) = value;
    return VT_OK;
}

static const key *find(const char *name)
{
    for (size_t i = 0; i < KEYS; i++)
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    return NULL;
}

static vt_status unknown(const char *name, vt_error *error)
{
    return vt_fail(error, VT_ERR_USAGE, "recipe: there is no key \"%.80s\"", name);
}

vt_status vt_recipe_init(vt_recipe *recipe, vt_error *error)
{
    *recipe = (vt_recipe){0};
    vt_arena_init(&recipe->arena, ARENA_BYTES);
    vt_status status = VT_OK;
    for (size_t i = 0; status == VT_OK && i < KEYS; i++) {
        if (keys[i].kind == TEXT && keys[i].text != NULL)
            status = put_text(recipe, &keys[i], keys[i].text, error);
        else if (keys[i].kind == INTEGER || keys[i].kind == NUMBER)
            *(double *)place_of(recipe, &keys[i]) = keys[i].usual;
    }
    if (status != VT_OK)
        vt_recipe_deinit(recipe);
    return status;
}

void vt_recipe_deinit(vt_recipe *recipe)
{
    vt_arena_deinit(&recipe->arena);
    *recipe = (vt_recipe){0};
}

vt_status vt_recipe_set(vt_recipe *recipe, const char *name, const char *value, vt_error *error)
{
    const key *one = find(name);
    double number;
    if (one == NULL)
        return unknown(name, error);
    if (one->kind == TEXT)
        return put_text(recipe, one, value, error);
    if (one->kind == FLAG) {
        bool yes = strcmp(value, "true") == 0;
        if (!yes && strcmp(value, "false") != 0)
            return vt_fail(error, VT_ERR_USAGE, "recipe: \"%s\" is \"%.40s\", it is true or false",
                           name, value);
        *(bool *)place_of(recipe, one) = yes;
        return VT_OK;
    }
    if (!vt_parse_double(value, strlen(value), &number))
        return vt_fail(error, VT_ERR_USAGE, "recipe: \"%s\" is \"%.40s\", it is a number", name,
                       value);
    return put_number(recipe, one, number, error);
}

static vt_status put_json(vt_recipe *recipe, const char *name, const vt_json *value,
                          vt_error *error)
{
    const key *one = find(name);
    vt_json_kind have = vt_json_kind_of(value);
    if (one == NULL)
        return unknown(name, error);
    if (have == VT_JSON_NULL && one->kind == TEXT && one->text == NULL) {
        *(const char **)place_of(recipe, one) = NULL;
        return VT_OK;
    }
    if (one->kind == TEXT && have == VT_JSON_TEXT)
        return put_text(recipe, one, vt_json_text(value, ""), error);
    if (one->kind == FLAG && have == VT_JSON_BOOL) {
        *(bool *)place_of(recipe, one) = vt_json_bool(value, false);
        return VT_OK;
    }
    if ((one->kind == INTEGER || one->kind == NUMBER) && have == VT_JSON_NUMBER)
        return put_number(recipe, one, vt_json_number(value, NAN), error);
    static const char *const kinds[] = {"a text", "a whole number", "a number", "true or false"};
    return vt_fail(error, VT_ERR_USAGE, "recipe: \"%s\" has to be %s", name, kinds[one->kind]);
}

vt_status vt_recipe_parse(vt_recipe *recipe, const char *json, size_t length, vt_error *error)
{
    vt_json *document = NULL;
    vt_status status = vt_json_parse(json, length, RECIPE_DEPTH, &document, error);
    if (status == VT_OK && vt_json_kind_of(document) != VT_JSON_OBJECT)
        status = vt_fail(error, VT_ERR_FORMAT, "recipe: it is no JSON object");
    for (size_t i = 0; status == VT_OK && i < vt_json_count(document); i++) {
        const vt_json *value;
        const char *name = vt_json_key_at(document, i, &value);
        status = put_json(recipe, name, value, error);
    }
    vt_json_free(document);
    return status;
}

vt_status vt_recipe_read(vt_recipe *recipe, const char *path, vt_error *error)
{
    vt_buf text;
    vt_buf_init(&text, RECIPE_BYTES);
    vt_status status = vt_file_read(path, RECIPE_BYTES, &text, error);
    if (status == VT_OK) {
        status = vt_recipe_parse(recipe, vt_buf_text(&text), text.length, error);
        if (status != VT_OK)
            vt_fail_context(error, status, "read \"%s\"", path);
    }
    vt_buf_deinit(&text);
    return status;
}

static vt_status wrong(const char *name, const char *value, const char *may, vt_error *error)
{
    return vt_fail(error, VT_ERR_USAGE, "recipe: \"%s\" is \"%.60s\", it is %s", name, value, may);
}

static vt_status check_first_size(const vt_recipe *recipe, vt_error *error)
{
    if ((recipe->first_size == 0) != (recipe->first_epochs == 0))
        return vt_fail(error, VT_ERR_USAGE,
                       "recipe: \"first_size\" and \"first_epochs\" need one another");
    if (recipe->first_size != 0 && recipe->teacher != NULL)
        return vt_fail(error, VT_ERR_USAGE,
                       "recipe: \"first_size\" and \"teacher\" exclude each other");
    return VT_OK;
}

static vt_status check_start(const vt_recipe *recipe, vt_error *error)
{
    if (recipe->arch != NULL && recipe->from != NULL)
        return vt_fail(error, VT_ERR_USAGE, "recipe: \"arch\" and \"from\" exclude each other");
    if (recipe->arch == NULL && recipe->from == NULL)
        return vt_fail(error, VT_ERR_USAGE,
                       "recipe: \"arch\" or \"from\" has to say what is trained");
    const char *fresh = recipe->whiten                ? "whiten"
                        : recipe->identity            ? "identity"
                        : recipe->activate != VT_RELU ? "activation"
                                                      : NULL;
    if (fresh != NULL && recipe->from != NULL)
        return vt_fail(error, VT_ERR_USAGE,
                       "recipe: \"%s\" is for a network that starts from nothing", fresh);
    if (recipe->imprint > 0 && recipe->from == NULL)
        return vt_fail(error, VT_ERR_USAGE,
                       "recipe: \"imprint\" is for a network to go on from: one of random weights "
                       "cannot tell classes apart");
    return VT_OK;
}

/* Of the square pictures that a network takes, as its contract or its input says; 0: neither does,
 * or there is no such network, which whoever goes on from it will say better. */
static int64_t size_taken(const char *from)
{
    vt_model_limits limits = vt_model_limits_defaults();
    vt_model *model = NULL;
    vt_contract contract;
    vt_shape shape = {0};
    if (vt_encoder_model_open(from, &limits, &model, NULL) != VT_OK)
        return 0;
    const char *text = vt_model_metadata(model, VT_METADATA_CONTRACT);
    if (vt_model_input_count(model) > 0)
        shape = vt_model_input(model, 0).shape;
    int64_t height = shape.rank == 4 ? shape.dims[2] : 0;
    int64_t width = shape.rank == 4 ? shape.dims[3] : 0;
    if (text != NULL && vt_contract_parse(text, strlen(text), &contract, NULL) == VT_OK) {
        height = contract.pixels.height;
        width = contract.pixels.width;
    }
    vt_model_free(model);
    return width == height ? width : 0;
}

/* The size that was given, or one in its place. */
static vt_status settle_size(vt_recipe *recipe, vt_error *error)
{
    if (recipe->size == 0) {
        int64_t taken = recipe->from != NULL ? size_taken(recipe->from) : 0;
        bool fits = taken >= SIZE_LEAST && taken <= SIZE_MOST;
        recipe->size = fits ? (double)taken : (double)SIZE_USUAL;
    }
    if (recipe->size < SIZE_LEAST)
        return vt_fail(error, VT_ERR_USAGE, "recipe: \"size\" is %g, it is 0 or from %d to %d",
                       recipe->size, SIZE_LEAST, SIZE_MOST);
    return VT_OK;
}

vt_status vt_recipe_check(vt_recipe *recipe, vt_error *error)
{
    vt_status status = vt_optimizer_parse(recipe->optimizer, &recipe->optimize, error);
    if (status == VT_OK)
        status = vt_schedule_parse(recipe->schedule, &recipe->rates, error);
    if (status == VT_OK)
        status = vt_augment_parse(recipe->augment, &recipe->augmentation, error);
    if (status == VT_OK)
        status = vt_sampler_parse(recipe->sampler, &recipe->sampling, error);
    if (status != VT_OK)
        return vt_fail_context(error, status, "recipe");
    recipe->sampling.batch = (size_t)recipe->batch;
    recipe->sampling.seed = (uint64_t)recipe->seed;
    if (!vt_precision_parse(recipe->precision, &recipe->compute) ||
        (recipe->compute != VT_PRECISION_F32 && recipe->compute != VT_PRECISION_BF16))
        return wrong("precision", recipe->precision, "f32 or bf16", error);
    if (!vt_fit_from_name(recipe->fit, &recipe->pixel_fit))
        return wrong("fit", recipe->fit, "squash, cover or contain", error);
    if (!vt_kernel_from_name(recipe->kernel, &recipe->pixel_kernel))
        return wrong("kernel", recipe->kernel, "area, bilinear, bicubic or lanczos", error);
    if (!vt_activation_from_name(recipe->activation, &recipe->activate))
        return wrong("activation", recipe->activation, "relu, gelu or celu", error);
    if (strcmp(recipe->pooling, "average") != 0 && strcmp(recipe->pooling, "gem") != 0)
        return wrong("pooling", recipe->pooling, "average or gem", error);
    if (strcmp(recipe->split, "photo") != 0 && strcmp(recipe->split, "product") != 0)
        return wrong("split", recipe->split, "photo or product", error);
    if (recipe->sam_epochs > 0 && recipe->sam == 0)
        return vt_fail(error, VT_ERR_USAGE, "recipe: \"sam_epochs\" needs \"sam\"");
    status = check_start(recipe, error);
    if (status == VT_OK)
        status = settle_size(recipe, error);
    return status == VT_OK ? check_first_size(recipe, error) : status;
}

static bool is_path(const key *one)
{
    return one->offset == offsetof(vt_recipe, from) ||
           one->offset == offsetof(vt_recipe, teacher) || one->offset == offsetof(vt_recipe, val);
}

/* The last part of a path, which may end in slashes. */
static void put_name(vt_json_writer *writer, const char *key_name, const char *path)
{
    char name[NAME_BYTES];
    size_t end = strlen(path), start;
    while (end > 1 && path[end - 1] == '/')
        end--;
    for (start = end; start > 0 && path[start - 1] != '/'; start--)
        ;
    snprintf(name, sizeof(name), "%.*s", (int)(end - start), path + start);
    vt_json_put_text(writer, key_name, name);
}

static void print(const vt_recipe *recipe, bool whole_paths, vt_json_writer *writer)
{
    for (size_t i = 0; i < KEYS; i++) {
        const char *place = (const char *)recipe + keys[i].offset;
        const char *text = keys[i].kind == TEXT ? *(const char *const *)place : NULL;
        if (keys[i].kind == TEXT && text != NULL && !whole_paths && is_path(&keys[i]))
            put_name(writer, keys[i].name, text);
        else if (keys[i].kind == TEXT)
            vt_json_put_text(writer, keys[i].name, text);
        else if (keys[i].kind == FLAG)
            vt_json_put_bool(writer, keys[i].name, *(const bool *)place);
        else
            vt_json_put_number(writer, keys[i].name, *(const double *)place, -1);
    }
}

void vt_recipe_print(const vt_recipe *recipe, vt_json_writer *writer)
{
    print(recipe, true, writer);
}

void vt_recipe_print_public(const vt_recipe *recipe, vt_json_writer *writer)
{
    print(recipe, false, writer);
}
