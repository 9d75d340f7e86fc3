/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Activations that an exporter spelled out in elementary operators, to one step each: Gelu (both
 * forms), Swish, HardSwish, HardSigmoid, Mish, Softplus, Sigmoid.
 *
 * Method: no list of spellings. Every such activation is a polynomial in x and in t, where t is one
 * bounded or transcendental function (the gate: Erf, Tanh, Sigmoid, Clip ...) of a polynomial in x.
 * From the step that makes the result, the arithmetic is walked back to a gate; each value that the
 * gate's argument is computed from is tried as x; both polynomials are expanded and compared with
 * those of the activations. So any association and order of the same arithmetic is found:
 *     Gelu         0.5 x + 0.5 x t   t = erf(x / sqrt 2)
 *                                    t = tanh(sqrt(2 / pi) (x + 0.044715 x^3))
 *     Swish        x t               t = sigmoid(alpha x)
 *     HardSwish    c x t             t = clip(a x + b, 0, 1 / c), a c = 1 / 6, b c = 1 / 2
 *     HardSigmoid  c t + d           t = clip(a x + b, low, high)
 *     Mish         x t               t = tanh(softplus(x))
 * Softplus and Sigmoid, whose last step is no arithmetic, are log(1 + t) and 1 / (1 + t) with
 * t = exp(x) and exp(-x). Values between x and the result must have no other reader. Coefficients
 * agree to 1e-4, as constants are often written with few digits (1.4142, 0.7071). Departures: f16
 * and bf16 constants may be off by their rounding.
 */
#include "nn/passes/match.h"

#include <math.h>
#include <string.h>

enum { DEGREE = 3, MAXIMUM_DEPTH = 10, MAXIMUM_VISITS = 48, CANDIDATES = 6 };

typedef struct polynomial {
    double c[2][DEGREE + 1]; /* c[i][k]: of t^i x^k */
} polynomial;

typedef enum gate_kind {
    GATE_ERF,
    GATE_TANH,
    GATE_TANH_SOFTPLUS,
    GATE_SIGMOID,
    GATE_CLIP, /* clip(scale argument + shift, low, high) */
    GATE_EXP,
} gate_kind;

typedef struct gate {
    gate_kind kind;
    double scale, shift, low, high;
    size_t bounds; /* steps of a CLIP */
    vt_value_id value, argument;
} gate;

typedef struct search {
    vt_plan *plan;
    const vt_pass_uses *uses;
    vt_value_id root, x, t;
    int visits;
    gate gates[CANDIDATES];
    vt_value_id candidates[CANDIDATES];
    size_t gate_count, candidate_count;
} search;

/* ---- polynomials ---- */

static polynomial combine(const polynomial *a, const polynomial *b, double factor)
{
    polynomial sum = *a;
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k <= DEGREE; k++) {
            sum.c[i][k] += factor * b->c[i][k];
        }
    }
    return sum;
}

static bool multiply(const polynomial *a, const polynomial *b, polynomial *out)
{
    polynomial product = {0};
    for (int i = 0; i < 2 * (DEGREE + 1); i++) {
        for (int k = 0; k < 2 * (DEGREE + 1); k++) {
            double term =
                a->c[i / (DEGREE + 1)][i % (DEGREE + 1)] * b->c[k / (DEGREE + 1)][k % (DEGREE + 1)];
            int t = i / (DEGREE + 1) + k / (DEGREE + 1), x = i % (DEGREE + 1) + k % (DEGREE + 1);
            if (term == 0) {
                continue;
            }
            if (t > 1 || x > DEGREE) {
                return false;
            }
            product.c[t][x] += term;
        }
    }
    *out = product;
    return true;
}

static bool is_constant(const polynomial *p)
{
    for (int k = 1; k <= DEGREE; k++) {
        if (p->c[0][k] != 0 || p->c[1][k] != 0) {
            return false;
        }
    }
    return p->c[1][0] == 0;
}

static bool is_polynomial(const polynomial *have, const polynomial *want, vt_dtype dtype)
{
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k <= DEGREE; k++) {
            if (!vt_match_close(have->c[i][k], want->c[i][k], dtype)) {
                return false;
            }
        }
    }
    return true;
}

/* ---- steps as arithmetic ---- */

static const vt_step *arithmetic(const search *s, vt_value_id value)
{
    static const struct {
        const char *op;
        size_t inputs;
    } ops[] = {{"Add", 2}, {"Sub", 2}, {"Mul", 2}, {"Div", 2}, {"Pow", 2}, {"Neg", 1}, {"Sum", 2}};
    size_t producer = vt_pass_producer(s->uses, value);
    if (producer == SIZE_MAX || (value != s->root && s->uses->counts[value] != 1)) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        if (vt_match_step(&s->plan->steps[producer], ops[i].op, ops[i].inputs)) {
            return &s->plan->steps[producer];
        }
    }
    return NULL;
}

static bool power(const search *s, const vt_step *step, const polynomial *base, polynomial *out)
{
    double exponent;
    if (!vt_match_scalar(s->plan, step->node.inputs[1], &exponent) || exponent < 1 ||
        exponent > DEGREE || exponent != floor(exponent)) {
        return false;
    }
    *out = *base;
    for (int i = 1; i < (int)exponent; i++) {
        if (!multiply(out, base, out)) {
            return false;
        }
    }
    return true;
}

static bool expand_step(const search *s, const vt_step *step, const polynomial *a,
                        const polynomial *b, polynomial *out)
{
    const char *op = step->node.op->name;
    if (strcmp(op, "Mul") == 0) {
        return multiply(a, b, out);
    }
    if (strcmp(op, "Pow") == 0) {
        return power(s, step, a, out);
    }
    if (strcmp(op, "Div") == 0) {
        if (!is_constant(b) || b->c[0][0] == 0) {
            return false;
        }
        static const polynomial zero;
        *out = combine(&zero, a, 1 / b->c[0][0]);
        return true;
    }
    if (strcmp(op, "Neg") == 0) {
        *out = combine(a, a, -2);
        return true;
    }
    *out = combine(a, b, strcmp(op, "Sub") == 0 ? -1 : 1);
    return true;
}

/* A value as polynomial in s->x and s->t. */
static bool expand(search *s, vt_value_id value, int depth, polynomial *out)
{
    polynomial operands[2] = {0};
    double constant;
    *out = (polynomial){0};
    if (depth == MAXIMUM_DEPTH || ++s->visits > MAXIMUM_VISITS) {
        return false;
    }
    if (value == s->x || value == s->t) {
        out->c[value == s->t][value == s->x] = 1;
        return true;
    }
    if (vt_match_scalar(s->plan, value, &constant)) {
        out->c[0][0] = constant;
        return isfinite(constant);
    }
    const vt_step *step = arithmetic(s, value);
    if (!step) {
        return false;
    }
    for (size_t i = 0; i < step->node.input_count; i++) {
        if (!expand(s, step->node.inputs[i], depth + 1, &operands[i])) {
            return false;
        }
    }
    return expand_step(s, step, &operands[0], &operands[1], out);
}

static bool expand_over(search *s, vt_value_id value, vt_value_id x, vt_value_id t, polynomial *out)
{
    s->x = x;
    s->t = t;
    s->visits = 0;
    return expand(s, value, 0, out);
}

/* ---- gates ---- */

/* A step that bounds its input by constants: narrows *low and *high, gives the input. */
static bool bounding(const search *s, const vt_step *step, double *low, double *high,
                     vt_value_id *input)
{
    double bounds[2] = {-INFINITY, INFINITY}, scalar;
    *input = step->node.input_count > 0 ? step->node.inputs[0] : VT_NO_VALUE;
    if (vt_pass_is(step, "Clip") && step->post_count == 0) {
        for (size_t i = 0; i < 2; i++) {
            static const char *const names[] = {"min", "max"};
            if (step->node.opset < 11) {
                bounds[i] = (double)vt_node_float(&step->node, names[i], (float)bounds[i]);
            } else if (step->node.input_count > i + 1 && step->node.inputs[i + 1] != VT_NO_VALUE &&
                       !vt_match_scalar(s->plan, step->node.inputs[i + 1], &bounds[i])) {
                return false;
            }
        }
    } else if (vt_match_step(step, "Relu", 1)) {
        bounds[0] = 0;
    } else if (vt_match_step(step, "Max", 2) || vt_match_step(step, "Min", 2)) {
        int side = vt_match_scalar_side(s->plan, step, &scalar);
        if (side < 0) {
            return false;
        }
        bounds[vt_pass_is(step, "Min")] = scalar;
        *input = step->node.inputs[1 - side];
    } else {
        return false;
    }
    if (!(bounds[0] <= bounds[1])) { /* NaN too */
        return false;
    }
    /* The outer bounds are applied to the inner ones. */
    *low = fmin(fmax(bounds[0], *low), *high);
    *high = fmin(fmax(bounds[1], *low), *high);
    return true;
}

static bool bounds_of(const search *s, const vt_step *step, gate *out)
{
    vt_value_id input;
    *out = (gate){.kind = GATE_CLIP,
                  .scale = 1,
                  .low = -INFINITY,
                  .high = INFINITY,
                  .value = step->node.outputs[0]};
    while (bounding(s, step, &out->low, &out->high, &input)) {
        out->argument = input;
        out->bounds++;
        size_t producer = vt_pass_producer(s->uses, input);
        if (producer == SIZE_MAX || s->uses->counts[input] != 1 || out->bounds == MAXIMUM_DEPTH) {
            break;
        }
        step = &s->plan->steps[producer];
    }
    return out->bounds > 0;
}

static bool gate_of(const search *s, const vt_step *step, gate *out)
{
    static const struct {
        const char *op;
        gate_kind kind;
    } ops[] = {{"Erf", GATE_ERF},
               {"Tanh", GATE_TANH},
               {"Sigmoid", GATE_SIGMOID},
               {"HardSigmoid", GATE_CLIP},
               {"Exp", GATE_EXP}};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        if (!vt_pass_is(step, ops[i].op) || step->post_count > 0) {
            continue;
        }
        *out = (gate){.kind = ops[i].kind,
                      .scale = (double)vt_node_float(&step->node, "alpha", 0.2F),
                      .shift = (double)vt_node_float(&step->node, "beta", 0.5F),
                      .high = 1,
                      .bounds = 1,
                      .value = step->node.outputs[0],
                      .argument = step->node.inputs[0]};
        size_t inner = vt_pass_producer(s->uses, out->argument);
        if (out->kind == GATE_TANH && inner != SIZE_MAX && s->uses->counts[out->argument] == 1 &&
            vt_pass_is(&s->plan->steps[inner], "Softplus") &&
            s->plan->steps[inner].post_count == 0) {
            out->kind = GATE_TANH_SOFTPLUS;
            out->argument = s->plan->steps[inner].node.inputs[0];
        }
        return true;
    }
    return bounds_of(s, step, out);
}

/* Collects the gates that the arithmetic behind `value` ends at. */
static void find_gates(search *s, vt_value_id value, int depth)
{
    size_t producer = vt_pass_producer(s->uses, value);
    if (depth == MAXIMUM_DEPTH || ++s->visits > MAXIMUM_VISITS || producer == SIZE_MAX ||
        s->gate_count == CANDIDATES || (value != s->root && s->uses->counts[value] != 1)) {
        return;
    }
    if (gate_of(s, &s->plan->steps[producer], &s->gates[s->gate_count])) {
        s->gate_count++;
        return;
    }
    const vt_step *step = arithmetic(s, value);
    for (size_t i = 0; step && i < step->node.input_count; i++) {
        find_gates(s, step->node.inputs[i], depth + 1);
    }
}

/* Values that could be x: the gate's argument and what it is computed from. */
static void find_candidates(search *s, vt_value_id value, int depth)
{
    double constant;
    if (depth == MAXIMUM_DEPTH || s->candidate_count == CANDIDATES ||
        vt_match_scalar(s->plan, value, &constant)) {
        return;
    }
    for (size_t i = 0; i < s->candidate_count; i++) {
        if (s->candidates[i] == value) {
            return;
        }
    }
    s->candidates[s->candidate_count++] = value;
    const vt_step *step = arithmetic(s, value);
    for (size_t i = 0; step && i < step->node.input_count; i++) {
        find_candidates(s, step->node.inputs[i], depth + 1);
    }
}

/* ---- activations ---- */

typedef struct activation {
    const char *op;
    int opset;
    vt_attr attrs[2];
    size_t attr_count;
} activation;

static vt_attr float_attr(const char *name, double value)
{
    return (vt_attr){.name = name, .kind = VT_ATTR_FLOAT, .f = (float)value};
}

static bool is_gelu(const gate *g, const polynomial *argument, const polynomial *result,
                    vt_dtype dtype, activation *out)
{
    static const polynomial half = {.c = {{0, 0.5}, {0, 0.5}}};
    const double slope = M_2_SQRTPI * M_SQRT1_2;
    const polynomial erf_argument = {.c = {{0, M_SQRT1_2}}};
    const polynomial tanh_argument = {.c = {{0, slope, 0, slope * 0.044715}}};
    const char *form = g->kind == GATE_ERF ? "none" : "tanh";
    if (!is_polynomial(result, &half, dtype) ||
        !is_polynomial(argument, g->kind == GATE_ERF ? &erf_argument : &tanh_argument, dtype)) {
        return false;
    }
    *out =
        (activation){"Gelu", 20, {{.name = "approximate", .kind = VT_ATTR_TEXT, .text = form}}, 1};
    return true;
}

static bool is_swish(const polynomial *argument, const polynomial *result, vt_dtype dtype,
                     activation *out)
{
    static const polynomial product = {.c = {{0}, {0, 1}}};
    double alpha = argument->c[0][1];
    const polynomial scaled = {.c = {{0, alpha}}};
    if (alpha == 0 || !is_polynomial(argument, &scaled, dtype) ||
        !is_polynomial(result, &product, dtype)) {
        return false;
    }
    *out = (activation){"Swish", 24, {float_attr("alpha", alpha)}, 1};
    return true;
}

static bool is_mish(const polynomial *argument, const polynomial *result, vt_dtype dtype,
                    activation *out)
{
    static const polynomial product = {.c = {{0}, {0, 1}}}, identity = {.c = {{0, 1}}};
    *out = (activation){.op = "Mish", .opset = 18};
    return is_polynomial(argument, &identity, dtype) && is_polynomial(result, &product, dtype);
}

static bool is_hard(const gate *g, const polynomial *argument, const polynomial *result,
                    vt_dtype dtype, activation *out)
{
    double slope = argument->c[0][1] * g->scale, level = argument->c[0][0] * g->scale + g->shift;
    const polynomial line = {.c = {{argument->c[0][0], argument->c[0][1]}}};
    double by_x = result->c[1][1], by_one = result->c[1][0], shift = result->c[0][0];
    const polynomial swish = {.c = {{0}, {0, by_x}}}, sigmoid = {.c = {{shift}, {by_one}}};
    if (!is_polynomial(argument, &line, dtype) || slope == 0) {
        return false;
    }
    if (by_x > 0 && is_polynomial(result, &swish, dtype)) {
        *out = (activation){.op = "HardSwish", .opset = 14};
        return g->low == 0 && vt_match_close(by_x * g->high, 1, dtype) &&
               vt_match_close(by_x * slope, 1.0 / 6, dtype) &&
               vt_match_close(by_x * level, 0.5, dtype);
    }
    *out = (activation){
        "HardSigmoid",
        VT_OPSET_OLDEST,
        {float_attr("alpha", by_one * slope), float_attr("beta", by_one * level + shift)},
        2};
    bool plain = by_one == 1 && shift == 0 && slope == 1 && level == 0; /* just a Clip */
    return !plain && by_one > 0 && is_polynomial(result, &sigmoid, dtype) &&
           fabs(by_one * g->low + shift) <= 1e-6 &&
           vt_match_close(by_one * g->high + shift, 1, dtype);
}

static bool classify(const gate *g, const polynomial *argument, const polynomial *result,
                     vt_dtype dtype, activation *out)
{
    switch (g->kind) {
    case GATE_ERF:
    case GATE_TANH:
        return is_gelu(g, argument, result, dtype, out);
    case GATE_TANH_SOFTPLUS:
        return is_mish(argument, result, dtype, out);
    case GATE_SIGMOID:
        return is_swish(argument, result, dtype, out);
    case GATE_CLIP:
        return is_hard(g, argument, result, dtype, out);
    case GATE_EXP:
        break;
    }
    return false;
}

/* Log(1 + Exp(x)) and 1 / (1 + Exp(-x)). */
static bool is_exponential(search *s, const vt_step *step, activation *out, vt_value_id *x)
{
    static const polynomial plus_one = {.c = {{1}, {1}}};
    polynomial sum, argument;
    double one = 1;
    bool log = vt_match_step(step, "Log", 1), reciprocal = vt_match_step(step, "Reciprocal", 1);
    bool divided = vt_match_step(step, "Div", 2) &&
                   vt_match_scalar(s->plan, step->node.inputs[0], &one) && one == 1;
    if (!log && !reciprocal && !divided) {
        return false;
    }
    vt_value_id inner = step->node.inputs[divided];
    s->gate_count = 0;
    s->visits = 0;
    find_gates(s, inner, 0);
    for (size_t i = 0; i < s->gate_count; i++) {
        const gate *g = &s->gates[i];
        vt_dtype dtype = s->plan->values[inner].tensor.dtype;
        if (g->kind != GATE_EXP || !expand_over(s, inner, VT_NO_VALUE, g->value, &sum) ||
            !is_polynomial(&sum, &plus_one, dtype)) {
            continue;
        }
        if (log) {
            *out = (activation){.op = "Softplus", .opset = VT_OPSET_OLDEST};
            *x = g->argument;
            return true;
        }
        s->candidate_count = 0;
        find_candidates(s, g->argument, 0);
        for (size_t k = 0; k < s->candidate_count; k++) {
            const polynomial negated = {.c = {{0, -1}}};
            *out = (activation){.op = "Sigmoid", .opset = VT_OPSET_OLDEST};
            *x = s->candidates[k];
            if (expand_over(s, g->argument, *x, VT_NO_VALUE, &argument) &&
                is_polynomial(&argument, &negated, dtype)) {
                return true;
            }
        }
    }
    return false;
}

static bool find_activation(search *s, activation *out, vt_value_id *x)
{
    vt_dtype dtype = s->plan->values[s->root].tensor.dtype;
    polynomial argument, result;
    s->gate_count = 0;
    s->visits = 0;
    find_gates(s, s->root, 0);
    for (size_t i = 0; i < s->gate_count; i++) {
        const gate *g = &s->gates[i];
        s->candidate_count = 0;
        find_candidates(s, g->argument, 0);
        for (size_t k = s->candidate_count; k-- > 0;) { /* the longest way back first */
            *x = s->candidates[k];
            if (expand_over(s, g->argument, *x, VT_NO_VALUE, &argument) &&
                expand_over(s, s->root, *x, g->value, &result) &&
                classify(g, &argument, &result, dtype, out)) {
                return true;
            }
        }
    }
    return false;
}

static vt_status try_step(vt_plan *plan, const vt_pass_uses *uses, size_t index, vt_error *error)
{
    vt_step *step = &plan->steps[index];
    activation found;
    vt_value_id x;
    if (step->post_count > 0 || step->node.output_count != 1 || vt_pass_is(step, "HardSigmoid")) {
        return VT_OK;
    }
    const vt_tensor *result = &plan->values[step->node.outputs[0]].tensor;
    search s = {.plan = plan, .uses = uses, .root = step->node.outputs[0]};
    if (!vt_dtype_is_float(result->dtype) ||
        !(is_exponential(&s, step, &found, &x) || find_activation(&s, &found, &x))) {
        return VT_OK;
    }
    const vt_tensor *input = &plan->values[x].tensor;
    const vt_op *op = vt_op_find("", found.op, found.opset);
    if (!op || input->dtype != result->dtype || !vt_shape_equal(&input->shape, &result->shape)) {
        return VT_OK;
    }
    const vt_node what = {.op = op,
                          .opset = found.opset,
                          .inputs = &x,
                          .input_count = 1,
                          .attrs = found.attrs,
                          .attr_count = found.attr_count};
    return vt_edit_become(plan, &step->node, &what, error);
}

vt_status vt_pass_recognise_activation(vt_plan *plan, vt_error *error)
{
    vt_status status = vt_pass_each_step(plan, try_step, error);
    return status == VT_OK ? vt_pass_dead_code(plan, error) : status;
}
