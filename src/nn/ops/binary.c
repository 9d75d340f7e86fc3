/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Elementwise operators of two inputs with broadcasting: arithmetic, comparison, logic, bits.
 *
 * Floating types are computed in f64 and rounded once. Integers are computed in 64 bits and keep
 * their low bits, so they wrap like the type itself; division truncates. Dividing an integer by
 * zero has no result and is an error.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <math.h>
#include <string.h>

/* One run of elements. u: unsigned lane, for u64 and what fits into it. */
typedef vt_status run_f64(const double *a, const double *b, size_t count, double *out);
typedef vt_status run_i64(const int64_t *a, const int64_t *b, size_t count, int64_t *out);

typedef struct binary_runs {
    run_f64 *f64;
    run_i64 *i64, *u64;
} binary_runs;

/* Opset 6 broadcasts the second input only, if told to, and lines it up with the axes of the first
 * from `axis` on (by default at the end): its shape as today's rules want it. */
static vt_status second_shape(const vt_op_args *args, vt_shape *shape, vt_error *error)
{
    const vt_shape *a = &args->inputs[0].shape, *b = &args->inputs[1].shape;
    *shape = *b;
    if (args->node->opset > 6 || vt_node_attr(args->node, "axis") == NULL)
        return VT_OK;
    int axis;
    vt_status status = vt_op_axis(vt_node_int(args->node, "axis", 0), a->rank, &axis, error);
    if (status != VT_OK)
        return status;
    if (axis + b->rank > a->rank)
        return vt_fail(error, VT_ERR_FORMAT, "input 1 does not fit input 0 from axis %d on", axis);
    shape->rank = a->rank;
    for (int i = 0; i < a->rank; i++)
        shape->dims[i] = i < axis || i >= axis + b->rank ? 1 : b->dims[i - axis];
    return VT_OK;
}

static vt_status binary_shape(vt_op_args *args, vt_dtype dtype, vt_error *error)
{
    vt_shape shape = args->inputs[0].shape, second;
    vt_status status = second_shape(args, &second, error);
    if (status == VT_OK)
        status = vt_broadcast_shape(&shape, &second, error);
    if (status == VT_OK)
        vt_op_set_output(args, 0, dtype, &shape);
    return status;
}

static vt_status infer_number(vt_op_args *args, vt_error *error)
{
    vt_status status = vt_op_check_same(args, VT_TYPES_NUMBER, error);
    return status == VT_OK ? binary_shape(args, args->inputs[0].dtype, error) : status;
}

/* The exponent may have a type of its own (opset 12); the result has the base's. */
static vt_status infer_pow(vt_op_args *args, vt_error *error)
{
    vt_status status = vt_op_check_type(args, 0, VT_TYPES_NUMBER, error);
    if (status == VT_OK)
        status = vt_op_check_type(args, 1, VT_TYPES_NUMBER, error);
    return status == VT_OK ? binary_shape(args, args->inputs[0].dtype, error) : status;
}

static vt_status infer_compare(vt_op_args *args, vt_error *error)
{
    vt_status status = vt_op_check_same(args, VT_TYPES_ALL, error);
    return status == VT_OK ? binary_shape(args, VT_BOOL, error) : status;
}

static vt_status infer_logic(vt_op_args *args, vt_error *error)
{
    vt_status status = vt_op_check_same(args, VT_TYPE(VT_BOOL), error);
    return status == VT_OK ? binary_shape(args, VT_BOOL, error) : status;
}

static vt_status infer_bits(vt_op_args *args, vt_error *error)
{
    vt_status status = vt_op_check_same(args, VT_TYPES_SIGNED | VT_TYPES_UNSIGNED, error);
    return status == VT_OK ? binary_shape(args, args->inputs[0].dtype, error) : status;
}

static vt_status infer_shift(vt_op_args *args, vt_error *error)
{
    const char *direction = vt_node_text(args->node, "direction", "");
    vt_status status = vt_op_check_same(args, VT_TYPES_UNSIGNED, error);
    if (status == VT_OK && strcmp(direction, "LEFT") != 0 && strcmp(direction, "RIGHT") != 0)
        status = vt_fail(error, VT_ERR_FORMAT, "attribute \"direction\" is \"%.40s\"", direction);
    return status == VT_OK ? binary_shape(args, args->inputs[0].dtype, error) : status;
}

/* What a run needs on the stack. */
typedef struct binary_buffers {
    size_t a_index[VT_RUN], b_index[VT_RUN];
    double a[VT_RUN], b[VT_RUN], out[VT_RUN];
    int64_t ai[VT_RUN], bi[VT_RUN], outi[VT_RUN];
} binary_buffers;

static vt_status binary_part(vt_op_args *args, const binary_runs *runs, size_t start, size_t count,
                             binary_buffers *buffers)
{
    const vt_tensor *a = &args->inputs[0], *b = &args->inputs[1];
    vt_tensor *y = &args->outputs[0];
    vt_status status;
    if (vt_dtype_is_float(a->dtype) || vt_dtype_is_float(b->dtype)) {
        vt_gather_f64(a->dtype, a->data, buffers->a_index, count, buffers->a);
        vt_gather_f64(b->dtype, b->data, buffers->b_index, count, buffers->b);
        status = runs->f64(buffers->a, buffers->b, count, buffers->out);
        if (status == VT_OK)
            vt_store_f64(y->dtype, y->data, start, count, buffers->out);
        return status;
    }
    bool is_signed = (VT_TYPE(a->dtype) & VT_TYPES_SIGNED) != 0;
    vt_gather_i64(a->dtype, a->data, buffers->a_index, count, buffers->ai);
    vt_gather_i64(b->dtype, b->data, buffers->b_index, count, buffers->bi);
    status = (is_signed ? runs->i64 : runs->u64)(buffers->ai, buffers->bi, count, buffers->outi);
    if (status == VT_OK)
        vt_store_i64(y->dtype, y->data, start, count, buffers->outi);
    return status;
}

static vt_status binary_run(vt_op_args *args, const binary_runs *runs, vt_error *error)
{
    vt_broadcast a, b;
    vt_shape second;
    binary_buffers buffers;
    size_t count = vt_tensor_count(&args->outputs[0]);
    vt_status status = second_shape(args, &second, error);
    if (status != VT_OK)
        return status;
    vt_broadcast_init(&a, &args->inputs[0].shape, &args->outputs[0].shape);
    vt_broadcast_init(&b, &second, &args->outputs[0].shape);
    for (size_t start = 0; start < count; start += VT_RUN) {
        size_t part = count - start < VT_RUN ? count - start : VT_RUN;
        vt_broadcast_indices(&a, start, part, buffers.a_index);
        vt_broadcast_indices(&b, start, part, buffers.b_index);
        if (binary_part(args, runs, start, part, &buffers) != VT_OK)
            return vt_fail(error, VT_ERR_FORMAT, "an integer is divided by zero");
    }
    return VT_OK;
}

/* Defines name_f64, name_i64, name_u64 and name_reference. `wide`, `narrow`: expressions in x and
 * y, of double and of the integer lane. */
#define LANE(function, lane, load, expression)                                                     \
    static vt_status function(const lane *a, const lane *b, size_t count, lane *out)               \
    {                                                                                              \
        for (size_t i = 0; i < count; i++) {                                                       \
            const load x = (load)a[i], y = (load)b[i];                                             \
            out[i] = (lane)(expression);                                                           \
        }                                                                                          \
        return VT_OK;                                                                              \
    }
#define REFERENCE(name)                                                                            \
    static vt_status name##_reference(vt_op_args *args, vt_error *error)                           \
    {                                                                                              \
        static const binary_runs runs = {name##_f64, name##_i64, name##_u64};                      \
        return binary_run(args, &runs, error);                                                     \
    }
#define ARITHMETIC(name, expression)                                                               \
    LANE(name##_f64, double, double, expression)                                                   \
    LANE(name##_i64, int64_t, uint64_t, expression)                                                \
    LANE(name##_u64, int64_t, uint64_t, expression)                                                \
    REFERENCE(name)
#define COMPARISON(name, expression)                                                               \
    LANE(name##_f64, double, double, expression)                                                   \
    LANE(name##_i64, int64_t, int64_t, expression)                                                 \
    LANE(name##_u64, int64_t, uint64_t, expression)                                                \
    REFERENCE(name)
#define LOGIC(name, expression)                                                                    \
    LANE(name##_u64, int64_t, uint64_t, expression)                                                \
    static vt_status name##_reference(vt_op_args *args, vt_error *error)                           \
    {                                                                                              \
        static const binary_runs runs = {NULL, name##_u64, name##_u64};                            \
        return binary_run(args, &runs, error);                                                     \
    }

/* Sums, differences and products have the same low bits signed and unsigned. */
ARITHMETIC(add, x + y)
ARITHMETIC(sub, x - y)
ARITHMETIC(mul, x *y)
COMPARISON(equal, x == y)
COMPARISON(greater, x > y)
COMPARISON(less, x < y)
COMPARISON(greater_equal, x >= y)
COMPARISON(less_equal, x <= y)
LOGIC(and, x != 0 && y != 0)
LOGIC(or, x != 0 || y != 0)
LOGIC(xor, (x != 0) != (y != 0))

/* ---- bits: the same signed and unsigned; what is shifted out of 64 bits is gone ---- */

LOGIC(bit_and, x &y)
LOGIC(bit_or, x | y)
LOGIC(bit_xor, x ^ y)
LANE(shift_left, int64_t, uint64_t, y < 64 ? x << y : 0)
LANE(shift_right, int64_t, uint64_t, y < 64 ? x >> y : 0)

static vt_status shift_reference(vt_op_args *args, vt_error *error)
{
    bool left = strcmp(vt_node_text(args->node, "direction", ""), "LEFT") == 0;
    const binary_runs runs = {NULL, left ? shift_left : shift_right,
                              left ? shift_left : shift_right};
    return binary_run(args, &runs, error);
}

/* ---- division ---- */

LANE(div_f64, double, double, x / y)

static vt_status div_i64(const int64_t *a, const int64_t *b, size_t count, int64_t *out)
{
    for (size_t i = 0; i < count; i++) {
        if (b[i] == 0)
            return VT_ERR_FORMAT;
        out[i] = b[i] == -1 ? (int64_t)(0 - (uint64_t)a[i]) : a[i] / b[i];
    }
    return VT_OK;
}

static vt_status div_u64(const int64_t *a, const int64_t *b, size_t count, int64_t *out)
{
    for (size_t i = 0; i < count; i++) {
        if (b[i] == 0)
            return VT_ERR_FORMAT;
        out[i] = (int64_t)((uint64_t)a[i] / (uint64_t)b[i]);
    }
    return VT_OK;
}

REFERENCE(div)

/* ---- remainders: sign of the divisor, or with attribute fmod that of the dividend ---- */

/* fmod is exact; x - floor(x / y) * y is not. */
double vt_op_modulo(double x, double y)
{
    double rest = fmod(x, y);
    if (rest == 0.0)
        return copysign(rest, y);
    return (rest < 0.0) != (y < 0.0) ? rest + y : rest;
}

LANE(mod_f64, double, double, vt_op_modulo(x, y))
LANE(fmod_f64, double, double, fmod(x, y))

static vt_status fmod_i64(const int64_t *a, const int64_t *b, size_t count, int64_t *out)
{
    for (size_t i = 0; i < count; i++) {
        if (b[i] == 0)
            return VT_ERR_FORMAT;
        out[i] = b[i] == -1 ? 0 : a[i] % b[i];
    }
    return VT_OK;
}

static vt_status mod_i64(const int64_t *a, const int64_t *b, size_t count, int64_t *out)
{
    vt_status status = fmod_i64(a, b, count, out);
    for (size_t i = 0; i < count && status == VT_OK; i++)
        if (out[i] != 0 && (out[i] < 0) != (b[i] < 0))
            out[i] += b[i];
    return status;
}

static vt_status mod_u64(const int64_t *a, const int64_t *b, size_t count, int64_t *out)
{
    for (size_t i = 0; i < count; i++) {
        if (b[i] == 0)
            return VT_ERR_FORMAT;
        out[i] = (int64_t)((uint64_t)a[i] % (uint64_t)b[i]);
    }
    return VT_OK;
}

static vt_status mod_reference(vt_op_args *args, vt_error *error)
{
    bool dividend = vt_node_int(args->node, "fmod", 0) != 0;
    const binary_runs runs = {dividend ? fmod_f64 : mod_f64, dividend ? fmod_i64 : mod_i64,
                              mod_u64};
    return binary_run(args, &runs, error);
}

/* ---- powers ---- */

LANE(pow_f64, double, double, pow(x, y))

/* By repeated squaring, wrapping. */
static uint64_t power(uint64_t base, uint64_t exponent)
{
    uint64_t result = 1;
    for (; exponent > 0; exponent >>= 1, base *= base)
        result *= (exponent & 1) != 0 ? base : 1;
    return result;
}

static vt_status pow_u64(const int64_t *a, const int64_t *b, size_t count, int64_t *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (int64_t)power((uint64_t)a[i], (uint64_t)b[i]);
    return VT_OK;
}

/* A negative exponent leaves 1, -1 and 0 (everything else, whose quotient truncates). */
static vt_status pow_i64(const int64_t *a, const int64_t *b, size_t count, int64_t *out)
{
    for (size_t i = 0; i < count; i++) {
        if (b[i] >= 0)
            out[i] = (int64_t)power((uint64_t)a[i], (uint64_t)b[i]);
        else if (a[i] == 1 || (a[i] == -1 && b[i] % 2 == 0))
            out[i] = 1;
        else
            out[i] = a[i] == -1 ? -1 : 0;
    }
    return VT_OK;
}

/* The exponent's sign counts, whatever the base's type is. */
static vt_status pow_reference(vt_op_args *args, vt_error *error)
{
    bool is_signed = (VT_TYPE(args->inputs[1].dtype) & VT_TYPES_SIGNED) != 0;
    const binary_runs runs = {pow_f64, is_signed ? pow_i64 : pow_u64,
                              is_signed ? pow_i64 : pow_u64};
    return binary_run(args, &runs, error);
}

#define ROW(name, since, until, infer_function, reference_function)                                \
    {                                                                                              \
        name, "", since, until, 2, 2, 1, 1, .infer = infer_function,                               \
                                            .reference = reference_function                        \
    }
/* With the row for opset 6. */
#define ROWS(name, infer_function, reference_function)                                             \
    {name,                                                                                         \
     "",                                                                                           \
     1,                                                                                            \
     6,                                                                                            \
     2,                                                                                            \
     2,                                                                                            \
     1,                                                                                            \
     1,                                                                                            \
     "broadcast:i axis:i",                                                                         \
     .infer = infer_function,                                                                      \
     .reference = reference_function},                                                             \
        ROW(name, 7, 0, infer_function, reference_function)

const vt_op vt_ops_binary[] = {
    ROWS("Add", infer_number, add_reference),
    ROWS("Sub", infer_number, sub_reference),
    ROWS("Mul", infer_number, mul_reference),
    ROWS("Div", infer_number, div_reference),
    {"Pow", "", 1, 6, 2, 2, 1, 1, "broadcast:i axis:i", .infer = infer_number,
     .reference = pow_reference},
    ROW("Pow", 7, 11, infer_number, pow_reference),
    ROW("Pow", 12, 0, infer_pow, pow_reference),
    {"Mod", "", 10, 0, 2, 2, 1, 1, "fmod:i", .infer = infer_number, .reference = mod_reference},
    ROWS("Equal", infer_compare, equal_reference),
    ROWS("Greater", infer_compare, greater_reference),
    ROWS("Less", infer_compare, less_reference),
    ROW("GreaterOrEqual", 12, 0, infer_compare, greater_equal_reference),
    ROW("LessOrEqual", 12, 0, infer_compare, less_equal_reference),
    ROWS("And", infer_logic, and_reference),
    ROWS("Or", infer_logic, or_reference),
    ROWS("Xor", infer_logic, xor_reference),
    ROW("BitwiseAnd", 18, 0, infer_bits, bit_and_reference),
    ROW("BitwiseOr", 18, 0, infer_bits, bit_or_reference),
    ROW("BitwiseXor", 18, 0, infer_bits, bit_xor_reference),
    {"BitShift", "", 11, 0, 2, 2, 1, 1, "direction:s!", .infer = infer_shift,
     .reference = shift_reference},
    {0},
};
