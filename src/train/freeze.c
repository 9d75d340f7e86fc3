/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Choosing weights by what they are for and where they stand, in networks of any origin.
 *
 * Stages are read from names: "stem", and the first component that is a known word with a number
 * ("stage2", "layer3", "encoder_layer_7": as it is) or followed by one ("stages.0", "features.12",
 * "blocks.3": counted from 0, so one more). Weights without such a name belong to the stage of the
 * weight before them in the graph, which the network's order of computing makes right. Where less
 * than half of the kernels are named so, the kernels are cut into four stages of equal number, in
 * the order of the graph.
 *
 * The head is what is named "head.", or, where nothing is, what is read from the last kernel on.
 *
 * Rates by layer: Clark et al., "ELECTRA" (2020), appendix A; Bao et al., "BEiT" (2021): each stage
 * away from the head multiplies by `decay`.
 */
#include "train/freeze.h"

#include "base/buf.h"
#include "base/mem.h"

#include <math.h>
#include <string.h>

enum { GUESSED_STAGES = 4, MAXIMUM_WEIGHTS = 1000000, UNNAMED = -1, MAXIMUM_STAGE = 9999 };

/* ---- names ---- */

static bool begins(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static bool ends(const char *text, const char *tail)
{
    size_t length = strlen(text), wanted = strlen(tail);
    return length >= wanted && strcmp(text + length - wanted, tail) == 0;
}

/* A number at the start of text, up to the end of its component; UNNAMED: none. */
static int number_at(const char *text)
{
    int value = 0;
    size_t i = 0;
    for (; text[i] >= '0' && text[i] <= '9' && value <= MAXIMUM_STAGE; i++)
        value = 10 * value + (text[i] - '0');
    bool whole = text[i] == '.' || text[i] == '/' || text[i] == '\0';
    return i > 0 && whole && value <= MAXIMUM_STAGE ? value : UNNAMED;
}

/* The stage that the component starting here tells, with what follows it. */
static int stage_at(const char *component)
{
    static const char *const words[] = {"encoder_layer_", "stages", "stage", "layers", "layer_",
                                        "features",       "blocks", "layer", "block"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (!begins(component, words[i]))
            continue;
        const char *rest = component + strlen(words[i]);
        if (*rest == '.' || *rest == '/') {
            int number = number_at(rest + 1);
            return number == UNNAMED ? UNNAMED : number + 1;
        }
        return number_at(rest);
    }
    return UNNAMED;
}

static int stage_of_name(const char *name)
{
    if (begins(name, "stem."))
        return 0;
    for (const char *at = name; at != NULL;) {
        int stage = stage_at(at);
        if (stage != UNNAMED)
            return stage;
        at = strpbrk(at, "./");
        at = at == NULL ? NULL : at + 1;
    }
    return UNNAMED;
}

/* ---- collecting ---- */

typedef struct collector {
    vt_selection *selection;
    const char *not_f32; /* the first weight of another type */
    vt_dtype dtype;
    size_t last_kernel; /* its item; SIZE_MAX: none */
    bool named_head;
} collector;

static bool is_adapter(const char *name)
{
    return ends(name, ".lora_a") || ends(name, ".lora_b");
}

static bool collect(void *context, const vt_weight_info *weight)
{
    collector *c = context;
    vt_selection *selection = c->selection;
    void *items = selection->items;
    if (weight->role == VT_WEIGHT_FIXED || weight->role == VT_WEIGHT_STATISTIC)
        return true;
    if (weight->dtype != VT_F32 && c->not_f32 == NULL) {
        c->not_f32 = weight->name;
        c->dtype = weight->dtype;
    }
    if (!vt_grow(&items, &selection->capacity, selection->count + 1, sizeof(*selection->items),
                 MAXIMUM_WEIGHTS)) {
        selection->out_of_memory = true;
        return false;
    }
    selection->items = items;
    bool loss = begins(weight->name, "loss."), adapter = is_adapter(weight->name);
    bool head = begins(weight->name, "head.");
    c->named_head |= head;
    selection->items[selection->count] = (vt_selected){.name = weight->name,
                                                       .role = weight->role,
                                                       .shape = weight->shape,
                                                       .count = weight->count,
                                                       .stage = stage_of_name(weight->name),
                                                       .head = (head || loss) && !adapter,
                                                       .adapter = adapter};
    if (weight->role == VT_WEIGHT_KERNEL && !loss && !adapter)
        c->last_kernel = selection->count;
    selection->count++;
    return true;
}

/* ---- stages ---- */

/* Four stages of as many kernels each. */
static void guess_stages(vt_selection *selection, size_t kernels)
{
    size_t seen = 0;
    int stage = 1;
    for (size_t i = 0; i < selection->count; i++) {
        vt_selected *item = &selection->items[i];
        if (item->role == VT_WEIGHT_KERNEL && !item->head && !item->adapter)
            stage = 1 + (int)(GUESSED_STAGES * seen++ / kernels);
        item->stage = stage;
    }
}

/* Weights without a stage take the one before them; adapters have their weight's in the name. */
static void inherit_stages(vt_selection *selection)
{
    int before = 0;
    for (size_t i = 0; i < selection->count; i++) {
        vt_selected *item = &selection->items[i];
        if (item->stage == UNNAMED)
            item->stage = before;
        else if (!item->adapter && !item->head)
            before = item->stage;
    }
}

static void find_stages(vt_selection *selection, const collector *c)
{
    if (!c->named_head && c->last_kernel != SIZE_MAX)
        for (size_t i = c->last_kernel; i < selection->count; i++)
            selection->items[i].head |= !selection->items[i].adapter;
    size_t kernels = 0, named = 0;
    for (size_t i = 0; i < selection->count; i++) {
        const vt_selected *item = &selection->items[i];
        bool counts = item->role == VT_WEIGHT_KERNEL && !item->head && !item->adapter;
        kernels += counts;
        named += counts && item->stage != UNNAMED;
    }
    if (2 * named >= kernels)
        inherit_stages(selection);
    else
        guess_stages(selection, kernels);
    for (size_t i = 0; i < selection->count; i++)
        if (!selection->items[i].head && selection->items[i].stage > selection->stages)
            selection->stages = selection->items[i].stage;
    for (size_t i = 0; i < selection->count; i++)
        if (selection->items[i].head)
            selection->items[i].stage = selection->stages + 1;
}

/* ---- the choice ---- */

typedef enum frozen {
    FROZEN_NONE,
    FROZEN_ALL_BUT_CLASSES,
    FROZEN_ALL_BUT_HEAD,
    FROZEN_ALL_BUT_NORMS,
    FROZEN_ALL_BUT_BIASES,
    FROZEN_ALL_BUT_ADAPTERS,
    FROZEN_STAGES,
} frozen;

static vt_status read_freeze(const char *text, frozen *mode, int *stages, vt_error *error)
{
    static const char *const names[] = {"none",          "all-but-classes", "all-but-head",
                                        "all-but-norms", "all-but-biases",  "all-but-adapters"};
    int64_t number;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (text == NULL || strcmp(text, names[i]) == 0) {
            *mode = (frozen)i;
            return VT_OK;
        }
    if (begins(text, "stages=") && vt_parse_int(text + 7, 1, MAXIMUM_STAGE, &number)) {
        *mode = FROZEN_STAGES;
        *stages = (int)number;
        return VT_OK;
    }
    return vt_fail(error, VT_ERR_USAGE,
                   "freeze \"%.80s\": it is none, all-but-classes, all-but-head, all-but-norms, "
                   "all-but-biases, all-but-adapters or stages=N",
                   text);
}

static bool is_trained(const vt_selected *item, frozen mode, int stages)
{
    bool norm_bias = item->role == VT_WEIGHT_NORM_BIAS;
    if (item->head)
        return mode != FROZEN_ALL_BUT_CLASSES || !begins(item->name, "head.embedding.");
    switch (mode) {
    case FROZEN_NONE:
        return true;
    case FROZEN_ALL_BUT_CLASSES:
    case FROZEN_ALL_BUT_HEAD:
        return false;
    case FROZEN_ALL_BUT_NORMS:
        return norm_bias || item->role == VT_WEIGHT_NORM_SCALE;
    case FROZEN_ALL_BUT_BIASES:
        return norm_bias || item->role == VT_WEIGHT_BIAS;
    case FROZEN_ALL_BUT_ADAPTERS:
        return item->adapter;
    case FROZEN_STAGES:
        break;
    }
    return item->stage > stages;
}

static vt_status choose(vt_selection *selection, const char *freeze, double decay, vt_error *error)
{
    frozen mode;
    int stages = 0;
    vt_status status = read_freeze(freeze, &mode, &stages, error);
    if (status != VT_OK)
        return status;
    if (stages > selection->stages)
        return vt_fail(error, VT_ERR_USAGE, "freeze \"%.80s\": the network has %d stages", freeze,
                       selection->stages);
    for (size_t i = 0; i < selection->count; i++) {
        vt_selected *item = &selection->items[i];
        item->trained = is_trained(item, mode, stages);
        item->rate = pow(decay, selection->stages + 1 - item->stage);
        selection->trained_count += item->trained;
        selection->trained_numbers += item->trained ? item->count : 0;
    }
    return selection->trained_count > 0
               ? VT_OK
               : vt_fail(error, VT_ERR_USAGE, "freeze \"%.80s\" leaves nothing to train",
                         freeze == NULL ? "none" : freeze);
}

vt_status vt_selection_init(vt_selection *selection, const vt_model *model, const char *freeze,
                            double decay, vt_error *error)
{
    *selection = (vt_selection){0};
    collector c = {.selection = selection, .last_kernel = SIZE_MAX};
    if (!(decay > 0.0 && decay <= 1.0))
        return vt_fail(error, VT_ERR_USAGE, "the decay of rates by layer is above 0, at most 1");
    vt_status status = vt_model_each_weight(model, collect, &c, error);
    if (status == VT_OK && selection->out_of_memory)
        status = vt_fail_memory(error, "a model's weights");
    if (status == VT_OK && c.not_f32 != NULL)
        status = vt_fail(error, VT_ERR_UNSUPPORTED, "weight \"%.200s\" is %s: only f32 is trained",
                         c.not_f32, vt_dtype_name(c.dtype));
    if (status == VT_OK) {
        find_stages(selection, &c);
        status = choose(selection, freeze, decay, error);
    }
    if (status != VT_OK)
        vt_selection_deinit(selection);
    return status;
}

void vt_selection_deinit(vt_selection *selection)
{
    vt_free(selection->items);
    *selection = (vt_selection){0};
}
