/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss: minus the (log of the softmax of the)
 * score at the target class, times the class's weight.
 *
 * Scores are (N, C, d1, ...), targets (N, d1, ...). "mean" divides by the sum of the weights that
 * were used, which without weights is the number of targets; targets equal to ignore_index count
 * nothing anywhere. Other targets outside of [0, C) are refused.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <math.h>
#include <string.h>

typedef enum loss_reduction { LOSS_NONE, LOSS_SUM, LOSS_MEAN } loss_reduction;

static vt_status reduction_of(const vt_op_args *args, loss_reduction *reduction, vt_error *error)
{
    const char *text = vt_node_text(args->node, "reduction", "mean");
    if (strcmp(text, "none") == 0)
        *reduction = LOSS_NONE;
    else if (strcmp(text, "sum") == 0)
        *reduction = LOSS_SUM;
    else if (strcmp(text, "mean") == 0)
        *reduction = LOSS_MEAN;
    else
        return vt_fail(error, VT_ERR_FORMAT, "attribute \"reduction\" is \"%.40s\"", text);
    return VT_OK;
}

/* Shape of the targets: that of the scores without the classes. */
static vt_shape targets_shape(const vt_shape *scores)
{
    vt_shape shape = *scores;
    shape.rank--;
    for (int i = 1; i < shape.rank; i++)
        shape.dims[i] = scores->dims[i + 1];
    return shape;
}

static vt_status loss_infer(vt_op_args *args, vt_error *error)
{
    const vt_tensor *weights = vt_op_input(args, 2);
    const vt_shape *scores = &args->inputs[0].shape;
    loss_reduction reduction;
    vt_status status = vt_op_check_type(args, 0, VT_TYPES_FLOAT, error);
    if (status == VT_OK)
        status = vt_op_check_type(args, 1, VT_TYPES_INDEX, error);
    if (status == VT_OK)
        status = vt_op_check_rank(args, 0, 2, VT_MAX_RANK, error);
    if (status == VT_OK)
        status = reduction_of(args, &reduction, error);
    if (status != VT_OK)
        return status;
    if (weights != NULL && weights->dtype != args->inputs[0].dtype)
        return vt_fail(error, VT_ERR_FORMAT, "weights have type %s, scores %s",
                       vt_dtype_name(weights->dtype), vt_dtype_name(args->inputs[0].dtype));
    if (weights != NULL && (weights->shape.rank != 1 || weights->shape.dims[0] != scores->dims[1]))
        return vt_fail(error, VT_ERR_FORMAT, "weights are not one number per class");
    vt_shape shape = targets_shape(scores);
    if (!vt_shape_equal(&args->inputs[1].shape, &shape))
        return vt_fail(error, VT_ERR_FORMAT, "targets do not fit the scores");
    shape.rank = reduction == LOSS_NONE ? shape.rank : 0;
    vt_op_set_output(args, 0, args->inputs[0].dtype, &shape);
    vt_op_set_output(args, 1, args->inputs[0].dtype, scores);
    return VT_OK;
}

typedef struct loss_work {
    bool logarithm; /* scores become logarithms of probabilities first */
    size_t classes, inner;
    double *scores;   /* (classes, inner): of one picture */
    double *sums;     /* (inner) */
    double *weights;  /* (classes), NULL: all 1 */
    double *losses;   /* (inner) */
    int64_t *targets; /* (inner) */
    bool ignores;
    int64_t ignored;
    double total, weight; /* of all targets so far */
} loss_work;

/* Over the classes, for all positions at once. */
static void log_softmax(loss_work *work)
{
    size_t classes = work->classes, inner = work->inner;
    double *maximum = work->losses, *sums = work->sums;
    for (size_t i = 0; i < inner; i++) {
        maximum[i] = -INFINITY;
        sums[i] = 0.0;
    }
    for (size_t c = 0; c < classes; c++)
        for (size_t i = 0; i < inner; i++)
            if (work->scores[c * inner + i] > maximum[i])
                maximum[i] = work->scores[c * inner + i];
    for (size_t c = 0; c < classes; c++)
        for (size_t i = 0; i < inner; i++)
            sums[i] += exp(work->scores[c * inner + i] - maximum[i]);
    for (size_t i = 0; i < inner; i++)
        sums[i] = log(sums[i]);
    for (size_t c = 0; c < classes; c++)
        for (size_t i = 0; i < inner; i++)
            work->scores[c * inner + i] -= maximum[i] + sums[i];
}

/* Losses of one picture, added to the totals. */
static vt_status picture_losses(loss_work *work, vt_error *error)
{
    for (size_t i = 0; i < work->inner; i++) {
        int64_t target = work->targets[i];
        work->losses[i] = 0.0;
        if (work->ignores && target == work->ignored)
            continue;
        if (target < 0 || target >= (int64_t)work->classes)
            return vt_fail(error, VT_ERR_FORMAT, "target %lld is not one of %zu classes",
                           (long long)target, work->classes);
        double weight = work->weights == NULL ? 1.0 : work->weights[target];
        work->losses[i] = -weight * work->scores[(size_t)target * work->inner + i];
        work->total += work->losses[i];
        work->weight += weight;
    }
    return VT_OK;
}

static vt_status loss_run(vt_op_args *args, loss_work *work, loss_reduction reduction,
                          vt_error *error)
{
    const vt_tensor *scores = &args->inputs[0], *targets = &args->inputs[1];
    vt_tensor *y = &args->outputs[0];
    size_t inner = work->inner, picture = work->classes * inner;
    vt_status status = VT_OK;
    for (size_t n = 0; n < (size_t)scores->shape.dims[0] && status == VT_OK; n++) {
        vt_load_f64(scores->dtype, scores->data, n * picture, picture, work->scores);
        vt_load_i64(targets->dtype, targets->data, n * inner, inner, work->targets);
        if (work->logarithm)
            log_softmax(work);
        if (vt_op_wants(args, 1))
            vt_store_f64(scores->dtype, args->outputs[1].data, n * picture, picture, work->scores);
        status = picture_losses(work, error);
        if (status == VT_OK && reduction == LOSS_NONE && vt_op_wants(args, 0))
            vt_store_f64(y->dtype, y->data, n * inner, inner, work->losses);
    }
    if (status == VT_OK && reduction != LOSS_NONE && vt_op_wants(args, 0)) {
        double value = reduction == LOSS_MEAN ? work->total / work->weight : work->total;
        vt_store_f64(y->dtype, y->data, 0, 1, &value);
    }
    return status;
}

static vt_status loss_reference(vt_op_args *args, bool logarithm, vt_error *error)
{
    const vt_shape *shape = &args->inputs[0].shape;
    const vt_tensor *weights = vt_op_input(args, 2);
    loss_reduction reduction = LOSS_MEAN;
    loss_work work = {.logarithm = logarithm,
                      .classes = (size_t)shape->dims[1],
                      .inner = vt_shape_product(shape, 2, shape->rank),
                      .ignores = vt_node_attr(args->node, "ignore_index") != NULL,
                      .ignored = vt_node_int(args->node, "ignore_index", 0)};
    vt_status status = reduction_of(args, &reduction, error);
    if (status == VT_OK && weights != NULL)
        status = vt_op_widen(weights, &work.weights, error);
    if (status == VT_OK) {
        work.scores = vt_alloc_array(work.classes * work.inner, sizeof(*work.scores));
        work.sums = vt_alloc_array(work.inner, sizeof(*work.sums));
        work.losses = vt_alloc_array(work.inner, sizeof(*work.losses));
        work.targets = vt_alloc_array(work.inner, sizeof(*work.targets));
        if (work.scores == NULL || work.sums == NULL || work.losses == NULL || work.targets == NULL)
            status = vt_fail_memory(error, "scores of a picture");
    }
    if (status == VT_OK)
        status = loss_run(args, &work, reduction, error);
    vt_free(work.scores);
    vt_free(work.sums);
    vt_free(work.weights);
    vt_free(work.losses);
    vt_free(work.targets);
    return status;
}

static vt_status likelihood_reference(vt_op_args *args, vt_error *error)
{
    return loss_reference(args, false, error);
}

static vt_status entropy_reference(vt_op_args *args, vt_error *error)
{
    return loss_reference(args, true, error);
}

const vt_op vt_ops_loss[] = {
    {"NegativeLogLikelihoodLoss", "", 12, 0, 2, 3, 1, 1, "ignore_index:i reduction:s",
     .infer = loss_infer, .reference = likelihood_reference},
    {"SoftmaxCrossEntropyLoss", "", 12, 0, 2, 3, 1, 2, "ignore_index:i reduction:s",
     .infer = loss_infer, .reference = entropy_reference},
    {0},
};
