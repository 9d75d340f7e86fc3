/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HannWindow, HammingWindow, BlackmanWindow: weights of a stretch of a signal, sums of cosines.
 *
 * w(n) = a - b cos(2 pi n / N) + c cos(4 pi n / N), where N is the size, or one less for a window
 * that is symmetric rather than periodic. A symmetric window of one number is 1.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <math.h>

static vt_status window_infer(vt_op_args *args, vt_error *error)
{
    int64_t size = 0, type = vt_node_int(args->node, "output_datatype", VT_F32);
    int count = 0;
    vt_status status = vt_op_input_ints(args, 0, &size, 1, &count, error);
    if (status != VT_OK)
        return status;
    if (count != 1 || size < 0)
        return vt_fail(error, VT_ERR_FORMAT, "size is not one number that is not negative");
    if (type < 0 || type > VT_BF16 || (VT_TYPE(type) & VT_TYPES_NUMBER) == 0)
        return vt_fail(error, VT_ERR_FORMAT, "attribute \"output_datatype\" is %lld, no number",
                       (long long)type);
    vt_shape shape = vt_shape_of(1, &size);
    vt_op_set_output(args, 0, (vt_dtype)type, &shape);
    return VT_OK;
}

static vt_status window_run(vt_op_args *args, double a, double b, double c)
{
    vt_tensor *y = &args->outputs[0];
    size_t count = vt_tensor_count(y);
    bool periodic = vt_node_int(args->node, "periodic", 1) != 0;
    double period = (double)count - (periodic ? 0.0 : 1.0);
    for (size_t i = 0; i < count; i++) {
        double angle = 2.0 * 3.14159265358979323846 * (double)i / period;
        double value = period > 0.0 ? a - b * cos(angle) + c * cos(2.0 * angle) : 1.0;
        vt_store_f64(y->dtype, y->data, i, 1, &value);
    }
    return VT_OK;
}

static vt_status hann_reference(vt_op_args *args, vt_error *error)
{
    (void)error;
    return window_run(args, 0.5, 0.5, 0.0);
}

static vt_status hamming_reference(vt_op_args *args, vt_error *error)
{
    (void)error;
    return window_run(args, 25.0 / 46.0, 21.0 / 46.0, 0.0);
}

static vt_status blackman_reference(vt_op_args *args, vt_error *error)
{
    (void)error;
    return window_run(args, 0.42, 0.5, 0.08);
}

#define ROW(name, function)                                                                        \
    {                                                                                              \
        name, "", 17, 0, 1, 1, 1, 1, "output_datatype:i periodic:i",                               \
            .shape_inputs = 1u << 0, .infer = window_infer, .reference = function                  \
    }

const vt_op vt_ops_signal_window[] = {
    ROW("HannWindow", hann_reference),
    ROW("HammingWindow", hamming_reference),
    ROW("BlackmanWindow", blackman_reference),
    {0},
};
