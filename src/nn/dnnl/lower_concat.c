/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Concat: copies of runs where they are long, else oneDNN's primitive.
 */
#include "nn/dnnl/lower.h"

/* oneDNN 2.6 copies blocks of 8 channels one by one where whole maps lie side by side, a fifth of a
 * DenseNet's time with AVX2: runs at least this long are copied here, unless many threads would
 * share the work. */
enum { JOIN_BYTES = 512, JOIN_THREADS = 4, OPERANDS_MAXIMUM = 1024 };

/* Adds the copies when they are worth it. sources: the layouts the values are to be read in. */
static vt_status join(vt_dnnl *dnnl, const vt_step *step, const vt_layout *const *sources,
                      const vt_layout *result, int axis, bool *done, vt_error *error)
{
    const vt_node *node = &step->node;
    size_t count = node->input_count, outer, shortest = SIZE_MAX;
    size_t *runs = vt_alloc_array(count, sizeof *runs);
    size_t *buffers = vt_alloc_array(count + 1, sizeof *buffers);
    vt_status status = runs && buffers ? VT_OK : vt_fail_memory(error, "a concatenation");
    if (status != VT_OK || dnnl->threads > JOIN_THREADS ||
        !vt_layout_join_runs(result, sources, (int)count, axis, &outer, runs)) {
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        runs[i] *= vt_dtype_bytes(step->compute);
        shortest = runs[i] < shortest ? runs[i] : shortest;
    }
    *done = shortest >= JOIN_BYTES || outer == 1;
    for (size_t i = 0; *done && status == VT_OK && i < count; i++) {
        status =
            vt_dnnl_form_get(dnnl, node->inputs[i], step->compute, sources[i], &buffers[i], error);
    }
    if (*done && status == VT_OK) {
        status = vt_dnnl_form_make(dnnl, node->outputs[0], step->compute, result, &buffers[count],
                                   error);
    }
    if (*done && status == VT_OK) {
        status = vt_dnnl_join_add(dnnl, step, buffers, runs, outer, error);
    }
out:
    vt_free(buffers);
    vt_free(runs);
    return status;
}

vt_status vt_lower_concat(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                          vt_error *error)
{
    const vt_node *node = &step->node;
    int64_t axis = vt_node_int(node, "axis", 0), rank = args->outputs[0].shape.rank;
    axis += axis < 0 ? rank : 0;
    if (node->input_count > OPERANDS_MAXIMUM || axis < 0 || axis >= rank) {
        return VT_OK;
    }
    int count = (int)node->input_count;
    bool possible = false;
    dnnl_primitive_desc_t desc = NULL;
    vt_layout **layouts = vt_calloc(node->input_count, sizeof *layouts);
    vt_status status = layouts ? VT_OK : vt_fail_memory(error, "a concatenation");
    for (int i = 0; status == VT_OK && i < count; i++) {
        status = vt_dnnl_form_layout(dnnl, node->inputs[i], step->compute, &layouts[i], error);
    }
    const vt_layout *const *sources = (const vt_layout *const *)layouts;
    if (status == VT_OK) {
        status = vt_lower_answer(vt_pd_concat(dnnl->engine, sources, count, (int)axis, &desc),
                                 &possible, error);
    }
    if (status == VT_OK && possible) {
        status = join(dnnl, step, sources, vt_pd_layout(desc, dnnl_query_dst_md, 0), (int)axis,
                      done, error);
    }
    if (status == VT_OK && possible && !*done) {
        *done = true;
        status = vt_lower_variadic(dnnl, step, desc, error);
    } else if (desc) {
        dnnl_primitive_desc_destroy(desc);
    }
    if (layouts) {
        vt_lower_layouts_free(layouts, count);
    }
    vt_free(layouts);
    return status;
}
