/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One ready-to-run network: pictures as tensors in, pooled and normalised vectors out.
 *
 * The pooled output is the mean over the spatial axes (global average pooling, Lin, Chen and Yan,
 * ICLR 2014), which is what makes a classifier's last feature map an embedding.
 */
#include "encoder/network.h"

#include "base/mem.h"
#include "vector/distance.h"

#include <string.h>

enum { MAXIMUM_OUTPUTS = 1 + VT_MODEL_HEADS_MAX };

struct vt_network {
    const vt_encoder *encoder;
    size_t score_count; /* 0: vectors alone */
    vt_session *session;
    float *input; /* (input_capacity, 3, height, width) */
    int input_capacity;
};

static size_t picture_floats(const vt_encoder *encoder)
{
    return 3 * (size_t)encoder->contract.pixels.width * (size_t)encoder->contract.pixels.height;
}

vt_status vt_network_bind(vt_encoder *encoder, vt_error *error)
{
    if (vt_model_output_count(encoder->model) < 1)
        return vt_fail(error, VT_ERR_UNSUPPORTED, "use \"%s\" as an encoder: it has no output",
                       encoder->name);
    if (vt_model_input_count(encoder->model) != 1)
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "use \"%s\" as an encoder: it has %zu inputs, one picture is needed",
                       encoder->name, vt_model_input_count(encoder->model));
    vt_value_info input = vt_model_input(encoder->model, 0);
    char shape[128];
    vt_shape_print(&input.shape, shape, sizeof(shape));
    if (input.shape.rank != 4 || (input.shape.dims[1] != 3 && input.shape.dims[1] != -1) ||
        (input.dtype != VT_F32 && input.dtype != VT_F16))
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "use \"%s\" as an encoder: its input \"%s\" is %s of %s, not Nx3xHxW of "
                       "f32 or f16",
                       encoder->name, input.name, shape, vt_dtype_name(input.dtype));
    int64_t batch = input.shape.dims[0];
    encoder->maximum_batch = batch < 1 || batch > VT_BATCH_LIMIT ? VT_BATCH_LIMIT : (int)batch;
    if (batch > 1)
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "use \"%s\" as an encoder: its batch is fixed to %lld; 1 or free is needed",
                       encoder->name, (long long)batch);
    int64_t height = input.shape.dims[2], width = input.shape.dims[3];
    if (height > 4096 || width > 4096 || height == 0 || width == 0)
        return vt_fail(error, VT_ERR_LIMIT,
                       "use \"%s\" as an encoder: input %s is beyond 4096x4096", encoder->name,
                       shape);
    if (height > 0)
        encoder->contract.pixels.height = (int)height;
    if (width > 0)
        encoder->contract.pixels.width = (int)width;
    return VT_OK;
}

static vt_shape input_shape(const vt_encoder *encoder, int batch)
{
    return vt_shape_of(
        4, (int64_t[]){batch, 3, encoder->contract.pixels.height, encoder->contract.pixels.width});
}

/* The value that is the embedding. */
static const char *output_name(const vt_encoder *encoder)
{
    const char *chosen = encoder->contract.output;
    return chosen[0] != '\0' ? chosen : vt_model_output(encoder->model, 0).name;
}

/* Appends the value where it is not among them; returns its place. */
static size_t add_output(const char **outputs, size_t *count, const char *name)
{
    size_t at = 0;
    while (at < *count && strcmp(outputs[at], name) != 0)
        at++;
    if (at == *count)
        outputs[(*count)++] = name;
    return at;
}

/* The embedding first, then the scores of each head. outputs: room for MAXIMUM_OUTPUTS; places:
 * (heads) of their scores in them, NULL: nobody asks. */
static size_t list_outputs(const vt_encoder *encoder, bool scores, const char **outputs,
                           size_t *places)
{
    size_t count = 0;
    add_output(outputs, &count, output_name(encoder));
    for (size_t h = 0; scores && h < encoder->heads.count; h++) {
        const char *name = encoder->heads.items[h].output;
        size_t at = name != NULL ? add_output(outputs, &count, name) : 0;
        if (places != NULL)
            places[h] = at;
    }
    return count;
}

static vt_status open_session(const vt_encoder *encoder, const vt_network_options *how,
                              vt_session **out, vt_error *error)
{
    vt_session_options options = vt_session_options_defaults();
    const char *outputs[MAXIMUM_OUTPUTS];
    options.executor = how->executor;
    options.precision = how->precision;
    options.winograd = true; /* a similarity has three digits, and the golden picture checks it */
    options.threads = how->threads;
    options.outputs = outputs;
    options.output_count = list_outputs(encoder, how->scores, outputs, NULL);
    return vt_session_new(encoder->model, &options, out, error);
}

/* What one picture's embedding is made of: `channels` values, each the mean of `area` ones that lie
 * `stride` apart, for outputs (1, C), (1, T, C) and (1, C, H, W). */
typedef struct pooling {
    size_t channels, area, channel_stride, area_stride, picture_stride;
} pooling;

static vt_status pooling_of(const vt_encoder *encoder, const vt_shape *shape, pooling *out,
                            vt_error *error)
{
    const int64_t *d = shape->dims;
    char text[128];
    vt_shape_print(shape, text, sizeof(text));
    size_t count = 0;
    if (shape->rank < 2 || shape->rank > 4 || d[0] < 1 || !vt_shape_count(shape, &count) ||
        count == 0)
        return vt_fail(
            error, VT_ERR_UNSUPPORTED,
            "use output \"%.200s\" of \"%s\" as an embedding: its shape for a picture is %s",
            output_name(encoder), encoder->name, text);
    size_t whole = count / (size_t)d[0];
    if (shape->rank == 3) {
        size_t channels = (size_t)d[2];
        size_t area = encoder->contract.pool ? (size_t)d[1] : 1;
        *out = (pooling){channels, area, 1, channels, whole};
    } else if (shape->rank == 4 && encoder->contract.pool) {
        size_t area = (size_t)d[2] * (size_t)d[3];
        *out = (pooling){(size_t)d[1], area, area, 1, whole};
    } else {
        *out = (pooling){whole, 1, 1, 1, whole};
    }
    return VT_OK;
}

/* Whether the graph takes two pictures at once and gives a vector for each. Many exported networks
 * have a batch of 1 written into a Reshape although their input says that it is free. */
static vt_status takes_batches(const vt_encoder *encoder, vt_session *session, bool *out)
{
    vt_shape in = input_shape(encoder, 2), shape = {0};
    pooling pool = {0};
    vt_status status = vt_session_output_shapes(session, &in, 1, &shape, NULL);
    if (status == VT_OK)
        status = pooling_of(encoder, &shape, &pool, NULL);
    *out = status == VT_OK && shape.dims[0] == 2 && pool.channels == encoder->dim;
    return status == VT_ERR_NO_MEMORY ? status : VT_OK;
}

vt_status vt_network_measure(vt_encoder *encoder, vt_error *error)
{
    vt_session *session = NULL;
    vt_shape in = input_shape(encoder, 1), out = {0};
    pooling pool = {0};
    bool batches = false;
    const vt_network_options how = {VT_EXECUTOR_ONEDNN, VT_PRECISION_F32, 1, false};
    vt_status status = open_session(encoder, &how, &session, error);
    if (status == VT_OK)
        status = vt_session_output_shapes(session, &in, 1, &out, error);
    if (status != VT_OK)
        vt_fail_context(error, status, "use \"%s\" as an encoder", encoder->name);
    if (status == VT_OK)
        status = pooling_of(encoder, &out, &pool, error);
    if (status == VT_OK && out.dims[0] != 1) {
        char text[128];
        vt_shape_print(&out, text, sizeof(text));
        status = vt_fail(error, VT_ERR_UNSUPPORTED,
                         "use output \"%.200s\" of \"%s\" as an embedding: one picture gives %s, "
                         "the first axis must be the picture",
                         output_name(encoder), encoder->name, text);
    }
    if (status == VT_OK) {
        encoder->dim = pool.channels;
        if (encoder->maximum_batch > 1 &&
            (status = takes_batches(encoder, session, &batches)) != VT_OK)
            vt_fail_memory(error, "a network's shapes");
        if (!batches)
            encoder->maximum_batch = 1;
    }
    vt_session_free(session);
    return status;
}

/* Whether the value is (N, names); narrows the batch bound where it takes one picture at a time. */
static vt_status measure_head(vt_encoder *encoder, const char *output, size_t names, bool *holds,
                              vt_error *error)
{
    vt_session *session = NULL;
    vt_session_options options = vt_session_options_defaults();
    options.outputs = &output;
    options.output_count = 1;
    options.threads = 1;
    vt_status status = vt_session_new(encoder->model, &options, &session, error);
    for (int batch = 1; status == VT_OK && batch <= 2 && batch <= encoder->maximum_batch; batch++) {
        vt_shape in = input_shape(encoder, batch), out = {0};
        *holds = vt_session_output_shapes(session, &in, 1, &out, NULL) == VT_OK && out.rank == 2 &&
                 out.dims[0] == batch && (size_t)out.dims[1] == names;
        if (!*holds && batch == 2) { /* takes one picture at a time */
            encoder->maximum_batch = 1;
            *holds = true;
        }
        if (!*holds)
            break;
    }
    vt_session_free(session);
    return status;
}

vt_status vt_network_measure_scores(vt_encoder *encoder, vt_error *error)
{
    vt_status status = vt_model_heads_read(encoder->model, &encoder->heads, error);
    for (size_t h = 0; status == VT_OK && h < encoder->heads.count; h++) {
        vt_model_head *head = &encoder->heads.items[h];
        bool holds = false;
        if (head->output == NULL)
            continue;
        status = measure_head(encoder, head->output, head->label_count, &holds, error);
        if (status == VT_OK && holds)
            encoder->score_count += head->label_count;
        else
            head->output = NULL;
    }
    return status;
}

vt_status vt_network_new(const vt_encoder *encoder, const vt_network_options *options,
                         vt_network **out, vt_error *error)
{
    vt_network *network = vt_calloc(1, sizeof(*network));
    if (network == NULL)
        return vt_fail_memory(error, "a network");
    network->encoder = encoder;
    network->score_count = options->scores ? encoder->score_count : 0;
    vt_status status = open_session(encoder, options, &network->session, error);
    if (status != VT_OK) {
        vt_free(network);
        return status;
    }
    *out = network;
    return VT_OK;
}

void vt_network_free(vt_network *network)
{
    if (network == NULL)
        return;
    vt_session_free(network->session);
    vt_free(network->input);
    vt_free(network);
}

vt_status vt_network_input(vt_network *network, int batch, float **out, vt_error *error)
{
    if (batch > network->input_capacity) {
        size_t floats, bytes;
        if (!vt_size_mul((size_t)batch, picture_floats(network->encoder), &floats) ||
            !vt_size_mul(floats, sizeof(float), &bytes))
            return vt_fail_memory(error, "the network's input");
        float *input = vt_alloc_aligned(64, bytes);
        if (input == NULL)
            return vt_fail_memory(error, "the network's input");
        vt_free(network->input);
        network->input = input;
        network->input_capacity = batch;
    }
    *out = network->input;
    return VT_OK;
}

static void pool_and_normalize(const vt_encoder *encoder, const pooling *pool, const float *data,
                               float *out)
{
    for (size_t c = 0; c < pool->channels; c++) {
        const float *in = data + c * pool->channel_stride;
        double sum = 0.0;
        for (size_t i = 0; i < pool->area; i++)
            sum += (double)in[i * pool->area_stride];
        out[c] = (float)(sum / (double)pool->area);
    }
    bool usable = encoder->contract.normalize ? vt_vector_normalize(out, pool->channels)
                                              : vt_vector_is_finite(out, pool->channels);
    if (!usable)
        memset(out, 0, pool->channels * sizeof(float));
}

/* The f32 numbers of a result: its own, or those of *converted, which is the caller's. */
static vt_status as_floats(const vt_tensor *result, vt_tensor *converted, const vt_tensor **out,
                           vt_error *error)
{
    *out = result;
    if (result->dtype == VT_F32)
        return VT_OK;
    vt_status status = vt_tensor_cast(result, VT_F32, converted, error);
    *out = converted;
    return status;
}

static vt_status changed_shape(const vt_encoder *encoder, vt_error *error)
{
    return vt_fail(error, VT_ERR_MISMATCH,
                   "embed with \"%s\": its output changed shape between runs", encoder->name);
}

static vt_status take_vectors(const vt_network *network, const vt_tensor *result, int batch,
                              float *out, vt_error *error)
{
    const vt_encoder *encoder = network->encoder;
    vt_tensor converted = {0};
    const vt_tensor *values = NULL;
    pooling pool = {0};
    vt_status status = as_floats(result, &converted, &values, error);
    if (status == VT_OK)
        status = pooling_of(encoder, &values->shape, &pool, error);
    if (status == VT_OK && (pool.channels != encoder->dim || values->shape.dims[0] != batch))
        status = changed_shape(encoder, error);
    for (int i = 0; status == VT_OK && i < batch; i++)
        pool_and_normalize(encoder, &pool,
                           (const float *)values->data + (size_t)i * pool.picture_stride,
                           out + (size_t)i * (encoder->dim + network->score_count));
    vt_tensor_deinit(&converted);
    return status;
}

/* One head's scores behind a vector. */
typedef struct score_place {
    size_t before, count; /* of earlier heads; its own */
} score_place;

static vt_status take_scores(const vt_network *network, const vt_tensor *result, int batch,
                             const score_place *place, float *out, vt_error *error)
{
    size_t count = place->count, dim = network->encoder->dim, row = dim + network->score_count;
    vt_tensor converted = {0};
    const vt_tensor *values = NULL;
    vt_status status = as_floats(result, &converted, &values, error);
    if (status == VT_OK && vt_tensor_count(values) != (size_t)batch * count)
        status = changed_shape(network->encoder, error);
    for (size_t i = 0; status == VT_OK && i < (size_t)batch; i++)
        memcpy(out + i * row + dim + place->before, (const float *)values->data + i * count,
               count * sizeof(float));
    vt_tensor_deinit(&converted);
    return status;
}

static vt_status take_all_scores(const vt_network *network, const vt_tensor *results, int batch,
                                 float *out, vt_error *error)
{
    const vt_model_heads *heads = &network->encoder->heads;
    const char *outputs[MAXIMUM_OUTPUTS];
    size_t places[VT_MODEL_HEADS_MAX], before = 0;
    vt_status status = VT_OK;
    list_outputs(network->encoder, true, outputs, places);
    for (size_t h = 0; status == VT_OK && h < heads->count; h++) {
        if (heads->items[h].output == NULL)
            continue;
        const score_place place = {before, heads->items[h].label_count};
        status = take_scores(network, &results[places[h]], batch, &place, out, error);
        before += place.count;
    }
    return status;
}

vt_status vt_network_run(vt_network *network, int batch, float *out, vt_error *error)
{
    const vt_encoder *encoder = network->encoder;
    vt_tensor input = {.dtype = VT_F32,
                       .shape = input_shape(encoder, batch),
                       .data = network->input,
                       .bytes = (size_t)batch * picture_floats(encoder) * sizeof(float)};
    vt_tensor results[MAXIMUM_OUTPUTS] = {{0}};
    vt_status status = vt_session_run(network->session, &input, 1, results, error);
    if (status != VT_OK)
        return vt_fail_context(error, status, "embed with \"%s\"", encoder->name);
    status = take_vectors(network, &results[0], batch, out, error);
    if (status == VT_OK && network->score_count > 0)
        status = take_all_scores(network, results, batch, out, error);
    return status;
}

size_t vt_network_activations_bytes(const vt_network *network)
{
    return vt_session_memory_of(network->session).activations_bytes;
}
