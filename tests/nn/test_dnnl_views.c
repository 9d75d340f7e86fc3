/* SPDX-License-Identifier: Apache-2.0 */
/* Views of the oneDNN executor: whatever they are read by, numbers are the reference executor's. */
#include "dnnl_cases.h"

/* ---- random chains ---- */

static vt_value_id transpose(builder *b, vt_value_id x, int rank)
{
    int64_t perm[VT_MAX_RANK];
    for (int i = 0; i < rank; i++) {
        int at = (int)vt_random_below(&b->random, (uint64_t)i + 1);
        perm[i] = perm[at];
        perm[at] = i;
    }
    const vt_attr attr = attr_ints("perm", rank, perm);
    return builder_node(b, "Transpose", 13, &x, 1, &attr, 1);
}

/* Along one or two axes, sometimes with steps and negative bounds. */
static vt_value_id slice(builder *b, vt_value_id x, const vt_shape *shape)
{
    int64_t starts[2], ends[2], axes[2], steps[2];
    int count = shape->rank > 1 ? 1 + (int)vt_random_below(&b->random, 2) : 1;
    int first = (int)vt_random_below(&b->random, (uint64_t)shape->rank);
    for (int i = 0; i < count; i++) {
        int axis = (first + i) % shape->rank;
        int64_t size = shape->dims[axis];
        axes[i] = vt_random_below(&b->random, 2) ? axis : axis - shape->rank;
        starts[i] = (int64_t)vt_random_below(&b->random, (uint64_t)size);
        ends[i] = starts[i] + 1 + (int64_t)vt_random_below(&b->random, (uint64_t)size);
        steps[i] = 1 + (int64_t)vt_random_below(&b->random, 3);
        starts[i] -= vt_random_below(&b->random, 2) ? size : 0;
        if (vt_random_below(&b->random, 8) == 0) { /* backwards: no view */
            starts[i] = -1;
            ends[i] = -size - 1;
            steps[i] = -steps[i];
        }
    }
    const vt_value_id inputs[] = {x, builder_ints(b, count, starts), builder_ints(b, count, ends),
                                  builder_ints(b, count, axes), builder_ints(b, count, steps)};
    return builder_node(b, "Slice", 13, inputs, 5, NULL, 0);
}

static vt_value_id gather(builder *b, vt_value_id x, const vt_shape *shape)
{
    int axis = (int)vt_random_below(&b->random, (uint64_t)shape->rank);
    int64_t index = (int64_t)vt_random_below(&b->random, (uint64_t)shape->dims[axis]);
    vt_tensor tensor;
    const vt_shape shapes[3] = {{0}, {1, {1}}, {2, {1, 1}}};
    uint64_t form = vt_random_below(&b->random, 3);
    assert_int_equal(vt_tensor_init(&tensor, VT_I64, &shapes[form], 0, NULL), VT_OK);
    ((int64_t *)tensor.data)[0] =
        vt_random_below(&b->random, 2) ? index : index - shape->dims[axis];
    const vt_attr attr =
        attr_int("axis", vt_random_below(&b->random, 2) ? axis : axis - shape->rank);
    const vt_value_id inputs[] = {x, builder_take(b, &tensor)};
    return builder_node(b, "Gather", 13, inputs, 2, &attr, 1);
}

/* Two or three parts, of which one is carried on and another may be an output. */
static vt_value_id split(builder *b, vt_value_id x, const vt_shape *shape)
{
    int axis = (int)vt_random_below(&b->random, (uint64_t)shape->rank);
    int64_t size = shape->dims[axis], parts[3];
    size_t count = size < 3 ? (size_t)size : 2 + (size_t)vt_random_below(&b->random, 2);
    vt_value_id outputs[3], inputs[2] = {x};
    for (size_t i = 0; i < count; i++) {
        parts[i] = i + 1 == count ? size : 1;
        size -= parts[i];
        outputs[i] = builder_value(b);
    }
    inputs[1] = builder_ints(b, (int)count, parts);
    vt_attr attr = attr_int("axis", axis);
    vt_node node = {.op = vt_op_find("", "Split", 13),
                    .opset = 13,
                    .name = "",
                    .inputs = inputs,
                    .outputs = outputs,
                    .input_count = 2,
                    .output_count = count,
                    .attrs = &attr,
                    .attr_count = 1};
    assert_int_equal(vt_graph_add_node(&b->graph, &node, NULL), VT_OK);
    if (b->output_count < 4 && vt_random_below(&b->random, 4) == 0) {
        builder_output(b, outputs[0]);
    }
    return outputs[vt_random_below(&b->random, count)];
}

/* The same elements under other dimensions: two axes joined, one divided, ones added. */
static vt_value_id reshape(builder *b, vt_value_id x, const vt_shape *shape)
{
    int64_t dims[VT_MAX_RANK + 1];
    int rank = 0, at = (int)vt_random_below(&b->random, (uint64_t)shape->rank);
    uint64_t form = vt_random_below(&b->random, 3);
    for (int i = 0; i < shape->rank; i++) {
        int64_t size = shape->dims[i];
        if (form == 0 && i == at && i + 1 < shape->rank) {
            dims[rank++] = size * shape->dims[++i];
        } else if (form == 1 && i == at && size % 2 == 0 && shape->rank < 6) {
            dims[rank++] = size / 2;
            dims[rank++] = 2;
        } else if (form == 2 && i == at && shape->rank < 6) {
            dims[rank++] = 1;
            dims[rank++] = size;
        } else {
            dims[rank++] = size;
        }
    }
    return builder_binary(b, "Reshape", x, builder_ints(b, rank, dims));
}

static vt_value_id flatten_or_squeeze(builder *b, vt_value_id x, const vt_shape *shape)
{
    if (shape->rank > 1 && vt_random_below(&b->random, 2) == 0) {
        for (int i = 0; i < shape->rank; i++) {
            if (shape->dims[i] == 1) {
                return builder_binary(b, "Squeeze", x, builder_ints(b, 1, (const int64_t[]){i}));
            }
        }
    }
    if (shape->rank < 6 && vt_random_below(&b->random, 2) == 0) {
        int64_t axis = (int64_t)vt_random_below(&b->random, (uint64_t)shape->rank + 1);
        return builder_binary(b, "Unsqueeze", x, builder_ints(b, 1, &axis));
    }
    const vt_attr attr =
        attr_int("axis", (int64_t)vt_random_below(&b->random, (uint64_t)shape->rank + 1));
    return builder_node(b, "Flatten", 13, &x, 1, &attr, 1);
}

/* The shape of a value that is already there: the graph so far, planned. */
static vt_shape shape_of(builder *b, vt_value_id value)
{
    vt_shape shapes[BUILDER_MAXIMUM];
    vt_plan *plan = NULL;
    vt_error error = {0};
    vt_value_id outputs[1] = {value};
    assert_int_equal(vt_graph_set_inputs(&b->graph, b->inputs, b->input_count, NULL), VT_OK);
    assert_int_equal(vt_graph_set_outputs(&b->graph, outputs, 1, NULL), VT_OK);
    if (vt_graph_finish(&b->graph, &error) != VT_OK) {
        fail_msg("graph: %s", error.message);
    }
    for (size_t i = 0; i < b->input_count; i++) {
        shapes[i] = b->graph.values[b->inputs[i]].shape;
    }
    if (vt_plan_new(&b->graph, shapes, outputs, 1, &plan, &error) != VT_OK) {
        fail_msg("plan: %s", error.message);
    }
    vt_shape shape = plan->values[value].tensor.shape;
    vt_plan_free(plan);
    return shape;
}

static vt_value_id view(builder *b, vt_value_id x)
{
    vt_shape shape = shape_of(b, x);
    if (shape.rank == 0) {
        return builder_binary(b, "Unsqueeze", x, builder_ints(b, 1, (const int64_t[]){0}));
    }
    switch (vt_random_below(&b->random, 7)) {
    case 0:
    case 1:
        return transpose(b, x, shape.rank);
    case 2:
        return slice(b, x, &shape);
    case 3:
        return gather(b, x, &shape);
    case 4:
        return split(b, x, &shape);
    case 5:
        return reshape(b, x, &shape);
    default:
        return flatten_or_squeeze(b, x, &shape);
    }
}

static vt_value_id multiply(builder *b, vt_value_id x, const vt_shape *shape)
{
    const int64_t dims[2] = {shape->dims[shape->rank - 1], 5};
    const int64_t swapped[2] = {4, shape->dims[shape->rank - 1]};
    if (shape->rank == 2 && vt_random_below(&b->random, 2) == 0) {
        const vt_attr attr = attr_int("transB", 1);
        const vt_value_id inputs[] = {x, builder_constant(b, 2, swapped, -1, 1)};
        return builder_node(b, "Gemm", 13, inputs, 2, &attr, 1);
    }
    return builder_binary(b, "MatMul", x, builder_constant(b, 2, dims, -1, 1));
}

static vt_value_id window_step(builder *b, vt_value_id x, const vt_shape *shape)
{
    const int64_t kernel[2] = {1, 1};
    const vt_attr attr = attr_ints("kernel_shape", 2, kernel);
    const int64_t weights[4] = {6, shape->dims[1], 1, 1};
    const vt_value_id inputs[] = {x, builder_constant(b, 4, weights, -1, 1)};
    switch (vt_random_below(&b->random, 3)) {
    case 0:
        return builder_node(b, "MaxPool", 12, &x, 1, &attr, 1);
    case 1:
        return builder_unary(b, "GlobalAveragePool", x);
    default:
        return builder_node(b, "Conv", 13, inputs, 2, NULL, 0);
    }
}

static vt_value_id broadcast_add(builder *b, vt_value_id x, const vt_shape *shape)
{
    int64_t dims[VT_MAX_RANK];
    for (int i = 0; i < shape->rank; i++) {
        dims[i] = vt_random_below(&b->random, 2) ? shape->dims[i] : 1;
    }
    vt_value_id other = builder_constant(b, shape->rank, dims, -1, 1);
    return vt_random_below(&b->random, 2) ? builder_binary(b, "Add", x, other)
                                          : builder_binary(b, "Mul", other, x);
}

/* Something that reads a view. */
static vt_value_id reader(builder *b, vt_value_id x)
{
    vt_shape shape = shape_of(b, x);
    vt_attr attr = attr_int("axis", shape.rank - 1);
    switch (vt_random_below(&b->random, 8)) {
    case 0:
        return builder_unary(b, "Relu", x);
    case 1:
        return builder_binary(b, "Add", x, x);
    case 2:
        return broadcast_add(b, x, &shape);
    case 3:
        return shape.rank >= 2 ? multiply(b, x, &shape) : builder_unary(b, "Tanh", x);
    case 4:
        return shape.rank == 4 ? window_step(b, x, &shape) : builder_unary(b, "Sigmoid", x);
    case 5:
        if (shape.rank > 0) {
            return builder_node(b, "Concat", 13, (const vt_value_id[]){x, x}, 2, &attr, 1);
        }
        return builder_unary(b, "Abs", x);
    case 6:
        if (shape.rank > 0) {
            return builder_node(b, "Softmax", 13, &x, 1, &attr, 1);
        }
        return builder_unary(b, "Exp", x);
    default:
        if (shape.rank > 0) {
            int64_t axis = (int64_t)vt_random_below(&b->random, (uint64_t)shape.rank);
            const vt_attr axes = attr_ints("axes", 1, &axis);
            return builder_node(b, "ReduceMean", 13, &x, 1, &axes, 1);
        }
        return builder_unary(b, "Relu", x);
    }
}

static void test_random_chains(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 400; seed++) {
        builder b;
        builder_init(&b, seed);
        vt_value_id x = plain_or_blocked(&b, 2, pick_channels(&b), 6, 5);
        for (int i = 0; i < 6; i++) {
            x = vt_random_below(&b.random, 3) ? view(&b, x) : reader(&b, x);
            if (b.output_count < 4 && vt_random_below(&b.random, 5) == 0) {
                builder_output(&b, x);
            }
        }
        builder_output(&b, x);
        builder_compare(&b, seed % 2 == 0, 1e-4);
        builder_deinit(&b);
    }
}

/* ---- single cases ---- */

/* Steps that took no action of their own. */
static void count_view(void *context, const vt_step_info *step)
{
    *(size_t *)context += strcmp(step->executor, "view") == 0;
}

static size_t count_views(builder *b)
{
    size_t count = 0;
    vt_runner *runner = builder_onednn(b, false, 1);
    assert_int_equal(runner->describe(runner, count_view, &count, NULL), VT_OK);
    runner->free(runner);
    return count;
}

static vt_value_id permuted(builder *b, vt_value_id x, int rank, const int64_t *perm)
{
    const vt_attr attr = attr_ints("perm", rank, perm);
    return builder_node(b, "Transpose", 13, &x, 1, &attr, 1);
}

/* x[first:end:step] of one axis. */
static vt_value_id range(builder *b, vt_value_id x, int64_t axis, const int64_t bounds[3])
{
    const vt_value_id inputs[] = {x, builder_ints(b, 1, &bounds[0]), builder_ints(b, 1, &bounds[1]),
                                  builder_ints(b, 1, &axis), builder_ints(b, 1, &bounds[2])};
    return builder_node(b, "Slice", 13, inputs, 5, NULL, 0);
}

static vt_value_id one_of(builder *b, vt_value_id x, int64_t axis, int64_t index)
{
    const vt_attr attr = attr_int("axis", axis);
    const vt_value_id inputs[] = {x, builder_ints(b, 1, &index)};
    vt_value_id picked = builder_node(b, "Gather", 13, inputs, 2, &attr, 1);
    return builder_binary(b, "Squeeze", picked, builder_ints(b, 1, &axis));
}

/* What leaves the network is row-major and outlives the caller's inputs, view or not. */
static void test_views_of_inputs_as_outputs(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 1);
    vt_value_id x = builder_input(&b, VT_F32, 3, (const int64_t[]){4, 6, 5});
    vt_value_id part = range(&b, x, 0, (const int64_t[]){1, 3, 1}); /* bytes in a row */
    builder_output(&b, x);
    builder_output(&b, part);
    builder_output(&b, permuted(&b, x, 3, (const int64_t[]){2, 0, 1}));
    builder_output(&b, one_of(&b, part, 0, 1)); /* a view of a view */
    builder_output(&b, range(&b, x, 2, (const int64_t[]){1, 5, 2}));
    builder_output(
        &b, builder_binary(&b, "Reshape", part, builder_ints(&b, 2, (const int64_t[]){4, 15})));
    assert_int_equal(builder_compare(&b, false, 0), 0);
    assert_int_equal(count_views(&b), 6);

    vt_tensor inputs[1], outputs[6], kept[6];
    vt_runner *runner = builder_onednn(&b, false, 1);
    builder_random_inputs(&b, inputs);
    run_or_fail(runner, inputs, outputs);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(vt_tensor_dup(&outputs[i], &kept[i], NULL), VT_OK);
    }
    memset(inputs[0].data, 0x7F, inputs[0].bytes);
    tensors_deinit(inputs, 1);
    for (int i = 0; i < 6; i++) {
        compare_tensors(&outputs[i], &kept[i], 0);
    }
    tensors_deinit(kept, 6);
    runner->free(runner);
    builder_deinit(&b);
}

/* Inputs of types that oneDNN does not describe, and integers, arrive unchanged. */
static void test_other_types(void **state)
{
    (void)state;
    static const vt_dtype dtypes[] = {VT_F16, VT_BF16, VT_F64, VT_I64, VT_U8, VT_BOOL};
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        builder b;
        builder_init(&b, i);
        vt_value_id x = builder_input(&b, dtypes[i], 3, (const int64_t[]){2, 6, 4});
        vt_value_id y = permuted(&b, x, 3, (const int64_t[]){1, 2, 0});
        y = range(&b, y, 0, (const int64_t[]){1, 6, 2});
        y = builder_binary(&b, "Reshape", y, builder_ints(&b, 2, (const int64_t[]){-1, 4}));
        builder_output(&b, y);
        builder_output(
            &b, builder_binary(&b, "Reshape", x, builder_ints(&b, 1, (const int64_t[]){-1})));
        builder_compare(&b, true, 0);
        builder_deinit(&b);
    }
}

/* Folded constants are never views, but constants of a node's operand may be. */
static void test_views_of_constants(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 3);
    vt_value_id x = builder_input(&b, VT_F32, 2, (const int64_t[]){3, 8});
    vt_value_id table = builder_constant(&b, 3, (const int64_t[]){2, 8, 8}, -1, 1);
    vt_value_id matrix = permuted(&b, one_of(&b, table, 0, 1), 2, (const int64_t[]){1, 0});
    builder_output(&b, builder_binary(&b, "MatMul", x, matrix));
    builder_output(&b, matrix);
    builder_output(&b, range(&b, table, 1, (const int64_t[]){2, 7, 2}));
    assert_int_equal(builder_compare(&b, true, 1e-5), 0);
    builder_deinit(&b);
}

/* A buffer lives as long as any view of it is read: large values made in between would take its
 * place otherwise. */
static void test_buffers_outlive_their_views(void **state)
{
    (void)state;
    for (int form = 0; form < 4; form++) {
        builder b;
        builder_init(&b, (uint64_t)form);
        vt_value_id x = builder_input(&b, VT_F32, 3, (const int64_t[]){2, 16, 16});
        vt_value_id made = builder_unary(&b, "Tanh", x), view, rest = x;
        switch (form) {
        case 0:
            view = range(&b, made, 1, (const int64_t[]){8, 16, 1});
            break;
        case 1:
            view = permuted(&b, made, 3, (const int64_t[]){2, 0, 1});
            break;
        case 2:
            view = one_of(&b, range(&b, made, 2, (const int64_t[]){0, 16, 2}), 0, 1);
            break;
        default:
            view =
                builder_binary(&b, "Reshape", made, builder_ints(&b, 2, (const int64_t[]){16, 32}));
            view = range(&b, view, 0, (const int64_t[]){15, 16, 1});
        }
        for (int i = 0; i < 6; i++) { /* each as large as what is viewed */
            rest = builder_unary(&b, i % 2 ? "Sigmoid" : "Neg", rest);
        }
        builder_output(&b, rest);
        builder_output(&b, builder_unary(&b, "Relu", view));
        builder_compare(&b, false, 1e-5);
        assert_true(count_views(&b) >= 1);

        /* The plan says so too: nothing that is written in between overlaps. */
        vt_runner *runner = builder_onednn(&b, false, 1);
        vt_dnnl *dnnl = (vt_dnnl *)runner;
        size_t root = dnnl->forms[dnnl->value_forms[made]].buffer;
        int last_read = 0;
        for (size_t a = 0; a < dnnl->action_count; a++) {
            const vt_action *action = &dnnl->actions[a];
            for (int k = 0; k < action->arg_count; k++) {
                const vt_buffer *owner = vt_dnnl_buffer_root(dnnl, action->arg_buffers[k]);
                last_read = owner == &dnnl->buffers[root] ? (int)a : last_read;
            }
        }
        assert_true(last_read > 6 && dnnl->buffers[root].last >= last_read);
        runner->free(runner);
        builder_deinit(&b);
    }
}

/* Without elements there is nothing to view, but shapes go on. */
static void test_empty_pieces(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 5);
    vt_value_id x = builder_input(&b, VT_F32, 3, (const int64_t[]){2, 6, 4});
    vt_value_id none = range(&b, x, 1, (const int64_t[]){6, 9, 1});
    vt_value_id turned = permuted(&b, none, 3, (const int64_t[]){2, 1, 0});
    builder_output(&b, none);
    builder_output(&b, turned);
    builder_output(
        &b, builder_binary(&b, "Unsqueeze", turned, builder_ints(&b, 1, (const int64_t[]){0})));
    vt_attr axis = attr_int("axis", 1);
    builder_output(
        &b, builder_node(&b, "Concat", 13, (const vt_value_id[]){none, x, none}, 3, &axis, 1));
    builder_output(&b, builder_unary(&b, "Relu", none));
    builder_compare(&b, true, 0);
    builder_deinit(&b);
}

/* Steps larger than one: described where oneDNN can say it, copied where the last gap reaches into
 * the next row. */
static void test_steps(void **state)
{
    (void)state;
    for (int64_t size = 1; size <= 9; size++) {
        for (int64_t step = 1; step <= 4; step++) {
            builder b;
            builder_init(&b, (uint64_t)(size * 10 + step));
            vt_value_id x = builder_unary(
                &b, "Tanh", builder_input(&b, VT_F32, 3, (const int64_t[]){2, 5, size}));
            vt_value_id y = range(&b, x, -1, (const int64_t[]){size > 2, INT64_MAX, step});
            vt_value_id z = range(&b, y, 1, (const int64_t[]){0, 5, step});
            vt_value_id t = permuted(&b, z, 3, (const int64_t[]){2, 1, 0});
            builder_output(&b, builder_unary(&b, "Relu", y));
            builder_output(&b, builder_binary(&b, "Add", z, z));
            builder_output(&b, t);
            builder_compare(&b, false, 1e-6);
            builder_deinit(&b);
        }
    }
}

/* Blocks of channels to channels last and back: transposes, not copies. */
static void test_blocked_transposes(void **state)
{
    (void)state;
    static const int64_t channels[] = {3, 8, 16, 24, 40};
    for (size_t i = 0; i < sizeof channels / sizeof channels[0]; i++) {
        builder b;
        builder_init(&b, i);
        vt_value_id x = blocked_input(&b, 2, channels[i], 6, 7);
        vt_value_id last = permuted(&b, x, 4, (const int64_t[]){0, 2, 3, 1});
        vt_value_id weights = builder_constant(&b, 2, (const int64_t[]){channels[i], 9}, -1, 1);
        vt_value_id product = builder_binary(&b, "MatMul", last, weights);
        builder_output(&b, builder_unary(&b, "Relu", last)); /* on blocks under other names */
        builder_output(&b, permuted(&b, product, 4, (const int64_t[]){0, 3, 1, 2}));
        vt_value_id back = permuted(&b, last, 4, (const int64_t[]){0, 3, 1, 2});
        vt_value_id kernel =
            builder_constant(&b, 4, (const int64_t[]){8, channels[i], 3, 3}, -1, 1);
        builder_output(
            &b, builder_node(&b, "Conv", 13, (const vt_value_id[]){back, kernel}, 2, NULL, 0));
        vt_value_id flat = builder_binary(
            &b, "Reshape", x, builder_ints(&b, 3, (const int64_t[]){2, channels[i], 42}));
        vt_value_id tokens = permuted(&b, flat, 3, (const int64_t[]){0, 2, 1});
        builder_output(&b, builder_binary(&b, "MatMul", tokens, weights));
        builder_output(&b, builder_unary(&b, "GlobalAveragePool", back));
        assert_int_equal(builder_compare(&b, true, 1e-5), 0);
        assert_true(count_views(&b) >= 5);
        builder_deinit(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_chains),
        cmocka_unit_test(test_views_of_inputs_as_outputs),
        cmocka_unit_test(test_other_types),
        cmocka_unit_test(test_views_of_constants),
        cmocka_unit_test(test_buffers_outlive_their_views),
        cmocka_unit_test(test_empty_pieces),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_blocked_transposes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
