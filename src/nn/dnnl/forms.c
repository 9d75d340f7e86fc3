/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The forms of values: which type and arrangement each exists in, and how it gets into another.
 *
 * Method: a form is looked up, else made from one that is there by one reorder of oneDNN, which
 * changes type and arrangement together; types that oneDNN does not reorder (f16, f64) are
 * converted element by element in row-major order first. A form may be a view: the bytes of another
 * value under other strides (a transpose, a slice), made row-major only when somebody asks for
 * that. A layout whose bytes are row-major anyway (a blocked 1x1 map) counts as row-major, so that
 * flattening costs nothing. Constants take the same route, but at once and into memory that
 * outlives the run.
 */
#include "nn/dnnl/runner.h"

#include <string.h>

enum { FORM_MAXIMUM = 1 << 24 };

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
    vt_buffer *root = vt_dnnl_buffer_root(dnnl, buffer);
    if (root->kind == VT_BUFFER_CONSTANT && !dnnl->plan->values[value].constant) {
        root->used = true; /* a view of a constant: somebody may read it later */
    }
    return VT_OK;
}

const vt_form *vt_dnnl_form_first(vt_dnnl *dnnl, vt_value_id value, vt_error *error)
{
    if (dnnl->value_forms[value] == SIZE_MAX) {
        const vt_plan_value *plan_value = &dnnl->plan->values[value];
        if (!plan_value->constant) {
            vt_fail(error, VT_ERR_INTERNAL, "run value \"%s\": nothing has made it",
                    vt_plan_value_name(dnnl->plan, value));
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

/* ---- looking up ---- */

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

/* Types between which oneDNN's reorder is used. */
static bool can_reorder(vt_dtype dtype)
{
    return dtype == VT_F32 || dtype == VT_BF16;
}

/* An arranged form that a reorder can start from, of `dtype` if there is one; rank < 0: of any
 * dimensions. */
static size_t find_arranged(const vt_dnnl *dnnl, vt_value_id value, vt_dtype dtype, int rank,
                            const int64_t *dims)
{
    size_t found = SIZE_MAX;
    for (size_t i = dnnl->value_forms[value]; i != SIZE_MAX; i = dnnl->forms[i].next) {
        const vt_form *form = &dnnl->forms[i];
        int64_t sizes[VT_LAYOUT_MAX_RANK];
        if (!form->layout || (form->dtype != dtype && !can_reorder(form->dtype))) {
            continue;
        }
        int form_rank = vt_layout_dims(form->layout, sizes);
        if (rank >= 0 &&
            (form_rank != rank || memcmp(sizes, dims, (size_t)rank * sizeof *dims) != 0)) {
            continue;
        }
        if (form->dtype == dtype) {
            return i;
        }
        found = found == SIZE_MAX ? i : found;
    }
    return found;
}

/* A row-major form, of `dtype` if there is one, else of a type that can be reordered, else any. */
static size_t find_plain(const vt_dnnl *dnnl, vt_value_id value, vt_dtype dtype)
{
    size_t found = SIZE_MAX;
    for (size_t i = dnnl->value_forms[value]; i != SIZE_MAX; i = dnnl->forms[i].next) {
        const vt_form *form = &dnnl->forms[i];
        if (form->layout) {
            continue;
        }
        if (form->dtype == dtype) {
            return i;
        }
        if (found == SIZE_MAX || can_reorder(form->dtype)) {
            found = i;
        }
    }
    return found;
}

/* ---- making ---- */

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
                       vt_plan_value_name(dnnl->plan, value));
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
        return vt_dnnl_form_get(dnnl, value, vt_layout_type(reading), NULL, buffer, error);
    }
    /* Not noted as a form: another reader may see the same bytes differently. */
    return prepare_constant(dnnl, value, reading, layout, buffer, error);
}

/* Adds the reorder from one arrangement to another of the same dimensions. */
static vt_status reorder(vt_dnnl *dnnl, vt_value_id value, const vt_layout *from,
                         size_t from_buffer, const vt_layout *to, size_t *to_buffer,
                         vt_error *error)
{
    dnnl_primitive_desc_t desc = NULL;
    vt_status status = vt_dnnl_form_make(dnnl, value, vt_layout_type(to), to, to_buffer, error);
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

/* From form number `form`; `to` has its dimensions, or (NULL) is row-major of them in `dtype`. */
static vt_status reorder_form(vt_dnnl *dnnl, vt_value_id value, size_t form, vt_dtype dtype,
                              const vt_layout *to, size_t *buffer, vt_error *error)
{
    int64_t dims[VT_LAYOUT_MAX_RANK];
    vt_layout *from = vt_layout_dup(dnnl->forms[form].layout), *plain = NULL; /* forms may move */
    if (from && !to) {
        int rank = vt_layout_dims(from, dims);
        to = plain = vt_layout_new_plain(rank, dims, dtype);
    }
    vt_status status = from && to
                           ? reorder(dnnl, value, from, dnnl->forms[form].buffer, to, buffer, error)
                           : vt_fail_memory(error, "the layout of a value");
    vt_layout_free(from);
    vt_layout_free(plain);
    return status;
}

/* Between row-major forms, element by element. */
static vt_status convert_plain(vt_dnnl *dnnl, vt_value_id value, size_t form, vt_dtype dtype,
                               size_t *buffer, vt_error *error)
{
    vt_dtype from = dnnl->forms[form].dtype;
    size_t source = dnnl->forms[form].buffer;
    if (!vt_dnnl_can_convert(from, dtype)) {
        return vt_fail(error, VT_ERR_INTERNAL, "run value \"%s\": no way from %s to %s",
                       vt_plan_value_name(dnnl->plan, value), vt_dtype_name(from),
                       vt_dtype_name(dtype));
    }
    vt_status status = vt_dnnl_form_make(dnnl, value, dtype, NULL, buffer, error);
    if (status != VT_OK) {
        return status;
    }
    const vt_shape *shape = &dnnl->plan->values[value].tensor.shape;
    vt_tensor tensors[2] = {{.dtype = from, .shape = *shape}, {.dtype = dtype, .shape = *shape}};
    return vt_dnnl_convert_add(dnnl, tensors, (size_t[]){source, *buffer}, error);
}

/* Between row-major f32 and bf16, by oneDNN (it does that with vectors and threads). */
static vt_status reorder_plain(vt_dnnl *dnnl, vt_value_id value, size_t form, vt_dtype dtype,
                               size_t *buffer, vt_error *error)
{
    int64_t count = (int64_t)vt_tensor_count(&dnnl->plan->values[value].tensor);
    vt_layout *from = vt_layout_new_plain(1, &count, dnnl->forms[form].dtype);
    vt_layout *to = vt_layout_new_plain(1, &count, dtype);
    vt_status status = from && to
                           ? reorder(dnnl, value, from, dnnl->forms[form].buffer, to, buffer, error)
                           : vt_fail_memory(error, "the layout of a value");
    vt_layout_free(from);
    vt_layout_free(to);
    return status;
}

/* Row-major in this type, which it is not in yet. */
static vt_status make_plain(vt_dnnl *dnnl, vt_value_id value, vt_dtype dtype, size_t *buffer,
                            vt_error *error)
{
    size_t plain = find_plain(dnnl, value, dtype);
    size_t arranged = find_arranged(dnnl, value, dtype, -1, NULL);
    if (plain == SIZE_MAX && arranged != SIZE_MAX) {
        vt_dtype from = dnnl->forms[arranged].dtype;
        bool direct = from == dtype || can_reorder(dtype);
        vt_status status =
            reorder_form(dnnl, value, arranged, direct ? dtype : from, NULL, buffer, error);
        if (status != VT_OK || direct) {
            return status;
        }
        plain = find_form(dnnl, value, from, NULL);
    }
    vt_dtype from = dnnl->forms[plain].dtype;
    if (can_reorder(from) && can_reorder(dtype)) {
        return reorder_plain(dnnl, value, plain, dtype, buffer, error);
    }
    if (from != VT_F32 && dtype != VT_F32) { /* by way of f32 */
        size_t between = VT_NO_BUFFER;
        vt_status status = vt_dnnl_form_get(dnnl, value, VT_F32, NULL, &between, error);
        if (status != VT_OK) {
            return status;
        }
        plain = find_form(dnnl, value, VT_F32, NULL);
        return can_reorder(dtype) ? reorder_plain(dnnl, value, plain, dtype, buffer, error)
                                  : convert_plain(dnnl, value, plain, dtype, buffer, error);
    }
    return convert_plain(dnnl, value, plain, dtype, buffer, error);
}

/* In this arrangement, which it is not in yet. */
static vt_status make_arranged(vt_dnnl *dnnl, vt_value_id value, const vt_layout *layout,
                               size_t *buffer, vt_error *error)
{
    int64_t dims[VT_LAYOUT_MAX_RANK];
    int rank = vt_layout_dims(layout, dims);
    vt_dtype dtype = vt_layout_type(layout);
    size_t form = find_arranged(dnnl, value, dtype, rank, dims);
    if (form != SIZE_MAX) {
        return reorder_form(dnnl, value, form, dtype, layout, buffer, error);
    }
    size_t plain = find_plain(dnnl, value, dtype), source = VT_NO_BUFFER;
    vt_dtype from = plain == SIZE_MAX ? dtype : dnnl->forms[plain].dtype;
    if (from != dtype && !can_reorder(from)) {
        from = VT_F32;
    }
    vt_status status = vt_dnnl_form_get(dnnl, value, from, NULL, &source, error);
    if (status != VT_OK) {
        return status;
    }
    vt_layout *read = vt_layout_new_plain(rank, dims, from);
    status = read ? reorder(dnnl, value, read, source, layout, buffer, error)
                  : vt_fail_memory(error, "the layout of a value");
    vt_layout_free(read);
    return status;
}

vt_status vt_dnnl_form_get(vt_dnnl *dnnl, vt_value_id value, vt_dtype dtype,
                           const vt_layout *layout, size_t *buffer, vt_error *error)
{
    const vt_layout *wanted = layout && vt_layout_is_plain(layout) ? NULL : layout;
    if (!vt_dnnl_form_first(dnnl, value, error)) {
        return error ? error->status : VT_ERR_NO_MEMORY;
    }
    size_t form = find_form(dnnl, value, dtype, wanted);
    if (form != SIZE_MAX) {
        *buffer = dnnl->forms[form].buffer;
        return VT_OK;
    }
    if (dnnl->plan->values[value].constant && (layout || dtype == VT_F32)) {
        vt_status status = prepare_constant(dnnl, value, NULL, layout, buffer, error);
        return status == VT_OK ? vt_dnnl_form_add(dnnl, value, dtype, wanted, *buffer, error)
                               : status;
    }
    return wanted ? make_arranged(dnnl, value, wanted, buffer, error)
                  : make_plain(dnnl, value, dtype, buffer, error);
}

/* ---- results in a residual's memory ---- */

enum { SEARCH_MAXIMUM = 1 << 16 }; /* values looked at: more are not worth a copy saved */

static bool lies_in(vt_dnnl *dnnl, vt_value_id value, const vt_buffer *memory)
{
    for (size_t i = dnnl->value_forms[value]; i != SIZE_MAX; i = dnnl->forms[i].next) {
        if (vt_dnnl_buffer_root(dnnl, dnnl->forms[i].buffer) == memory) {
            return true;
        }
    }
    return false;
}

/* Whether the step itself reads this memory while it writes there, but for the residual. */
static bool is_read_now(vt_dnnl *dnnl, vt_value_id residual, const vt_buffer *memory)
{
    const vt_step *step = &dnnl->plan->steps[dnnl->step];
    bool met = false;
    for (size_t i = 0; i < vt_step_read_count(step); i++) {
        vt_value_id value = vt_step_read(step, i);
        if (i >= step->node.input_count && value == residual && !met) {
            met = true;
        } else if (value != VT_NO_VALUE && lies_in(dnnl, value, memory)) {
            return true;
        }
    }
    return false;
}

/* Whether this step, or a later one, still reads a value that lies in this memory. */
static bool is_needed_later(vt_dnnl *dnnl, vt_value_id residual, const vt_buffer *memory)
{
    const vt_plan *plan = dnnl->plan;
    /* What the forward part made may be dropped and made again: no later step writes there. */
    bool forward = dnnl->forward > 0 && memory->first < (int)dnnl->forward;
    if (memory->kind != VT_BUFFER_ARENA || forward || plan->value_count > SEARCH_MAXIMUM ||
        is_read_now(dnnl, residual, memory)) {
        return true;
    }
    for (size_t v = 0; v < plan->value_count; v++) {
        if (plan->values[v].last_step > (int)dnnl->step && lies_in(dnnl, (vt_value_id)v, memory)) {
            return true;
        }
    }
    return false;
}

/* Adds a copy of `buffer`, which lies as `layout` says. */
static vt_status copy_buffer(vt_dnnl *dnnl, const vt_layout *layout, size_t *buffer,
                             vt_error *error)
{
    vt_buffer copy = {.kind = VT_BUFFER_ARENA, .bytes = vt_layout_bytes(layout)};
    dnnl_primitive_desc_t desc = NULL;
    size_t from = *buffer;
    vt_status status = vt_dnnl_buffer_add(dnnl, &copy, buffer, error);
    if (status != VT_OK) {
        return status;
    }
    dnnl_status_t made = vt_pd_reorder(dnnl->engine, layout, layout, &desc);
    if (made != dnnl_success) {
        return vt_dnnl_fail(made, "a copy", error);
    }
    const vt_argument arguments[] = {{DNNL_ARG_FROM, layout, from, false},
                                     {DNNL_ARG_TO, layout, *buffer, true}};
    return vt_dnnl_primitive_add(dnnl, NULL, desc, arguments, 2, error);
}

vt_status vt_dnnl_form_onto(vt_dnnl *dnnl, vt_value_id value, const vt_layout *layout,
                            const vt_post *onto, size_t *buffer, vt_error *error)
{
    vt_layout *held = NULL;
    if (!vt_layout_retype(layout, onto->dtype, &held)) {
        return vt_fail_memory(error, "the layout of a residual");
    }
    if (!held) {
        return vt_fail(error, VT_ERR_INTERNAL, "run value \"%s\": its layout has no %s form",
                       vt_plan_value_name(dnnl->plan, value), vt_dtype_name(onto->dtype));
    }
    vt_status status = vt_dnnl_form_get(dnnl, onto->value, onto->dtype, held, buffer, error);
    if (status == VT_OK && is_needed_later(dnnl, onto->value, vt_dnnl_buffer_root(dnnl, *buffer))) {
        status = copy_buffer(dnnl, held, buffer, error);
    }
    vt_layout_free(held);
    return status == VT_OK
               ? vt_dnnl_form_add(dnnl, value, vt_layout_type(layout), layout, *buffer, error)
               : status;
}

/* ---- asking ---- */

vt_status vt_dnnl_form_layout(vt_dnnl *dnnl, vt_value_id value, vt_dtype dtype, vt_layout **out,
                              vt_error *error)
{
    const vt_shape *shape = &dnnl->plan->values[value].tensor.shape;
    if (!vt_dnnl_form_first(dnnl, value, error)) {
        return error ? error->status : VT_ERR_NO_MEMORY;
    }
    const vt_layout *first = dnnl->forms[dnnl->value_forms[value]].layout;
    bool blocked = first && vt_layout_view_of(first).block_count > 0;
    vt_layout *layout = NULL;
    bool usable = first && (vt_layout_type(first) == dtype || can_reorder(vt_layout_type(first)));
    if (usable && (blocked || vt_layout_is_dense(first)) &&
        !vt_layout_retype(first, dtype, &layout)) {
        return vt_fail_memory(error, "the layout of a value");
    }
    if (!layout) {
        layout = vt_layout_new_plain(shape->rank, shape->dims, dtype);
    }
    if (!layout) {
        return vt_fail_memory(error, "the layout of a value");
    }
    *out = layout;
    return VT_OK;
}

vt_status vt_dnnl_form_as_is(vt_dnnl *dnnl, vt_value_id value, vt_layout **layout, size_t *buffer,
                             vt_error *error)
{
    const vt_shape *shape = &dnnl->plan->values[value].tensor.shape;
    const vt_form *first = vt_dnnl_form_first(dnnl, value, error);
    if (!first) {
        return error ? error->status : VT_ERR_NO_MEMORY;
    }
    vt_layout *copy = first->layout ? vt_layout_dup(first->layout)
                                    : vt_layout_new_plain(shape->rank, shape->dims, first->dtype);
    if (!copy) {
        return vt_fail_memory(error, "the layout of a value");
    }
    *layout = copy;
    *buffer = first->buffer;
    return VT_OK;
}
