/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Elementwise, an operator of our own that only passes make: a short program per element.
 *
 * The program is read from the node's attributes and checked in full each time, so that whoever
 * runs it may index registers without asking. The reference interprets it in f64 and rounds once at
 * the end, where the operators it was made of would each have rounded: up to that it is their
 * meaning. Operands broadcast; those of a float type all have one type, the others are truth
 * values.
 */
#include "nn/elementwise.h"
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <math.h>

int vt_elementwise_arity(vt_elementwise_code code)
{
#define ARITY(name, arity) arity,
    static const int arities[VT_ELEMENTWISE_CODE_COUNT] = {VT_ELEMENTWISE_CODES(ARITY)};
#undef ARITY
    return arities[code];
}

/* ---- reading ---- */

static vt_status instruction_read(const int64_t *fields, int first_target, uint64_t *written,
                                  vt_elementwise_instruction *out, vt_error *error)
{
    if (fields[0] < 0 || fields[0] >= VT_ELEMENTWISE_CODE_COUNT)
        return vt_fail(error, VT_ERR_FORMAT, "code %lld is not known", (long long)fields[0]);
    if (fields[1] < first_target || fields[1] >= VT_ELEMENTWISE_REGISTERS)
        return vt_fail(error, VT_ERR_FORMAT, "register %lld cannot be written",
                       (long long)fields[1]);
    out->code = (vt_elementwise_code)fields[0];
    out->target = (int)fields[1];
    for (int i = 0; i < VT_ELEMENTWISE_READS; i++) {
        int64_t source = fields[2 + i];
        bool wanted = i < vt_elementwise_arity(out->code);
        bool there = source >= 0 && source < VT_ELEMENTWISE_REGISTERS &&
                     (*written >> (unsigned)source & 1) != 0;
        if (wanted ? !there || source == fields[1] : source != -1)
            return vt_fail(error, VT_ERR_FORMAT, "register %lld cannot be read here",
                           (long long)source);
        out->sources[i] = (int)source;
    }
    *written |= UINT64_C(1) << (unsigned)out->target;
    return VT_OK;
}

vt_status vt_elementwise_read(const vt_node *node, vt_elementwise *out, vt_error *error)
{
    const vt_attr *code = vt_node_attr(node, "code");
    const vt_attr *constants = vt_node_attr(node, "constants");
    size_t constant_count = constants == NULL ? 0 : constants->count;
    if (node->input_count < 1 || node->input_count > VT_ELEMENTWISE_INPUTS ||
        constant_count > VT_ELEMENTWISE_REGISTERS - node->input_count)
        return vt_fail(error, VT_ERR_FORMAT, "%zu operands and %zu constants", node->input_count,
                       constant_count);
    if (code == NULL || code->kind != VT_ATTR_INTS || code->count == 0 ||
        code->count % VT_ELEMENTWISE_FIELDS != 0 ||
        code->count / VT_ELEMENTWISE_FIELDS > VT_ELEMENTWISE_INSTRUCTIONS)
        return vt_fail(error, VT_ERR_FORMAT, "attribute \"code\" holds no program");
    if (constant_count > 0 && constants->kind != VT_ATTR_FLOATS)
        return vt_fail(error, VT_ERR_FORMAT, "attribute \"constants\" holds no floats");
    vt_elementwise program = {.input_count = (int)node->input_count,
                              .constant_count = (int)constant_count,
                              .instruction_count = (int)(code->count / VT_ELEMENTWISE_FIELDS)};
    for (size_t i = 0; i < constant_count; i++)
        program.constants[i] = constants->floats[i];
    int first_target = program.input_count + program.constant_count;
    uint64_t written = (UINT64_C(1) << (unsigned)first_target) - 1;
    program.register_count = first_target;
    for (int i = 0; i < program.instruction_count; i++) {
        vt_elementwise_instruction *instruction = &program.instructions[i];
        vt_status status = instruction_read(code->ints + i * VT_ELEMENTWISE_FIELDS, first_target,
                                            &written, instruction, error);
        if (status != VT_OK)
            return vt_fail_context(error, status, "instruction %d", i);
        if (instruction->target >= program.register_count)
            program.register_count = instruction->target + 1;
    }
    *out = program;
    return VT_OK;
}

/* ---- types and shapes ---- */

static vt_status elementwise_infer(vt_op_args *args, vt_error *error)
{
    vt_elementwise program;
    const int64_t range[2] = {VT_F32, VT_BF16};
    int64_t type = 0;
    vt_status status = vt_elementwise_read(args->node, &program, error);
    if (status == VT_OK)
        status = vt_op_int_between(args, "type", 0, range, &type, error);
    if (status != VT_OK)
        return status;
    vt_dtype floats = type == VT_BOOL ? VT_DTYPE_NONE : (vt_dtype)type;
    vt_shape shape = {0};
    if ((VT_TYPE(type) & (VT_TYPES_FLOAT | VT_TYPE(VT_BOOL))) == 0)
        return vt_fail(error, VT_ERR_FORMAT, "attribute \"type\" is %lld", (long long)type);
    for (size_t i = 0; i < args->node->input_count; i++) {
        const vt_tensor *input = vt_op_input(args, i);
        if (input == NULL)
            return vt_fail(error, VT_ERR_FORMAT, "input %zu is left out", i);
        if (floats == VT_DTYPE_NONE && vt_dtype_is_float(input->dtype))
            floats = input->dtype;
        if (input->dtype != VT_BOOL && (input->dtype != floats || floats == VT_DTYPE_NONE))
            return vt_fail(error, VT_ERR_FORMAT, "input %zu has type %s", i,
                           vt_dtype_name(input->dtype));
        status = vt_broadcast_shape(&shape, &input->shape, error);
        if (status != VT_OK)
            return status;
    }
    vt_op_set_output(args, 0, (vt_dtype)type, &shape);
    return VT_OK;
}

/* ---- the reference ---- */

static double softplus(double x)
{
    return x > 0.0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

static double sigmoid(double x)
{
    return x >= 0.0 ? 1.0 / (1.0 + exp(-x)) : exp(x) / (1.0 + exp(x));
}

static double sign_of(double x)
{
    return x < 0.0 ? -1.0 : x;
}

#define RUN_CASE(name, expression)                                                                 \
    case VT_ELEMENTWISE_##name:                                                                    \
        for (size_t i = 0; i < count; i++) {                                                       \
            const double x = a[i], y = b[i], z = c[i];                                             \
            (void)x;                                                                               \
            (void)y;                                                                               \
            (void)z;                                                                               \
            out[i] = (expression);                                                                 \
        }                                                                                          \
        break;
#define TRUTH(expression) ((expression) ? 1.0 : 0.0)

/* One instruction over one run; a, b, c: what it reads (any, where it reads fewer). */
static void run_instruction(vt_elementwise_code code, const double *const sources[3], size_t count,
                            double *out)
{
    const double *a = sources[0], *b = sources[1], *c = sources[2];
    switch (code) {
        RUN_CASE(COPY, x)
        RUN_CASE(ABS, fabs(x))
        RUN_CASE(NEG, -x)
        RUN_CASE(SIGN, x > 0.0 ? 1.0 : sign_of(x))
        RUN_CASE(FLOOR, floor(x))
        RUN_CASE(CEIL, ceil(x))
        RUN_CASE(ROUND, rint(x))
        RUN_CASE(SQRT, sqrt(x))
        RUN_CASE(RECIPROCAL, 1.0 / x)
        RUN_CASE(RELU, x < 0.0 ? 0.0 : x)
        RUN_CASE(EXP, exp(x))
        RUN_CASE(EXPM1, expm1(x))
        RUN_CASE(LOG, log(x))
        RUN_CASE(TANH, tanh(x))
        RUN_CASE(SIGMOID, sigmoid(x))
        RUN_CASE(SOFTPLUS, softplus(x))
        RUN_CASE(ERF, erf(x))
        RUN_CASE(SIN, sin(x))
        RUN_CASE(COS, cos(x))
        RUN_CASE(TAN, tan(x))
        RUN_CASE(ASIN, asin(x))
        RUN_CASE(ACOS, acos(x))
        RUN_CASE(ATAN, atan(x))
        RUN_CASE(SINH, sinh(x))
        RUN_CASE(COSH, cosh(x))
        RUN_CASE(ASINH, asinh(x))
        RUN_CASE(ACOSH, acosh(x))
        RUN_CASE(ATANH, atanh(x))
        RUN_CASE(NOT, TRUTH(x == 0.0))
        RUN_CASE(IS_NAN, TRUTH(isnan(x)))
        RUN_CASE(ADD, x + y)
        RUN_CASE(SUB, x - y)
        RUN_CASE(MUL, x * y)
        RUN_CASE(DIV, x / y)
        RUN_CASE(MIN, y < x || isnan(y) ? y : x)
        RUN_CASE(MAX, y > x || isnan(y) ? y : x)
        RUN_CASE(AT_LEAST, x < y ? y : x)
        RUN_CASE(AT_MOST, x > y ? y : x)
        RUN_CASE(POW, pow(x, y))
        RUN_CASE(MOD, vt_op_modulo(x, y))
        RUN_CASE(FMOD, fmod(x, y))
        RUN_CASE(EQUAL, TRUTH(x == y))
        RUN_CASE(LESS, TRUTH(x < y))
        RUN_CASE(LESS_EQUAL, TRUTH(x <= y))
        RUN_CASE(GREATER, TRUTH(x > y))
        RUN_CASE(GREATER_EQUAL, TRUTH(x >= y))
        RUN_CASE(AND, TRUTH(x != 0.0 && y != 0.0))
        RUN_CASE(OR, TRUTH(x != 0.0 || y != 0.0))
        RUN_CASE(XOR, TRUTH((x != 0.0) != (y != 0.0)))
        RUN_CASE(SELECT, x != 0.0 ? y : z)
    case VT_ELEMENTWISE_CODE_COUNT:
        break;
    }
}

static void run_program(const vt_elementwise *program, double *registers, size_t count)
{
    for (int i = 0; i < program->instruction_count; i++) {
        const vt_elementwise_instruction *instruction = &program->instructions[i];
        const double *sources[VT_ELEMENTWISE_READS];
        for (int k = 0; k < VT_ELEMENTWISE_READS; k++) {
            int source =
                instruction->sources[k] < 0 ? instruction->sources[0] : instruction->sources[k];
            sources[k] = registers + (size_t)source * VT_RUN;
        }
        run_instruction(instruction->code, sources, count,
                        registers + (size_t)instruction->target * VT_RUN);
    }
}

static vt_status elementwise_reference(vt_op_args *args, vt_error *error)
{
    vt_elementwise program;
    vt_broadcast broadcasts[VT_ELEMENTWISE_INPUTS];
    vt_tensor *y = &args->outputs[0];
    size_t count = vt_tensor_count(y), places[VT_RUN];
    vt_status status = vt_elementwise_read(args->node, &program, error);
    if (status != VT_OK)
        return status;
    double *registers = vt_alloc_array((size_t)program.register_count * VT_RUN, sizeof *registers);
    if (registers == NULL)
        return vt_fail_memory(error, "the registers of a program");
    for (int i = 0; i < program.constant_count; i++)
        for (size_t k = 0; k < VT_RUN; k++)
            registers[(size_t)(program.input_count + i) * VT_RUN + k] =
                (double)program.constants[i];
    for (int i = 0; i < program.input_count; i++)
        vt_broadcast_init(&broadcasts[i], &args->inputs[i].shape, &y->shape);
    size_t result = (size_t)program.instructions[program.instruction_count - 1].target;
    for (size_t start = 0; start < count; start += VT_RUN) {
        size_t part = count - start < VT_RUN ? count - start : VT_RUN;
        for (int i = 0; i < program.input_count; i++) {
            const vt_tensor *x = &args->inputs[i];
            vt_broadcast_indices(&broadcasts[i], start, part, places);
            vt_gather_f64(x->dtype, x->data, places, part, registers + (size_t)i * VT_RUN);
        }
        run_program(&program, registers, part);
        vt_store_f64(y->dtype, y->data, start, part, registers + result * VT_RUN);
    }
    vt_free(registers);
    return VT_OK;
}

const vt_op vt_ops_elementwise[] = {
    {VT_ELEMENTWISE_NAME, VT_ELEMENTWISE_DOMAIN, 1, 0, 1, VT_ELEMENTWISE_INPUTS, 1, 1,
     "code:I! constants:F type:i!", .flags = VT_OP_INTERNAL, .infer = elementwise_infer,
     .reference = elementwise_reference},
    {0},
};
