/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heads out of a recipe: its "label" says which there are, its "loss" what each of them learns.
 */
#include "train/heads.h"

#include <string.h>

static bool has_heads(const vt_loss *loss)
{
    for (int i = 0; i < loss->count; i++)
        if (loss->terms[i].head[0] != '\0')
            return true;
    return false;
}

size_t vt_heads_find(const vt_heads *heads, const char *name, size_t length)
{
    for (size_t h = 0; h < heads->count; h++)
        if (strlen(heads->items[h].name) == length &&
            memcmp(heads->items[h].name, name, length) == 0)
            return h;
    return VT_HEADS_MAX;
}

/* ---- names ---- */

/* Names of values and weights are plain. */
static void make_id(vt_head_plan *head)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    static const char prefix[] = "logits.";
    size_t i = 0;
    for (; head->name[i] != '\0'; i++)
        head->id[i] = strchr(plain, head->name[i]) != NULL ? head->name[i] : '_';
    head->id[i] = '\0';
    memcpy(head->output, prefix, sizeof(prefix));
    memcpy(head->output + sizeof(prefix) - 1, head->id, i + 1);
}

static vt_status add_head(vt_heads *heads, const char *name, size_t length, vt_error *error)
{
    if (heads->count == VT_HEADS_MAX)
        return vt_fail(error, VT_ERR_USAGE, "recipe: \"label\" names more than %d", VT_HEADS_MAX);
    if (length == 0 || length >= VT_LOSS_HEAD_BYTES)
        return vt_fail(error, VT_ERR_USAGE,
                       "recipe: \"label\" is names between commas, each of 1 to %d bytes",
                       VT_LOSS_HEAD_BYTES - 1);
    if (vt_heads_find(heads, name, length) != VT_HEADS_MAX)
        return vt_fail(error, VT_ERR_USAGE, "recipe: \"label\" names \"%.*s\" twice", (int)length,
                       name);
    vt_head_plan *head = &heads->items[heads->count];
    *head = (vt_head_plan){0};
    memcpy(head->name, name, length);
    make_id(head);
    if (strcmp(head->id, "embedding") == 0)
        return vt_fail(error, VT_ERR_USAGE,
                       "recipe: a head cannot be named \"embedding\", as the network's own is");
    for (size_t h = 0; h < heads->count; h++)
        if (strcmp(heads->items[h].id, head->id) == 0)
            return vt_fail(error, VT_ERR_USAGE,
                           "recipe: \"%s\" and \"%s\" are too alike, both heads would be \"%s\"",
                           heads->items[h].name, head->name, head->id);
    heads->count++;
    return VT_OK;
}

/* label NULL: those that the loss names, in its order. */
static vt_status name_heads(vt_heads *heads, const char *label, const vt_loss *loss,
                            vt_error *error)
{
    vt_status status = VT_OK;
    for (const char *at = label; at != NULL && status == VT_OK;) {
        size_t length = strcspn(at, ",");
        status = add_head(heads, at, length, error);
        at = at[length] == ',' ? at + length + 1 : NULL;
    }
    for (int i = 0; label == NULL && status == VT_OK && i < loss->count; i++) {
        const char *name = loss->terms[i].head;
        if (name[0] != '\0' && vt_heads_find(heads, name, strlen(name)) == VT_HEADS_MAX)
            status = add_head(heads, name, strlen(name), error);
    }
    return status;
}

/* ---- terms ---- */

/* Whether a term looks at no labels and no scores, but at the embedding alone. */
static bool is_common(const vt_loss_term *term)
{
    unsigned needs = vt_loss_term_needs(term);
    return (needs & VT_LOSS_INSTANCES) != 0 || (needs & (VT_LOSS_LOGITS | VT_LOSS_LABELS)) == 0;
}

static vt_status append(vt_head_plan *head, const vt_loss_term *term, vt_error *error)
{
    for (int i = 0; i < head->loss.count; i++)
        if (head->loss.terms[i].kind == term->kind)
            return vt_fail(error, VT_ERR_USAGE,
                           "recipe: loss \"%s\" is there twice for head \"%s\"",
                           vt_loss_term_name(term), head->name);
    return vt_loss_append(&head->loss, term, error);
}

/* own: (heads) that some term names. */
static vt_status deal_term(vt_heads *heads, const vt_loss_term *term, const bool *own,
                           vt_error *error)
{
    const char *name = vt_loss_term_name(term);
    bool all = term->head[0] == '\0', any = false;
    if (is_common(term) && !all)
        return vt_fail(error, VT_ERR_USAGE,
                       "recipe: loss \"%s\" is of the embedding, it belongs to no head", name);
    if (is_common(term))
        return vt_loss_append(&heads->common, term, error);
    vt_status status = VT_OK;
    for (size_t h = 0; status == VT_OK && h < heads->count; h++) {
        bool here = all ? !own[h] : strcmp(heads->items[h].name, term->head) == 0;
        any |= here;
        if (here)
            status = append(&heads->items[h], term, error);
    }
    if (status == VT_OK && !any && all)
        return vt_fail(error, VT_ERR_USAGE,
                       "recipe: loss \"%s\" names no head, and every head has a term of its own; "
                       "\"%s:%s\" would be of the first",
                       name, name, heads->items[0].name);
    if (status == VT_OK && !any)
        return vt_fail(error, VT_ERR_USAGE,
                       "recipe: \"loss\" names head \"%s\", which is none of \"label\"",
                       term->head);
    return status;
}

static bool has_term(const vt_loss *loss, const char *name)
{
    for (int i = 0; i < loss->count; i++)
        if (strcmp(vt_loss_term_name(&loss->terms[i]), name) == 0)
            return true;
    return false;
}

static vt_status finish_head(vt_head_plan *head, vt_error *error)
{
    if (head->loss.count == 0)
        return vt_fail(error, VT_ERR_USAGE,
                       "recipe: head \"%s\" of \"label\" has no term in \"loss\"", head->name);
    head->scores = (head->loss.needs & VT_LOSS_LOGITS) != 0;
    head->several = has_term(&head->loss, "bce");
    for (int i = 0; head->several && i < head->loss.count; i++) {
        const char *name = vt_loss_term_name(&head->loss.terms[i]);
        if (strcmp(name, "bce") != 0 && strcmp(name, "mse") != 0)
            return vt_fail(
                error, VT_ERR_USAGE,
                "recipe: head \"%s\" has several values a photo by loss \"bce\", and one "
                "by \"%s\"",
                head->name, name);
    }
    return VT_OK;
}

static vt_status deal(vt_heads *heads, const vt_loss *loss, const char *label, vt_error *error)
{
    bool own[VT_HEADS_MAX] = {false};
    vt_status status = name_heads(heads, label, loss, error);
    for (int i = 0; status == VT_OK && i < loss->count; i++) {
        const char *name = loss->terms[i].head;
        size_t h = name[0] != '\0' ? vt_heads_find(heads, name, strlen(name)) : VT_HEADS_MAX;
        if (h != VT_HEADS_MAX)
            own[h] = true;
    }
    for (int i = 0; status == VT_OK && i < loss->count; i++)
        status = deal_term(heads, &loss->terms[i], own, error);
    for (size_t h = 0; status == VT_OK && h < heads->count; h++)
        status = finish_head(&heads->items[h], error);
    return status;
}

static void make_single(vt_heads *heads, const vt_loss *loss)
{
    vt_head_plan *head = &heads->items[0];
    *head = (vt_head_plan){.output = "logits", .loss = *loss};
    head->scores = (loss->needs & VT_LOSS_LOGITS) != 0;
    heads->count = 1;
}

/* ---- the whole ---- */

static vt_status check(const vt_recipe *recipe, unsigned needs, vt_error *error)
{
    unsigned taught = VT_LOSS_TEACHER_LOGITS | VT_LOSS_TEACHER_EMBEDDING;
    bool mixed = recipe->augmentation.mixup > 0 || recipe->augmentation.cutmix > 0;
    if ((needs & taught) != 0 && recipe->teacher == NULL)
        return vt_fail(error, VT_ERR_USAGE, "recipe: \"loss\" wants a \"teacher\"");
    if ((needs & taught) == 0 && recipe->teacher != NULL)
        return vt_fail(error, VT_ERR_USAGE,
                       "recipe: there is a \"teacher\", but no \"loss\" that learns from it");
    if (mixed && (needs & (VT_LOSS_EMBEDDING | VT_LOSS_INSTANCES)) != 0)
        return vt_fail(error, VT_ERR_USAGE,
                       "recipe: \"augment\" mixes pictures, which \"loss\" cannot tell apart");
    if ((needs & VT_LOSS_INSTANCES) != 0 && (uint64_t)recipe->batch % 2 != 0)
        return vt_fail(error, VT_ERR_USAGE,
                       "recipe: \"batch\" has to be even, \"loss\" compares two views of each "
                       "photo");
    return VT_OK;
}

vt_status vt_heads_parse(const vt_recipe *recipe, vt_heads *out, vt_error *error)
{
    vt_loss loss;
    vt_status status = vt_loss_parse(recipe->loss, &loss, error);
    if (status != VT_OK)
        return vt_fail_context(error, status, "recipe");
    *out = (vt_heads){.needs = loss.needs};
    out->named = has_heads(&loss) || (recipe->label != NULL && strchr(recipe->label, ',') != NULL);
    if (out->named)
        status = deal(out, &loss, recipe->label, error);
    else
        make_single(out, &loss);
    return status == VT_OK ? check(recipe, loss.needs, error) : status;
}

vt_status vt_heads_set_columns(const vt_heads *heads, vt_dataset *data, vt_error *error)
{
    vt_column_choice columns[VT_HEADS_MAX];
    for (size_t h = 0; h < heads->count; h++)
        columns[h] = (vt_column_choice){heads->items[h].name, heads->items[h].several,
                                        heads->items[h].scores};
    return vt_dataset_set_columns(data, columns, heads->count, error);
}
