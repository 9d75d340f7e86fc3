/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What moves elements or does not even do that: Concat, Transpose, and the operators that give the
 * same bytes another shape.
 *
 * The latter become aliases. Where the shape stays, every form of the value is handed on, blocked
 * ones too; where it changes, the row-major one.
 */
#include "nn/dnnl/lower.h"

#include <string.h>

/* ---- Concat ---- */

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
        runs[i] *= sizeof(float);
        shortest = runs[i] < shortest ? runs[i] : shortest;
    }
    *done = shortest >= JOIN_BYTES || outer == 1;
    for (size_t i = 0; *done && status == VT_OK && i < count; i++) {
        status = vt_dnnl_form_get(dnnl, node->inputs[i], VT_F32, sources[i], &buffers[i], error);
    }
    if (*done && status == VT_OK) {
        status = vt_dnnl_form_make(dnnl, node->outputs[0], VT_F32, result, &buffers[count], error);
    }
    if (*done && status == VT_OK) {
        status = vt_dnnl_join_add(dnnl, step, buffers, runs, outer, error);
    }
out:
    vt_free(buffers);
    vt_free(runs);
    return status;
}

static vt_status concat_primitive(vt_dnnl *dnnl, const vt_step *step, dnnl_primitive_desc_t desc,
                                  vt_error *error)
{
    const vt_node *node = &step->node;
    int count = (int)node->input_count;
    vt_operand *operands = vt_calloc(node->input_count + 1, sizeof *operands);
    if (!operands) {
        dnnl_primitive_desc_destroy(desc);
        return vt_fail_memory(error, "a concatenation");
    }
    for (int i = 0; i < count; i++) {
        operands[i] = (vt_operand){
            .name = DNNL_ARG_MULTIPLE_SRC + i,
            .value = node->inputs[i],
            .query = dnnl_query_src_md,
            .index = i,
        };
    }
    operands[count] = (vt_operand){
        .name = DNNL_ARG_DST,
        .value = node->outputs[0],
        .query = dnnl_query_dst_md,
        .written = true,
    };
    vt_status status = vt_lower_primitive(dnnl, step, desc, operands, count + 1, error);
    vt_free(operands);
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
        status = vt_dnnl_form_layout(dnnl, node->inputs[i], &layouts[i], error);
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
        status = concat_primitive(dnnl, step, desc, error);
    } else if (desc) {
        dnnl_primitive_desc_destroy(desc);
    }
    if (layouts) {
        vt_lower_layouts_free(layouts, count);
    }
    vt_free(layouts);
    return status;
}

/* ---- Transpose: a reorder from row-major bytes read with exchanged strides ---- */

vt_status vt_lower_transpose(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                             vt_error *error)
{
    const vt_shape *from = &args->inputs[0].shape, *to = &args->outputs[0].shape;
    int64_t order[VT_MAX_RANK], strides[VT_MAX_RANK], moved[VT_MAX_RANK], stride = 1;
    int given = vt_node_ints(&step->node, "perm", order, VT_MAX_RANK);
    if (from->rank < 2 || (given >= 0 && given != from->rank)) {
        return VT_OK;
    }
    for (int i = from->rank; i-- > 0;) {
        strides[i] = stride;
        stride *= from->dims[i];
    }
    for (int i = 0; i < from->rank; i++) {
        int64_t axis = given < 0 ? from->rank - 1 - i : order[i];
        if (axis < 0 || axis >= from->rank) {
            return VT_OK;
        }
        moved[i] = strides[axis];
    }
    vt_layout *reading = vt_layout_new_strided(to->rank, to->dims, moved, VT_F32);
    vt_layout *result = vt_layout_new_plain(to->rank, to->dims, VT_F32);
    dnnl_primitive_desc_t desc = NULL;
    vt_status status =
        reading && result
            ? vt_lower_answer(vt_pd_reorder(dnnl->engine, reading, result, &desc), done, error)
            : vt_fail_memory(error, "the layouts of a transpose");
    if (status == VT_OK && *done) {
        const vt_operand operands[] = {
            {DNNL_ARG_FROM, step->node.inputs[0], dnnl_query_src_md, -1, false, reading},
            {DNNL_ARG_TO, step->node.outputs[0], dnnl_query_dst_md, 0, true, NULL},
        };
        status = vt_lower_primitive(dnnl, step, desc, operands, 2, error);
    }
    vt_layout_free(reading);
    vt_layout_free(result);
    return status;
}

/* ---- aliases ---- */

/* Dropout and Cast only sometimes change nothing. */
static bool changes_nothing(const vt_dnnl *dnnl, const vt_step *step, const vt_op_args *args)
{
    if (strcmp(step->node.op->name, "Dropout") == 0 && step->node.input_count > 2 &&
        step->node.inputs[2] != VT_NO_VALUE) {
        const vt_tensor *training = vt_lower_constant(dnnl, step, 2);
        if (!training || vt_tensor_get(training, 0) != 0) {
            return false;
        }
    }
    return args->inputs[0].dtype == args->outputs[0].dtype &&
           vt_tensor_count(&args->inputs[0]) == vt_tensor_count(&args->outputs[0]);
}

static vt_status alias_all_forms(vt_dnnl *dnnl, vt_value_id from, vt_value_id to, vt_error *error)
{
    vt_status status = VT_OK;
    for (size_t i = dnnl->value_forms[from]; status == VT_OK && i != SIZE_MAX;) {
        vt_form form = dnnl->forms[i]; /* forms may move */
        status = vt_dnnl_form_add(dnnl, to, form.dtype, form.layout, form.buffer, error);
        i = form.next;
    }
    return status;
}

vt_status vt_lower_alias(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                         vt_error *error)
{
    vt_value_id from = step->node.inputs[0], to = step->node.outputs[0];
    if (!changes_nothing(dnnl, step, args)) {
        return VT_OK;
    }
    const vt_form *first = vt_dnnl_form_first(dnnl, from, error);
    if (!first) {
        return error ? error->status : VT_ERR_NO_MEMORY;
    }
    *done = true;
    if (vt_shape_equal(&args->inputs[0].shape, &args->outputs[0].shape)) {
        return alias_all_forms(dnnl, from, to, error);
    }
    size_t buffer = VT_NO_BUFFER;
    vt_dtype dtype = first->dtype;
    vt_status status = vt_dnnl_form_get(dnnl, from, dtype, NULL, &buffer, error);
    return status == VT_OK ? vt_dnnl_form_add(dnnl, to, dtype, NULL, buffer, error) : status;
}
