/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network that looks at every picture and at its mirror image.
 *
 * The batch becomes twice as long behind the input, the mirrored pictures last, and each output is
 * the mean of its two halves: Krizhevsky et al., "ImageNet Classification with Deep Convolutional
 * Neural Networks" (2012), section 4.1, without the crops. It is nodes of the graph, so that every
 * engine that runs the file does it.
 */
#include "nn/builder.h"
#include "nn/graph.h"
#include "nn/onnx_file.h"
#include "nn/weights.h"

enum { SPLIT_COUNTS_OPSET = 18 }; /* Split has to be told into how many parts from here on */

typedef struct mirroring {
    vt_builder *builder;
    vt_value_id *means; /* (count) of the outputs */
    vt_value_id views;  /* pictures, then their mirror images */
} mirroring;

/* Columns from right to left. */
static vt_value_id add_columns(vt_builder *builder, int64_t width, vt_error *error)
{
    vt_tensor columns = {0};
    const vt_shape shape = vt_shape_of(1, (int64_t[]){width});
    if (vt_tensor_init(&columns, VT_I64, &shape, 0, error) != VT_OK) {
        vt_builder_fail(builder, VT_ERR_NO_MEMORY, "no memory for the columns of a mirror image");
        return VT_NO_VALUE;
    }
    for (int64_t i = 0; i < width; i++)
        ((int64_t *)columns.data)[i] = width - 1 - i;
    return vt_builder_constant(builder, "mirror.columns", &columns);
}

static vt_value_id add_mean(vt_builder *builder, vt_value_id value)
{
    vt_value_id halves[2] = {VT_NO_VALUE, VT_NO_VALUE};
    const char *attrs =
        vt_builder_opset(builder) >= SPLIT_COUNTS_OPSET ? "axis=0 num_outputs=2" : "axis=0";
    vt_builder_nodes(builder, "Split", attrs, &value, 1, halves, 2);
    return vt_builder_node(builder, "Mean", NULL, halves, 2);
}

static void add_nodes(mirroring *work, const vt_value_info *input, const char *const *outputs,
                      size_t count, vt_error *error)
{
    vt_builder *builder = work->builder;
    vt_value_id image = vt_builder_find(builder, input->name);
    const vt_value_id gathered[2] = {image, add_columns(builder, input->shape.dims[3], error)};
    const vt_value_id both[2] = {image, vt_builder_node(builder, "Gather", "axis=3", gathered, 2)};
    work->views = vt_builder_node(builder, "Concat", "axis=0", both, 2);
    for (size_t i = 0; i < count; i++)
        work->means[i] = add_mean(builder, vt_builder_find(builder, outputs[i]));
}

static void swap_ids(vt_value_id *ids, size_t count, vt_value_id a, vt_value_id b)
{
    for (size_t i = 0; i < count; i++)
        ids[i] = ids[i] == a ? b : ids[i] == b ? a : ids[i];
}

/* The mean takes the output's name: what was computed under it is computed under the mean's. */
static void rename_mean(vt_graph *graph, vt_value_id output, vt_value_id mean)
{
    for (size_t n = 0; n < graph->node_count; n++) {
        vt_node *node = &graph->nodes[n];
        swap_ids(node->inputs, node->input_count, output, mean);
        swap_ids(node->outputs, node->output_count, output, mean);
    }
}

static vt_status check(const vt_model *model, const char *const *outputs, size_t count,
                       vt_error *error)
{
    vt_value_info input = {0};
    if (vt_model_input_count(model) == 1)
        input = vt_model_input(model, 0);
    if (input.name == NULL || input.shape.rank != 4 || input.shape.dims[3] < 1)
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "mirror: the network does not take pictures of one width alone");
    for (size_t i = 0; i < count; i++)
        if (!vt_model_has_value(model, outputs[i]))
            return vt_fail(error, VT_ERR_NOT_FOUND, "mirror: the network has no value \"%.200s\"",
                           outputs[i]);
    return VT_OK;
}

vt_status vt_model_mirror(const vt_model *model, const char *const *outputs, size_t count,
                          vt_model **out, vt_error *error)
{
    mirroring work = {.views = VT_NO_VALUE};
    vt_model *copy = NULL;
    vt_status status = check(model, outputs, count, error);
    if (status != VT_OK)
        return status;
    const vt_value_info input = vt_model_input(model, 0);
    work.means = vt_alloc_array(count + 1, sizeof(*work.means));
    status = work.means != NULL ? vt_builder_from(model, &work.builder, error)
                                : vt_fail_memory(error, "a mirrored network");
    if (status == VT_OK) {
        add_nodes(&work, &input, outputs, count, error);
        status = vt_builder_finish(work.builder, &copy, error);
    }
    if (status == VT_OK)
        status = vt_model_redirect(copy, input.name, copy->graph.values[work.views].name, error);
    for (size_t i = 0; status == VT_OK && i < count; i++)
        rename_mean(&copy->graph, vt_graph_find_value(&copy->graph, outputs[i]), work.means[i]);
    if (status == VT_OK)
        status = vt_graph_finish(&copy->graph, error);
    vt_free(work.means);
    if (status != VT_OK) {
        vt_model_free(copy);
        return vt_fail_context(error, status, "mirror");
    }
    *out = copy;
    return VT_OK;
}
