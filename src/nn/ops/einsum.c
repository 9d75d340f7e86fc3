/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Einsum: sums of products over labelled axes, as in NumPy's einsum.
 *
 * "bij,bjk->bik": every axis of every operand has a letter; the result has the axes behind the
 * arrow, and over all other letters is summed. A letter twice in one operand walks its diagonal.
 * "..." stands for leading axes that are aligned at the last one. Without an arrow the result has
 * the axes of "..." and then, in alphabetical order, every letter that occurs once. Axes of size 1
 * are repeated.
 *
 * The reference is one nest of loops: the letters of the result outside, in the order of its
 * memory, the summed ones inside; every operand has one stride per loop. Floats are multiplied in
 * f64, integers in wrapping 64-bit arithmetic.
 */
#include "nn/ops/einsum.h"
#include "nn/ops/table.h"

#include <assert.h>
#include <string.h>

enum { EINSUM_TEXT = 256 };

/* More steps than any model needs and a computer of today finishes. */
static const int64_t maximum_steps = INT64_C(1) << 44;

typedef struct einsum_plan {
    vt_einsum e;
    /* Loops: those of the result first, then the summed ones. */
    int loops;
    int64_t counts[VT_EINSUM_LABELS];
    size_t strides[VT_EINSUM_OPERANDS][VT_EINSUM_LABELS];
    int64_t steps; /* in all */
} einsum_plan;

/* ---- the equation ---- */

static int label_of(char letter)
{
    if (letter >= 'A' && letter <= 'Z')
        return letter - 'A';
    return letter >= 'a' && letter <= 'z' ? 26 + (letter - 'a') : -1;
}

/* A term of `rank` axes (-1: those its letters and an ellipsis of `ellipsis` axes make). */
static vt_status term_parse(const char *text, size_t length, int rank, int ellipsis,
                            vt_einsum_term *term, vt_error *error)
{
    size_t dots = 0, letters = 0;
    for (size_t i = 0; i < length; i++) {
        dots += text[i] == '.';
        letters += label_of(text[i]) >= 0;
    }
    const char *at = memchr(text, '.', length);
    if (dots + letters != length || (dots != 0 && dots != 3) ||
        (dots == 3 && ((size_t)(at - text) + 3 > length || memcmp(at, "...", 3) != 0)))
        return vt_fail(error, VT_ERR_FORMAT, "equation has the term \"%.*s\"", (int)length, text);
    int wide = dots == 0 ? 0 : rank < 0 ? ellipsis : rank - (int)letters;
    if (wide < 0 || letters + (size_t)wide > VT_MAX_RANK ||
        (rank >= 0 && (int)letters + wide != rank))
        return vt_fail(error, VT_ERR_FORMAT, "term \"%.*s\" does not fit %d dimensions",
                       (int)length, text, rank < 0 ? VT_MAX_RANK : rank);
    term->rank = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] != '.') {
            term->labels[term->rank++] = label_of(text[i]);
            continue;
        }
        for (int k = 0; k < wide; k++)
            term->labels[term->rank++] = VT_EINSUM_LABELS - wide + k;
        i += 2;
    }
    return VT_OK;
}

/* Equation without spaces. */
static vt_status equation_read(const vt_op_args *args, char text[EINSUM_TEXT], vt_error *error)
{
    const char *equation = vt_node_text(args->node, "equation", "");
    size_t length = 0;
    for (; *equation != '\0'; equation++) {
        if (*equation == ' ')
            continue;
        if (length + 1 == EINSUM_TEXT)
            return vt_fail(error, VT_ERR_LIMIT, "equation of more than %d characters",
                           EINSUM_TEXT - 1);
        text[length++] = *equation;
    }
    text[length] = '\0';
    return VT_OK;
}

/* Notes the sizes of an operand's axes under their labels. */
static vt_status term_measure(vt_einsum *e, const vt_einsum_term *term, const vt_shape *shape,
                              vt_error *error)
{
    for (int i = 0; i < term->rank; i++) {
        int64_t *have = &e->dims[term->labels[i]], dim = shape->dims[i];
        e->uses[term->labels[i]]++;
        if (*have == -1 || *have == 1)
            *have = dim;
        else if (dim != 1 && dim != *have)
            return vt_fail(error, VT_ERR_FORMAT, "axes of one label have %lld and %lld elements",
                           (long long)*have, (long long)dim);
    }
    return VT_OK;
}

static vt_status operands_parse(const vt_op_args *args, const char *text, size_t length,
                                vt_einsum *e, vt_error *error)
{
    size_t count = args->node->input_count, commas = 0;
    for (size_t i = 0; i < length; i++)
        commas += text[i] == ',';
    if (count > VT_EINSUM_OPERANDS)
        return vt_fail(error, VT_ERR_LIMIT, "%zu operands, at most %d are taken", count,
                       VT_EINSUM_OPERANDS);
    if (commas + 1 != count)
        return vt_fail(error, VT_ERR_FORMAT, "equation has %zu terms for %zu operands", commas + 1,
                       count);
    e->operands = (int)count;
    vt_status status = VT_OK;
    for (size_t i = 0, from = 0; i < count && status == VT_OK; i++) {
        if (vt_op_input(args, i) == NULL)
            return vt_fail(error, VT_ERR_FORMAT, "operand %zu is left out", i);
        const vt_shape *shape = &args->inputs[i].shape;
        const char *end = memchr(text + from, ',', length - from);
        size_t to = end == NULL ? length : (size_t)(end - text);
        status = term_parse(text + from, to - from, shape->rank, 0, &e->in[i], error);
        if (status == VT_OK)
            status = term_measure(e, &e->in[i], shape, error);
        if (status == VT_OK && memchr(text + from, '.', to - from) != NULL) {
            int wide = shape->rank - (int)(to - from - 3);
            e->ellipsis_rank = wide > e->ellipsis_rank ? wide : e->ellipsis_rank;
        }
        from = to + 1;
    }
    return status;
}

/* What follows the arrow, or what follows from there being none. */
static vt_status result_parse(const char *arrow, vt_einsum *e, vt_error *error)
{
    int wide = e->ellipsis_rank < 0 ? 0 : e->ellipsis_rank;
    bool seen[VT_EINSUM_LABELS] = {false};
    vt_einsum_term *out = &e->out;
    if (arrow == NULL) {
        *out = (vt_einsum_term){0};
        for (int k = 0; k < wide; k++)
            out->labels[out->rank++] = VT_EINSUM_LABELS - wide + k;
        for (int label = 0; label < VT_EINSUM_LETTERS; label++) {
            if (e->uses[label] != 1)
                continue;
            if (out->rank == VT_MAX_RANK)
                return vt_fail(error, VT_ERR_LIMIT, "result of more than %d dimensions",
                               VT_MAX_RANK);
            out->labels[out->rank++] = label;
        }
        return VT_OK;
    }
    const char *text = arrow + 2;
    vt_status status = term_parse(text, strlen(text), -1, wide, out, error);
    if (status != VT_OK)
        return status;
    if (wide > 0 && strchr(text, '.') == NULL)
        return vt_fail(error, VT_ERR_FORMAT, "the axes of \"...\" are missing in the result");
    for (int i = 0; i < out->rank; i++) {
        if (seen[out->labels[i]])
            return vt_fail(error, VT_ERR_FORMAT, "a label is twice in the result");
        if (e->dims[out->labels[i]] == -1)
            return vt_fail(error, VT_ERR_FORMAT, "a label of the result is in no operand");
        seen[out->labels[i]] = true;
    }
    return VT_OK;
}

vt_status vt_einsum_init(vt_einsum *e, const vt_op_args *args, vt_error *error)
{
    char text[EINSUM_TEXT];
    *e = (vt_einsum){.ellipsis_rank = -1};
    for (int i = 0; i < VT_EINSUM_LABELS; i++)
        e->dims[i] = -1;
    vt_status status = equation_read(args, text, error);
    if (status != VT_OK)
        return status;
    const char *arrow = strstr(text, "->");
    size_t length = arrow == NULL ? strlen(text) : (size_t)(arrow - text);
    status = operands_parse(args, text, length, e, error);
    return status == VT_OK ? result_parse(arrow, e, error) : status;
}

/* ---- the loops ---- */

static void loop_add(einsum_plan *plan, const size_t strides[][VT_MAX_RANK], int label)
{
    int loop = plan->loops++;
    plan->counts[loop] = plan->e.dims[label];
    for (int k = 0; k < plan->e.operands; k++) {
        plan->strides[k][loop] = 0;
        for (int i = 0; i < plan->e.in[k].rank; i++)
            if (plan->e.in[k].labels[i] == label)
                plan->strides[k][loop] += strides[k][i];
    }
}

static vt_status loops_make(const vt_op_args *args, einsum_plan *plan, vt_error *error)
{
    size_t strides[VT_EINSUM_OPERANDS][VT_MAX_RANK];
    bool in_result[VT_EINSUM_LABELS] = {false};
    for (int k = 0; k < plan->e.operands; k++) {
        const vt_shape *shape = &args->inputs[k].shape;
        vt_shape_strides(shape, strides[k]);
        for (int i = 0; i < shape->rank; i++)
            strides[k][i] = shape->dims[i] == 1 ? 0 : strides[k][i];
    }
    for (int i = 0; i < plan->e.out.rank; i++) {
        loop_add(plan, strides, plan->e.out.labels[i]);
        in_result[plan->e.out.labels[i]] = true;
    }
    for (int label = 0; label < VT_EINSUM_LABELS; label++)
        if (plan->e.dims[label] != -1 && !in_result[label])
            loop_add(plan, strides, label);
    plan->steps = 1;
    for (int i = 0; i < plan->loops; i++)
        if (plan->counts[i] == 0)
            plan->steps = 0;
    for (int i = 0; i < plan->loops && plan->steps > 0; i++)
        if (__builtin_mul_overflow(plan->steps, plan->counts[i], &plan->steps) ||
            plan->steps > maximum_steps)
            return vt_fail(error, VT_ERR_LIMIT, "more than 2^44 products to sum");
    return VT_OK;
}

static vt_status einsum_resolve(const vt_op_args *args, einsum_plan *plan, vt_error *error)
{
    *plan = (einsum_plan){0};
    vt_status status = vt_einsum_init(&plan->e, args, error);
    return status == VT_OK ? loops_make(args, plan, error) : status;
}

static vt_status einsum_infer(vt_op_args *args, vt_error *error)
{
    einsum_plan plan;
    vt_status status = vt_op_check_same(args, VT_TYPES_NUMBER, error);
    if (status == VT_OK)
        status = einsum_resolve(args, &plan, error);
    if (status != VT_OK)
        return status;
    vt_shape shape = {.rank = plan.e.out.rank};
    for (int i = 0; i < shape.rank; i++)
        shape.dims[i] = plan.e.dims[plan.e.out.labels[i]];
    vt_op_set_output(args, 0, args->inputs[0].dtype, &shape);
    return VT_OK;
}

/* ---- the reference ---- */

/* Operands in 8-byte lanes: f64 or wrapping integers. */
typedef struct einsum_work {
    bool is_float;
    void *lanes[VT_EINSUM_OPERANDS];
} einsum_work;

static double sum_f64(const einsum_plan *plan, const einsum_work *work, const size_t *offsets,
                      int loop)
{
    assert(work->lanes[0] != NULL);
    const double *a = (const double *)work->lanes[0] + offsets[0];
    size_t count = loop < plan->loops ? (size_t)plan->counts[loop] : 1;
    size_t step = plan->strides[0][loop];
    double sum = 0.0;
    if (plan->e.operands == 2) {
        const double *b = (const double *)work->lanes[1] + offsets[1];
        size_t b_step = plan->strides[1][loop];
        for (size_t i = 0; i < count; i++)
            sum += a[i * step] * b[i * b_step];
        return sum;
    }
    for (size_t i = 0; i < count; i++) {
        double product = a[i * step];
        for (int k = 1; k < plan->e.operands; k++)
            product *= ((const double *)work->lanes[k])[offsets[k] + i * plan->strides[k][loop]];
        sum += product;
    }
    return sum;
}

static uint64_t sum_u64(const einsum_plan *plan, const einsum_work *work, const size_t *offsets,
                        int loop)
{
    size_t count = loop < plan->loops ? (size_t)plan->counts[loop] : 1;
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t product = 1;
        for (int k = 0; k < plan->e.operands; k++)
            product *= ((const uint64_t *)work->lanes[k])[offsets[k] + i * plan->strides[k][loop]];
        sum += product;
    }
    return sum;
}

/* Moves loops [first, end) on by one, the last one fastest; false when they are back at 0. */
static bool loops_next(const einsum_plan *plan, int first, int end, int64_t *position,
                       size_t *offsets)
{
    for (int loop = end - 1; loop >= first; loop--) {
        bool more = ++position[loop] < plan->counts[loop];
        for (int k = 0; k < plan->e.operands; k++) {
            offsets[k] += plan->strides[k][loop];
            offsets[k] -= more ? 0 : plan->strides[k][loop] * (size_t)plan->counts[loop];
        }
        if (more)
            return true;
        position[loop] = 0;
    }
    return false;
}

static void einsum_run(vt_op_args *args, const einsum_plan *plan, const einsum_work *work)
{
    vt_tensor *y = &args->outputs[0];
    int outer = plan->e.out.rank, inner = plan->loops > outer ? plan->loops - 1 : outer;
    int64_t position[VT_EINSUM_LABELS] = {0};
    size_t offsets[VT_EINSUM_OPERANDS] = {0}, count = vt_tensor_count(y);
    for (size_t i = 0; i < count; i++) {
        double real = 0.0;
        uint64_t whole = 0;
        bool more = plan->steps > 0;
        while (more) {
            if (work->is_float)
                real += sum_f64(plan, work, offsets, inner);
            else
                whole += sum_u64(plan, work, offsets, inner);
            more = loops_next(plan, outer, inner, position, offsets);
        }
        if (work->is_float)
            vt_store_f64(y->dtype, y->data, i, 1, &real);
        else
            vt_store_i64(y->dtype, y->data, i, 1, (const int64_t *)&whole);
        loops_next(plan, 0, outer, position, offsets);
    }
}

static vt_status einsum_reference(vt_op_args *args, vt_error *error)
{
    einsum_plan plan;
    einsum_work work = {.is_float = vt_dtype_is_float(args->inputs[0].dtype)};
    vt_status status = einsum_resolve(args, &plan, error);
    if (status != VT_OK)
        return status;
    for (int k = 0; k < plan.e.operands && status == VT_OK; k++) {
        const vt_tensor *input = &args->inputs[k];
        size_t count = vt_tensor_count(input);
        work.lanes[k] = vt_alloc_array(count, 8);
        if (work.lanes[k] == NULL)
            status = vt_fail_memory(error, "a widened operand");
        else if (work.is_float)
            vt_load_f64(input->dtype, input->data, 0, count, work.lanes[k]);
        else
            vt_load_i64(input->dtype, input->data, 0, count, work.lanes[k]);
    }
    if (status == VT_OK)
        einsum_run(args, &plan, &work);
    for (int k = 0; k < plan.e.operands; k++)
        vt_free(work.lanes[k]);
    return status;
}

static uint64_t einsum_macs(const vt_op_args *args)
{
    einsum_plan plan;
    if (einsum_resolve(args, &plan, NULL) != VT_OK)
        return 0;
    return (uint64_t)plan.steps * (uint64_t)(plan.e.operands > 1 ? plan.e.operands - 1 : 1);
}

const vt_op vt_ops_einsum[] = {
    {"Einsum", "", 12, 0, 1, -1, 1, 1, "equation:s!", .infer = einsum_infer,
     .reference = einsum_reference, .macs = einsum_macs},
    {0},
};
