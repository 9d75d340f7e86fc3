/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gradients of SoftmaxCrossEntropyLoss and NegativeLogLikelihoodLoss by the scores, in one internal
 * operator: LossGrad (dy, scores, targets, weights).
 *
 * At the target class a score's loss falls by its weight; the softmax in front of it gives every
 * class its probability back. "mean" divides by the sum of the weights used. Targets are checked as
 * the loss itself checks them. The class weights are no parameters: they have no gradient.
 */
#include "nn/ops/gradients.h"
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <math.h>
#include <string.h>

static vt_status loss_grad_infer(vt_op_args *args, vt_error *error)
{
    const vt_shape *scores = &args->inputs[1].shape;
    vt_shape targets = *scores;
    vt_status status = vt_op_check_type(args, 0, VT_TYPES_FLOAT, error);
    if (status == VT_OK)
        status = vt_op_check_type(args, 1, VT_TYPES_FLOAT, error);
    if (status == VT_OK)
        status = vt_op_check_type(args, 2, VT_TYPES_INDEX, error);
    if (status == VT_OK)
        status = vt_op_check_rank(args, 1, 2, VT_MAX_RANK, error);
    if (status != VT_OK)
        return status;
    targets.rank--;
    for (int i = 1; i < targets.rank; i++)
        targets.dims[i] = scores->dims[i + 1];
    bool none = strcmp(vt_node_text(args->node, "reduction", "mean"), "none") == 0;
    const vt_tensor *weights = vt_op_input(args, 3);
    if (!vt_shape_equal(&args->inputs[2].shape, &targets) ||
        vt_tensor_count(&args->inputs[0]) != (none ? vt_tensor_count(&args->inputs[2]) : 1) ||
        (weights != NULL && vt_tensor_count(weights) != (size_t)scores->dims[1]))
        return vt_fail(error, VT_ERR_FORMAT, "gradient, scores and targets do not fit");
    vt_op_set_output(args, 0, args->inputs[1].dtype, scores);
    return VT_OK;
}

typedef struct loss_walk {
    const vt_op_args *args;
    size_t classes, inner;
    bool logarithm, ignores, none;
    int64_t ignored;
    double scale; /* of every weight, where there is one gradient for all */
} loss_walk;

/* The target and its weight; false: it counts nothing. */
static vt_status target_of(const loss_walk *walk, size_t at, int64_t *target, double *weight,
                           vt_error *error)
{
    const vt_tensor *targets = &walk->args->inputs[2], *weights = vt_op_input(walk->args, 3);
    vt_load_i64(targets->dtype, targets->data, at, 1, target);
    *weight = 0.0;
    if (walk->ignores && *target == walk->ignored)
        return VT_OK;
    if (*target < 0 || *target >= (int64_t)walk->classes)
        return vt_fail(error, VT_ERR_FORMAT, "target %lld is not one of %zu classes",
                       (long long)*target, walk->classes);
    *weight = weights == NULL ? 1.0 : vt_tensor_get(weights, (size_t)*target);
    return VT_OK;
}

static double score(const loss_walk *walk, size_t place)
{
    return vt_tensor_get(&walk->args->inputs[1], place);
}

/* All classes at one position. */
static void write_position(const loss_walk *walk, size_t first, int64_t target, double factor)
{
    vt_tensor *dx = &walk->args->outputs[0];
    double maximum = -INFINITY, sum = 0.0;
    for (size_t c = 0; walk->logarithm && c < walk->classes; c++)
        maximum = fmax(maximum, score(walk, first + c * walk->inner));
    for (size_t c = 0; walk->logarithm && c < walk->classes; c++)
        sum += exp(score(walk, first + c * walk->inner) - maximum);
    for (size_t c = 0; c < walk->classes; c++) {
        size_t place = first + c * walk->inner;
        double value = factor == 0.0 || (int64_t)c != target ? 0.0 : -factor;
        if (walk->logarithm && factor != 0.0)
            value += factor * exp(score(walk, place) - maximum) / sum;
        vt_store_f64(dx->dtype, dx->data, place, 1, &value);
    }
}

static vt_status loss_grad_run(loss_walk *walk, size_t positions, vt_error *error)
{
    vt_status status = VT_OK;
    for (size_t at = 0; at < positions && status == VT_OK; at++) {
        int64_t target = 0;
        double weight = 0.0;
        status = target_of(walk, at, &target, &weight, error);
        if (status != VT_OK)
            return status;
        size_t first = at / walk->inner * walk->classes * walk->inner + at % walk->inner;
        double dy = walk->none ? vt_tensor_get(&walk->args->inputs[0], at) : walk->scale;
        write_position(walk, first, target, weight * dy);
    }
    return status;
}

static vt_status loss_grad_reference(vt_op_args *args, vt_error *error)
{
    const vt_shape *scores = &args->inputs[1].shape;
    const char *reduction = vt_node_text(args->node, "reduction", "mean");
    size_t positions = vt_tensor_count(&args->inputs[2]);
    loss_walk walk = {.args = args,
                      .classes = (size_t)scores->dims[1],
                      .inner = vt_shape_product(scores, 2, scores->rank),
                      .logarithm = vt_node_int(args->node, "logarithm", 0) != 0,
                      .ignores = vt_node_attr(args->node, "ignore_index") != NULL,
                      .ignored = vt_node_int(args->node, "ignore_index", 0),
                      .none = strcmp(reduction, "none") == 0};
    double total = 0.0;
    vt_status status = VT_OK;
    for (size_t at = 0; at < positions && status == VT_OK; at++) {
        int64_t target;
        double weight = 0.0;
        status = target_of(&walk, at, &target, &weight, error);
        total += weight;
    }
    if (status != VT_OK)
        return status;
    walk.scale = walk.none ? 0.0 : vt_tensor_get(&args->inputs[0], 0);
    walk.scale = strcmp(reduction, "mean") == 0 ? walk.scale / total : walk.scale;
    return loss_grad_run(&walk, positions, error);
}

const vt_op vt_ops_loss_gradient[] = {
    {"LossGrad", VT_BACK_DOMAIN, 1, 0, 3, 4, 1, 1, "ignore_index:i reduction:s logarithm:i",
     .flags = VT_OP_INTERNAL, .infer = loss_grad_infer, .reference = loss_grad_reference},
    {0},
};

static void emit(vt_backward *b, bool logarithm)
{
    vt_attr attrs[4];
    size_t count = 0;
    const vt_value_id inputs[] = {b->dy[0], vt_back_input(b, 0), vt_back_input(b, 1),
                                  vt_back_input(b, 2)};
    if (b->dy[0] == VT_NO_VALUE || (b->node.output_count > 1 && b->dy[1] != VT_NO_VALUE)) {
        vt_back_fail(b, "its logarithms are used by themselves");
        return;
    }
    for (; count < b->node.attr_count && count < 2; count++)
        attrs[count] = b->node.attrs[count];
    attrs[count++] = VT_BACK_INT("logarithm", logarithm ? 1 : 0);
    b->dx[0] = vt_back_node(b, &(vt_back_call){.op = "vitrine:LossGrad",
                                               .inputs = inputs,
                                               .input_count = 4,
                                               .attrs = attrs,
                                               .attr_count = count});
}

void vt_gradient_entropy(vt_backward *b)
{
    emit(b, true);
}

void vt_gradient_likelihood(vt_backward *b)
{
    emit(b, false);
}
