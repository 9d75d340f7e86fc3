/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plan as in training: BatchNormalization normalises by its batch, Dropout drops.
 *
 * Method: one walk in order. A BatchNormalization becomes BatchNormTraining, and two sums behind
 * all steps bring its running mean and variance up to date: new = old momentum + batch (1 -
 * momentum), with the population variance, as the specification of BatchNormalization says (PyTorch
 * takes the sample's there). A normalisation whose statistics are constants is not to be trained
 * and stays as it is. A Dropout becomes DropoutTraining, numbered in order.
 */
#include "nn/gradient.h"

#include <string.h>

typedef struct mode_work {
    vt_backward back; /* for what it emits */
    vt_value_id seed;
    vt_value_id *updates;
    int64_t dropouts;
} mode_work;

static bool is_op(const vt_node *node, const char *name)
{
    return node->op->domain[0] == '\0' && strcmp(node->op->name, name) == 0;
}

/* ---- batch normalisation ---- */

/* The newest value of a statistic; several normalisations may share it. */
static void update(mode_work *work, vt_value_id old, vt_value_id batch, double momentum)
{
    vt_backward *b = &work->back;
    vt_value_id newest = work->updates[old] == VT_NO_VALUE ? old : work->updates[old];
    work->updates[old] = vt_back_op2(b, "Add", vt_back_scale(b, newest, momentum),
                                     vt_back_scale(b, batch, 1.0 - momentum));
}

static bool is_trained_norm(const mode_work *work, const vt_node *node)
{
    const vt_plan_value *values = work->back.plan->values;
    return is_op(node, "BatchNormalization") && node->input_count == 5 &&
           !values[node->inputs[3]].constant && !values[node->inputs[4]].constant &&
           vt_node_int(node, "spatial", 1) == 1 && values[node->inputs[0]].tensor.shape.rank >= 2;
}

static void train_norm(mode_work *work, size_t index)
{
    vt_backward *b = &work->back;
    vt_plan *plan = b->plan;
    const vt_node old = plan->steps[index].node;
    const vt_attr epsilon = VT_BACK_FLOAT("epsilon", vt_node_float(&old, "epsilon", 1e-5f));
    double momentum = (double)vt_node_float(&old, "momentum", 0.9f);
    vt_value_id made[3];
    vt_back_nodes(b,
                  &(vt_back_call){.op = "vitrine:BatchNormTraining",
                                  .inputs = old.inputs,
                                  .input_count = 3,
                                  .attrs = &epsilon,
                                  .attr_count = 1},
                  made, 3);
    if (b->status != VT_OK)
        return;
    /* The new step stands in the old one's place and makes the same value. */
    plan->steps[index].node = plan->steps[--plan->step_count].node;
    plan->steps[index].node.name = old.name;
    plan->steps[index].node.outputs[0] = old.outputs[0];
    update(work, old.inputs[3], made[1], momentum);
    update(work, old.inputs[4], made[2], momentum);
}

/* ---- dropout ---- */

/* The share that is dropped; it must be known. */
static double ratio_of(mode_work *work, const vt_node *node)
{
    double ratio = (double)vt_node_float(node, "ratio", 0.5f);
    if (node->input_count > 1 && node->inputs[1] != VT_NO_VALUE &&
        !vt_back_constant_number(&work->back, node->inputs[1], &ratio))
        vt_back_fail(&work->back, "the ratio of a Dropout is computed");
    return ratio;
}

static void train_dropout(mode_work *work, size_t index)
{
    vt_backward *b = &work->back;
    vt_plan *plan = b->plan;
    const vt_node old = plan->steps[index].node;
    const vt_attr attrs[] = {VT_BACK_FLOAT("ratio", (float)ratio_of(work, &old)),
                             VT_BACK_INT("number", work->dropouts)};
    const vt_value_id inputs[] = {old.inputs[0], work->seed};
    work->dropouts++;
    if (old.output_count > 1)
        vt_back_fail(b, "the mask of a Dropout is used by itself");
    vt_back_node(b, &(vt_back_call){.op = "vitrine:DropoutTraining",
                                    .inputs = inputs,
                                    .input_count = 2,
                                    .attrs = attrs,
                                    .attr_count = 2});
    if (b->status != VT_OK)
        return;
    plan->steps[index].node = plan->steps[--plan->step_count].node;
    plan->steps[index].node.name = old.name;
    plan->steps[index].node.outputs[0] = old.outputs[0];
}

vt_status vt_plan_train(vt_plan *plan, vt_value_id seed, bool frozen, vt_value_id *updates,
                        vt_error *error)
{
    mode_work work = {.back = {.plan = plan, .error = error, .step_capacity = plan->step_count},
                      .seed = seed,
                      .updates = updates};
    size_t steps = plan->step_count;
    memset(updates, 0xff, plan->value_count * sizeof(*updates));
    for (size_t s = 0; s < steps && work.back.status == VT_OK; s++) {
        const vt_node *node = &plan->steps[s].node;
        if (!frozen && is_trained_norm(&work, node))
            train_norm(&work, s);
        else if (is_op(node, "Dropout"))
            train_dropout(&work, s);
    }
    return work.back.status;
}
