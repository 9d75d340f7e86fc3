/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers of every type in and out of f64 and 64-bit integers, and casts between types.
 *
 * Method: two lanes. Floating types travel as f64, which holds f16, bf16 and f32 exactly; integers
 * as 64 bits. Narrowing to f16 and bf16 starts from the f64 bits, so that there is one rounding (to
 * nearest, ties to even) and no second one through f32. Half formats as in IEEE 754-2019, bfloat16
 * as the upper half of binary32.
 */
#include "nn/tensor.h"

#include <math.h>
#include <string.h>

typedef struct half_format {
    int exponent_bits, mantissa_bits;
} half_format;

static const half_format format_f16 = {5, 10}, format_bf16 = {8, 7};

static uint16_t half_narrow(double value, half_format format)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    int bias = (1 << (format.exponent_bits - 1)) - 1;
    uint64_t sign = (bits >> 63) << 15;
    uint64_t infinity = ((UINT64_C(1) << format.exponent_bits) - 1) << format.mantissa_bits;
    int exponent = (int)((bits >> 52) & 0x7ff);
    uint64_t mantissa = bits & ((UINT64_C(1) << 52) - 1);
    if (exponent == 0x7ff)
        return (uint16_t)(sign | infinity |
                          (mantissa != 0 ? UINT64_C(1) << (format.mantissa_bits - 1) : 0));
    int target = exponent - 1023 + bias;
    int shift = 52 - format.mantissa_bits;
    if (exponent == 0 || target < -format.mantissa_bits)
        return (uint16_t)sign; /* below half of the smallest subnormal */
    uint64_t whole = mantissa | (UINT64_C(1) << 52);
    if (target <= 0)
        shift += 1 - target; /* subnormal: the hidden bit moves into the mantissa */
    else
        whole = mantissa | ((uint64_t)target << 52);
    uint64_t result = whole >> shift;
    uint64_t rest = whole & ((UINT64_C(1) << shift) - 1);
    uint64_t half = UINT64_C(1) << (shift - 1);
    if (rest > half || (rest == half && (result & 1) != 0))
        result++; /* a carry out of the mantissa is the next exponent, as it should be */
    return (uint16_t)(sign | (result >= infinity ? infinity : result));
}

static double half_widen(uint16_t half, half_format format)
{
    int bias = (1 << (format.exponent_bits - 1)) - 1;
    int top = (1 << format.exponent_bits) - 1;
    uint64_t sign = (uint64_t)(half >> 15) << 63;
    int exponent = (half >> format.mantissa_bits) & top;
    uint64_t mantissa = half & ((UINT64_C(1) << format.mantissa_bits) - 1);
    if (exponent == 0) {
        double small = ldexp((double)mantissa, 1 - bias - format.mantissa_bits);
        return sign != 0 ? -small : small;
    }
    uint64_t wide = exponent == top ? UINT64_C(0x7ff) : (uint64_t)(exponent - bias + 1023);
    uint64_t bits = sign | (wide << 52) | (mantissa << (52 - format.mantissa_bits));
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* f64 to an integer type: truncates, saturates, NaN gives 0. The upper bounds are powers of two and
 * therefore exact in f64. */
static int64_t double_to_i64(double value, double low, double end)
{
    if (!(value > low))
        return isnan(value) ? 0 : (int64_t)low;
    if (value >= end)
        return end >= 9223372036854775808.0 ? INT64_MAX : (int64_t)(end - 1.0);
    return (int64_t)value;
}

static uint64_t double_to_u64(double value)
{
    if (!(value > 0.0))
        return 0;
    return value >= 18446744073709551616.0 ? UINT64_MAX : (uint64_t)value;
}

static float double_to_f32(double value)
{
    return (float)value;
}

#define INTEGER_TYPES(X)                                                                           \
    X(VT_U8, uint8_t)                                                                              \
    X(VT_I8, int8_t)                                                                               \
    X(VT_U16, uint16_t)                                                                            \
    X(VT_I16, int16_t)                                                                             \
    X(VT_U32, uint32_t)                                                                            \
    X(VT_I32, int32_t)                                                                             \
    X(VT_U64, uint64_t)                                                                            \
    X(VT_I64, int64_t)                                                                             \
    X(VT_BOOL, uint8_t)

/* `place` is an expression in i: the flat index of element i. */
#define LOAD_BODY(lane, place)                                                                     \
    switch (dtype) {                                                                               \
        INTEGER_TYPES(LOAD_INTEGER_##place##_##lane)                                               \
    case VT_F32:                                                                                   \
        for (size_t i = 0; i < count; i++)                                                         \
            out[i] = LANE_##lane((double)((const float *)data)[PLACE_##place]);                    \
        break;                                                                                     \
    case VT_F64:                                                                                   \
        for (size_t i = 0; i < count; i++)                                                         \
            out[i] = LANE_##lane(((const double *)data)[PLACE_##place]);                           \
        break;                                                                                     \
    case VT_F16:                                                                                   \
        for (size_t i = 0; i < count; i++)                                                         \
            out[i] = LANE_##lane(half_widen(((const uint16_t *)data)[PLACE_##place], format_f16)); \
        break;                                                                                     \
    case VT_BF16:                                                                                  \
        for (size_t i = 0; i < count; i++)                                                         \
            out[i] =                                                                               \
                LANE_##lane(half_widen(((const uint16_t *)data)[PLACE_##place], format_bf16));     \
        break;                                                                                     \
    case VT_DTYPE_NONE:                                                                            \
    case VT_STRING:                                                                                \
        for (size_t i = 0; i < count; i++)                                                         \
            out[i] = 0;                                                                            \
        break;                                                                                     \
    }

#define PLACE_RUN       start + i
#define PLACE_LIST      indices[i]
#define LANE_F64(value) (value)
#define LANE_I64(value) double_to_i64(value, -9223372036854775808.0, 9223372036854775808.0)
#define LOAD_INTEGER(code, type, lane_type, index)                                                 \
    case code:                                                                                     \
        for (size_t i = 0; i < count; i++)                                                         \
            out[i] = (lane_type)((const type *)data)[index];                                       \
        break;
#define LOAD_INTEGER_RUN_F64(code, type)  LOAD_INTEGER(code, type, double, start + i)
#define LOAD_INTEGER_RUN_I64(code, type)  LOAD_INTEGER(code, type, int64_t, start + i)
#define LOAD_INTEGER_LIST_F64(code, type) LOAD_INTEGER(code, type, double, indices[i])
#define LOAD_INTEGER_LIST_I64(code, type) LOAD_INTEGER(code, type, int64_t, indices[i])

void vt_load_f64(vt_dtype dtype, const void *data, size_t start, size_t count, double *out)
{
    LOAD_BODY(F64, RUN)
}

void vt_load_i64(vt_dtype dtype, const void *data, size_t start, size_t count, int64_t *out)
{
    LOAD_BODY(I64, RUN)
}

void vt_gather_f64(vt_dtype dtype, const void *data, const size_t *indices, size_t count,
                   double *out)
{
    LOAD_BODY(F64, LIST)
}

void vt_gather_i64(vt_dtype dtype, const void *data, const size_t *indices, size_t count,
                   int64_t *out)
{
    LOAD_BODY(I64, LIST)
}

#define STORE(code, type, value)                                                                   \
    case code:                                                                                     \
        for (size_t i = 0; i < count; i++)                                                         \
            ((type *)data)[start + i] = (type)(value);                                             \
        break;

void vt_store_f64(vt_dtype dtype, void *data, size_t start, size_t count, const double *in)
{
    switch (dtype) {
        STORE(VT_F32, float, double_to_f32(in[i]))
        STORE(VT_F64, double, in[i])
        STORE(VT_F16, uint16_t, half_narrow(in[i], format_f16))
        STORE(VT_BF16, uint16_t, half_narrow(in[i], format_bf16))
        STORE(VT_BOOL, uint8_t, in[i] != 0.0)
        STORE(VT_U8, uint8_t, double_to_i64(in[i], 0.0, 256.0))
        STORE(VT_I8, int8_t, double_to_i64(in[i], -128.0, 128.0))
        STORE(VT_U16, uint16_t, double_to_i64(in[i], 0.0, 65536.0))
        STORE(VT_I16, int16_t, double_to_i64(in[i], -32768.0, 32768.0))
        STORE(VT_U32, uint32_t, double_to_i64(in[i], 0.0, 4294967296.0))
        STORE(VT_I32, int32_t, double_to_i64(in[i], -2147483648.0, 2147483648.0))
        STORE(VT_U64, uint64_t, double_to_u64(in[i]))
        STORE(VT_I64, int64_t, double_to_i64(in[i], -9223372036854775808.0, 9223372036854775808.0))
    case VT_DTYPE_NONE:
    case VT_STRING:
        break;
    }
}

void vt_store_i64(vt_dtype dtype, void *data, size_t start, size_t count, const int64_t *in)
{
    switch (dtype) {
        STORE(VT_F32, float, in[i])
        STORE(VT_F64, double, in[i])
        STORE(VT_F16, uint16_t, half_narrow((double)in[i], format_f16))
        STORE(VT_BF16, uint16_t, half_narrow((double)in[i], format_bf16))
        STORE(VT_BOOL, uint8_t, in[i] != 0)
        STORE(VT_U8, uint8_t, in[i])
        STORE(VT_I8, int8_t, in[i])
        STORE(VT_U16, uint16_t, in[i])
        STORE(VT_I16, int16_t, in[i])
        STORE(VT_U32, uint32_t, in[i])
        STORE(VT_I32, int32_t, in[i])
        STORE(VT_U64, uint64_t, in[i])
        STORE(VT_I64, int64_t, in[i])
    case VT_DTYPE_NONE:
    case VT_STRING:
        break;
    }
}

double vt_tensor_get(const vt_tensor *tensor, size_t index)
{
    double value = 0.0;
    vt_load_f64(tensor->dtype, tensor->data, index, 1, &value);
    return value;
}

/* Integers go through the integer lane, everything else through f64. u64 above 2^63 into a float is
 * the one integer source that must not pass as i64. */
static bool cast_uses_integers(vt_dtype from, vt_dtype to)
{
    return !vt_dtype_is_float(from) && !(from == VT_U64 && vt_dtype_is_float(to));
}

static void cast_run(const vt_tensor *from, vt_tensor *to, size_t start, size_t count)
{
    int64_t integers[256];
    double doubles[256];
    if (cast_uses_integers(from->dtype, to->dtype)) {
        vt_load_i64(from->dtype, from->data, start, count, integers);
        vt_store_i64(to->dtype, to->data, start, count, integers);
    } else {
        vt_load_f64(from->dtype, from->data, start, count, doubles);
        vt_store_f64(to->dtype, to->data, start, count, doubles);
    }
}

void vt_tensor_cast_into(const vt_tensor *tensor, vt_tensor *out)
{
    size_t count = vt_tensor_count(tensor);
    for (size_t start = 0; start < count; start += 256)
        cast_run(tensor, out, start, count - start < 256 ? count - start : 256);
}

vt_status vt_tensor_cast(const vt_tensor *tensor, vt_dtype dtype, vt_tensor *out, vt_error *error)
{
    if (vt_dtype_bytes(tensor->dtype) == 0)
        return vt_fail(error, VT_ERR_UNSUPPORTED, "cast a tensor of type \"%s\": it has no numbers",
                       vt_dtype_name(tensor->dtype));
    vt_tensor cast;
    vt_status status = vt_tensor_init(&cast, dtype, &tensor->shape, 0, error);
    if (status != VT_OK)
        return status;
    vt_tensor_cast_into(tensor, &cast);
    *out = cast;
    return VT_OK;
}
