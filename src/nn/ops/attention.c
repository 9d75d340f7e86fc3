/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attention of opsets 23 to 25: softmax(Q K' scale, capped, plus bias) V by heads.
 *
 * The bias is the mask, where a bool one means 0 or -infinity; positions behind the causal diagonal
 * and, from opset 24 on, behind the number of valid keys of a sequence count as -infinity. A mask
 * shorter than the keys is filled up with -infinity. The diagonal starts behind the keys of the
 * past or, where only the number of valid keys is known, so that the last query meets the last
 * valid key. From opset 25 on a window can bound how far a query looks to either side of its place
 * on that diagonal. Query heads share a key head in groups of neighbours. A row whose bias is
 * -infinity throughout attends to nothing: its probabilities are 0.
 *
 * Order of scale, cap and bias, and what qk_matmul_output_mode hands out, are those of the
 * operator's function body: the cap comes before the bias, so that it cannot lift -infinity. All
 * sums are f64, which is at least what softmax_precision can ask for. Work and memory: keys and
 * values of one head at a time, and one row of scores.
 *
 * Vaswani et al., Attention Is All You Need, 2017; Ainslie et al., GQA, 2023 (shared key heads).
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <math.h>

enum { IN_Q, IN_K, IN_V, IN_MASK, IN_PAST_KEY, IN_PAST_VALUE, IN_VALID };
enum { OUT_Y, OUT_KEY, OUT_VALUE, OUT_SCORES };

/* What qk_matmul_output holds. */
enum { SCORES_PRODUCT, SCORES_CAPPED, SCORES_BIASED, SCORES_SOFTMAX };

typedef struct attention_sizes {
    bool packed; /* (batch, length, heads * head) rather than (batch, heads, length, head) */
    int64_t batch, q_heads, kv_heads, q_length, kv_length, past, total, head, v_head;
    vt_shape scores, mask; /* mask: with its last axis filled up */
} attention_sizes;

/* ---- shapes ---- */

/* heads, length and head size of Q, K or V; *heads comes in as the attribute, 0: absent. */
static vt_status operand_resolve(const vt_op_args *args, size_t index, int64_t *heads,
                                 int64_t *length, int64_t *size, vt_error *error)
{
    const vt_shape *shape = &args->inputs[index].shape;
    bool packed = shape->rank == 3;
    if (packed && *heads == 0)
        return vt_fail(error, VT_ERR_FORMAT,
                       "input %zu has 3 dimensions, the number of heads is not given", index);
    if (packed && shape->dims[2] % *heads != 0)
        return vt_fail(error, VT_ERR_FORMAT,
                       "input %zu of width %lld does not divide into %lld heads", index,
                       (long long)shape->dims[2], (long long)*heads);
    if (!packed && *heads != 0 && *heads != shape->dims[1])
        return vt_fail(error, VT_ERR_FORMAT, "input %zu has %lld heads, the attribute says %lld",
                       index, (long long)shape->dims[1], (long long)*heads);
    *heads = packed ? *heads : shape->dims[1];
    *length = shape->dims[packed ? 1 : 2];
    *size = packed ? shape->dims[2] / *heads : shape->dims[3];
    return VT_OK;
}

static vt_status heads_resolve(const vt_op_args *args, attention_sizes *sizes, vt_error *error)
{
    const int64_t any[2] = {0, INT32_MAX};
    int64_t v_heads = 0, v_length = 0, k_head = 0;
    vt_status status = vt_op_int_between(args, "q_num_heads", 0, any, &sizes->q_heads, error);
    if (status == VT_OK)
        status = vt_op_int_between(args, "kv_num_heads", 0, any, &sizes->kv_heads, error);
    v_heads = sizes->kv_heads;
    if (status == VT_OK)
        status =
            operand_resolve(args, IN_Q, &sizes->q_heads, &sizes->q_length, &sizes->head, error);
    if (status == VT_OK)
        status = operand_resolve(args, IN_K, &sizes->kv_heads, &sizes->kv_length, &k_head, error);
    if (status == VT_OK)
        status = operand_resolve(args, IN_V, &v_heads, &v_length, &sizes->v_head, error);
    if (status != VT_OK)
        return status;
    if (sizes->head == 0)
        return vt_fail(error, VT_ERR_FORMAT, "heads of 0 numbers");
    if (k_head != sizes->head)
        return vt_fail(error, VT_ERR_FORMAT, "heads of queries have %lld numbers, of keys %lld",
                       (long long)sizes->head, (long long)k_head);
    if (v_heads != sizes->kv_heads || v_length != sizes->kv_length)
        return vt_fail(error, VT_ERR_FORMAT, "keys and values differ in heads or length");
    if (sizes->kv_heads == 0 || sizes->q_heads % sizes->kv_heads != 0)
        return vt_fail(error, VT_ERR_FORMAT,
                       "%lld heads of queries cannot share %lld heads of keys",
                       (long long)sizes->q_heads, (long long)sizes->kv_heads);
    return VT_OK;
}

static vt_status past_resolve(const vt_op_args *args, attention_sizes *sizes, vt_error *error)
{
    const vt_tensor *key = vt_op_input(args, IN_PAST_KEY);
    const vt_tensor *value = vt_op_input(args, IN_PAST_VALUE);
    if ((key == NULL) != (value == NULL))
        return vt_fail(error, VT_ERR_FORMAT, "past_key and past_value are not given together");
    if (key != NULL) {
        sizes->past = key->shape.rank == 4 ? key->shape.dims[2] : 0;
        const vt_shape want[2] = {vt_shape_of(4, (const int64_t[]){sizes->batch, sizes->kv_heads,
                                                                   sizes->past, sizes->head}),
                                  vt_shape_of(4, (const int64_t[]){sizes->batch, sizes->kv_heads,
                                                                   sizes->past, sizes->v_head})};
        if (!vt_shape_equal(&key->shape, &want[0]) || !vt_shape_equal(&value->shape, &want[1]))
            return vt_fail(error, VT_ERR_FORMAT, "past_key or past_value do not fit the keys");
    }
    sizes->total = sizes->past + sizes->kv_length;
    sizes->scores = vt_shape_of(
        4, (const int64_t[]){sizes->batch, sizes->q_heads, sizes->q_length, sizes->total});
    return VT_OK;
}

static vt_status mask_resolve(const vt_op_args *args, attention_sizes *sizes, vt_error *error)
{
    const vt_tensor *mask = vt_op_input(args, IN_MASK), *valid = vt_op_input(args, IN_VALID);
    vt_shape common = sizes->scores, batch = vt_shape_of(1, &sizes->batch);
    if (valid != NULL && !vt_shape_equal(&valid->shape, &batch))
        return vt_fail(error, VT_ERR_FORMAT, "nonpad_kv_seqlen is not one number per sequence");
    if (valid != NULL && vt_op_input(args, IN_PAST_KEY) != NULL)
        return vt_fail(error, VT_ERR_FORMAT, "nonpad_kv_seqlen and past_key exclude each other");
    if (mask == NULL)
        return VT_OK;
    vt_status status = vt_op_check_rank(args, IN_MASK, args->node->opset < 25 ? 2 : 1, 4, error);
    if (status != VT_OK)
        return status;
    sizes->mask = mask->shape;
    int64_t *last = &sizes->mask.dims[mask->shape.rank - 1];
    /* Opset 23 repeats a last axis of 1 as everywhere else, 24 fills it up. */
    if (*last < sizes->total && (*last != 1 || args->node->opset >= 24))
        *last = sizes->total;
    status = vt_broadcast_shape(&common, &sizes->mask, error);
    if (status == VT_OK && !vt_shape_equal(&common, &sizes->scores))
        status = vt_fail(error, VT_ERR_FORMAT, "the mask does not broadcast to the scores");
    return status;
}

static vt_status attention_resolve(const vt_op_args *args, attention_sizes *sizes, vt_error *error)
{
    int rank = args->inputs[IN_Q].shape.rank;
    *sizes = (attention_sizes){.packed = rank == 3};
    vt_status status = vt_op_check_rank(args, IN_Q, 3, 4, error);
    for (size_t i = IN_K; i <= IN_V && status == VT_OK; i++)
        status = vt_op_check_rank(args, i, rank, rank, error);
    if (status != VT_OK)
        return status;
    sizes->batch = args->inputs[IN_Q].shape.dims[0];
    if (args->inputs[IN_K].shape.dims[0] != sizes->batch ||
        args->inputs[IN_V].shape.dims[0] != sizes->batch)
        return vt_fail(error, VT_ERR_FORMAT, "queries, keys and values differ in batch size");
    status = heads_resolve(args, sizes, error);
    if (status == VT_OK)
        status = past_resolve(args, sizes, error);
    return status == VT_OK ? mask_resolve(args, sizes, error) : status;
}

static vt_status attention_check(const vt_op_args *args, vt_error *error)
{
    const int64_t modes[2] = {SCORES_PRODUCT, SCORES_SOFTMAX}, flag[2] = {0, 1};
    const unsigned precisions = VT_TYPES_FLOAT;
    const int64_t windows[2] = {-1, INT64_C(1) << 40};
    int64_t mode, causal, window, precision = vt_node_int(args->node, "softmax_precision", VT_F32);
    vt_status status = VT_OK;
    for (size_t i = IN_Q; i <= IN_V && status == VT_OK; i++)
        status = vt_op_check_type(args, i, VT_TYPES_FLOAT, error);
    if (status == VT_OK)
        status = vt_op_check_type(args, IN_MASK, VT_TYPES_ALL, error);
    if (status == VT_OK)
        status = vt_op_check_type(args, IN_VALID, VT_TYPE(VT_I64), error);
    if (status == VT_OK)
        status = vt_op_int_between(args, "qk_matmul_output_mode", 0, modes, &mode, error);
    if (status == VT_OK)
        status = vt_op_int_between(args, "is_causal", 0, flag, &causal, error);
    if (status == VT_OK)
        status = vt_op_int_between(args, "left_window_size", -1, windows, &window, error);
    if (status == VT_OK)
        status = vt_op_int_between(args, "right_window_size", -1, windows, &window, error);
    if (status != VT_OK)
        return status;
    if (precision < 0 || precision > VT_BF16 || (VT_TYPE(precision) & precisions) == 0)
        return vt_fail(error, VT_ERR_FORMAT,
                       "attribute \"softmax_precision\" is %lld, no float type",
                       (long long)precision);
    const vt_tensor *key = vt_op_input(args, IN_PAST_KEY);
    const vt_tensor *value = vt_op_input(args, IN_PAST_VALUE);
    if (args->inputs[IN_K].dtype != args->inputs[IN_Q].dtype ||
        (key != NULL && key->dtype != args->inputs[IN_K].dtype) ||
        (value != NULL && value->dtype != args->inputs[IN_V].dtype))
        return vt_fail(error, VT_ERR_FORMAT, "queries, keys, values and past differ in type");
    return VT_OK;
}

static vt_status attention_infer(vt_op_args *args, vt_error *error)
{
    attention_sizes sizes;
    vt_status status = attention_check(args, error);
    if (status == VT_OK)
        status = attention_resolve(args, &sizes, error);
    if (status != VT_OK)
        return status;
    vt_dtype type = args->inputs[IN_Q].dtype;
    vt_shape y =
        vt_shape_of(4, (const int64_t[]){sizes.batch, sizes.q_heads, sizes.q_length, sizes.v_head});
    if (sizes.packed) {
        y = vt_shape_of(3, (const int64_t[]){sizes.batch, sizes.q_length, 0});
        if (__builtin_mul_overflow(sizes.q_heads, sizes.v_head, &y.dims[2]))
            return vt_fail(error, VT_ERR_LIMIT, "heads of 2^63 numbers or more");
    }
    vt_shape cache =
        vt_shape_of(4, (const int64_t[]){sizes.batch, sizes.kv_heads, sizes.total, sizes.head});
    vt_op_set_output(args, OUT_Y, type, &y);
    vt_op_set_output(args, OUT_KEY, type, &cache);
    cache.dims[3] = sizes.v_head;
    vt_op_set_output(args, OUT_VALUE, args->inputs[IN_V].dtype, &cache);
    vt_op_set_output(args, OUT_SCORES, type, &sizes.scores);
    return VT_OK;
}

/* ---- the reference ---- */

typedef struct attention_work {
    attention_sizes sizes;
    vt_broadcast mask_map; /* of all but the last axis of the scores */
    size_t mask_row;       /* numbers in a row of the mask as it is stored */
    double *keys, *values; /* (total, head), (total, v_head): of one head */
    double *query, *out;   /* (head), (v_head) */
    double *scores, *bias; /* (total) */
    void *rounded;         /* (total), of the type of the queries */
    double scale, softcap;
    int64_t mode, valid; /* valid: keys of the sequence at work */
    bool causal;
    int64_t offset;      /* query i stands at key i + offset */
    int64_t left, right; /* keys it sees to either side; -1: all */
} attention_work;

/* Keys or values of one head: the past, then what is new. */
static void head_load(const vt_op_args *args, const attention_sizes *sizes, size_t input,
                      const size_t at[2], double *out)
{
    const vt_tensor *new = &args->inputs[input];
    const vt_tensor *past = vt_op_input(args, input == IN_K ? IN_PAST_KEY : IN_PAST_VALUE);
    size_t size = (size_t)(input == IN_K ? sizes->head : sizes->v_head);
    size_t heads = (size_t)sizes->kv_heads, length = (size_t)sizes->kv_length;
    size_t before = (size_t)sizes->past * size, head = at[0] * heads + at[1];
    if (past != NULL)
        vt_load_f64(past->dtype, past->data, head * before, before, out);
    if (!sizes->packed) {
        vt_load_f64(new->dtype, new->data, head * length * size, length * size, out + before);
        return;
    }
    for (size_t j = 0; j < length; j++)
        vt_load_f64(new->dtype, new->data, ((at[0] * length + j) * heads + at[1]) * size, size,
                    out + before + j * size);
}

static void cache_store(vt_op_args *args, size_t output, size_t head, size_t count,
                        const double *numbers)
{
    if (vt_op_wants(args, output))
        vt_store_f64(args->outputs[output].dtype, args->outputs[output].data, head * count, count,
                     numbers);
}

/* First of the `size` numbers of query `i` of a head, or of its result. */
static size_t row_start(const attention_sizes *sizes, const size_t at[3], size_t size)
{
    size_t heads = (size_t)sizes->q_heads, length = (size_t)sizes->q_length;
    return sizes->packed ? ((at[0] * length + at[2]) * heads + at[1]) * size
                         : ((at[0] * heads + at[1]) * length + at[2]) * size;
}

/* The mask's part of the bias, in the type of the queries, as it is added there. */
static void mask_load(const vt_op_args *args, attention_work *work, size_t row)
{
    const vt_tensor *mask = &args->inputs[IN_MASK];
    size_t total = (size_t)work->sizes.total, stored = work->mask_row, start;
    vt_broadcast_indices(&work->mask_map, row, 1, &start);
    vt_load_f64(mask->dtype, mask->data, start * stored, stored, work->bias);
    if (mask->dtype == VT_BOOL) {
        for (size_t j = 0; j < stored; j++)
            work->bias[j] = work->bias[j] != 0.0 ? 0.0 : -INFINITY;
    } else if (mask->dtype != args->inputs[IN_Q].dtype) {
        vt_store_f64(args->inputs[IN_Q].dtype, work->rounded, 0, stored, work->bias);
        vt_load_f64(args->inputs[IN_Q].dtype, work->rounded, 0, stored, work->bias);
    }
    bool repeated = stored == 1 && args->node->opset < 24;
    for (size_t j = stored; j < total; j++)
        work->bias[j] = repeated ? work->bias[0] : -INFINITY;
}

/* Fills work->bias for one row of scores; false when nothing may be attended to. */
static bool bias_fill(const vt_op_args *args, attention_work *work, size_t row, int64_t query)
{
    int64_t total = work->sizes.total, end = work->valid;
    if (vt_op_input(args, IN_MASK) != NULL)
        mask_load(args, work, row);
    else
        for (int64_t j = 0; j < total; j++)
            work->bias[j] = 0.0;
    int64_t begin = 0, place = query + work->offset;
    if (work->causal && place + 1 < end)
        end = place + 1;
    if (work->right >= 0 && place + work->right + 1 < end)
        end = place + work->right + 1;
    if (work->left >= 0 && place - work->left > 0)
        begin = place - work->left;
    for (int64_t j = 0; j < begin && j < total; j++)
        work->bias[j] = -INFINITY;
    for (int64_t j = end < 0 ? 0 : end; j < total; j++)
        work->bias[j] = -INFINITY;
    for (int64_t j = 0; j < total; j++)
        if (work->bias[j] != -INFINITY)
            return true;
    return false;
}

static void softmax_row(double *row, size_t count)
{
    double maximum = -INFINITY, sum = 0.0;
    for (size_t j = 0; j < count; j++)
        maximum = row[j] > maximum ? row[j] : maximum;
    for (size_t j = 0; j < count; j++)
        sum += row[j] = exp(row[j] - maximum);
    for (size_t j = 0; j < count; j++)
        row[j] /= sum;
}

/* One row of scores, from the products to the probabilities; hands out the asked for state. */
static void scores_row(vt_op_args *args, attention_work *work, size_t row, int64_t query)
{
    size_t total = (size_t)work->sizes.total, head = (size_t)work->sizes.head;
    double *scores = work->scores;
    for (size_t j = 0; j < total; j++) {
        double sum = 0.0;
        for (size_t k = 0; k < head; k++)
            sum += work->query[k] * work->keys[j * head + k];
        scores[j] = sum * work->scale;
    }
    if (work->mode == SCORES_PRODUCT)
        cache_store(args, OUT_SCORES, row, total, scores);
    for (size_t j = 0; j < total && work->softcap > 0.0; j++)
        scores[j] = work->softcap * tanh(scores[j] / work->softcap);
    if (work->mode == SCORES_CAPPED)
        cache_store(args, OUT_SCORES, row, total, scores);
    bool any = bias_fill(args, work, row, query);
    for (size_t j = 0; j < total; j++)
        scores[j] += work->bias[j];
    if (work->mode == SCORES_BIASED)
        cache_store(args, OUT_SCORES, row, total, scores);
    if (any)
        softmax_row(scores, total);
    for (size_t j = 0; j < total && !any; j++)
        scores[j] = 0.0;
    if (work->mode == SCORES_SOFTMAX)
        cache_store(args, OUT_SCORES, row, total, scores);
}

/* All queries of one head against the keys and values that are loaded. */
static void head_run(vt_op_args *args, attention_work *work, size_t batch, size_t q_head)
{
    const attention_sizes *sizes = &work->sizes;
    const vt_tensor *q = &args->inputs[IN_Q];
    size_t total = (size_t)sizes->total, head = (size_t)sizes->head, size = (size_t)sizes->v_head;
    for (size_t i = 0; i < (size_t)sizes->q_length; i++) {
        const size_t at[3] = {batch, q_head, i};
        size_t row = (batch * (size_t)sizes->q_heads + q_head) * (size_t)sizes->q_length + i;
        vt_load_f64(q->dtype, q->data, row_start(sizes, at, head), head, work->query);
        scores_row(args, work, row, (int64_t)i);
        if (!vt_op_wants(args, OUT_Y))
            continue;
        for (size_t k = 0; k < size; k++)
            work->out[k] = 0.0;
        for (size_t j = 0; j < total; j++)
            for (size_t k = 0; k < size; k++)
                work->out[k] += work->scores[j] * work->values[j * size + k];
        vt_store_f64(args->outputs[OUT_Y].dtype, args->outputs[OUT_Y].data,
                     row_start(sizes, at, size), size, work->out);
    }
}

/* Which keys the queries of a sequence see. */
static vt_status sequence_start(const vt_op_args *args, attention_work *work, size_t batch,
                                vt_error *error)
{
    const attention_sizes *sizes = &work->sizes;
    const vt_tensor *valid = vt_op_input(args, IN_VALID);
    work->valid = sizes->total;
    if (valid != NULL)
        vt_load_i64(valid->dtype, valid->data, batch, 1, &work->valid);
    if (work->valid < 0 || work->valid > sizes->total)
        return vt_fail(error, VT_ERR_FORMAT, "nonpad_kv_seqlen[%zu] is %lld of %lld keys", batch,
                       (long long)work->valid, (long long)sizes->total);
    work->offset = valid != NULL ? work->valid - sizes->q_length : sizes->past;
    return VT_OK;
}

static vt_status attention_run(vt_op_args *args, attention_work *work, vt_error *error)
{
    const attention_sizes *sizes = &work->sizes;
    size_t heads = (size_t)sizes->kv_heads, shared = (size_t)sizes->q_heads / heads;
    vt_status status = VT_OK;
    for (size_t b = 0; b < (size_t)sizes->batch && status == VT_OK; b++) {
        status = sequence_start(args, work, b, error);
        for (size_t h = 0; h < heads && status == VT_OK; h++) {
            const size_t at[2] = {b, h};
            head_load(args, sizes, IN_K, at, work->keys);
            head_load(args, sizes, IN_V, at, work->values);
            cache_store(args, OUT_KEY, b * heads + h, (size_t)(sizes->total * sizes->head),
                        work->keys);
            cache_store(args, OUT_VALUE, b * heads + h, (size_t)(sizes->total * sizes->v_head),
                        work->values);
            for (size_t q = 0; q < shared; q++)
                head_run(args, work, b, h * shared + q);
        }
    }
    return status;
}

/* Takes what it needs of attributes and mask; the caller frees the rows, also on failure. */
static vt_status work_init(const vt_op_args *args, attention_work *work, vt_error *error)
{
    const attention_sizes *sizes = &work->sizes;
    size_t total = (size_t)sizes->total, head = (size_t)sizes->head, size = (size_t)sizes->v_head;
    const vt_tensor *mask = vt_op_input(args, IN_MASK);
    if (mask != NULL) {
        vt_shape rows = mask->shape, all = sizes->scores;
        work->mask_row = (size_t)rows.dims[--rows.rank];
        all.rank--;
        vt_broadcast_init(&work->mask_map, &rows, &all);
    }
    bool scaled = vt_node_attr(args->node, "scale") != NULL;
    work->scale =
        scaled ? (double)vt_node_float(args->node, "scale", 1.0f) : 1.0 / sqrt((double)sizes->head);
    work->softcap = (double)vt_node_float(args->node, "softcap", 0.0f);
    work->causal = vt_node_int(args->node, "is_causal", 0) != 0;
    work->left = vt_node_int(args->node, "left_window_size", -1);
    work->right = vt_node_int(args->node, "right_window_size", -1);
    work->mode = vt_node_int(args->node, "qk_matmul_output_mode", SCORES_PRODUCT);
    work->keys = vt_alloc_array(total * head, sizeof(double));
    work->values = vt_alloc_array(total * size, sizeof(double));
    work->query = vt_alloc_array(head, sizeof(double));
    work->out = vt_alloc_array(size, sizeof(double));
    work->scores = vt_alloc_array(total, sizeof(double));
    work->bias = vt_alloc_array(total, sizeof(double));
    work->rounded = vt_alloc_array(total, sizeof(double));
    if (work->keys == NULL || work->values == NULL || work->query == NULL || work->out == NULL ||
        work->scores == NULL || work->bias == NULL || work->rounded == NULL)
        return vt_fail_memory(error, "keys and values of a head");
    return VT_OK;
}

static vt_status attention_reference(vt_op_args *args, vt_error *error)
{
    attention_work work = {0};
    vt_status status = attention_resolve(args, &work.sizes, error);
    if (status == VT_OK)
        status = work_init(args, &work, error);
    if (status == VT_OK)
        status = attention_run(args, &work, error);
    vt_free(work.keys);
    vt_free(work.values);
    vt_free(work.query);
    vt_free(work.out);
    vt_free(work.scores);
    vt_free(work.bias);
    vt_free(work.rounded);
    return status;
}

static uint64_t attention_macs(const vt_op_args *args)
{
    attention_sizes sizes;
    uint64_t macs = 0;
    size_t count;
    if (attention_resolve(args, &sizes, NULL) != VT_OK)
        return 0;
    if (!vt_shape_count(&sizes.scores, &count) ||
        __builtin_mul_overflow((uint64_t)count, (uint64_t)(sizes.head + sizes.v_head), &macs))
        return UINT64_MAX;
    return macs;
}

#define ATTENTION                                                                                  \
    "is_causal:i kv_num_heads:i q_num_heads:i qk_matmul_output_mode:i scale:f softcap:f "          \
    "softmax_precision:i"

const vt_op vt_ops_attention[] = {
    {"Attention", "", 23, 23, 3, 6, 1, 4, ATTENTION, .infer = attention_infer,
     .reference = attention_reference, .macs = attention_macs},
    {"Attention", "", 24, 24, 3, 7, 1, 4, ATTENTION, .infer = attention_infer,
     .reference = attention_reference, .macs = attention_macs},
    {"Attention", "", 25, 0, 3, 7, 1, 4, ATTENTION " left_window_size:i right_window_size:i",
     .infer = attention_infer, .reference = attention_reference, .macs = attention_macs},
    {0},
};
