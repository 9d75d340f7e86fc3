/* SPDX-License-Identifier: Apache-2.0 */
#include "support/scratch.h"

#include "nn/graph.h"

static vt_value_id value(vt_graph *graph, const char *name)
{
    vt_value_id id;
    assert_int_equal(vt_graph_add_value(graph, name, &id, NULL), VT_OK);
    return id;
}

static vt_status node(vt_graph *graph, const char *op, const vt_value_id *inputs, size_t count,
                      vt_value_id output, vt_error *error)
{
    vt_node made = {.op = vt_op_find("", op, 13),
                    .opset = 13,
                    .name = "",
                    .inputs = (vt_value_id *)(uintptr_t)inputs,
                    .input_count = count,
                    .outputs = &output,
                    .output_count = 1};
    assert_non_null(made.op);
    return vt_graph_add_node(graph, &made, error);
}

static void values_are_found_by_name(void **state)
{
    (void)state;
    vt_graph graph;
    vt_error error;
    vt_value_id id;
    vt_graph_init(&graph, NULL);
    assert_int_equal(vt_graph_find_value(&graph, "v0"), VT_NO_VALUE);
    for (unsigned i = 0; i < 5000; i++) {
        char name[16];
        snprintf(name, sizeof name, "v%u", i);
        assert_int_equal(value(&graph, name), i);
    }
    for (unsigned i = 0; i < 5000; i++) {
        char name[16];
        snprintf(name, sizeof name, "v%u", i);
        assert_int_equal(vt_graph_find_value(&graph, name), i);
    }
    assert_int_equal(vt_graph_find_value(&graph, "v5000"), VT_NO_VALUE);
    assert_int_equal(vt_graph_add_value(&graph, "v7", &id, &error), VT_ERR_FORMAT);
    assert_int_equal(vt_graph_add_value(&graph, "", &id, &error), VT_ERR_FORMAT);
    vt_graph_deinit(&graph);
}

static void constants_are_taken_once(void **state)
{
    (void)state;
    vt_graph graph;
    vt_tensor tensor;
    vt_shape shape = {1, {4}};
    vt_graph_init(&graph, NULL);
    vt_value_id id = value(&graph, "w");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(vt_tensor_init(&tensor, VT_F32, &shape, 0, NULL), VT_OK);
        assert_int_equal(vt_graph_set_constant(&graph, id, &tensor, NULL),
                         i == 0 ? VT_OK : VT_ERR_FORMAT);
        assert_null(tensor.data); /* gone either way */
    }
    assert_int_equal(graph.values[id].shape.dims[0], 4);
    vt_graph_deinit(&graph);
}

static void nodes_are_sorted_and_linked(void **state)
{
    (void)state;
    vt_graph graph;
    vt_graph_init(&graph, NULL);
    vt_value_id x = value(&graph, "x"), a = value(&graph, "a"), b = value(&graph, "b");
    vt_value_id c = value(&graph, "c");
    assert_int_equal(vt_graph_set_inputs(&graph, &x, 1, NULL), VT_OK);
    assert_int_equal(vt_graph_set_outputs(&graph, &c, 1, NULL), VT_OK);
    assert_int_equal(node(&graph, "Add", (vt_value_id[]){a, b}, 2, c, NULL), VT_OK);
    assert_int_equal(node(&graph, "Neg", &a, 1, b, NULL), VT_OK);
    assert_int_equal(node(&graph, "Relu", &x, 1, a, NULL), VT_OK);
    assert_int_equal(vt_graph_finish(&graph, NULL), VT_OK);
    assert_string_equal(graph.nodes[0].op->name, "Relu");
    assert_string_equal(graph.nodes[1].op->name, "Neg");
    assert_string_equal(graph.nodes[2].op->name, "Add");
    assert_int_equal(graph.values[c].producer, 2);
    assert_int_equal(graph.values[a].producer, 0);
    assert_int_equal(graph.values[x].producer, UINT32_MAX);
    char label[64];
    vt_node_label(&graph, &graph.nodes[1], label, sizeof label);
    assert_string_equal(label, "Neg node of output \"b\"");
    vt_graph_deinit(&graph);
}

/* A chain that a recursive or quadratic sort would not survive, backwards. */
static void long_chains_are_sorted(void **state)
{
    (void)state;
    enum { LENGTH = 90000 };
    vt_graph graph;
    vt_graph_init(&graph, NULL);
    vt_value_id x = value(&graph, "x"), *ids = vt_alloc_array(LENGTH + 1, sizeof *ids);
    ids[0] = x;
    for (unsigned i = 1; i <= LENGTH; i++) {
        char name[16];
        snprintf(name, sizeof name, "v%u", i);
        ids[i] = value(&graph, name);
    }
    for (unsigned i = LENGTH; i > 0; i--)
        assert_int_equal(node(&graph, "Relu", &ids[i - 1], 1, ids[i], NULL), VT_OK);
    assert_int_equal(vt_graph_set_inputs(&graph, &x, 1, NULL), VT_OK);
    assert_int_equal(vt_graph_set_outputs(&graph, &ids[LENGTH], 1, NULL), VT_OK);
    assert_int_equal(vt_graph_finish(&graph, NULL), VT_OK);
    for (unsigned i = 0; i < LENGTH; i++)
        assert_int_equal(graph.nodes[i].inputs[0], ids[i]);
    vt_free(ids);
    vt_graph_deinit(&graph);
}

/* All inputs of one node are new to the search each time it comes back to it. */
static void wide_nodes_are_sorted(void **state)
{
    (void)state;
    enum { WIDTH = 50000 };
    vt_graph graph;
    vt_graph_init(&graph, NULL);
    vt_value_id x = value(&graph, "x"), y = value(&graph, "y");
    vt_value_id *ids = vt_alloc_array(WIDTH, sizeof *ids);
    for (unsigned i = 0; i < WIDTH; i++) {
        char name[16];
        snprintf(name, sizeof name, "v%u", i);
        ids[i] = value(&graph, name);
    }
    assert_int_equal(node(&graph, "Sum", ids, WIDTH, y, NULL), VT_OK);
    for (unsigned i = 0; i < WIDTH; i++)
        assert_int_equal(node(&graph, "Relu", &x, 1, ids[i], NULL), VT_OK);
    assert_int_equal(vt_graph_set_inputs(&graph, &x, 1, NULL), VT_OK);
    assert_int_equal(vt_graph_set_outputs(&graph, &y, 1, NULL), VT_OK);
    assert_int_equal(vt_graph_finish(&graph, NULL), VT_OK);
    assert_string_equal(graph.nodes[WIDTH].op->name, "Sum");
    vt_free(ids);
    vt_graph_deinit(&graph);
}

static void misuse_is_refused(void **state)
{
    (void)state;
    vt_graph graph;
    vt_error error;
    vt_model_limits limits = vt_model_limits_defaults();
    limits.nodes = 1;
    vt_graph_init(&graph, &limits);
    vt_value_id x = value(&graph, "x"), y = value(&graph, "y");
    assert_int_equal(vt_graph_set_inputs(&graph, (vt_value_id[]){99}, 1, &error), VT_ERR_USAGE);
    assert_int_equal(vt_graph_set_outputs(&graph, (vt_value_id[]){VT_NO_VALUE}, 1, &error),
                     VT_ERR_USAGE);
    assert_int_equal(node(&graph, "Relu", (vt_value_id[]){99}, 1, y, &error), VT_ERR_USAGE);
    assert_int_equal(node(&graph, "Add", &x, 1, y, &error), VT_ERR_FORMAT);
    assert_int_equal(node(&graph, "Relu", &x, 1, y, &error), VT_OK);
    assert_int_equal(node(&graph, "Relu", &y, 1, value(&graph, "z"), &error), VT_ERR_LIMIT);
    assert_int_equal(vt_graph_finish(&graph, &error), VT_ERR_FORMAT); /* x comes from nowhere */
    vt_graph_deinit(&graph);
}

static void operators_are_found_by_version(void **state)
{
    (void)state;
    assert_null(vt_op_find("", "HardSwish", 13));
    assert_non_null(vt_op_find("", "HardSwish", 14));
    assert_ptr_equal(vt_op_find("ai.onnx", "Relu", 13), vt_op_find("", "Relu", 13));
    assert_null(vt_op_find("com.example", "Relu", 13));
    assert_null(vt_op_find("", "Nothing", 13));
    assert_ptr_not_equal(vt_op_find("", "Squeeze", 12), vt_op_find("", "Squeeze", 13));
    assert_ptr_equal(vt_op_find("", "Squeeze", 13), vt_op_find("", "Squeeze", 28));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_found_by_name),
        cmocka_unit_test(constants_are_taken_once),
        cmocka_unit_test(nodes_are_sorted_and_linked),
        cmocka_unit_test(long_chains_are_sorted),
        cmocka_unit_test(wide_nodes_are_sorted),
        cmocka_unit_test(misuse_is_refused),
        cmocka_unit_test(operators_are_found_by_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
