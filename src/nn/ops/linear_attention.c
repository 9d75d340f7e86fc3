/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LinearAttention: attention without softmax, as a matrix per head that each token changes and
 * reads.
 *
 * Token by token: the state (keys, values) is multiplied by exp(decay), by head or by key number
 * ("gated"); the outer product of key and value is added, or under the delta rule of the key and
 * beta times what the value differs from what the state holds for the key; the result is the query
 * times the state. chunk_size is a hint for other ways to compute the same.
 *
 * Katharopoulos et al., Transformers are RNNs, 2020; Yang et al., Gated Delta Networks, 2024.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <math.h>
#include <string.h>

enum { IN_Q, IN_K, IN_V, IN_PAST, IN_DECAY, IN_BETA };

typedef struct linear_sizes {
    bool gated, delta;
    int64_t batch, length, q_heads, kv_heads, keys, values; /* the last two: of one head */
    int64_t decays;                                         /* per head: 1 or keys */
    int64_t betas;                                          /* per token: 1 or kv_heads */
    vt_shape state;
} linear_sizes;

static vt_status rule_resolve(const vt_op_args *args, linear_sizes *sizes, vt_error *error)
{
    const char *rule = vt_node_text(args->node, "update_rule", "gated_delta");
    sizes->gated = strcmp(rule, "gated") == 0 || strcmp(rule, "gated_delta") == 0;
    sizes->delta = strcmp(rule, "delta") == 0 || strcmp(rule, "gated_delta") == 0;
    if (!sizes->gated && !sizes->delta && strcmp(rule, "linear") != 0)
        return vt_fail(error, VT_ERR_FORMAT, "attribute \"update_rule\" is \"%.40s\"", rule);
    if ((sizes->gated && vt_op_input(args, IN_DECAY) == NULL) ||
        (sizes->delta && vt_op_input(args, IN_BETA) == NULL))
        return vt_fail(error, VT_ERR_FORMAT, "update rule \"%s\" lacks decay or beta", rule);
    return VT_OK;
}

/* Input of (batch, length, width): width one of two. */
static vt_status width_check(const vt_op_args *args, size_t index, const int64_t widths[2],
                             vt_error *error)
{
    const vt_tensor *input = vt_op_input(args, index);
    const vt_shape *q = &args->inputs[IN_Q].shape;
    if (input == NULL)
        return VT_OK;
    const int64_t *dims = input->shape.dims;
    if (input->shape.rank != 3 || dims[0] != q->dims[0] || dims[1] != q->dims[1] ||
        (dims[2] != widths[0] && dims[2] != widths[1]))
        return vt_fail(error, VT_ERR_FORMAT, "input %zu does not fit queries and heads", index);
    return VT_OK;
}

static vt_status linear_resolve(const vt_op_args *args, linear_sizes *sizes, vt_error *error)
{
    const int64_t positive[2] = {1, INT32_MAX};
    const vt_tensor *past = vt_op_input(args, IN_PAST), *decay = vt_op_input(args, IN_DECAY);
    const vt_tensor *beta = vt_op_input(args, IN_BETA);
    const int64_t *q = args->inputs[IN_Q].shape.dims, *v = args->inputs[IN_V].shape.dims;
    *sizes = (linear_sizes){.decays = 1, .betas = 1};
    vt_status status = rule_resolve(args, sizes, error);
    for (size_t i = IN_Q; i <= IN_V && status == VT_OK; i++)
        status = vt_op_check_rank(args, i, 3, 3, error);
    if (status == VT_OK)
        status = vt_op_int_between(args, "q_num_heads", 0, positive, &sizes->q_heads, error);
    if (status == VT_OK)
        status = vt_op_int_between(args, "kv_num_heads", 0, positive, &sizes->kv_heads, error);
    if (status != VT_OK)
        return status;
    if (sizes->q_heads % sizes->kv_heads != 0 || q[2] % sizes->q_heads != 0 ||
        v[2] % sizes->kv_heads != 0 || q[2] == 0)
        return vt_fail(error, VT_ERR_FORMAT,
                       "widths %lld and %lld do not divide into %lld and %lld heads",
                       (long long)q[2], (long long)v[2], (long long)sizes->q_heads,
                       (long long)sizes->kv_heads);
    sizes->batch = q[0];
    sizes->length = q[1];
    sizes->keys = q[2] / sizes->q_heads;
    sizes->values = v[2] / sizes->kv_heads;
    const int64_t width = sizes->keys * sizes->kv_heads;
    status = width_check(args, IN_K, (const int64_t[]){width, width}, error);
    if (status == VT_OK)
        status = width_check(args, IN_V, (const int64_t[]){v[2], v[2]}, error);
    if (status == VT_OK)
        status = width_check(args, IN_DECAY, (const int64_t[]){width, sizes->kv_heads}, error);
    if (status == VT_OK)
        status = width_check(args, IN_BETA, (const int64_t[]){1, sizes->kv_heads}, error);
    if (status != VT_OK)
        return status;
    sizes->decays = decay != NULL && decay->shape.dims[2] == width ? sizes->keys : 1;
    sizes->betas = beta != NULL ? beta->shape.dims[2] : 1;
    sizes->state = vt_shape_of(
        4, (const int64_t[]){sizes->batch, sizes->kv_heads, sizes->keys, sizes->values});
    if (past != NULL && !vt_shape_equal(&past->shape, &sizes->state))
        return vt_fail(error, VT_ERR_FORMAT, "past_state does not fit keys and values");
    return VT_OK;
}

static vt_status linear_infer(vt_op_args *args, vt_error *error)
{
    linear_sizes sizes;
    const vt_tensor *past = vt_op_input(args, IN_PAST);
    vt_dtype type = args->inputs[IN_Q].dtype;
    vt_status status = VT_OK;
    for (size_t i = IN_Q; i <= IN_BETA && status == VT_OK; i++) {
        const vt_tensor *input = vt_op_input(args, i);
        status = vt_op_check_type(args, i, VT_TYPES_FLOAT, error);
        if (status == VT_OK && input != NULL && i != IN_PAST && input->dtype != type)
            status = vt_fail(error, VT_ERR_FORMAT, "input %zu has type %s, input 0 has %s", i,
                             vt_dtype_name(input->dtype), vt_dtype_name(type));
    }
    if (status == VT_OK)
        status = linear_resolve(args, &sizes, error);
    if (status != VT_OK)
        return status;
    vt_shape shape = vt_shape_of(3, (const int64_t[]){sizes.batch, sizes.length, 0});
    if (__builtin_mul_overflow(sizes.q_heads, sizes.values, &shape.dims[2]))
        return vt_fail(error, VT_ERR_LIMIT, "heads of 2^63 numbers or more");
    vt_op_set_output(args, 0, type, &shape);
    vt_op_set_output(args, 1, past != NULL ? past->dtype : type, &sizes.state);
    return VT_OK;
}

typedef struct linear_work {
    linear_sizes sizes;
    double scale;
    double *state;                                /* (keys, values) */
    double *query, *key, *value, *decay, *result; /* (keys), (keys), (values), (keys), (values) */
} linear_work;

/* Row `head` of `size` numbers of a token in a packed input. */
static void head_load(const vt_tensor *input, size_t token, size_t head, size_t size, double *out)
{
    size_t width = (size_t)input->shape.dims[2];
    vt_load_f64(input->dtype, input->data, token * width + head * size, size, out);
}

static void state_decay(const vt_op_args *args, linear_work *work, size_t token, size_t head)
{
    size_t keys = (size_t)work->sizes.keys, values = (size_t)work->sizes.values;
    size_t decays = (size_t)work->sizes.decays;
    head_load(&args->inputs[IN_DECAY], token, head, decays, work->decay);
    for (size_t k = 0; k < keys; k++) {
        double factor = exp(work->decay[decays == 1 ? 0 : k]);
        for (size_t v = 0; v < values; v++)
            work->state[k * values + v] *= factor;
    }
}

/* vector (keys) times the state. */
static void state_read(const linear_work *work, const double *vector, double *out)
{
    size_t keys = (size_t)work->sizes.keys, values = (size_t)work->sizes.values;
    memset(out, 0, values * sizeof(*out));
    for (size_t k = 0; k < keys; k++)
        for (size_t v = 0; v < values; v++)
            out[v] += vector[k] * work->state[k * values + v];
}

static void state_update(const vt_op_args *args, linear_work *work, size_t token, size_t head)
{
    size_t keys = (size_t)work->sizes.keys, values = (size_t)work->sizes.values;
    double beta;
    head_load(&args->inputs[IN_K], token, head, keys, work->key);
    head_load(&args->inputs[IN_V], token, head, values, work->value);
    if (work->sizes.gated)
        state_decay(args, work, token, head);
    if (work->sizes.delta) {
        head_load(&args->inputs[IN_BETA], token, work->sizes.betas == 1 ? 0 : head, 1, &beta);
        state_read(work, work->key, work->result);
        for (size_t v = 0; v < values; v++)
            work->value[v] = beta * (work->value[v] - work->result[v]);
    }
    for (size_t k = 0; k < keys; k++)
        for (size_t v = 0; v < values; v++)
            work->state[k * values + v] += work->key[k] * work->value[v];
}

/* All tokens of one head of one sequence. */
static void head_run(vt_op_args *args, linear_work *work, size_t batch, size_t head)
{
    const linear_sizes *sizes = &work->sizes;
    const vt_tensor *past = vt_op_input(args, IN_PAST);
    size_t count = (size_t)(sizes->keys * sizes->values), values = (size_t)sizes->values;
    size_t at = (batch * (size_t)sizes->kv_heads + head) * count, length = (size_t)sizes->length;
    size_t shared = (size_t)(sizes->q_heads / sizes->kv_heads);
    memset(work->state, 0, count * sizeof(*work->state));
    if (past != NULL)
        vt_load_f64(past->dtype, past->data, at, count, work->state);
    for (size_t token = batch * length; token < (batch + 1) * length; token++) {
        state_update(args, work, token, head);
        for (size_t q = head * shared; q < (head + 1) * shared && vt_op_wants(args, 0); q++) {
            head_load(&args->inputs[IN_Q], token, q, (size_t)sizes->keys, work->query);
            state_read(work, work->query, work->result);
            for (size_t v = 0; v < values; v++)
                work->result[v] *= work->scale;
            vt_store_f64(args->outputs[0].dtype, args->outputs[0].data,
                         (token * (size_t)sizes->q_heads + q) * values, values, work->result);
        }
    }
    if (vt_op_wants(args, 1))
        vt_store_f64(args->outputs[1].dtype, args->outputs[1].data, at, count, work->state);
}

static vt_status linear_reference(vt_op_args *args, vt_error *error)
{
    linear_work work = {0};
    vt_status status = linear_resolve(args, &work.sizes, error);
    if (status != VT_OK)
        return status;
    size_t keys = (size_t)work.sizes.keys, values = (size_t)work.sizes.values, count;
    work.scale = (double)vt_node_float(args->node, "scale", 0.0f);
    work.scale = work.scale == 0.0 ? 1.0 / sqrt((double)keys) : work.scale;
    if (vt_size_mul(keys, values, &count))
        work.state = vt_alloc_array(count, sizeof(double));
    work.query = vt_alloc_array(keys, sizeof(double));
    work.key = vt_alloc_array(keys, sizeof(double));
    work.value = vt_alloc_array(values, sizeof(double));
    work.decay = vt_alloc_array(keys, sizeof(double));
    work.result = vt_alloc_array(values, sizeof(double));
    if (work.state == NULL || work.query == NULL || work.key == NULL || work.value == NULL ||
        work.decay == NULL || work.result == NULL)
        status = vt_fail_memory(error, "the state of a head");
    for (size_t b = 0; b < (size_t)work.sizes.batch && status == VT_OK; b++)
        for (size_t h = 0; h < (size_t)work.sizes.kv_heads; h++)
            head_run(args, &work, b, h);
    vt_free(work.state);
    vt_free(work.query);
    vt_free(work.key);
    vt_free(work.value);
    vt_free(work.decay);
    vt_free(work.result);
    return status;
}

/* Each token adds to the state, reads it by query and under the delta rule by key. */
static uint64_t linear_macs(const vt_op_args *args)
{
    linear_sizes sizes;
    uint64_t macs;
    if (linear_resolve(args, &sizes, NULL) != VT_OK)
        return 0;
    macs = (uint64_t)(sizes.kv_heads * (sizes.delta ? 2 : 1) + sizes.q_heads);
    const int64_t factors[] = {sizes.batch, sizes.length, sizes.keys, sizes.values};
    for (size_t i = 0; i < 4; i++)
        if (__builtin_mul_overflow(macs, (uint64_t)factors[i], &macs))
            return UINT64_MAX;
    return macs;
}

const vt_op vt_ops_linear_attention[] = {
    {"LinearAttention", "", 27, 0, 3, 6, 1, 2,
     "chunk_size:i kv_num_heads:i! q_num_heads:i! scale:f update_rule:s", .infer = linear_infer,
     .reference = linear_reference, .macs = linear_macs},
    {0},
};
