/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RotaryEmbedding: pairs of numbers of each head turned by an angle that grows with the position.
 *
 * The first rotary_embedding_dim numbers of a head (all unless told otherwise) are pairs, either
 * neighbours (interleaved) or a number of the first half with its fellow of the second half; the
 * rest passes through. Cosines and sines come as tables, by position id or, without ids, one row
 * per token.
 *
 * Su et al., RoFormer, 2021.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

enum { IN_X, IN_COS, IN_SIN, IN_IDS };

typedef struct rotary_sizes {
    bool packed; /* (batch, length, heads * head) rather than (batch, heads, length, head) */
    int64_t batch, heads, length, head, turned;
} rotary_sizes;

static vt_status heads_resolve(const vt_op_args *args, rotary_sizes *sizes, vt_error *error)
{
    const vt_shape *x = &args->inputs[IN_X].shape;
    vt_status status = vt_op_check_rank(args, IN_X, 3, 4, error);
    if (status == VT_OK)
        status = vt_op_int_between(args, "num_heads", 0, (const int64_t[]){0, INT32_MAX},
                                   &sizes->heads, error);
    if (status != VT_OK)
        return status;
    sizes->packed = x->rank == 3;
    sizes->batch = x->dims[0];
    sizes->length = x->dims[sizes->packed ? 1 : 2];
    if (sizes->packed && (sizes->heads == 0 || x->dims[2] % sizes->heads != 0))
        return vt_fail(error, VT_ERR_FORMAT, "input of width %lld does not divide into %lld heads",
                       (long long)x->dims[2], (long long)sizes->heads);
    if (!sizes->packed && sizes->heads != 0 && sizes->heads != x->dims[1])
        return vt_fail(error, VT_ERR_FORMAT, "input has %lld heads, the attribute says %lld",
                       (long long)x->dims[1], (long long)sizes->heads);
    sizes->heads = sizes->packed ? sizes->heads : x->dims[1];
    sizes->head = sizes->packed ? x->dims[2] / sizes->heads : x->dims[3];
    return VT_OK;
}

static vt_status rotary_resolve(const vt_op_args *args, rotary_sizes *sizes, vt_error *error)
{
    const vt_shape *cosines = &args->inputs[IN_COS].shape;
    const vt_tensor *ids = vt_op_input(args, IN_IDS);
    vt_status status = heads_resolve(args, sizes, error);
    if (status == VT_OK)
        status = vt_op_int_between(args, "rotary_embedding_dim", 0, (const int64_t[]){0, INT32_MAX},
                                   &sizes->turned, error);
    if (status != VT_OK)
        return status;
    sizes->turned = sizes->turned == 0 ? sizes->head : sizes->turned;
    if (sizes->turned > sizes->head || sizes->turned % 2 != 0)
        return vt_fail(error, VT_ERR_FORMAT, "%lld numbers of heads of %lld cannot be turned",
                       (long long)sizes->turned, (long long)sizes->head);
    vt_shape by_id = vt_shape_of(
        2, (const int64_t[]){cosines->rank > 0 ? cosines->dims[0] : 0, sizes->turned / 2});
    vt_shape by_token =
        vt_shape_of(3, (const int64_t[]){sizes->batch, sizes->length, sizes->turned / 2});
    vt_shape tokens = vt_shape_of(2, (const int64_t[]){sizes->batch, sizes->length});
    const vt_shape *want = ids == NULL ? &by_token : &by_id;
    if (!vt_shape_equal(cosines, want) || !vt_shape_equal(&args->inputs[IN_SIN].shape, want))
        return vt_fail(error, VT_ERR_FORMAT, "cosines or sines do not fit the heads");
    if (ids != NULL && !vt_shape_equal(&ids->shape, &tokens))
        return vt_fail(error, VT_ERR_FORMAT, "position_ids are not one per token");
    return VT_OK;
}

static vt_status rotary_infer(vt_op_args *args, vt_error *error)
{
    rotary_sizes sizes;
    vt_status status = VT_OK;
    for (size_t i = IN_X; i <= IN_SIN && status == VT_OK; i++)
        status = vt_op_check_type(args, i, VT_TYPES_FLOAT, error);
    if (status == VT_OK)
        status = vt_op_check_type(args, IN_IDS, VT_TYPE(VT_I64), error);
    if (status == VT_OK)
        status = rotary_resolve(args, &sizes, error);
    if (status == VT_OK)
        vt_op_set_output(args, 0, args->inputs[IN_X].dtype, &args->inputs[IN_X].shape);
    return status;
}

/* table: cosines, then sines, of `turned` / 2 angles. */
static void head_turn(double *head, const double *table, size_t turned, bool interleaved)
{
    size_t half = turned / 2;
    for (size_t i = 0; i < half; i++) {
        double *a = interleaved ? &head[2 * i] : &head[i];
        double *b = interleaved ? a + 1 : a + half;
        double x = *a, y = *b, cosine = table[i], sine = table[half + i];
        *a = x * cosine - y * sine;
        *b = x * sine + y * cosine;
    }
}

/* Row of the tables for a token. */
static vt_status token_row(const vt_op_args *args, size_t token, int64_t *row, vt_error *error)
{
    const vt_tensor *ids = vt_op_input(args, IN_IDS);
    int64_t rows = args->inputs[IN_COS].shape.dims[0];
    *row = (int64_t)token;
    if (ids == NULL)
        return VT_OK;
    vt_load_i64(ids->dtype, ids->data, token, 1, row);
    if (*row < 0 || *row >= rows)
        return vt_fail(error, VT_ERR_FORMAT, "position id %lld is outside a table of %lld rows",
                       (long long)*row, (long long)rows);
    return VT_OK;
}

/* work: room for a head and the two rows of the tables. */
static vt_status token_turn(vt_op_args *args, const rotary_sizes *sizes, size_t token, double *work,
                            vt_error *error)
{
    const vt_tensor *x = &args->inputs[IN_X];
    size_t size = (size_t)sizes->head, half = (size_t)sizes->turned / 2;
    size_t heads = (size_t)sizes->heads, length = (size_t)sizes->length;
    double *table = work + size;
    int64_t row;
    vt_status status = token_row(args, token, &row, error);
    if (status != VT_OK)
        return status;
    for (size_t i = 0; i < 2; i++)
        vt_load_f64(args->inputs[IN_COS + i].dtype, args->inputs[IN_COS + i].data,
                    (size_t)row * half, half, table + i * half);
    for (size_t h = 0; h < heads; h++) {
        size_t at = sizes->packed ? token * heads + h
                                  : (token / length * heads + h) * length + token % length;
        vt_load_f64(x->dtype, x->data, at * size, size, work);
        head_turn(work, table, 2 * half, vt_node_int(args->node, "interleaved", 0) != 0);
        vt_store_f64(x->dtype, args->outputs[0].data, at * size, size, work);
    }
    return VT_OK;
}

static vt_status rotary_reference(vt_op_args *args, vt_error *error)
{
    rotary_sizes sizes = {0};
    vt_status status = rotary_resolve(args, &sizes, error);
    if (status != VT_OK)
        return status;
    double *work = vt_alloc_array((size_t)(sizes.head + sizes.turned), sizeof(*work));
    if (work == NULL)
        return vt_fail_memory(error, "a head");
    for (size_t token = 0; token < (size_t)(sizes.batch * sizes.length) && status == VT_OK; token++)
        status = token_turn(args, &sizes, token, work, error);
    vt_free(work);
    return status;
}

const vt_op vt_ops_rotary[] = {
    {"RotaryEmbedding", "", 23, 0, 3, 4, 1, 1, "interleaved:i num_heads:i rotary_embedding_dim:i",
     .infer = rotary_infer, .reference = rotary_reference},
    {0},
};
