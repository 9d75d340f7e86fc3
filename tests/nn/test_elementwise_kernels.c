/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every elementwise kernel of every level that this machine runs, against the operator's reference
 * in f64: over special numbers in all combinations, over random bits, and over ranges in which the
 * functions live. Errors are counted in units in the last place of the exact result.
 */
#include "support/scratch.h"

#include "base/random.h"
#include "nn/kernels/elementwise.h"

#include <float.h>
#include <math.h>

enum { COUNT = 6000, GUARD = 4 };

static const vt_cpu_level levels[] = {VT_CPU_SCALAR, VT_CPU_AVX2, VT_CPU_AVX512};

static const float specials[] = {
    0.0F,       -0.0F,      1.0F,        -1.0F,       INFINITY,   -INFINITY,  NAN,
    FLT_MAX,    -FLT_MAX,   FLT_MIN,     -FLT_MIN,    0x1p-149F,  -0x1p-149F, 0x1p-140F,
    0.5F,       -0.5F,      1.5F,        -1.5F,       2.5F,       2.0F,       -2.0F,
    3.0F,       88.72F,     88.73F,      89.5F,       -87.3F,     -103.9F,    -104.5F,
    -17.0F,     0x1.8p23F,  -0x1.8p23F,  0x1p31F,     1e5F,       100001.0F,  1e10F,
    3.1415927F, 1.5707964F, -3.1415927F, 0.70710677F, 1.4142135F, 0.9999999F, 1.0000001F,
    4.0F,       -4.0F,      3.9F,        5.0F,        0.99999F,   0x1p-30F,   -0x1p-12F,
};
enum { SPECIALS = sizeof specials / sizeof specials[0] };

typedef struct kernel_row {
    const char *name;
    vt_elementwise_code code;
} kernel_row;
#define ROW(name, arity) {#name, VT_ELEMENTWISE_##name},
static const kernel_row rows[] = {VT_ELEMENTWISE_CODES(ROW)};

/* How far off a kernel may be. */
static double allowed(vt_elementwise_code code)
{
    switch (code) {
    case VT_ELEMENTWISE_EXP:
    case VT_ELEMENTWISE_EXPM1:
    case VT_ELEMENTWISE_LOG:
    case VT_ELEMENTWISE_TANH:
    case VT_ELEMENTWISE_SIGMOID:
    case VT_ELEMENTWISE_SOFTPLUS:
    case VT_ELEMENTWISE_ERF:
    case VT_ELEMENTWISE_SIN:
    case VT_ELEMENTWISE_COS:
        return 2.5;
    case VT_ELEMENTWISE_TAN:
    case VT_ELEMENTWISE_ASIN:
    case VT_ELEMENTWISE_ACOS:
    case VT_ELEMENTWISE_ATAN:
    case VT_ELEMENTWISE_SINH:
    case VT_ELEMENTWISE_COSH:
    case VT_ELEMENTWISE_ASINH:
    case VT_ELEMENTWISE_ACOSH:
    case VT_ELEMENTWISE_ATANH:
    case VT_ELEMENTWISE_POW:
        return 3.0;
    default:
        return 0.501; /* rounded once; the f64 result is rounded too */
    }
}

static double last_place(double value)
{
    int exponent;
    frexp(value, &exponent);
    return ldexp(1.0, exponent - 24 < -149 ? -149 : exponent - 24);
}

/* Infinite: another kind of number altogether. */
static double error_of(float have, double want)
{
    if (isnan(want) || isnan(have)) {
        return isnan(want) && isnan(have) ? 0.0 : (double)INFINITY;
    }
    if (want == 0.0 || isinf(want)) {
        return (double)have == want && !signbit(have) == !signbit(want) ? 0.0 : (double)INFINITY;
    }
    if (isinf(have)) { /* right when it would round up to there */
        return fabs(want) > (double)FLT_MAX * (1.0 - 1e-6) && (have > 0) == (want > 0)
                   ? 0.0
                   : (double)INFINITY;
    }
    return fabs((double)have - want) / last_place(want);
}

/* The reference, on f64 tensors: nothing is rounded to f32. */
static void reference(vt_elementwise_code code, float *const in[3], double *out)
{
    int arity = vt_elementwise_arity(code);
    double wide[3][COUNT];
    int64_t program[VT_ELEMENTWISE_FIELDS] = {(int64_t)code, arity, 0, arity > 1 ? 1 : -1,
                                              arity > 2 ? 2 : -1};
    vt_attr attrs[] = {
        {.name = "code", .kind = VT_ATTR_INTS, .ints = program, .count = VT_ELEMENTWISE_FIELDS},
        {.name = "type", .kind = VT_ATTR_INT, .i = VT_F64}};
    vt_value_id ids[] = {0, 1, 2, 3};
    vt_graph graph;
    vt_tensor inputs[3] = {0}, output = {0};
    vt_node node = {.op = vt_op_find(VT_ELEMENTWISE_DOMAIN, VT_ELEMENTWISE_NAME, 1),
                    .name = "",
                    .inputs = ids,
                    .outputs = ids + 3,
                    .input_count = (size_t)arity,
                    .output_count = 1,
                    .attrs = attrs,
                    .attr_count = 2};
    vt_op_args args = {.graph = &graph, .node = &node, .inputs = inputs, .outputs = &output};
    vt_graph_init(&graph, NULL);
    for (int k = 0; k < arity; k++) {
        for (size_t i = 0; i < COUNT; i++)
            wide[k][i] = (double)in[k][i];
        inputs[k] = (vt_tensor){.dtype = VT_F64,
                                .shape = {.rank = 1, .dims = {COUNT}},
                                .data = wide[k],
                                .bytes = sizeof wide[k]};
    }
    assert_int_equal(vt_op_infer(&args, NULL), VT_OK);
    output.data = out;
    assert_int_equal(vt_op_run_reference(&args, NULL), VT_OK);
    vt_graph_deinit(&graph);
}

static double worst[VT_ELEMENTWISE_CODE_COUNT];

static void check_block(const kernel_row *row, vt_cpu_level level, float *const in[3])
{
    const vt_elementwise_table *table = vt_elementwise_table_at(level);
    static double want[COUNT];
    static float have[COUNT + GUARD];
    reference(row->code, in, want);
    /* In pieces of all lengths: tails are other code. */
    for (size_t start = 0, piece = 1; start < COUNT; start += piece, piece = piece % 67 + 1) {
        piece = piece < COUNT - start ? piece : COUNT - start;
        for (size_t i = 0; i < GUARD; i++)
            have[start + piece + i] = 12345.0F;
        table->functions[row->code](in[0] + start, in[1] + start, in[2] + start, have + start,
                                    piece);
        for (size_t i = 0; i < GUARD; i++)
            assert_true(have[start + piece + i] == 12345.0F);
    }
    for (size_t i = 0; i < COUNT; i++) {
        double error = error_of(have[i], want[i]);
        if (error > allowed(row->code))
            fail_msg("%s at %s: of %a, %a, %a: %a, not %a (%g units)", row->name,
                     vt_cpu_name(level), (double)in[0][i], (double)in[1][i], (double)in[2][i],
                     (double)have[i], want[i], error);
        worst[row->code] = error > worst[row->code] ? error : worst[row->code];
    }
}

static float random_bits(vt_random *random)
{
    uint32_t bits = (uint32_t)vt_random_u64(random);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Rounds 0: special numbers in all pairs; 1: any bits; 2 and later: numbers of ordinary size. */
static void fill(vt_random *random, int round, float *const in[3])
{
    static const float reach[] = {1.0F, 10.0F, 100.0F, 10000.0F};
    for (size_t i = 0; i < COUNT; i++)
        for (size_t k = 0; k < 3; k++) {
            if (round == 0)
                in[k][i] = specials[(k == 0   ? i
                                     : k == 1 ? i / SPECIALS
                                              : (i + i / SPECIALS)) %
                                    SPECIALS];
            else if (round == 1)
                in[k][i] = random_bits(random);
            else
                in[k][i] = vt_random_float(random, -reach[round - 2], reach[round - 2]);
        }
}

static void test_all(void **state)
{
    (void)state;
    static float memory[3][COUNT];
    float *const in[3] = {memory[0], memory[1], memory[2]};
    for (size_t l = 0; l < sizeof levels / sizeof levels[0]; l++) {
        vt_random random;
        vt_random_init(&random, 20);
        if (vt_elementwise_table_at(levels[l]) == NULL) {
            print_message("%s: not on this machine\n", vt_cpu_name(levels[l]));
            continue;
        }
        memset(worst, 0, sizeof worst);
        for (int round = 0; round < 6; round++) {
            fill(&random, round, in);
            for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
                check_block(&rows[i], levels[l], in);
        }
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
            if (worst[i] > 0.501)
                print_message("%s %s: %.2f units\n", vt_cpu_name(levels[l]), rows[i].name,
                              worst[i]);
    }
}

/* Every 97th float of the range in which each function is neither constant nor out of range. */
static void test_sweep(void **state)
{
    (void)state;
    static const struct {
        size_t row;
        float low, high;
    } sweeps[] = {
        {VT_ELEMENTWISE_EXP, 0x1p-30F, 90.0F},      {VT_ELEMENTWISE_EXPM1, 0x1p-30F, 90.0F},
        {VT_ELEMENTWISE_LOG, 0.25F, 4.0F},          {VT_ELEMENTWISE_TANH, 0x1p-16F, 12.0F},
        {VT_ELEMENTWISE_SIGMOID, 0x1p-16F, 105.0F}, {VT_ELEMENTWISE_SOFTPLUS, 0x1p-16F, 105.0F},
        {VT_ELEMENTWISE_ERF, 0x1p-16F, 5.0F},       {VT_ELEMENTWISE_SIN, 0x1p-16F, 1e5F},
        {VT_ELEMENTWISE_COS, 0x1p-16F, 1e5F}};
    static float memory[COUNT], zeros[COUNT];
    float *const in[3] = {memory, zeros, zeros};
    for (size_t l = 0; l < sizeof levels / sizeof levels[0]; l++) {
        if (vt_elementwise_table_at(levels[l]) == NULL)
            continue;
        memset(worst, 0, sizeof worst);
        for (size_t s = 0; s < sizeof sweeps / sizeof sweeps[0]; s++) {
            uint32_t bits, end;
            memcpy(&bits, &sweeps[s].low, sizeof bits);
            memcpy(&end, &sweeps[s].high, sizeof end);
            while (bits < end) {
                for (size_t i = 0; i < COUNT; i += 2, bits += 97) {
                    memcpy(&memory[i], &bits, sizeof bits);
                    memory[i + 1] = -memory[i];
                }
                check_block(&rows[sweeps[s].row], levels[l], in);
            }
            print_message("%s %s: %.2f units\n", vt_cpu_name(levels[l]), rows[sweeps[s].row].name,
                          worst[rows[sweeps[s].row].code]);
        }
    }
}

static void test_truth_values(void **state)
{
    (void)state;
    for (size_t l = 0; l < sizeof levels / sizeof levels[0]; l++) {
        const vt_elementwise_table *table = vt_elementwise_table_at(levels[l]);
        const uint8_t bytes[5] = {0, 1, 255, 0, 2};
        const float floats[5] = {0.0F, -0.0F, 1.0F, NAN, -3.0F};
        float out[5];
        uint8_t back[5];
        if (table == NULL)
            continue;
        table->from_bool(bytes, out, 5);
        table->to_bool(floats, back, 5);
        for (size_t i = 0; i < 5; i++) {
            assert_true(out[i] == (bytes[i] != 0 ? 1.0F : 0.0F));
            assert_int_equal(back[i], i >= 2);
        }
    }
}

static void test_choice(void **state)
{
    (void)state;
    assert_non_null(vt_elementwise_table_get());
    assert_ptr_equal(vt_elementwise_table_get(), vt_elementwise_table_get());
    assert_non_null(vt_elementwise_table_at(VT_CPU_SCALAR));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_truth_values),
        cmocka_unit_test(test_choice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
