/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Constant: a value written in the node itself, as a tensor or, from opset 12, as numbers.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <string.h>

/* The one attribute that holds the value, seen as a tensor that borrows it. */
static vt_status constant_value(const vt_op_args *args, vt_tensor *value, vt_error *error)
{
    if (args->node->attr_count != 1)
        return vt_fail(error, VT_ERR_FORMAT, "%zu values, it takes one", args->node->attr_count);
    const vt_attr *attr = &args->node->attrs[0];
    vt_shape list = vt_shape_of(1, (const int64_t[]){(int64_t)attr->count});
    switch (attr->kind) {
    case VT_ATTR_TENSOR:
        *value = *attr->tensor;
        break;
    case VT_ATTR_INT:
        *value = (vt_tensor){.dtype = VT_I64, .data = (void *)(uintptr_t)&attr->i};
        break;
    case VT_ATTR_FLOAT:
        *value = (vt_tensor){.dtype = VT_F32, .data = (void *)(uintptr_t)&attr->f};
        break;
    case VT_ATTR_INTS:
        *value = (vt_tensor){.dtype = VT_I64, .shape = list, .data = (void *)(uintptr_t)attr->ints};
        break;
    case VT_ATTR_FLOATS:
        *value =
            (vt_tensor){.dtype = VT_F32, .shape = list, .data = (void *)(uintptr_t)attr->floats};
        break;
    case VT_ATTR_TEXT:
    case VT_ATTR_TEXTS:
        return vt_fail(error, VT_ERR_UNSUPPORTED, "text values are not supported");
    }
    value->owned = false;
    return VT_OK;
}

static vt_status constant_infer(vt_op_args *args, vt_error *error)
{
    vt_tensor value = {0};
    vt_status status = constant_value(args, &value, error);
    if (status == VT_OK)
        vt_op_set_output(args, 0, value.dtype, &value.shape);
    return status;
}

static vt_status constant_reference(vt_op_args *args, vt_error *error)
{
    vt_tensor value = {0};
    vt_status status = constant_value(args, &value, error);
    if (status == VT_OK)
        memcpy(args->outputs[0].data, value.data, args->outputs[0].bytes);
    return status;
}

#define ROW(since, until, attrs)                                                                   \
    {                                                                                              \
        "Constant", "", since, until, 0, 0, 1, 1, attrs, .infer = constant_infer,                  \
                                                         .reference = constant_reference           \
    }

const vt_op vt_ops_constant[] = {
    ROW(1, 11, "value:t"),
    ROW(12, 0,
        "value:t value_float:f value_floats:F value_int:i value_ints:I value_string:s "
        "value_strings:S"),
    {0},
};
