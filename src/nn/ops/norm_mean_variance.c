/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MeanVarianceNormalization: (x - mean) / (standard deviation + 1e-9), both taken over any set of
 * axes (of N, C, H, W all but C unless told otherwise).
 *
 * Three passes over the tensor in memory order: means, mean squared differences, results. The sums
 * are kept by position along the axes that stay.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <math.h>

static vt_status mvn_marks(const vt_op_args *args, bool marks[VT_MAX_RANK], vt_error *error)
{
    int64_t axes[VT_MAX_RANK] = {0, 2, 3};
    int count = vt_node_ints(args->node, "axes", axes, VT_MAX_RANK);
    if (count > VT_MAX_RANK)
        return vt_fail(error, VT_ERR_LIMIT, "attribute \"axes\" has %d numbers", count);
    return vt_op_axes(axes, count < 0 ? 3 : count, args->inputs[0].shape.rank, marks, error);
}

static vt_status mvn_infer(vt_op_args *args, vt_error *error)
{
    bool marks[VT_MAX_RANK];
    vt_status status = vt_op_check_type(args, 0, VT_TYPES_FLOAT, error);
    if (status == VT_OK)
        status = mvn_marks(args, marks, error);
    if (status == VT_OK)
        vt_op_set_output(args, 0, args->inputs[0].dtype, &args->inputs[0].shape);
    return status;
}

typedef struct mvn_work {
    vt_broadcast map;
    double *mean, *deviation; /* by position along the axes that stay */
} mvn_work;

typedef enum mvn_pass { MVN_MEAN, MVN_DEVIATION, MVN_RESULT } mvn_pass;

static void mvn_sweep(vt_op_args *args, const mvn_work *work, mvn_pass pass)
{
    const vt_tensor *x = &args->inputs[0];
    size_t count = vt_tensor_count(x), at[VT_RUN];
    double run[VT_RUN];
    for (size_t start = 0; start < count; start += VT_RUN) {
        size_t part = count - start < VT_RUN ? count - start : VT_RUN;
        vt_broadcast_indices(&work->map, start, part, at);
        vt_load_f64(x->dtype, x->data, start, part, run);
        for (size_t i = 0; i < part; i++) {
            double difference = run[i] - work->mean[at[i]];
            if (pass == MVN_MEAN)
                work->mean[at[i]] += run[i];
            else if (pass == MVN_DEVIATION)
                work->deviation[at[i]] += difference * difference;
            else
                run[i] = difference / (work->deviation[at[i]] + 1e-9);
        }
        if (pass == MVN_RESULT)
            vt_store_f64(x->dtype, args->outputs[0].data, start, part, run);
    }
}

static vt_status mvn_reference(vt_op_args *args, vt_error *error)
{
    bool marks[VT_MAX_RANK];
    vt_shape kept = args->inputs[0].shape;
    mvn_work work = {0};
    vt_status status = mvn_marks(args, marks, error);
    if (status != VT_OK)
        return status;
    for (int i = 0; i < kept.rank; i++)
        kept.dims[i] = marks[i] ? 1 : kept.dims[i];
    size_t count = vt_shape_product(&kept, 0, kept.rank);
    double each = (double)(vt_tensor_count(&args->inputs[0]) / count);
    vt_broadcast_init(&work.map, &kept, &args->inputs[0].shape);
    work.mean = vt_calloc(count, sizeof(*work.mean));
    work.deviation = vt_calloc(count, sizeof(*work.deviation));
    if (work.mean == NULL || work.deviation == NULL) {
        status = vt_fail_memory(error, "means and deviations");
    } else {
        mvn_sweep(args, &work, MVN_MEAN);
        for (size_t i = 0; i < count; i++)
            work.mean[i] /= each;
        mvn_sweep(args, &work, MVN_DEVIATION);
        for (size_t i = 0; i < count; i++)
            work.deviation[i] = sqrt(work.deviation[i] / each);
        mvn_sweep(args, &work, MVN_RESULT);
    }
    vt_free(work.mean);
    vt_free(work.deviation);
    return status;
}

const vt_op vt_ops_norm_mean_variance[] = {
    {"MeanVarianceNormalization", "", 9, 0, 1, 1, 1, 1, "axes:I", .infer = mvn_infer,
     .reference = mvn_reference},
    {0},
};
