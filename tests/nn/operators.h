/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One operator at a time: inputs as tensors, attributes as a list, outputs checked against numbers.
 *
 *     op_call call = {"Slice", 13, .inputs = {&x, &starts, &ends}, .input_count = 3};
 *     op_run(&call);
 *     ASSERT_OUTPUT(call, DIMS(1, 2), 3, 4);
 *     op_done(&call);
 */
#ifndef VT_TESTS_NN_OPERATORS_H
#define VT_TESTS_NN_OPERATORS_H

#include "support/scratch.h"

#include "nn/graph.h"

#include <math.h>

enum { OP_OPERANDS = 10 };

typedef struct op_call {
    const char *name;
    int opset;
    const vt_attr *attrs;
    size_t attr_count;
    const vt_tensor *inputs[OP_OPERANDS]; /* NULL: left out */
    size_t input_count, output_count;     /* output_count 0 means 1 */
    unsigned computed;                    /* bit i: infer does not see the data of input i */
    vt_model_limits limits;               /* nodes 0: defaults */
    vt_tensor outputs[OP_OPERANDS];
    vt_error error;
} op_call;

#define TENSOR(type, values, ...)                                                                  \
    {                                                                                              \
        .dtype = (type),                                                                           \
        .shape = {.rank = (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),               \
                  .dims = {__VA_ARGS__}},                                                          \
        .data = (values), .bytes = sizeof(values)                                                  \
    }
#define SCALAR(type, values)                                                                       \
    {                                                                                              \
        .dtype = (type), .data = (values), .bytes = sizeof(values)                                 \
    }
#define ATTR_INT(key, value)                                                                       \
    {                                                                                              \
        .name = (key), .kind = VT_ATTR_INT, .i = (value)                                           \
    }
#define ATTR_FLOAT(key, value)                                                                     \
    {                                                                                              \
        .name = (key), .kind = VT_ATTR_FLOAT, .f = (value)                                         \
    }
#define ATTR_TEXT(key, value)                                                                      \
    {                                                                                              \
        .name = (key), .kind = VT_ATTR_TEXT, .text = (value)                                       \
    }
#define ATTR_INTS(key, ...)                                                                        \
    {                                                                                              \
        .name = (key), .kind = VT_ATTR_INTS, .ints = (const int64_t[]){__VA_ARGS__},               \
        .count = sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)                                \
    }
#define ATTRS(list) .attrs = (list), .attr_count = sizeof(list) / sizeof((list)[0])

static inline void op_outputs_free(op_call *call)
{
    for (size_t i = 0; i < OP_OPERANDS; i++)
        vt_tensor_deinit(&call->outputs[i]);
}

static inline vt_status op_compute(op_call *call, const vt_graph *graph, const vt_node *node)
{
    vt_tensor inputs[OP_OPERANDS] = {0};
    vt_op_args args = {.graph = graph, .node = node, .inputs = inputs, .outputs = call->outputs};
    for (size_t i = 0; i < node->input_count; i++) {
        if (call->inputs[i] != NULL)
            inputs[i] = *call->inputs[i];
        if ((call->computed >> i & 1) != 0)
            inputs[i].data = NULL;
    }
    vt_status status = vt_op_infer(&args, &call->error);
    for (size_t i = 0; i < node->input_count; i++)
        if (call->inputs[i] != NULL)
            inputs[i] = *call->inputs[i];
    for (size_t i = 0; i < node->output_count && status == VT_OK; i++)
        if (vt_op_wants(&args, i))
            status = vt_tensor_init(&call->outputs[i], call->outputs[i].dtype,
                                    &call->outputs[i].shape, 0, &call->error);
    return status == VT_OK ? vt_op_run_reference(&args, &call->error) : status;
}

/* The whole way of a node: lookup, checks, shapes, reference. Outputs are op_done's. */
static inline vt_status op_try(op_call *call)
{
    vt_graph graph;
    vt_value_id ids[2 * OP_OPERANDS];
    vt_node node = {.op = vt_op_find("", call->name, call->opset),
                    .opset = call->opset,
                    .name = "tested",
                    .inputs = ids,
                    .outputs = ids + OP_OPERANDS,
                    .input_count = call->input_count,
                    .output_count = call->output_count == 0 ? 1 : call->output_count,
                    .attrs = (vt_attr *)(uintptr_t)call->attrs,
                    .attr_count = call->attr_count};
    memset(call->outputs, 0, sizeof call->outputs);
    assert_non_null(node.op);
    vt_graph_init(&graph, call->limits.nodes == 0 ? NULL : &call->limits);
    vt_status status = VT_OK;
    for (size_t i = 0; i < 2 * OP_OPERANDS && status == VT_OK; i++) {
        char name[16];
        snprintf(name, sizeof name, "v%zu", i);
        ids[i] = VT_NO_VALUE;
        if (i >= OP_OPERANDS || call->inputs[i] != NULL)
            status = vt_graph_add_value(&graph, name, &ids[i], &call->error);
    }
    if (status == VT_OK)
        status = vt_graph_add_node(&graph, &node, &call->error);
    if (status == VT_OK)
        status = op_compute(call, &graph, &graph.nodes[0]);
    if (status != VT_OK)
        op_outputs_free(call);
    vt_graph_deinit(&graph);
    return status;
}

static inline void op_run(op_call *call)
{
    vt_status status = op_try(call);
    if (status != VT_OK)
        print_message("%s: %s\n", call->name, call->error.message);
    assert_int_equal(status, VT_OK);
}

static inline void op_done(op_call *call)
{
    op_outputs_free(call);
}

/* It must fail with this status and say `reason`, and name the node. */
static inline void op_fails(op_call *call, vt_status want, const char *reason)
{
    vt_status status = op_try(call);
    if (status != want || strstr(call->error.message, reason) == NULL)
        print_message("%s: %s\n", call->name, status == VT_OK ? "ok" : call->error.message);
    if (status == VT_OK)
        op_done(call);
    assert_int_equal(status, want);
    assert_non_null(strstr(call->error.message, reason));
    assert_non_null(strstr(call->error.message, "node \"tested\""));
}

static inline void assert_shape(const vt_tensor *tensor, int rank, const int64_t *dims)
{
    assert_int_equal(tensor->shape.rank, rank);
    for (int i = 0; i < rank; i++)
        assert_int_equal(tensor->shape.dims[i], dims[i]);
}

static inline void assert_numbers(const vt_tensor *tensor, size_t count, const double *want)
{
    assert_int_equal(vt_tensor_count(tensor), count);
    for (size_t i = 0; i < count; i++) {
        double have = vt_tensor_get(tensor, i);
        bool same = have == want[i] || (isnan(have) && isnan(want[i])) ||
                    fabs(have - want[i]) <= 1e-5 * (1.0 + fabs(want[i]));
        if (!same)
            print_message("[%zu] is %.9g, wants %.9g\n", i, have, want[i]);
        assert_true(same);
    }
}

/* Numbers of the first output; shape as a list. */
#define ASSERT_OUTPUT(call, dims, ...)                                                             \
    do {                                                                                           \
        const int64_t wanted_dims[] = dims;                                                        \
        const double wanted[] = {__VA_ARGS__};                                                     \
        assert_shape(&(call).outputs[0], (int)(sizeof wanted_dims / sizeof *wanted_dims),          \
                     wanted_dims);                                                                 \
        assert_numbers(&(call).outputs[0], sizeof wanted / sizeof *wanted, wanted);                \
    } while (0)
#define DIMS(...)                                                                                  \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

#endif
