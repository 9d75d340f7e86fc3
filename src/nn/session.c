/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions: chosen outputs, and one planned runner per set of input shapes.
 *
 * Inputs whose values decide shapes (the second input of Reshape, say, found by walking back from
 * the operators' shape_inputs) are bound: their values are part of the key and constants of the
 * plan. The cache keeps the PLAN_MAXIMUM most recently used plans.
 */
#include "base/clock.h"
#include "nn/batch.h"
#include "nn/onnx_file.h"

#include <string.h>

enum { PLAN_MAXIMUM = 8, SPLIT_MAXIMUM = 4 };
static const size_t bound_maximum_bytes = (size_t)64 << 10; /* of one bound input */

typedef struct planned {
    vt_tensor *inputs; /* (input count): type and shape; with data (owned) where bound */
    vt_shape *outputs; /* (output count) */
    vt_runner *runner;
    bool rows_apart; /* only known where batches may be split */
    vt_hash rows_hash;
} planned;

/* How a batch of these inputs is run. */
typedef struct split {
    vt_shape *inputs;  /* (input count) */
    vt_hash rows_hash; /* of the whole batch's plan */
    vt_batch_split state;
} split;

struct vt_session {
    const vt_graph *graph;
    vt_executor executor;
    vt_precision precision;
    int threads;
    bool split_batches, winograd;
    vt_value_id *outputs;
    size_t output_count;
    bool *bound;                  /* by input */
    planned *plans[PLAN_MAXIMUM]; /* most recently used first */
    size_t plan_count;
    vt_tensor *inputs;    /* (input count) of the current run */
    vt_tensor *converted; /* (input count): memory of inputs that came in another type */
    vt_tensor *copies;    /* (output count): outputs that would have been the caller's inputs */
    split *splits[SPLIT_MAXIMUM]; /* most recently made first */
    vt_tensor *gathered;          /* (output count): outputs of parts of a batch side by side */
    vt_tensor *whole;             /* (input count): of a run in parts */
};

vt_session_options vt_session_options_defaults(void)
{
    return (vt_session_options){.executor = VT_EXECUTOR_ONEDNN};
}

/* ---- plans ---- */

static void planned_free(planned *entry, size_t input_count)
{
    if (entry == NULL)
        return;
    if (entry->runner != NULL)
        entry->runner->free(entry->runner);
    for (size_t i = 0; i < input_count && entry->inputs != NULL; i++)
        vt_tensor_deinit(&entry->inputs[i]);
    vt_free(entry->inputs);
    vt_free(entry->outputs);
    vt_free(entry);
}

static vt_status runner_new(const vt_session *session, vt_plan *plan, vt_runner **out,
                            vt_error *error)
{
    if (session->executor == VT_EXECUTOR_REFERENCE)
        return vt_reference_runner_new(plan, out, error);
    plan->winograd = session->winograd;
    vt_status status = vt_plan_optimize(plan, session->precision, error);
    if (status == VT_OK)
        status = vt_memory_plan(plan, error);
    if (status != VT_OK) {
        vt_plan_free(plan);
        return status;
    }
    return vt_onednn_runner_new(plan, session->threads, out, error);
}

/* The key of this run: types and shapes, and copies of bound values. */
static vt_status planned_key(const vt_session *session, planned *entry, vt_error *error)
{
    vt_status status = VT_OK;
    for (size_t i = 0; i < session->graph->input_count && status == VT_OK; i++) {
        const vt_tensor *input = &session->inputs[i];
        if (session->bound[i] && input->data != NULL && input->bytes <= bound_maximum_bytes)
            status = vt_tensor_dup(input, &entry->inputs[i], error);
        else
            entry->inputs[i] =
                (vt_tensor){.dtype = input->dtype, .shape = input->shape, .bytes = input->bytes};
    }
    return status;
}

/* Rows of the first input; 0: it has no first axis. */
static int64_t batch_rows(const vt_tensor *inputs, size_t input_count)
{
    return input_count > 0 && inputs[0].shape.rank > 0 ? inputs[0].shape.dims[0] : 0;
}

/* Frees the plan when it fails. */
static vt_status rows_apart(const vt_session *session, vt_plan *plan, planned *entry,
                            vt_error *error)
{
    int64_t rows = batch_rows(session->inputs, session->graph->input_count);
    vt_status status = vt_plan_rows_apart(plan, rows, &entry->rows_apart, error);
    if (status == VT_OK && entry->rows_apart)
        entry->rows_hash = vt_plan_rows_hash(plan);
    if (status != VT_OK)
        vt_plan_free(plan);
    return status;
}

static vt_status planned_new(const vt_session *session, planned **out, vt_error *error)
{
    vt_plan *plan = NULL;
    planned *entry = vt_calloc(1, sizeof(*entry));
    if (entry == NULL)
        return vt_fail_memory(error, "a plan");
    entry->inputs = vt_calloc(session->graph->input_count, sizeof(*entry->inputs));
    entry->outputs = vt_calloc(session->output_count, sizeof(*entry->outputs));
    vt_status status = VT_OK;
    if (entry->inputs == NULL || entry->outputs == NULL)
        status = vt_fail_memory(error, "a plan");
    if (status == VT_OK)
        status = planned_key(session, entry, error);
    if (status == VT_OK)
        status = vt_plan_new_bound(session->graph, entry->inputs, session->outputs,
                                   session->output_count, &plan, error);
    for (size_t i = 0; i < session->output_count && status == VT_OK; i++)
        entry->outputs[i] = plan->values[session->outputs[i]].tensor.shape;
    if (status == VT_OK && session->split_batches)
        status = rows_apart(session, plan, entry, error);
    if (status == VT_OK)
        status = runner_new(session, plan, &entry->runner, error);
    if (status != VT_OK)
        planned_free(entry, session->graph->input_count);
    else
        *out = entry;
    return status;
}

static bool planned_fits(const vt_session *session, const planned *entry)
{
    for (size_t i = 0; i < session->graph->input_count; i++) {
        const vt_tensor *have = &entry->inputs[i], *want = &session->inputs[i];
        if (!vt_shape_equal(&have->shape, &want->shape))
            return false;
        if (have->data != NULL &&
            (want->data == NULL || memcmp(have->data, want->data, have->bytes) != 0))
            return false;
    }
    return true;
}

/* The plan for session->inputs, if there is one, moved to the front. */
static planned *planned_find(vt_session *session)
{
    for (size_t i = 0; i < session->plan_count; i++) {
        planned *entry = session->plans[i];
        if (!planned_fits(session, entry))
            continue;
        memmove(session->plans + 1, session->plans, i * sizeof(*session->plans));
        session->plans[0] = entry;
        return entry;
    }
    return NULL;
}

static vt_status planned_get(vt_session *session, planned **out, vt_error *error)
{
    planned *entry = planned_find(session);
    if (entry == NULL) {
        /* The oldest makes room first: two plans more than the maximum never coexist. */
        if (session->plan_count == PLAN_MAXIMUM)
            planned_free(session->plans[--session->plan_count], session->graph->input_count);
        vt_status status = planned_new(session, &entry, error);
        if (status != VT_OK)
            return status;
        memmove(session->plans + 1, session->plans, session->plan_count * sizeof(*session->plans));
        session->plans[0] = entry;
        session->plan_count++;
    }
    *out = entry;
    return VT_OK;
}

/* Frees the plans of all sizes but that of `inputs`. */
static void planned_keep_only(vt_session *session)
{
    size_t kept = 0;
    for (size_t i = 0; i < session->plan_count; i++) {
        if (planned_fits(session, session->plans[i]))
            session->plans[kept++] = session->plans[i];
        else
            planned_free(session->plans[i], session->graph->input_count);
    }
    session->plan_count = kept;
}

/* ---- batches in parts ---- */

static void split_free(split *entry)
{
    if (entry == NULL)
        return;
    vt_free(entry->inputs);
    vt_free(entry);
}

static split *split_find(const vt_session *session)
{
    for (size_t k = 0; k < SPLIT_MAXIMUM && session->splits[k] != NULL; k++) {
        bool same = true;
        for (size_t i = 0; i < session->graph->input_count && same; i++)
            same = vt_shape_equal(&session->splits[k]->inputs[i], &session->inputs[i].shape);
        if (same)
            return session->splits[k];
    }
    return NULL;
}

static vt_status split_new(vt_session *session, const planned *whole, vt_error *error)
{
    size_t count = session->graph->input_count;
    split *entry = vt_calloc(1, sizeof(*entry));
    if (entry != NULL)
        entry->inputs = vt_calloc(count, sizeof(*entry->inputs));
    if (entry == NULL || entry->inputs == NULL) {
        vt_free(entry);
        return vt_fail_memory(error, "the parts of a batch");
    }
    for (size_t i = 0; i < count; i++)
        entry->inputs[i] = session->inputs[i].shape;
    entry->rows_hash = whole->rows_hash;
    vt_batch_split_start(&entry->state, batch_rows(session->inputs, count));
    split_free(session->splits[SPLIT_MAXIMUM - 1]);
    memmove(session->splits + 1, session->splits, (SPLIT_MAXIMUM - 1) * sizeof(*session->splits));
    session->splits[0] = entry;
    return VT_OK;
}

/* ---- a session's life ---- */

/* Inputs that values of shape_inputs are computed from, walking backwards. */
static vt_status find_bound(vt_session *session, vt_error *error)
{
    const vt_graph *graph = session->graph;
    bool *decides = vt_calloc(graph->value_count, sizeof(*decides));
    if (decides == NULL)
        return vt_fail_memory(error, "a session");
    for (size_t n = graph->node_count; n-- > 0;) {
        const vt_node *node = &graph->nodes[n];
        bool all = false;
        for (size_t i = 0; i < node->output_count; i++)
            all = all || (node->outputs[i] != VT_NO_VALUE && decides[node->outputs[i]]);
        all = all && (node->op->flags & VT_OP_SHAPE_ONLY) == 0;
        for (size_t i = 0; i < node->input_count; i++)
            if (node->inputs[i] != VT_NO_VALUE &&
                (all || (i < 32 && (node->op->shape_inputs >> i & 1) != 0)))
                decides[node->inputs[i]] = true;
    }
    for (size_t i = 0; i < graph->input_count; i++)
        session->bound[i] = decides[graph->inputs[i]];
    vt_free(decides);
    return VT_OK;
}

static vt_status find_outputs(vt_session *session, const vt_session_options *options,
                              vt_error *error)
{
    const vt_graph *graph = session->graph;
    for (size_t i = 0; i < session->output_count; i++) {
        const char *name = options->outputs == NULL ? NULL : options->outputs[i];
        session->outputs[i] = name == NULL ? graph->outputs[i] : vt_graph_find_value(graph, name);
        if (session->outputs[i] == VT_NO_VALUE)
            return vt_fail(error, VT_ERR_NOT_FOUND, "open a session: the model has no value \"%s\"",
                           name == NULL ? "" : name);
    }
    return VT_OK;
}

vt_status vt_session_new(const vt_model *model, const vt_session_options *options, vt_session **out,
                         vt_error *error)
{
    const vt_graph *graph = &model->graph;
    vt_session_options defaults = vt_session_options_defaults();
    options = options == NULL ? &defaults : options;
    vt_session *session = vt_calloc(1, sizeof(*session));
    if (session == NULL)
        return vt_fail_memory(error, "a session");
    session->graph = graph;
    session->executor = options->executor;
    session->precision = options->precision;
    session->split_batches = options->split_batches;
    session->winograd = options->winograd;
    session->threads = options->threads;
    session->output_count = options->outputs == NULL ? graph->output_count : options->output_count;
    session->outputs = vt_calloc(session->output_count, sizeof(*session->outputs));
    session->copies = vt_calloc(session->output_count, sizeof(*session->copies));
    session->gathered = vt_calloc(session->output_count, sizeof(*session->gathered));
    session->bound = vt_calloc(graph->input_count, sizeof(*session->bound));
    session->inputs = vt_calloc(graph->input_count, sizeof(*session->inputs));
    session->whole = vt_calloc(graph->input_count, sizeof(*session->whole));
    session->converted = vt_calloc(graph->input_count, sizeof(*session->converted));
    vt_status status = VT_OK;
    if (session->outputs == NULL || session->copies == NULL || session->gathered == NULL ||
        session->bound == NULL || session->inputs == NULL || session->whole == NULL ||
        session->converted == NULL)
        status = vt_fail_memory(error, "a session");
    if (status == VT_OK && session->output_count == 0)
        status = vt_fail(error, VT_ERR_USAGE, "open a session: no output is chosen");
    if (status == VT_OK)
        status = find_outputs(session, options, error);
    if (status == VT_OK)
        status = find_bound(session, error);
    if (status != VT_OK)
        vt_session_free(session);
    else
        *out = session;
    return status;
}

void vt_session_free(vt_session *session)
{
    if (session == NULL)
        return;
    for (size_t i = 0; i < session->plan_count; i++)
        planned_free(session->plans[i], session->graph->input_count);
    for (size_t i = 0; i < session->graph->input_count && session->converted != NULL; i++)
        vt_tensor_deinit(&session->converted[i]);
    for (size_t i = 0; i < session->output_count && session->copies != NULL; i++)
        vt_tensor_deinit(&session->copies[i]);
    for (size_t i = 0; i < session->output_count && session->gathered != NULL; i++)
        vt_tensor_deinit(&session->gathered[i]);
    for (size_t i = 0; i < SPLIT_MAXIMUM; i++)
        split_free(session->splits[i]);
    vt_free(session->gathered);
    vt_free(session->whole);
    vt_free(session->outputs);
    vt_free(session->copies);
    vt_free(session->bound);
    vt_free(session->inputs);
    vt_free(session->converted);
    vt_free(session);
}

size_t vt_session_output_count(const vt_session *session)
{
    return session->output_count;
}

/* ---- running ---- */

static vt_status input_check(const vt_value *value, const vt_shape *shape, vt_error *error)
{
    char have[128], want[128];
    bool fits =
        vt_shape_known(shape) && (value->shape.rank < 0 || value->shape.rank == shape->rank);
    for (int i = 0; i < shape->rank && fits && value->shape.rank >= 0; i++)
        fits = value->shape.dims[i] < 0 || value->shape.dims[i] == shape->dims[i];
    if (fits)
        return VT_OK;
    vt_shape_print(shape, have, sizeof(have));
    vt_shape_print(&value->shape, want, sizeof(want));
    return vt_fail(error, VT_ERR_USAGE,
                   "run the network: input \"%.100s\" is %s, the model takes %s", value->name, have,
                   want);
}

/* f32 is taken for any other floating type that the model declares. */
static vt_status input_bind(vt_session *session, size_t index, const vt_tensor *input,
                            vt_error *error)
{
    const vt_value *value = &session->graph->values[session->graph->inputs[index]];
    vt_tensor *converted = &session->converted[index];
    vt_status status = input_check(value, &input->shape, error);
    if (status != VT_OK)
        return status;
    size_t count, bytes;
    if (!vt_shape_count(&input->shape, &count) ||
        !vt_size_mul(count, vt_dtype_bytes(input->dtype), &bytes) ||
        (input->data == NULL && count > 0))
        return vt_fail(error, VT_ERR_USAGE, "run the network: input \"%.100s\" has no data",
                       value->name);
    vt_tensor_deinit(converted);
    session->inputs[index] = *input;
    session->inputs[index].bytes = bytes;
    session->inputs[index].owned = false;
    if (input->dtype == value->dtype)
        return VT_OK;
    if (input->dtype != VT_F32 || !vt_dtype_is_float(value->dtype))
        return vt_fail(error, VT_ERR_USAGE,
                       "run the network: input \"%.100s\" is of type %s, the model takes %s",
                       value->name, vt_dtype_name(input->dtype), vt_dtype_name(value->dtype));
    status = vt_tensor_cast(input, value->dtype, converted, error);
    if (status == VT_OK) {
        session->inputs[index] = *converted;
        session->inputs[index].owned = false;
    }
    return status;
}

/* An output that is an input handed straight through must not be the caller's memory. */
static vt_status outputs_detach(vt_session *session, vt_tensor *outputs, vt_error *error)
{
    for (size_t i = 0; i < session->output_count; i++) {
        bool shared = false;
        for (size_t k = 0; k < session->graph->input_count; k++)
            shared =
                shared || (outputs[i].data != NULL && outputs[i].data == session->inputs[k].data);
        if (!shared)
            continue;
        vt_tensor_deinit(&session->copies[i]);
        vt_status status = vt_tensor_dup(&outputs[i], &session->copies[i], error);
        if (status != VT_OK)
            return status;
        outputs[i] = session->copies[i];
        outputs[i].owned = false;
    }
    return VT_OK;
}

static vt_status input_count_check(const vt_session *session, size_t count, vt_error *error)
{
    if (count == session->graph->input_count)
        return VT_OK;
    return vt_fail(error, VT_ERR_USAGE, "run the network: %zu inputs, the model takes %zu", count,
                   session->graph->input_count);
}

static vt_status run_planned(vt_session *session, vt_tensor *outputs, const planned **out,
                             vt_error *error)
{
    planned *entry;
    vt_status status = planned_get(session, &entry, error);
    if (status != VT_OK)
        return status;
    *out = entry;
    return entry->runner->run(entry->runner, session->inputs, outputs, error);
}

/* session->inputs become `rows` rows of the whole ones, from row `first` on. Inputs that decide
 * shapes have none. */
static void take_rows(vt_session *session, int64_t first, int64_t rows)
{
    for (size_t i = 0; i < session->graph->input_count; i++) {
        vt_tensor *input = &session->inputs[i];
        *input = session->whole[i];
        if (session->bound[i])
            continue;
        size_t row = input->bytes / (size_t)input->shape.dims[0];
        input->shape.dims[0] = rows;
        input->bytes = row * (size_t)rows;
        input->data = (char *)input->data + row * (size_t)first;
    }
}

/* Room for all rows where a part of an output, whose first axis is the part's rows, belongs. */
static vt_status gather(vt_session *session, const vt_tensor *part, size_t index, int64_t first,
                        int64_t rows, vt_error *error)
{
    vt_tensor *all = &session->gathered[index];
    vt_shape shape = part->shape;
    int64_t part_rows = shape.dims[0];
    shape.dims[0] = rows;
    if (all->dtype != part->dtype || !vt_shape_equal(&all->shape, &shape)) {
        vt_tensor_deinit(all);
        vt_status status = vt_tensor_init(all, part->dtype, &shape, 0, error);
        if (status != VT_OK)
            return status;
    }
    size_t row = part->bytes / (size_t)part_rows;
    if (part->bytes > 0)
        memcpy((char *)all->data + (size_t)first * row, part->data, part->bytes);
    return VT_OK;
}

/* Whether a part computes what the same rows of the whole batch do. Bound values may be others than
 * those of the run that made the entry. */
static vt_status part_check(const split *entry, const planned *part, vt_error *error)
{
    if (part->rows_apart &&
        memcmp(&part->rows_hash, &entry->rows_hash, sizeof(part->rows_hash)) == 0)
        return VT_OK;
    return vt_fail(error, VT_ERR_UNSUPPORTED,
                   "run a batch in parts: the network depends on its size");
}

static vt_status run_part(vt_session *session, const split *entry, int64_t first, int64_t part,
                          vt_tensor *outputs, vt_error *error)
{
    planned *plan;
    take_rows(session, first, part);
    vt_status status = planned_get(session, &plan, error);
    if (status == VT_OK)
        status = part_check(entry, plan, error);
    if (status == VT_OK)
        status = plan->runner->run(plan->runner, session->inputs, outputs, error);
    for (size_t i = 0; i < session->output_count && status == VT_OK; i++)
        status = gather(session, &outputs[i], i, first, entry->state.rows, error);
    return status;
}

static vt_status run_parts(vt_session *session, const split *entry, int64_t part,
                           vt_tensor *outputs, vt_error *error)
{
    vt_status status = VT_OK;
    int64_t rows = entry->state.rows;
    memcpy(session->whole, session->inputs, session->graph->input_count * sizeof(*session->whole));
    for (int64_t first = 0; first < rows && status == VT_OK; first += part)
        status = run_part(session, entry, first, part, outputs, error);
    take_rows(session, 0, rows);
    for (size_t i = 0; i < session->output_count && status == VT_OK; i++) {
        outputs[i] = session->gathered[i];
        outputs[i].owned = false;
    }
    return status;
}

/* The sizes that were tried and not chosen do not keep their memory. */
static void drop_other_plans(vt_session *session, const split *entry)
{
    memcpy(session->whole, session->inputs, session->graph->input_count * sizeof(*session->whole));
    take_rows(session, 0, entry->state.best);
    planned_keep_only(session);
    take_rows(session, 0, entry->state.rows);
}

static vt_status run_sized(vt_session *session, const split *entry, int64_t part,
                           vt_tensor *outputs, vt_error *error)
{
    const planned *whole;
    return part < entry->state.rows ? run_parts(session, entry, part, outputs, error)
                                    : run_planned(session, outputs, &whole, error);
}

/* A batch whole or in parts, as the runs before have shown. The plans that are dropped at the end
 * are not those that the outputs lie in: they are of the size that was run, or gathered. */
static vt_status run_split(vt_session *session, split *entry, vt_tensor *outputs, vt_error *error)
{
    vt_error refused; /* `error` is for what the caller gets to see */
    bool was_decided = entry->state.decided;
    int64_t part = vt_batch_split_part(&entry->state);
    double start = vt_clock_ms();
    vt_status status = run_sized(session, entry, part, outputs, &refused);
    if (status == VT_OK)
        vt_batch_split_spent(&entry->state, vt_clock_ms() - start);
    while ((status == VT_ERR_UNSUPPORTED || status == VT_ERR_FORMAT) && part < entry->state.rows) {
        vt_batch_split_refuse(&entry->state); /* a batch that is written into the graph */
        part = vt_batch_split_part(&entry->state);
        status = run_sized(session, entry, part, outputs, &refused);
    }
    if (status != VT_OK && error != NULL)
        *error = refused;
    if (entry->state.decided && !was_decided)
        drop_other_plans(session, entry);
    return status;
}

static vt_status run_bound(vt_session *session, vt_tensor *outputs, vt_error *error)
{
    split *entry = session->split_batches ? split_find(session) : NULL;
    const planned *whole;
    if (entry != NULL)
        return run_split(session, entry, outputs, error);
    vt_status status = run_planned(session, outputs, &whole, error);
    bool apart = status == VT_OK && whole->rows_apart &&
                 batch_rows(session->inputs, session->graph->input_count) > 1;
    return apart ? split_new(session, whole, error) : status;
}

vt_status vt_session_run(vt_session *session, const vt_tensor *inputs, size_t input_count,
                         vt_tensor *outputs, vt_error *error)
{
    vt_status status = input_count_check(session, input_count, error);
    for (size_t i = 0; i < input_count && status == VT_OK; i++)
        status = input_bind(session, i, &inputs[i], error);
    if (status == VT_OK)
        status = run_bound(session, outputs, error);
    return status == VT_OK ? outputs_detach(session, outputs, error) : status;
}

/* Inputs of these shapes, without data. */
static vt_status inputs_describe(vt_session *session, const vt_shape *shapes, size_t count,
                                 vt_error *error)
{
    vt_status status = input_count_check(session, count, error);
    for (size_t i = 0; i < count && status == VT_OK; i++) {
        const vt_value *value = &session->graph->values[session->graph->inputs[i]];
        status = input_check(value, &shapes[i], error);
        session->inputs[i] = (vt_tensor){.dtype = value->dtype, .shape = shapes[i]};
    }
    return status;
}

vt_status vt_session_output_shapes(vt_session *session, const vt_shape *input_shapes,
                                   size_t input_count, vt_shape *outputs, vt_error *error)
{
    vt_plan *plan;
    vt_status status = inputs_describe(session, input_shapes, input_count, error);
    if (status != VT_OK)
        return status;
    const planned *entry = planned_find(session);
    if (entry != NULL) {
        memcpy(outputs, entry->outputs, session->output_count * sizeof(*outputs));
        return VT_OK;
    }
    status = vt_plan_new_bound(session->graph, session->inputs, session->outputs,
                               session->output_count, &plan, error);
    for (size_t i = 0; i < session->output_count && status == VT_OK; i++)
        outputs[i] = plan->values[session->outputs[i]].tensor.shape;
    if (status == VT_OK)
        vt_plan_free(plan);
    return status;
}

vt_status vt_session_each_step(vt_session *session, const vt_shape *input_shapes,
                               size_t input_count,
                               void (*visit)(void *context, const vt_step_info *step),
                               void *context, vt_error *error)
{
    planned *entry;
    vt_status status = inputs_describe(session, input_shapes, input_count, error);
    if (status == VT_OK)
        status = planned_get(session, &entry, error);
    return status == VT_OK ? entry->runner->describe(entry->runner, visit, context, error) : status;
}

vt_session_memory vt_session_memory_of(const vt_session *session)
{
    vt_session_memory memory = {0};
    for (size_t i = 0; i < session->plan_count; i++)
        memory.weights_bytes += session->plans[i]->runner->weights_bytes;
    if (session->plan_count > 0) {
        const vt_runner *newest = session->plans[0]->runner;
        memory.activations_bytes = newest->activations_bytes;
        memory.unshared_bytes = newest->unshared_bytes;
        memory.reorders = newest->reorders;
    }
    return memory;
}
