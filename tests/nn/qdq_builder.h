/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quantised graphs made by tests, in the form in which exporters write them: QuantizeLinear and
 * DequantizeLinear around float operators.
 *
 *     const qdq q = {VT_U8, 0.02F, 128};
 *     vt_value_id x = qdq_pair(&b, builder_input(...), &q);
 *     vt_value_id w = qdq_weights(&b, 4, dims, &(qdq_weight){.axis = 0, .count = dims[0]});
 */
#ifndef VT_TESTS_NN_QDQ_BUILDER_H
#define VT_TESTS_NN_QDQ_BUILDER_H

#include "dnnl_cases.h"

typedef struct qdq {
    vt_dtype dtype;
    float scale;
    int zero;
} qdq;

static inline vt_value_id qdq_integer(builder *b, vt_dtype dtype, int64_t value)
{
    vt_tensor tensor;
    assert_int_equal(vt_tensor_init(&tensor, dtype, &(vt_shape){0}, 0, NULL), VT_OK);
    vt_store_i64(dtype, tensor.data, 0, 1, &value);
    return builder_take(b, &tensor);
}

static inline vt_value_id qdq_quantize(builder *b, vt_value_id x, const qdq *q)
{
    const vt_value_id inputs[] = {x, builder_scalar(b, q->scale),
                                  qdq_integer(b, q->dtype, q->zero)};
    return builder_node(b, "QuantizeLinear", 13, inputs, 3, NULL, 0);
}

static inline vt_value_id qdq_dequantize(builder *b, vt_value_id x, const qdq *q)
{
    const vt_value_id inputs[] = {x, builder_scalar(b, q->scale),
                                  qdq_integer(b, q->dtype, q->zero)};
    return builder_node(b, "DequantizeLinear", 13, inputs, 3, NULL, 0);
}

static inline vt_value_id qdq_pair(builder *b, vt_value_id x, const qdq *q)
{
    return qdq_dequantize(b, qdq_quantize(b, x, q), q);
}

typedef struct qdq_weight {
    int64_t axis, count; /* count 0: one scale */
    vt_dtype dtype;      /* NONE: i8 */
    int zero;
    bool with_zeros; /* names zero points that are 0 */
    float scale;     /* 0: about 0.01 */
} qdq_weight;

static inline vt_value_id qdq_whole(builder *b, vt_dtype dtype, int rank, const int64_t *dims,
                                    int64_t low, int64_t high)
{
    vt_tensor tensor;
    vt_shape shape = vt_shape_of(rank, dims);
    assert_int_equal(vt_tensor_init(&tensor, dtype, &shape, 0, NULL), VT_OK);
    for (size_t i = 0; i < vt_tensor_count(&tensor); i++) {
        int64_t value = low + (int64_t)vt_random_below(&b->random, (uint64_t)(high - low + 1));
        vt_store_i64(dtype, tensor.data, i, 1, &value);
    }
    return builder_take(b, &tensor);
}

/* *scales: (count or 1), as written to the graph. */
static inline vt_value_id qdq_weights(builder *b, int rank, const int64_t *dims,
                                      const qdq_weight *w)
{
    vt_dtype dtype = w->dtype == VT_DTYPE_NONE ? VT_I8 : w->dtype;
    const vt_attr axis = attr_int("axis", w->axis);
    float scale = w->scale != 0.0F ? w->scale : 0.01F;
    vt_value_id inputs[3];
    inputs[0] = dtype == VT_I8 ? qdq_whole(b, dtype, rank, dims, -127, 127)
                               : qdq_whole(b, dtype, rank, dims, 0, 255);
    inputs[1] = w->count > 0 ? builder_constant(b, 1, &w->count, 0.5F * scale, 1.5F * scale)
                             : builder_scalar(b, scale);
    inputs[2] = w->count > 0 ? qdq_whole(b, dtype, 1, &w->count, w->zero, w->zero)
                             : qdq_integer(b, dtype, w->zero);
    size_t count = w->with_zeros || w->zero != 0 || dtype != VT_I8 ? 3 : 2;
    return builder_node(b, "DequantizeLinear", 13, inputs, count, &axis, w->count > 0);
}

/* i32 numbers with one scale, as biases are stored. */
static inline vt_value_id qdq_bias(builder *b, int64_t count, float scale)
{
    const vt_value_id inputs[] = {qdq_whole(b, VT_I32, 1, &count, -3000, 3000),
                                  builder_scalar(b, scale)};
    return builder_node(b, "DequantizeLinear", 13, inputs, 2, NULL, 0);
}

/* The plan after the passes of an integer session. */
static inline vt_plan *qdq_plan(builder *b)
{
    vt_plan *plan = builder_plan(b);
    apply_passes_of(plan, VT_PRECISION_INT8);
    return plan;
}

static inline size_t qdq_count(const vt_plan *plan, const char *op)
{
    size_t count = 0;
    for (size_t s = 0; s < plan->step_count; s++) {
        count += strcmp(plan->steps[s].node.op->name, op) == 0;
    }
    return count;
}

static inline size_t qdq_integer_steps(const vt_plan *plan)
{
    size_t count = 0;
    for (size_t s = 0; s < plan->step_count; s++) {
        count += plan->steps[s].quant != NULL;
    }
    return count;
}

/* Within one step of the result's scale (`step`; 1 for bytes), and nearly everywhere much closer:
 * only what lies between two numbers may be rounded the other way. */
static inline void compare_steps(const vt_tensor *have, const vt_tensor *want, double step)
{
    size_t count = vt_tensor_count(want), off = 0;
    assert_int_equal(have->dtype, want->dtype);
    assert_true(vt_shape_equal(&have->shape, &want->shape));
    for (size_t i = 0; i < count; i++) {
        double difference = fabs(vt_tensor_get(have, i) - vt_tensor_get(want, i));
        if (!(difference <= 1.001 * step)) {
            fail_msg("element %zu is %g, wanted %g, steps of %g", i, vt_tensor_get(have, i),
                     vt_tensor_get(want, i), step);
        }
        off += difference > 0.02 * step;
    }
    if (off > count / 50 + 2) {
        fail_msg("%zu of %zu elements differ", off, count);
    }
}

#endif
