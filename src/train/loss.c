/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of losses, their description in text, and the weighted sum.
 *
 * Formulas and papers stand in the file of each family: loss_class.c, loss_margin.c, loss_pair.c,
 * loss_distill.c. Defaults are those of the papers.
 */
#include "train/loss.h"

#include "base/buf.h"
#include "train/loss_graph.h"

#include <stdio.h>
#include <string.h>

enum {
    CLASSES = VT_LOSS_LOGITS | VT_LOSS_LABELS,
    PAIRS = VT_LOSS_EMBEDDING | VT_LOSS_LABELS,
};

static const vt_loss_kind kinds[] = {
    {{"ce", "cross-entropy; smoothing: Szegedy et al. 2015", {"smoothing"}, {0}},
     CLASSES,
     {0},
     {0.99},
     vt_loss_cross_entropy},
    {{"bce", "binary cross-entropy of each class", {NULL}, {0}},
     CLASSES,
     {0},
     {0},
     vt_loss_binary_cross_entropy},
    {{"mse", "mean squared error", {NULL}, {0}},
     VT_LOSS_LOGITS | VT_LOSS_TARGETS,
     {0},
     {0},
     vt_loss_squares},
    {{"contrastive", "Hadsell et al. 2006, equation 4", {"margin"}, {1}},
     PAIRS,
     {0},
     {2},
     vt_loss_contrastive},
    {{"triplet", "batch hard, Hermans et al. 2017, equation 5", {"margin", "soft"}, {0.2, 0}},
     PAIRS,
     {0, 0},
     {2, 1},
     vt_loss_triplet_hard},
    {{"triplet-semi", "semi-hard, Schroff et al. 2015, equation 4", {"margin"}, {0.2}},
     PAIRS,
     {0},
     {4},
     vt_loss_triplet_semi},
    {{"arcface", "Deng et al. 2019, equation 3", {"margin", "scale"}, {0.5, 64}},
     PAIRS,
     {0, 1e-3},
     {1.5, 1e3},
     vt_loss_arcface},
    {{"cosface", "Wang et al. 2018, equation 4", {"margin", "scale"}, {0.35, 64}},
     PAIRS,
     {0, 1e-3},
     {2, 1e3},
     vt_loss_cosface},
    {{"multi-similarity",
      "Wang et al. 2019, equations 13 to 15",
      {"alpha", "beta", "base", "epsilon"},
      {2, 50, 0.5, 0.1}},
     PAIRS,
     {1e-3, 1e-3, -1, 0},
     {1e3, 1e3, 1, 2},
     vt_loss_multi_similarity},
    {{"supcon", "Khosla et al. 2020, equation 2", {"temperature"}, {0.1}},
     PAIRS,
     {1e-3},
     {1e3},
     vt_loss_contrast},
    {{"nt-xent", "Chen et al. 2020, equation 1; labels are instances", {"temperature"}, {0.1}},
     PAIRS | VT_LOSS_INSTANCES,
     {1e-3},
     {1e3},
     vt_loss_contrast},
    {{"kd", "Hinton et al. 2015, section 2", {"temperature"}, {4}},
     VT_LOSS_LOGITS | VT_LOSS_TEACHER_LOGITS,
     {1e-2},
     {1e3},
     vt_loss_distill},
    {{"kd-cosine", "1 - cosine to the teacher's embedding", {NULL}, {0}},
     VT_LOSS_EMBEDDING | VT_LOSS_TEACHER_EMBEDDING,
     {0},
     {0},
     vt_loss_distill_cosine},
    {{"kd-mse", "squared distance to the teacher's embedding", {NULL}, {0}},
     VT_LOSS_EMBEDDING | VT_LOSS_TEACHER_EMBEDDING,
     {0},
     {0},
     vt_loss_distill_squares},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

const vt_loss_info *vt_loss_list(size_t index)
{
    return index < KINDS ? &kinds[index].info : NULL;
}

/* ---- text ---- */

static bool equals(const char *text, size_t length, const char *name)
{
    return strlen(name) == length && memcmp(text, name, length) == 0;
}

static const vt_loss_kind *find_kind(const char *text, size_t length)
{
    for (size_t i = 0; i < KINDS; i++)
        if (equals(text, length, kinds[i].info.name))
            return &kinds[i];
    return NULL;
}

/* For messages: no more than a line of it. */
static int shown(size_t length)
{
    return (int)(length < 80 ? length : 80);
}

/* One "name=value". */
static vt_status read_parameter(const char *text, size_t length, vt_loss_term *term,
                                vt_error *error)
{
    const vt_loss_info *info = &term->kind->info;
    const char *sign = memchr(text, '=', length);
    size_t name = sign == NULL ? length : (size_t)(sign - text);
    double value;
    for (int i = 0; i < VT_LOSS_PARAMETERS && info->parameters[i] != NULL; i++) {
        if (!equals(text, name, info->parameters[i]))
            continue;
        if (sign == NULL || !vt_parse_double(sign + 1, length - name - 1, &value) ||
            value < term->kind->minimum[i] || value > term->kind->maximum[i])
            return vt_fail(error, VT_ERR_USAGE, "loss \"%s\": %s is a number from %g to %g",
                           info->name, info->parameters[i], term->kind->minimum[i],
                           term->kind->maximum[i]);
        term->parameters[i] = value;
        return VT_OK;
    }
    return vt_fail(error, VT_ERR_USAGE, "loss \"%s\" has no parameter \"%.*s\"", info->name,
                   shown(name), text);
}

/* What stands between parentheses. */
static vt_status read_parameters(const char *text, size_t length, vt_loss_term *term,
                                 vt_error *error)
{
    vt_status status = VT_OK;
    for (size_t at = 0; at <= length && status == VT_OK;) {
        const char *comma = memchr(text + at, ',', length - at);
        size_t part = comma == NULL ? length - at : (size_t)(comma - text) - at;
        status = read_parameter(text + at, part, term, error);
        at += part + 1;
    }
    return status;
}

/* ":head" at *at, up to the weight. */
static vt_status read_head(const char *text, size_t length, size_t *at, vt_loss_term *term,
                           vt_error *error)
{
    if (*at == length || text[*at] != ':')
        return VT_OK;
    const char *name = text + *at + 1, *sign = memchr(name, '=', length - *at - 1);
    size_t bytes = sign != NULL ? (size_t)(sign - name) : length - *at - 1;
    if (bytes == 0 || bytes >= sizeof(term->head))
        return vt_fail(error, VT_ERR_USAGE, "loss \"%s\": \"%.*s\" is no name of a head",
                       term->kind->info.name, shown(bytes), name);
    memcpy(term->head, name, bytes);
    term->head[bytes] = '\0';
    *at += 1 + bytes;
    return VT_OK;
}

/* One term: name, parameters, head, weight. */
static vt_status read_term(const char *text, size_t length, vt_loss_term *term, vt_error *error)
{
    size_t name = 0, at;
    while (name < length && text[name] != '(' && text[name] != '=' && text[name] != ':')
        name++;
    term->kind = find_kind(text, name);
    if (term->kind == NULL)
        return vt_fail(error, VT_ERR_USAGE, "no loss is named \"%.*s\"", shown(name), text);
    memcpy(term->parameters, term->kind->info.defaults, sizeof(term->parameters));
    term->weight = 1;
    at = name;
    if (at < length && text[at] == '(') {
        const char *end = memchr(text + at, ')', length - at);
        if (end == NULL)
            return vt_fail(error, VT_ERR_USAGE, "loss \"%s\": a parenthesis is not closed",
                           term->kind->info.name);
        size_t inner = (size_t)(end - text) - at - 1;
        vt_status status = read_parameters(text + at + 1, inner, term, error);
        if (status != VT_OK)
            return status;
        at += inner + 2;
    }
    vt_status status = read_head(text, length, &at, term, error);
    if (status != VT_OK || at == length)
        return status;
    if (text[at] != '=' || !vt_parse_double(text + at + 1, length - at - 1, &term->weight) ||
        !(term->weight > 0.0 && term->weight <= 1e6))
        return vt_fail(error, VT_ERR_USAGE, "loss \"%s\": \"%.*s\" is no positive weight",
                       term->kind->info.name, shown(length - at), text + at);
    return VT_OK;
}

/* Up to the next comma outside parentheses. */
static size_t term_length(const char *text)
{
    size_t length = 0;
    bool inside = false;
    for (; text[length] != '\0' && (inside || text[length] != ','); length++)
        inside = text[length] == '(' || (inside && text[length] != ')');
    return length;
}

vt_status vt_loss_parse(const char *text, vt_loss *out, vt_error *error)
{
    vt_loss loss = {0};
    for (const char *at = text; at != NULL;) {
        size_t length = term_length(at);
        if (loss.count == VT_LOSS_TERMS)
            return vt_fail(error, VT_ERR_USAGE, "a loss has at most %d terms", VT_LOSS_TERMS);
        vt_loss_term *term = &loss.terms[loss.count];
        vt_status status = read_term(at, length, term, error);
        if (status != VT_OK)
            return status;
        for (int i = 0; i < loss.count; i++)
            if (loss.terms[i].kind == term->kind && strcmp(loss.terms[i].head, term->head) == 0)
                return vt_fail(error, VT_ERR_USAGE, "loss \"%s\" is there twice%s%s",
                               term->kind->info.name, term->head[0] != '\0' ? " of head " : "",
                               term->head);
        loss.needs |= term->kind->needs;
        loss.count++;
        at = at[length] == ',' ? at + length + 1 : NULL;
    }
    *out = loss;
    return VT_OK;
}

const char *vt_loss_term_name(const vt_loss_term *term)
{
    return term->kind->info.name;
}

unsigned vt_loss_term_needs(const vt_loss_term *term)
{
    return term->kind->needs;
}

vt_status vt_loss_append(vt_loss *loss, const vt_loss_term *term, vt_error *error)
{
    if (loss->count == VT_LOSS_TERMS)
        return vt_fail(error, VT_ERR_LIMIT, "a loss has at most %d terms", VT_LOSS_TERMS);
    loss->terms[loss->count++] = *term;
    loss->needs |= term->kind->needs;
    return VT_OK;
}

/* ---- the graph ---- */

vt_loss_inputs vt_loss_inputs_defaults(void)
{
    return (vt_loss_inputs){.logits = VT_NO_VALUE,
                            .embedding = VT_NO_VALUE,
                            .labels = VT_NO_VALUE,
                            .targets = VT_NO_VALUE,
                            .teacher_logits = VT_NO_VALUE,
                            .teacher_embedding = VT_NO_VALUE};
}

/* What the term needs and is not there; NULL: nothing. */
static const char *missing(const vt_loss_kind *kind, const vt_loss_inputs *inputs)
{
    bool shares = inputs->targets != VT_NO_VALUE && (kind->needs & VT_LOSS_LOGITS) != 0;
    unsigned needs = kind->needs;
    if ((needs & VT_LOSS_LOGITS) != 0 && (inputs->logits == VT_NO_VALUE || inputs->classes < 1))
        return "scores of classes";
    if ((needs & VT_LOSS_EMBEDDING) != 0 && (inputs->embedding == VT_NO_VALUE || inputs->dim < 1))
        return "an embedding";
    if ((needs & VT_LOSS_LABELS) != 0 && inputs->labels == VT_NO_VALUE && !shares)
        return "labels";
    if ((needs & VT_LOSS_TARGETS) != 0 && inputs->targets == VT_NO_VALUE)
        return "targets";
    if ((needs & VT_LOSS_TEACHER_LOGITS) != 0 && inputs->teacher_logits == VT_NO_VALUE)
        return "a teacher's scores";
    if ((needs & VT_LOSS_TEACHER_EMBEDDING) != 0 &&
        (inputs->teacher_embedding == VT_NO_VALUE || inputs->teacher_dim < 1))
        return "a teacher's embedding";
    bool margin = kind->add == vt_loss_arcface || kind->add == vt_loss_cosface;
    return margin && inputs->classes < 1 ? "the number of classes" : NULL;
}

static vt_value_id add_term(vt_builder *builder, const vt_loss_term *term,
                            const vt_loss_inputs *inputs)
{
    char reason[128];
    unsigned named = 0;
    const char *lacking = missing(term->kind, inputs);
    if (lacking != NULL) {
        snprintf(reason, sizeof(reason), "loss \"%s\" needs %s", term->kind->info.name, lacking);
        vt_builder_fail(builder, VT_ERR_USAGE, reason);
        return VT_NO_VALUE;
    }
    vt_loss_graph graph = {
        .builder = builder, .inputs = inputs, .parameters = term->parameters, .named = &named};
    vt_builder_enter(builder, term->kind->info.name);
    vt_value_id scalar = term->kind->add(&graph);
    if (term->weight != 1.0)
        scalar = vt_loss_with(&graph, "Mul", scalar, term->weight);
    vt_builder_leave(builder);
    return scalar;
}

void vt_loss_add(vt_builder *builder, const vt_loss *loss, const vt_loss_inputs *inputs,
                 vt_value_id *scalar)
{
    *scalar = VT_NO_VALUE;
    vt_builder_enter(builder, "loss");
    if (inputs->scope != NULL)
        vt_builder_enter(builder, inputs->scope);
    for (int i = 0; i < loss->count; i++) {
        vt_value_id term = add_term(builder, &loss->terms[i], inputs);
        *scalar = i == 0 ? term
                         : vt_builder_node(builder, "Add", NULL, (vt_value_id[]){*scalar, term}, 2);
    }
    if (inputs->scope != NULL)
        vt_builder_leave(builder);
    vt_builder_leave(builder);
}
