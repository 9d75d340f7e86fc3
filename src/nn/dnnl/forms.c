/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The forms of values: which type and arrangement each exists in, and how it gets into another.
 *
 * Method: a form is looked up, else made from one that is there: a reorder by oneDNN between f32
 * arrangements of one shape, element by element between types. Row-major is the hub: whatever
 * cannot be reached at once goes through it. A layout whose bytes are row-major anyway (a blocked
 * 1x1 map) counts as row-major, so that flattening costs nothing. Constants take the same route,
 * but at once and into memory that outlives the run.
 */
#include "nn/dnnl/runner.h"

#include <string.h>

enum { FORM_MAXIMUM = 1 << 24, NO_FORM_RANK = -1 };

vt_status vt_dnnl_form_add(vt_dnnl *dnnl, vt_value_id value, vt_dtype dtype,
                           const vt_layout *layout, size_t buffer, vt_error *error)
{
    vt_layout *kept = NULL;
    if (layout && !vt_layout_is_plain(layout)) {
        kept = vt_layout_dup(layout);
        if (!kept) {
            return vt_fail_memory(error, "the layout of a value");
        }
    }
    if (!vt_grow((void **)&dnnl->forms, &dnnl->form_capacity, dnnl->form_count + 1,
                 sizeof *dnnl->forms, FORM_MAXIMUM)) {
        vt_layout_free(kept);
        return vt_fail_memory(error, "the layout of a value");
    }
    size_t *link = &dnnl->value_forms[value];
    while (*link != SIZE_MAX) {
        link = &dnnl->forms[*link].next;
    }
    *link = dnnl->form_count;
    dnnl->forms[dnnl->form_count++] = (vt_form){dtype, kept, buffer, SIZE_MAX};
    return VT_OK;
}

const vt_form *vt_dnnl_form_first(vt_dnnl *dnnl, vt_value_id value, vt_error *error)
{
    if (dnnl->value_forms[value] == SIZE_MAX) {
        const vt_plan_value *plan_value = &dnnl->plan->values[value];
        if (!plan_value->constant) {
            vt_fail(error, VT_ERR_INTERNAL, "run value \"%s\": nothing has made it",
                    dnnl->plan->graph->values[value].name);
            return NULL;
        }
        vt_buffer buffer = {
            .kind = VT_BUFFER_CONSTANT,
            .bytes = plan_value->tensor.bytes,
            .data = plan_value->tensor.data,
        };
        size_t index = VT_NO_BUFFER;
        if (vt_dnnl_buffer_add(dnnl, &buffer, &index, error) != VT_OK ||
            vt_dnnl_form_add(dnnl, value, plan_value->tensor.dtype, NULL, index, error) != VT_OK) {
            return NULL;
        }
    }
    return &dnnl->forms[dnnl->value_forms[value]];
}

/* SIZE_MAX: there is none. */
static size_t find_form(const vt_dnnl *dnnl, vt_value_id value, vt_dtype dtype,
                        const vt_layout *layout)
{
    for (size_t i = dnnl->value_forms[value]; i != SIZE_MAX; i = dnnl->forms[i].next) {
        const vt_form *form = &dnnl->forms[i];
        if (form->dtype == dtype &&
            (layout ? form->layout && vt_layout_equal(form->layout, layout) : !form->layout)) {
            return i;
        }
    }
    return SIZE_MAX;
}

/* An f32 form in blocks with these dimensions (any: rank NO_FORM_RANK). */
static size_t find_blocked(const vt_dnnl *dnnl, vt_value_id value, int rank, const int64_t *dims)
{
    for (size_t i = dnnl->value_forms[value]; i != SIZE_MAX; i = dnnl->forms[i].next) {
        const vt_form *form = &dnnl->forms[i];
        int64_t sizes[VT_LAYOUT_MAX_RANK];
        if (form->dtype != VT_F32 || !form->layout) {
            continue;
        }
        int form_rank = vt_layout_dims(form->layout, sizes);
        if (rank == NO_FORM_RANK ||
            (form_rank == rank && memcmp(sizes, dims, (size_t)rank * sizeof *dims) == 0)) {
            return i;
        }
    }
    return SIZE_MAX;
}

static bool tensor_bytes(const vt_dnnl *dnnl, vt_value_id value, vt_dtype dtype, size_t *bytes)
{
    size_t count;
    return vt_shape_count(&dnnl->plan->values[value].tensor.shape, &count) &&
           vt_size_mul(count, vt_dtype_bytes(dtype), bytes);
}

vt_status vt_dnnl_form_make(vt_dnnl *dnnl, vt_value_id value, vt_dtype dtype,
                            const vt_layout *layout, size_t *buffer, vt_error *error)
{
    vt_buffer made = {.kind = VT_BUFFER_ARENA};
    if (layout) {
        made.bytes = vt_layout_bytes(layout);
    } else if (!tensor_bytes(dnnl, value, dtype, &made.bytes)) {
        return vt_fail(error, VT_ERR_LIMIT, "run value \"%s\": too large",
                       dnnl->plan->graph->values[value].name);
    }
    vt_status status = vt_dnnl_buffer_add(dnnl, &made, buffer, error);
    return status == VT_OK ? vt_dnnl_form_add(dnnl, value, dtype, layout, *buffer, error) : status;
}

/* A constant in another arrangement: prepared now. */
static vt_status prepare_constant(vt_dnnl *dnnl, vt_value_id value, const vt_layout *reading,
                                  const vt_layout *layout, size_t *buffer, vt_error *error)
{
    vt_buffer prepared = {.kind = VT_BUFFER_PREPARED};
    const vt_tensor *tensor = &dnnl->plan->values[value].tensor;
    if (!vt_dnnl_can_convert(tensor->dtype, VT_F32)) {
        return vt_fail(error, VT_ERR_INTERNAL, "prepare a constant: %s is not a float type",
                       vt_dtype_name(tensor->dtype));
    }
    vt_status status = vt_dnnl_weights_prepare(dnnl, tensor, reading, layout, &prepared, error);
    if (status != VT_OK) {
        return status;
    }
    status = vt_dnnl_buffer_add(dnnl, &prepared, buffer, error);
    if (status != VT_OK) {
        vt_dnnl_weights_release(prepared.data);
        return status;
    }
    dnnl->base.weights_bytes += prepared.bytes;
    return VT_OK;
}

vt_status vt_dnnl_form_read(vt_dnnl *dnnl, vt_value_id value, const vt_layout *reading,
                            const vt_layout *layout, size_t *buffer, vt_error *error)
{
    if (vt_layout_equal(reading, layout) || !dnnl->plan->values[value].constant) {
        return vt_dnnl_form_get(dnnl, value, VT_F32, NULL, buffer, error);
    }
    /* Not noted as a form: another reader may see the same bytes differently. */
    return prepare_constant(dnnl, value, reading, layout, buffer, error);
}

/* Adds the reorder from one f32 arrangement to another of the same dimensions. */
static vt_status reorder(vt_dnnl *dnnl, vt_value_id value, const vt_layout *from,
                         size_t from_buffer, const vt_layout *to, size_t *to_buffer,
                         vt_error *error)
{
    dnnl_primitive_desc_t desc = NULL;
    vt_status status = vt_dnnl_form_make(dnnl, value, VT_F32, to, to_buffer, error);
    if (status != VT_OK) {
        return status;
    }
    dnnl_status_t made = vt_pd_reorder(dnnl->engine, from, to, &desc);
    if (made != dnnl_success) {
        return vt_dnnl_fail(made, "a reorder", error);
    }
    const vt_argument arguments[] = {{DNNL_ARG_FROM, from, from_buffer, false},
                                     {DNNL_ARG_TO, to, *to_buffer, true}};
    dnnl->base.reorders++;
    return vt_dnnl_primitive_add(dnnl, NULL, desc, arguments, 2, error);
}

/* Row-major f32 out of blocks. */
static vt_status unblock(vt_dnnl *dnnl, vt_value_id value, size_t form, size_t *buffer,
                         vt_error *error)
{
    int64_t dims[VT_LAYOUT_MAX_RANK];
    vt_layout *from = vt_layout_dup(dnnl->forms[form].layout); /* forms may move */
    int rank = from ? vt_layout_dims(from, dims) : 0;
    vt_layout *to = from ? vt_layout_new_plain(rank, dims, VT_F32) : NULL;
    vt_status status = from && to
                           ? reorder(dnnl, value, from, dnnl->forms[form].buffer, to, buffer, error)
                           : vt_fail_memory(error, "the layout of a value");
    vt_layout_free(from);
    vt_layout_free(to);
    return status;
}

/* Row-major in this type. */
static vt_status get_plain(vt_dnnl *dnnl, vt_value_id value, vt_dtype dtype, size_t *buffer,
                           vt_error *error)
{
    size_t form = find_form(dnnl, value, dtype, NULL);
    if (form != SIZE_MAX) {
        *buffer = dnnl->forms[form].buffer;
        return VT_OK;
    }
    if (dtype == VT_F32) {
        form = find_blocked(dnnl, value, NO_FORM_RANK, NULL);
        if (form != SIZE_MAX) {
            return unblock(dnnl, value, form, buffer, error);
        }
    }
    /* Another type: from the producer's when that is row-major, else by way of f32. */
    size_t first = dnnl->value_forms[value], source;
    vt_dtype from = dnnl->forms[first].layout ? VT_F32 : dnnl->forms[first].dtype;
    if (!vt_dnnl_can_convert(from, dtype)) {
        return vt_fail(error, VT_ERR_INTERNAL, "run value \"%s\": no way from %s to %s",
                       dnnl->plan->graph->values[value].name, vt_dtype_name(from),
                       vt_dtype_name(dtype));
    }
    vt_status status = vt_dnnl_form_get(dnnl, value, from, NULL, &source, error);
    if (status == VT_OK) {
        status = vt_dnnl_form_make(dnnl, value, dtype, NULL, buffer, error);
    }
    if (status != VT_OK) {
        return status;
    }
    const vt_shape *shape = &dnnl->plan->values[value].tensor.shape;
    vt_tensor tensors[2] = {{.dtype = from, .shape = *shape}, {.dtype = dtype, .shape = *shape}};
    return vt_dnnl_convert_add(dnnl, tensors, (size_t[]){source, *buffer}, error);
}

vt_status vt_dnnl_form_get(vt_dnnl *dnnl, vt_value_id value, vt_dtype dtype,
                           const vt_layout *layout, size_t *buffer, vt_error *error)
{
    layout = layout && vt_layout_is_plain(layout) ? NULL : layout;
    if (!vt_dnnl_form_first(dnnl, value, error)) {
        return error ? error->status : VT_ERR_NO_MEMORY;
    }
    size_t form = find_form(dnnl, value, dtype, layout);
    if (form != SIZE_MAX) {
        *buffer = dnnl->forms[form].buffer;
        return VT_OK;
    }
    if (dnnl->plan->values[value].constant && dtype == VT_F32) {
        vt_status status = prepare_constant(dnnl, value, NULL, layout, buffer, error);
        return status == VT_OK ? vt_dnnl_form_add(dnnl, value, dtype, layout, *buffer, error)
                               : status;
    }
    if (!layout) {
        return get_plain(dnnl, value, dtype, buffer, error);
    }

    int64_t dims[VT_LAYOUT_MAX_RANK];
    int rank = vt_layout_dims(layout, dims);
    form = find_blocked(dnnl, value, rank, dims);
    if (form != SIZE_MAX) {
        vt_layout *from = vt_layout_dup(dnnl->forms[form].layout);
        vt_status status =
            from ? reorder(dnnl, value, from, dnnl->forms[form].buffer, layout, buffer, error)
                 : vt_fail_memory(error, "the layout of a value");
        vt_layout_free(from);
        return status;
    }
    size_t plain_buffer = VT_NO_BUFFER;
    vt_status status = get_plain(dnnl, value, VT_F32, &plain_buffer, error);
    if (status != VT_OK) {
        return status;
    }
    vt_layout *plain = vt_layout_new_plain(rank, dims, VT_F32);
    status = plain ? reorder(dnnl, value, plain, plain_buffer, layout, buffer, error)
                   : vt_fail_memory(error, "the layout of a value");
    vt_layout_free(plain);
    return status;
}

vt_status vt_dnnl_form_layout(vt_dnnl *dnnl, vt_value_id value, vt_layout **out, vt_error *error)
{
    const vt_shape *shape = &dnnl->plan->values[value].tensor.shape;
    if (!vt_dnnl_form_first(dnnl, value, error)) {
        return error ? error->status : VT_ERR_NO_MEMORY;
    }
    size_t form = dnnl->value_forms[value];
    const vt_layout *first = dnnl->forms[form].dtype == VT_F32 ? dnnl->forms[form].layout : NULL;
    vt_layout *layout =
        first ? vt_layout_dup(first) : vt_layout_new_plain(shape->rank, shape->dims, VT_F32);
    if (!layout) {
        return vt_fail_memory(error, "the layout of a value");
    }
    *out = layout;
    return VT_OK;
}
