/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The measure that a run goes by: of all heads together, "accuracy", or of one, "color.accuracy".
 */
#include "train/run_state.h"

#include <stdio.h>
#include <string.h>

double vt_run_goal_value(const vt_run_goal *goal, const vt_run_epoch *epoch)
{
    return goal->head >= 0 ? epoch->heads[goal->head][goal->measure]
                           : epoch->measures[goal->measure];
}

static bool is_of_classes(vt_measure measure)
{
    return measure < VT_MEASURE_RECALL_1 || measure == VT_MEASURE_LOSS;
}

/* Whether a head has the measure. */
static bool can_have(const vt_head_plan *head, vt_measure measure)
{
    if (head->several)
        return is_of_classes(measure) && measure != VT_MEASURE_TOP5;
    return !is_of_classes(measure) || head->scores;
}

/* "color.accuracy": the head is what stands before the last dot. */
static vt_status read_goal(vt_run_state *run, const char *text, vt_error *error)
{
    const char *dot = run->heads.named ? strrchr(text, '.') : NULL;
    vt_run_goal *goal = &run->goal;
    goal->head = -1;
    if (dot != NULL) {
        size_t head = vt_heads_find(&run->heads, text, (size_t)(dot - text));
        if (head == VT_HEADS_MAX)
            return vt_fail(error, VT_ERR_USAGE,
                           "recipe: \"measure\" is \"%.80s\", there is no head \"%.*s\"", text,
                           (int)(dot - text < 64 ? dot - text : 64), text);
        goal->head = (int)head;
    }
    if (!vt_measure_from_name(dot != NULL ? dot + 1 : text, &goal->measure))
        return vt_fail(error, VT_ERR_USAGE,
                       "recipe: \"measure\" is \"%.40s\", it is accuracy, top5, f1, recall@1, "
                       "recall@5, recall@10 or loss%s",
                       text, run->heads.named ? ", of one head as \"HEAD.accuracy\"" : "");
    return VT_OK;
}

vt_status vt_run_choose_goal(vt_run_state *run, vt_error *error)
{
    const vt_heads *heads = &run->heads;
    const char *name = run->recipe->measure;
    vt_run_goal *goal = &run->goal;
    bool any = false, classes = false;
    for (size_t h = 0; h < heads->count; h++)
        classes |= heads->items[h].scores;
    vt_status status = read_goal(
        run,
        name != NULL ? name : vt_measure_name(classes ? VT_MEASURE_ACCURACY : VT_MEASURE_RECALL_1),
        error);
    if (status != VT_OK)
        return status;
    for (size_t h = 0; h < heads->count; h++)
        any |= (goal->head < 0 || (size_t)goal->head == h) &&
               can_have(&heads->items[h], goal->measure);
    if (!any)
        return vt_fail(error, VT_ERR_USAGE,
                       is_of_classes(goal->measure)
                           ? "recipe: \"measure\" %s is of classes, which \"loss\" does not learn"
                           : "recipe: \"measure\" %s is of one value a photo, not of several",
                       name);
    snprintf(goal->name, sizeof(goal->name), "%s%s%s",
             goal->head >= 0 ? heads->items[goal->head].name : "", goal->head >= 0 ? "." : "",
             vt_measure_name(goal->measure));
    run->keep_best = run->recipe->early_stop > 0;
    return VT_OK;
}

/* ---- whether it can be told ---- */

typedef struct validation_facts {
    size_t photos;   /* of the split */
    size_t labelled; /* those that have a label of the head */
    size_t most;     /* that have the same one */
} validation_facts;

static vt_status gather_facts(const vt_run_state *run, size_t head, validation_facts *out,
                              vt_error *error)
{
    const vt_dataset *data = run->data;
    vt_split split = run->options->validation;
    size_t classes = vt_run_classes(run, head), *counts = vt_calloc(classes + 1, sizeof(*counts));
    if (counts == NULL)
        return vt_fail_memory(error, "the counts of a data set");
    *out = (validation_facts){.labelled = vt_dataset_count_column(data, head, split, counts)};
    for (size_t i = 0; i < data->count; i++)
        out->photos += data->examples[i].split == split && !data->examples[i].left_out;
    for (size_t i = 0; i < classes; i++)
        out->most = counts[i] > out->most ? counts[i] : out->most;
    vt_free(counts);
    return VT_OK;
}

/* Why the measure of a head that can have it will be no number; NULL: it will be one. */
static const char *why_not(const vt_run_state *run, size_t head, const validation_facts *facts)
{
    size_t classes = vt_run_classes(run, head);
    bool of_classes = is_of_classes(run->goal.measure);
    if (facts->labelled == 0)
        return "no photo to validate on has the label";
    if (of_classes && classes > VT_CLASSIFICATION_MAX_CLASSES)
        return "there are too many classes";
    if (run->goal.measure == VT_MEASURE_TOP5 && classes <= 5)
        return "there are no more than five classes";
    if (!of_classes && facts->most < 2)
        return "no two photos to validate on have the same label";
    return !of_classes && facts->photos > VT_RUN_NEIGHBOUR_ROWS
               ? "there are too many photos to validate on"
               : NULL;
}

vt_status vt_run_check_goal(const vt_run_state *run, vt_error *error)
{
    const vt_recipe *recipe = run->recipe;
    const char *reason = NULL;
    if (recipe->measure == NULL && !run->keep_best && recipe->rates.kind != VT_SCHEDULE_PLATEAU)
        return VT_OK;
    for (size_t h = 0; h < run->heads.count; h++) {
        validation_facts facts;
        if ((run->goal.head >= 0 && (size_t)run->goal.head != h) ||
            !can_have(&run->heads.items[h], run->goal.measure))
            continue;
        vt_status status = gather_facts(run, h, &facts, error);
        if (status != VT_OK)
            return status;
        const char *why = why_not(run, h, &facts);
        if (why == NULL)
            return VT_OK;
        reason = reason == NULL ? why : reason;
    }
    return vt_fail(error, VT_ERR_FORMAT, "train on \"%s\": \"measure\" %s cannot be told: %s",
                   run->data->name, run->goal.name, reason != NULL ? reason : "");
}
