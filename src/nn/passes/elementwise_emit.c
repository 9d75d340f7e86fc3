/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The elementwise operators as short programs, and the registers of a program.
 *
 * Method: each operator is one instruction or a handful, by its definition in the specification.
 * Numbers that are constants of one element become constants of the program; that they are exact in
 * f32 is a condition. A register is given out for a result when it is made and taken back after its
 * last reader (linear scan, Poletto and Sarkar 1999, without spilling: there are enough).
 */
#include "nn/passes/elementwise_emit.h"

#include "nn/passes/uses.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* ---- building blocks ---- */

/* Any register name after a failure: nobody reads the program then. */
static int fail(vt_emitter *e)
{
    e->failed = true;
    return 0;
}

static uint32_t bits_of(float number)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

static int constant(vt_emitter *e, double value)
{
    float number = (float)value;
    if ((double)number != value && !isnan(value)) {
        return fail(e);
    }
    for (int i = 0; i < e->constant_count; i++) {
        if (bits_of(e->constants[i]) == bits_of(number)) { /* -0 and NaN as they are */
            return VT_EMIT_CONSTANTS + i;
        }
    }
    if (e->constant_count == VT_ELEMENTWISE_REGISTERS) {
        return fail(e);
    }
    e->constants[e->constant_count] = number;
    return VT_EMIT_CONSTANTS + e->constant_count++;
}

static int emit3(vt_emitter *e, vt_elementwise_code code, const int sources[VT_ELEMENTWISE_READS])
{
    if (e->instruction_count == VT_ELEMENTWISE_INSTRUCTIONS) {
        return fail(e);
    }
    int target = VT_EMIT_RESULTS + e->instruction_count;
    e->instructions[e->instruction_count++] = (vt_elementwise_instruction){
        .code = code,
        .target = target,
        .sources = {sources[0], sources[1], sources[2]},
    };
    return target;
}

static int unary(vt_emitter *e, vt_elementwise_code code, int x)
{
    return emit3(e, code, (const int[]){x, -1, -1});
}

static int binary(vt_emitter *e, vt_elementwise_code code, int x, int y)
{
    return emit3(e, code, (const int[]){x, y, -1});
}

static int select(vt_emitter *e, int condition, int x, int y)
{
    return emit3(e, VT_ELEMENTWISE_SELECT, (const int[]){condition, x, y});
}

/* Truth values go with any float type; the first float type met is the program's. */
static bool fits_dtype(vt_emitter *e, vt_dtype dtype)
{
    if (e->dtype == VT_DTYPE_NONE && (dtype == VT_F32 || dtype == VT_F16 || dtype == VT_BF16)) {
        e->dtype = dtype;
    }
    return dtype == e->dtype || dtype == VT_BOOL;
}

static int operand_of(vt_emitter *e, vt_value_id id)
{
    if (id == VT_NO_VALUE) {
        return fail(e);
    }
    const vt_plan_value *value = &e->plan->values[id];
    for (int i = 0; i < e->result_count; i++) {
        if (e->results[i].value == id) {
            return e->results[i].name;
        }
    }
    if (!fits_dtype(e, value->tensor.dtype)) {
        return fail(e);
    }
    if (value->constant && vt_tensor_count(&value->tensor) == 1) {
        return constant(e, vt_tensor_get(&value->tensor, 0));
    }
    for (int i = 0; i < e->input_count; i++) {
        if (e->inputs[i] == id) {
            return i;
        }
    }
    if (e->input_count == VT_ELEMENTWISE_INPUTS) {
        return fail(e);
    }
    e->inputs[e->input_count] = id;
    return e->input_count++;
}

static int input(vt_emitter *e, const vt_step *step, size_t index)
{
    return index < step->node.input_count ? operand_of(e, step->node.inputs[index]) : fail(e);
}

/* ---- functions made of several instructions ---- */

static int clamp(vt_emitter *e, int x, double low, double high)
{
    x = binary(e, VT_ELEMENTWISE_AT_LEAST, x, constant(e, low));
    return binary(e, VT_ELEMENTWISE_AT_MOST, x, constant(e, high));
}

static int linear(vt_emitter *e, int x, double alpha, double beta)
{
    x = alpha == 1.0 ? x : binary(e, VT_ELEMENTWISE_MUL, x, constant(e, alpha));
    return beta == 0.0 && alpha != 1.0 ? x : binary(e, VT_ELEMENTWISE_ADD, x, constant(e, beta));
}

static int negative(vt_emitter *e, int x)
{
    return binary(e, VT_ELEMENTWISE_LESS, x, constant(e, 0.0));
}

static int leaky(vt_emitter *e, int x, int slope)
{
    return select(e, negative(e, x), binary(e, VT_ELEMENTWISE_MUL, x, slope), x);
}

/* x < 0: alpha (exp(x / beta) - 1), else x; times gamma. */
static int elu(vt_emitter *e, int x, double alpha, double beta)
{
    int y = beta == 1.0 ? x : binary(e, VT_ELEMENTWISE_DIV, x, constant(e, beta));
    y = unary(e, VT_ELEMENTWISE_EXPM1, y);
    y = alpha == 1.0 ? y : binary(e, VT_ELEMENTWISE_MUL, y, constant(e, alpha));
    return select(e, negative(e, x), y, x);
}

static int swish(vt_emitter *e, int x, double alpha)
{
    int y = alpha == 1.0 ? x : binary(e, VT_ELEMENTWISE_MUL, x, constant(e, alpha));
    return binary(e, VT_ELEMENTWISE_MUL, x, unary(e, VT_ELEMENTWISE_SIGMOID, y));
}

static int hard_swish(vt_emitter *e, int x)
{
    int y = binary(e, VT_ELEMENTWISE_DIV, x, constant(e, 6.0));
    return binary(e, VT_ELEMENTWISE_MUL, x, clamp(e, linear(e, y, 1.0, 0.5), 0.0, 1.0));
}

static int mish(vt_emitter *e, int x)
{
    int y = unary(e, VT_ELEMENTWISE_TANH, unary(e, VT_ELEMENTWISE_SOFTPLUS, x));
    return binary(e, VT_ELEMENTWISE_MUL, x, y);
}

static int gelu(vt_emitter *e, int x, bool with_tanh)
{
    int y = x;
    if (with_tanh) { /* sqrt(2 / pi) (x + 0.044715 x^3) */
        y = binary(e, VT_ELEMENTWISE_MUL, x, x);
        y = linear(e, y, (double)0.044715F, 1.0);
        y = binary(e, VT_ELEMENTWISE_MUL, y, x);
        y = linear(e, y, (double)(float)(M_2_SQRTPI * M_SQRT1_2), 0.0);
        y = unary(e, VT_ELEMENTWISE_TANH, y);
    } else {
        y = unary(e, VT_ELEMENTWISE_ERF, linear(e, x, (double)(float)M_SQRT1_2, 0.0));
    }
    return binary(e, VT_ELEMENTWISE_MUL, linear(e, x, 0.5, 0.0), linear(e, y, 1.0, 1.0));
}

/* ---- operators, one function each where one instruction is not all ---- */

static double attribute(const vt_step *step, const char *name, float fallback)
{
    return (double)vt_node_float(&step->node, name, fallback);
}

static int op_leaky_relu(vt_emitter *e, const vt_step *step)
{
    return leaky(e, input(e, step, 0), constant(e, attribute(step, "alpha", 0.01F)));
}

static int op_prelu(vt_emitter *e, const vt_step *step)
{
    int x = input(e, step, 0);
    return leaky(e, x, input(e, step, 1));
}

static int op_elu(vt_emitter *e, const vt_step *step)
{
    return elu(e, input(e, step, 0), attribute(step, "alpha", 1.0F), 1.0);
}

static int op_celu(vt_emitter *e, const vt_step *step)
{
    double alpha = attribute(step, "alpha", 1.0F);
    return elu(e, input(e, step, 0), alpha, alpha);
}

static int op_selu(vt_emitter *e, const vt_step *step)
{
    double alpha = attribute(step, "alpha", 1.67326319217681884765625F);
    double gamma = attribute(step, "gamma", 1.05070102214813232421875F);
    return linear(e, elu(e, input(e, step, 0), alpha, 1.0), gamma, 0.0);
}

static int op_hard_sigmoid(vt_emitter *e, const vt_step *step)
{
    double alpha = attribute(step, "alpha", 0.2F), beta = attribute(step, "beta", 0.5F);
    return clamp(e, linear(e, input(e, step, 0), alpha, beta), 0.0, 1.0);
}

static int op_hard_swish(vt_emitter *e, const vt_step *step)
{
    return hard_swish(e, input(e, step, 0));
}

static int op_mish(vt_emitter *e, const vt_step *step)
{
    return mish(e, input(e, step, 0));
}

static int op_swish(vt_emitter *e, const vt_step *step)
{
    return swish(e, input(e, step, 0), attribute(step, "alpha", 1.0F));
}

static int op_gelu(vt_emitter *e, const vt_step *step)
{
    const char *mode = vt_node_text(&step->node, "approximate", "none");
    return gelu(e, input(e, step, 0), strcmp(mode, "tanh") == 0);
}

static int op_thresholded_relu(vt_emitter *e, const vt_step *step)
{
    int x = input(e, step, 0), alpha = constant(e, attribute(step, "alpha", 1.0F));
    return select(e, binary(e, VT_ELEMENTWISE_GREATER, x, alpha), x, constant(e, 0.0));
}

static int op_shrink(vt_emitter *e, const vt_step *step)
{
    double bias = attribute(step, "bias", 0.0F), lambda = attribute(step, "lambd", 0.5F);
    int x = input(e, step, 0), zero = constant(e, 0.0);
    int above = binary(e, VT_ELEMENTWISE_GREATER, x, constant(e, lambda));
    int below = binary(e, VT_ELEMENTWISE_LESS, x, constant(e, -lambda));
    int outside = select(e, above, binary(e, VT_ELEMENTWISE_SUB, x, constant(e, bias)), zero);
    return select(e, below, binary(e, VT_ELEMENTWISE_ADD, x, constant(e, bias)), outside);
}

static int op_softsign(vt_emitter *e, const vt_step *step)
{
    int x = input(e, step, 0);
    return binary(e, VT_ELEMENTWISE_DIV, x, linear(e, unary(e, VT_ELEMENTWISE_ABS, x), 1.0, 1.0));
}

static int op_is_inf(vt_emitter *e, const vt_step *step)
{
    bool above = vt_node_int(&step->node, "detect_positive", 1) != 0;
    bool below = vt_node_int(&step->node, "detect_negative", 1) != 0;
    int x = input(e, step, 0);
    if (!above && !below) {
        return fail(e);
    }
    x = above && below ? unary(e, VT_ELEMENTWISE_ABS, x) : x;
    return binary(e, VT_ELEMENTWISE_EQUAL, x,
                  constant(e, above ? (double)INFINITY : (double)-INFINITY));
}

/* A bound that is left out does not bound. */
static int op_clip(vt_emitter *e, const vt_step *step)
{
    static const vt_elementwise_code codes[] = {VT_ELEMENTWISE_AT_LEAST, VT_ELEMENTWISE_AT_MOST};
    const vt_node *node = &step->node;
    int x = input(e, step, 0), start = e->instruction_count;
    if (node->opset < 11) {
        return clamp(e, x, attribute(step, "min", -FLT_MAX), attribute(step, "max", FLT_MAX));
    }
    for (size_t i = 1; i < 3 && i < node->input_count; i++) {
        if (node->inputs[i] != VT_NO_VALUE) {
            x = binary(e, codes[i - 1], x, input(e, step, i));
        }
    }
    return e->instruction_count == start ? unary(e, VT_ELEMENTWISE_COPY, x) : x;
}

static int op_where(vt_emitter *e, const vt_step *step)
{
    int condition = input(e, step, 0), x = input(e, step, 1);
    return select(e, condition, x, input(e, step, 2));
}

/* From truth values only: between float types it rounds. */
static int op_cast(vt_emitter *e, const vt_step *step)
{
    if (e->plan->values[step->node.inputs[0]].tensor.dtype != VT_BOOL) {
        return fail(e);
    }
    return unary(e, VT_ELEMENTWISE_COPY, input(e, step, 0));
}

/* Exponents that need no logarithm; x^2 and 1/x are what pow gives to the last bit. */
static int power(vt_emitter *e, int x, double exponent)
{
    int y;
    if (exponent == 1.0) {
        return unary(e, VT_ELEMENTWISE_COPY, x);
    }
    if (exponent == 2.0) {
        return binary(e, VT_ELEMENTWISE_MUL, x, x);
    }
    if (exponent == 3.0) {
        return binary(e, VT_ELEMENTWISE_MUL, binary(e, VT_ELEMENTWISE_MUL, x, x), x);
    }
    if (exponent == -1.0) {
        return unary(e, VT_ELEMENTWISE_RECIPROCAL, x);
    }
    if (exponent == 0.5) { /* pow(-0, 0.5) is 0, pow(-inf, 0.5) is inf */
        y = unary(e, VT_ELEMENTWISE_SQRT, binary(e, VT_ELEMENTWISE_ADD, x, constant(e, 0.0)));
        int infinite = binary(e, VT_ELEMENTWISE_EQUAL, x, constant(e, (double)-INFINITY));
        return select(e, infinite, constant(e, (double)INFINITY), y);
    }
    return binary(e, VT_ELEMENTWISE_POW, x, constant(e, exponent));
}

/* The exponent may be of another type than the base when it is a constant. */
static int op_pow(vt_emitter *e, const vt_step *step)
{
    int x = input(e, step, 0);
    const vt_tensor *exponent = vt_pass_constant(e->plan, step, 1);
    if (exponent && vt_tensor_count(exponent) == 1) {
        return power(e, x, vt_tensor_get(exponent, 0));
    }
    return binary(e, VT_ELEMENTWISE_POW, x, input(e, step, 1));
}

static int op_mod(vt_emitter *e, const vt_step *step)
{
    bool dividend = vt_node_int(&step->node, "fmod", 0) != 0;
    int x = input(e, step, 0);
    return binary(e, dividend ? VT_ELEMENTWISE_FMOD : VT_ELEMENTWISE_MOD, x, input(e, step, 1));
}

static int several(vt_emitter *e, const vt_step *step, vt_elementwise_code code)
{
    int x = input(e, step, 0);
    for (size_t i = 1; i < step->node.input_count && !e->failed; i++) {
        x = binary(e, code, x, input(e, step, i));
    }
    return step->node.input_count == 1 ? unary(e, VT_ELEMENTWISE_COPY, x) : x;
}

static int op_mean(vt_emitter *e, const vt_step *step)
{
    double count = (double)step->node.input_count;
    return binary(e, VT_ELEMENTWISE_DIV, several(e, step, VT_ELEMENTWISE_ADD), constant(e, count));
}

typedef struct form {
    const char *op;
    vt_elementwise_code code;                            /* where that is all */
    int (*function)(vt_emitter *e, const vt_step *step); /* else; NULL: the code, of one operand
                                                              or, folded, of several */
} form;

#define CODE(op, code)                                                                             \
    {                                                                                              \
        op, VT_ELEMENTWISE_##code, NULL                                                            \
    }
#define FUNCTION(op, function)                                                                     \
    {                                                                                              \
        op, VT_ELEMENTWISE_COPY, function                                                          \
    }

static const form forms[] = {
    CODE("Abs", ABS),
    CODE("Neg", NEG),
    CODE("Sign", SIGN),
    CODE("Floor", FLOOR),
    CODE("Ceil", CEIL),
    CODE("Round", ROUND),
    CODE("Sqrt", SQRT),
    CODE("Reciprocal", RECIPROCAL),
    CODE("Relu", RELU),
    CODE("Exp", EXP),
    CODE("Log", LOG),
    CODE("Tanh", TANH),
    CODE("Sigmoid", SIGMOID),
    CODE("Softplus", SOFTPLUS),
    CODE("Erf", ERF),
    CODE("Sin", SIN),
    CODE("Cos", COS),
    CODE("Tan", TAN),
    CODE("Asin", ASIN),
    CODE("Acos", ACOS),
    CODE("Atan", ATAN),
    CODE("Sinh", SINH),
    CODE("Cosh", COSH),
    CODE("Asinh", ASINH),
    CODE("Acosh", ACOSH),
    CODE("Atanh", ATANH),
    CODE("Not", NOT),
    CODE("IsNaN", IS_NAN),
    CODE("Add", ADD),
    CODE("Sub", SUB),
    CODE("Mul", MUL),
    CODE("Div", DIV),
    CODE("Min", MIN),
    CODE("Max", MAX),
    CODE("Sum", ADD),
    CODE("Equal", EQUAL),
    CODE("Less", LESS),
    CODE("LessOrEqual", LESS_EQUAL),
    CODE("Greater", GREATER),
    CODE("GreaterOrEqual", GREATER_EQUAL),
    CODE("And", AND),
    CODE("Or", OR),
    CODE("Xor", XOR),
    FUNCTION("LeakyRelu", op_leaky_relu),
    FUNCTION("PRelu", op_prelu),
    FUNCTION("Elu", op_elu),
    FUNCTION("Celu", op_celu),
    FUNCTION("Selu", op_selu),
    FUNCTION("HardSigmoid", op_hard_sigmoid),
    FUNCTION("HardSwish", op_hard_swish),
    FUNCTION("Mish", op_mish),
    FUNCTION("Swish", op_swish),
    FUNCTION("Gelu", op_gelu),
    FUNCTION("ThresholdedRelu", op_thresholded_relu),
    FUNCTION("Shrink", op_shrink),
    FUNCTION("Softsign", op_softsign),
    FUNCTION("IsInf", op_is_inf),
    FUNCTION("Clip", op_clip),
    FUNCTION("Where", op_where),
    FUNCTION("Cast", op_cast),
    FUNCTION("Pow", op_pow),
    FUNCTION("Mod", op_mod),
    FUNCTION("Mean", op_mean),
};

static const form *find_form(const vt_step *step)
{
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (vt_pass_is(step, forms[i].op)) {
            return &forms[i];
        }
    }
    return NULL;
}

/* ---- posts ---- */

static int emit_post(vt_emitter *e, const vt_step_post *post, int x)
{
    double alpha = (double)post->alpha, beta = (double)post->beta;
    switch (post->kind) {
    case VT_POST_LINEAR:
        return linear(e, x, alpha, beta);
    case VT_POST_CLIP:
        return clamp(e, x, alpha, beta);
    case VT_POST_RELU:
        return unary(e, VT_ELEMENTWISE_RELU, x);
    case VT_POST_LEAKY_RELU:
        return leaky(e, x, constant(e, alpha));
    case VT_POST_ELU:
        return elu(e, x, alpha, 1.0);
    case VT_POST_SIGMOID:
        return unary(e, VT_ELEMENTWISE_SIGMOID, x);
    case VT_POST_TANH:
        return unary(e, VT_ELEMENTWISE_TANH, x);
    case VT_POST_GELU:
        return gelu(e, x, false);
    case VT_POST_GELU_TANH:
        return gelu(e, x, true);
    case VT_POST_SWISH:
        return swish(e, x, alpha);
    case VT_POST_HARD_SIGMOID:
        return clamp(e, linear(e, x, alpha, beta), 0.0, 1.0);
    case VT_POST_HARD_SWISH:
        return hard_swish(e, x);
    case VT_POST_MISH:
        return mish(e, x);
    case VT_POST_ADD:
        return binary(e, VT_ELEMENTWISE_ADD, x, operand_of(e, post->operand));
    case VT_POST_MUL:
        return binary(e, VT_ELEMENTWISE_MUL, x, operand_of(e, post->operand));
    }
    return fail(e);
}

/* ---- whole programs ---- */

bool vt_emit_knows(const vt_step *step)
{
    /* In opset 6 an axis says where the second operand lines up. */
    bool lined_up = step->node.opset > 6 || vt_node_attr(&step->node, "axis") == NULL;
    return step->node.input_count > 0 && lined_up && find_form(step) != NULL;
}

void vt_emit_begin(vt_emitter *emitter, const vt_plan *plan)
{
    *emitter = (vt_emitter){.plan = plan};
}

bool vt_emit_step(vt_emitter *e, const vt_step *step)
{
    const form *row = find_form(step);
    vt_dtype dtype = e->plan->values[step->node.outputs[0]].tensor.dtype;
    if (!row || e->result_count == VT_EMIT_STEPS || !fits_dtype(e, dtype)) {
        return false;
    }
    int name = 0;
    if (row->function) {
        name = row->function(e, step);
    } else if (vt_elementwise_arity(row->code) == 1) {
        name = unary(e, row->code, input(e, step, 0));
    } else {
        name = several(e, step, row->code);
    }
    for (int i = 0; i < step->post_count; i++) {
        name = emit_post(e, &step->posts[i], name);
    }
    e->results[e->result_count].value = step->node.outputs[0];
    e->results[e->result_count++].name = name;
    return !e->failed;
}

/* last[i]: the last instruction that reads the result of instruction i. */
static void find_last_reads(const vt_emitter *e, int last[VT_ELEMENTWISE_INSTRUCTIONS])
{
    for (int i = 0; i < e->instruction_count; i++) {
        last[i] = i;
        for (int k = 0; k < VT_ELEMENTWISE_READS; k++) {
            int source = e->instructions[i].sources[k];
            if (source >= VT_EMIT_RESULTS) {
                last[source - VT_EMIT_RESULTS] = i;
            }
        }
    }
}

static int renamed(const vt_emitter *e, int name, const int places[VT_ELEMENTWISE_INSTRUCTIONS])
{
    if (name >= VT_EMIT_RESULTS) {
        return places[name - VT_EMIT_RESULTS];
    }
    return name >= VT_EMIT_CONSTANTS ? e->input_count + name - VT_EMIT_CONSTANTS : name;
}

bool vt_emit_end(vt_emitter *e, vt_value_id result, vt_elementwise *out)
{
    int last[VT_ELEMENTWISE_INSTRUCTIONS], places[VT_ELEMENTWISE_INSTRUCTIONS];
    int owners[VT_ELEMENTWISE_REGISTERS]; /* instruction whose result is there, -1: nobody's */
    int first = e->input_count + e->constant_count;
    if (e->failed || e->input_count == 0 || e->result_count == 0 ||
        e->results[e->result_count - 1].value != result ||
        e->results[e->result_count - 1].name != VT_EMIT_RESULTS + e->instruction_count - 1) {
        return false;
    }
    *out = (vt_elementwise){.input_count = e->input_count,
                            .constant_count = e->constant_count,
                            .instruction_count = e->instruction_count,
                            .register_count = first};
    memcpy(out->constants, e->constants, (size_t)e->constant_count * sizeof e->constants[0]);
    find_last_reads(e, last);
    for (int i = 0; i < VT_ELEMENTWISE_REGISTERS; i++) {
        owners[i] = -1;
    }
    for (int i = 0; i < e->instruction_count; i++) {
        int place = first; /* free before this instruction: never one that it reads */
        while (place < VT_ELEMENTWISE_REGISTERS && owners[place] >= 0 && last[owners[place]] >= i) {
            place++;
        }
        if (place >= VT_ELEMENTWISE_REGISTERS) {
            return false;
        }
        owners[place] = i;
        places[i] = place;
        out->register_count = place >= out->register_count ? place + 1 : out->register_count;
        vt_elementwise_instruction *instruction = &out->instructions[i];
        *instruction = e->instructions[i];
        instruction->target = place;
        for (int k = 0; k < VT_ELEMENTWISE_READS; k++) {
            instruction->sources[k] = renamed(e, instruction->sources[k], places);
        }
    }
    return true;
}
