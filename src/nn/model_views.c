/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network that looks at every picture more than once.
 *
 * The batch becomes longer behind the input, view after view, and each output is the mean over the
 * views of a picture: its mirror image, as in Krizhevsky et al., "ImageNet Classification with Deep
 * Convolutional Neural Networks" (2012), section 4.1, and the picture moved by a few pixels up left
 * and down right, what leaves at one side coming back mirrored at the other's, as in Jordan, "94%
 * on CIFAR-10 in 3.29 Seconds on a Single GPU" (2024), section 3.4: the picture in place has half
 * of the weight. It is nodes of the graph, so that every engine that runs the file does it.
 */
#include "nn/builder.h"
#include "nn/graph.h"
#include "nn/onnx_file.h"
#include "nn/weights.h"

#include <stdio.h>

enum {
    SPLIT_COUNTS_OPSET = 18, /* Split has to be told into how many parts from here on */
    MOST_VIEWS = 6,
    MOST_WEIGHT = 8, /* views, those in place counted twice */
};

typedef struct viewing {
    vt_builder *builder;
    vt_view_options options;
    int64_t height, width;
    vt_value_id image;
    vt_value_id views[MOST_VIEWS];
    size_t count;
    vt_value_id all;    /* pictures, then each further view of them */
    vt_value_id *means; /* (outputs) */
} viewing;

/* ---- views ---- */

/* Which row or column `at` is when those beyond the border are the mirror image of those before. */
static int64_t reflect(int64_t at, int64_t length)
{
    at = at < 0 ? -at : at;
    return at < length ? at : 2 * (length - 1) - at;
}

/* The value's rows (axis 2) or columns (3), each taken `shift` further on, in turned order if so
 * wanted. */
static vt_value_id add_moved(viewing *work, vt_value_id value, int axis, int64_t shift, bool turned)
{
    vt_tensor places = {0};
    char name[64];
    int64_t length = axis == 2 ? work->height : work->width;
    const vt_shape shape = vt_shape_of(1, &length);
    if (shift == 0 && !turned)
        return value;
    if (vt_tensor_init(&places, VT_I64, &shape, 0, NULL) != VT_OK) {
        vt_builder_fail(work->builder, VT_ERR_NO_MEMORY, "no memory for the places of a view");
        return VT_NO_VALUE;
    }
    for (int64_t i = 0; i < length; i++)
        ((int64_t *)places.data)[i] = reflect((turned ? length - 1 - i : i) + shift, length);
    snprintf(name, sizeof name, "view%zu.%s", work->count, axis == 2 ? "rows" : "columns");
    const vt_value_id gathered[2] = {value, vt_builder_constant(work->builder, name, &places)};
    return vt_builder_node(work->builder, "Gather", axis == 2 ? "axis=2" : "axis=3", gathered, 2);
}

static void add_view(viewing *work, int64_t shift, bool turned)
{
    vt_value_id rows = add_moved(work, work->image, 2, shift, false);
    work->views[work->count] = add_moved(work, rows, 3, shift, turned);
    work->count++;
}

static void add_views(viewing *work)
{
    const int64_t shifts[3] = {0, work->options.shift, -work->options.shift};
    for (size_t i = 0; i < (work->options.shift > 0 ? 3 : 1); i++)
        for (int turned = 0; turned <= (int)work->options.mirror; turned++)
            add_view(work, shifts[i], turned != 0);
    work->all = vt_builder_node(work->builder, "Concat", "axis=0", work->views, work->count);
}

/* ---- means ---- */

static vt_value_id add_mean(const viewing *work, vt_value_id value)
{
    vt_value_id parts[MOST_WEIGHT];
    char attrs[64] = "axis=0";
    size_t in_place = work->options.mirror ? 2 : 1, count = work->count;
    if (vt_builder_opset(work->builder) >= SPLIT_COUNTS_OPSET)
        snprintf(attrs, sizeof attrs, "axis=0 num_outputs=%zu", count);
    vt_builder_nodes(work->builder, "Split", attrs, &value, 1, parts, count);
    for (size_t i = 0; work->options.shift > 0 && i < in_place; i++)
        parts[count++] = parts[i];
    return vt_builder_node(work->builder, "Mean", NULL, parts, count);
}

static void add_nodes(viewing *work, const vt_value_info *input, const char *const *outputs,
                      size_t count)
{
    work->height = input->shape.dims[2];
    work->width = input->shape.dims[3];
    work->image = vt_builder_find(work->builder, input->name);
    add_views(work);
    for (size_t i = 0; i < count; i++)
        work->means[i] = add_mean(work, vt_builder_find(work->builder, outputs[i]));
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

static vt_status check(const vt_model *model, const vt_view_options *options,
                       const char *const *outputs, size_t count, vt_error *error)
{
    vt_value_info input = {0};
    if (vt_model_input_count(model) == 1)
        input = vt_model_input(model, 0);
    if (input.name == NULL || input.shape.rank != 4 || input.shape.dims[3] < 1 ||
        (options->shift > 0 && input.shape.dims[2] < 1))
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "the network does not take pictures of one %s alone",
                       options->shift > 0 ? "size" : "width");
    if (options->shift < 0 || (options->shift > 0 && (options->shift >= input.shape.dims[2] ||
                                                      options->shift >= input.shape.dims[3])))
        return vt_fail(error, VT_ERR_USAGE, "a shift by %lld: pictures are %lld x %lld",
                       (long long)options->shift, (long long)input.shape.dims[3],
                       (long long)input.shape.dims[2]);
    for (size_t i = 0; i < count; i++)
        if (!vt_model_has_value(model, outputs[i]))
            return vt_fail(error, VT_ERR_NOT_FOUND, "the network has no value \"%.200s\"",
                           outputs[i]);
    return VT_OK;
}

vt_status vt_model_with_views(const vt_model *model, const vt_view_options *options,
                              const char *const *outputs, size_t count, vt_model **out,
                              vt_error *error)
{
    viewing work = {.options = *options, .all = VT_NO_VALUE};
    vt_model *copy = NULL;
    vt_status status = check(model, options, outputs, count, error);
    if (status != VT_OK)
        return vt_fail_context(error, status, "views");
    const vt_value_info input = vt_model_input(model, 0);
    work.means = vt_alloc_array(count + 1, sizeof(*work.means));
    status = work.means != NULL ? vt_builder_from(model, &work.builder, error)
                                : vt_fail_memory(error, "a network of several views");
    if (status == VT_OK) {
        add_nodes(&work, &input, outputs, count);
        status = vt_builder_finish(work.builder, &copy, error);
    }
    if (status == VT_OK)
        status = vt_model_redirect(copy, input.name, copy->graph.values[work.all].name, error);
    for (size_t i = 0; status == VT_OK && i < count; i++)
        rename_mean(&copy->graph, vt_graph_find_value(&copy->graph, outputs[i]), work.means[i]);
    if (status == VT_OK)
        status = vt_graph_finish(&copy->graph, error);
    vt_free(work.means);
    if (status != VT_OK) {
        vt_model_free(copy);
        return vt_fail_context(error, status, "views");
    }
    *out = copy;
    return VT_OK;
}
