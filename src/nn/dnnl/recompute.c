/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Activation checkpointing: what the forward part of a training made is dropped but for some cut
 * points, and made again where the backward part wants it.
 *
 * Method: the forward actions are cut into segments of about equal bytes of what is read backwards.
 * A buffer that crosses a cut is kept; the others of a segment die in the forward part. When the
 * backward part comes to the first action that reads one of them, the actions of that segment which
 * they hang on run again, into buffers of their own (*twins*). The last segment is never replayed:
 * its buffers are read at once, but for weights in another layout, which are brought into it again
 * wherever they were made. Each replayed action is the same primitive on the same numbers, so
 * the results are those of a run without recomputation bit for bit; and since whole actions are
 * repeated, dropout draws the same mask (it depends on seed, step and number alone) and running
 * statistics, which are computed behind the loss, are brought up to date once.
 *
 * Cuts: a segment ends where its bytes exceed a budget, at the position of its second half that the
 * fewest bytes cross, and never inside a buffer that several actions write. Budgets of the whole
 * divided by 2, 3, 4 ... are tried, each planned in full, and the smallest plan is taken.
 *
 * Source: Chen, Xu, Zhang and Guestrin, "Training Deep Nets with Sublinear Memory Cost" (2016),
 * algorithms 2 and 3. Departures: the budget's search measures real memory plans instead of a
 * formula; cuts are placed by bytes crossing, so that no operator needs to be named as a candidate.
 */
#include "nn/dnnl/recompute.h"

#include "nn/memory_plan.h"

#include <string.h>

enum {
    PARTS_MAXIMUM = 64,
    HELD_SHARE = 1000, /* a buffer below this part of all that is read back is not worth a twin */
};

/* What an action does with the memory of a buffer. */
typedef struct reference {
    size_t buffer; /* which owns its memory */
    bool written;
} reference;

typedef struct life {
    size_t first_write, last_write; /* actions of the forward part; SIZE_MAX: none */
    size_t last_forward;            /* the last one that refers to it there */
    bool read_back;
    bool cheap; /* made by one conversion of what is always there: weights in another layout */
    bool held;  /* never made again: outputs, and what is small */
} life;

/* One action of the new list. */
typedef struct entry {
    size_t action;
    bool again;
} entry;

typedef struct checkpointing {
    vt_dnnl *dnnl;
    size_t forward; /* actions of the forward part */
    reference *references;
    size_t *starts;           /* (action_count + 1): where an action's references begin */
    life *lives;              /* (buffer_count) */
    size_t *crossing, *saved; /* (forward + 1): bytes that cross the position, that are read back
                                 and complete before it */
    size_t *forbidden;        /* (forward + 1): buffers that are half written here: no cut */
    size_t *segments;         /* (forward): of each action */
    size_t last_segment;
    bool *needed;      /* (buffer_count): the twin's contents are */
    bool *again;       /* (forward) */
    bool *done, *made; /* (forward + 1): by segment, by action: replayed already */
    entry *list;       /* (action_count + forward) */
    size_t list_count;
    vt_interval *intervals; /* (2 buffer_count) */
    size_t *twins;          /* (buffer_count): once they exist */
} checkpointing;

/* ---- who refers to what ---- */

static void refer(checkpointing *c, size_t *count, size_t buffer, bool written)
{
    if (buffer == VT_NO_BUFFER)
        return;
    size_t root = (size_t)(vt_dnnl_buffer_root(c->dnnl, buffer) - c->dnnl->buffers);
    c->references[(*count)++] = (reference){root, written};
}

static vt_status references_collect(checkpointing *c, vt_error *error)
{
    const vt_dnnl *dnnl = c->dnnl;
    size_t room = 1, count = 0;
    for (size_t i = 0; i < dnnl->action_count; i++)
        room += (size_t)dnnl->actions[i].arg_count + dnnl->actions[i].tensor_count;
    c->references = vt_alloc_array(room, sizeof(*c->references));
    c->starts = vt_alloc_array(dnnl->action_count + 1, sizeof(*c->starts));
    if (c->references == NULL || c->starts == NULL)
        return vt_fail_memory(error, "recomputation");
    for (size_t i = 0; i < dnnl->action_count; i++) {
        const vt_action *action = &dnnl->actions[i];
        c->starts[i] = count;
        for (int k = 0; k < action->arg_count; k++)
            refer(c, &count, action->arg_buffers[k], action->arg_written[k]);
        for (size_t k = 0; k < action->tensor_count; k++)
            refer(c, &count, action->tensor_buffers[k],
                  k >= action->written_begin && k < action->written_end);
    }
    c->starts[dnnl->action_count] = count;
    return VT_OK;
}

static bool is_placed(const checkpointing *c, size_t buffer)
{
    const vt_buffer *one = &c->dnnl->buffers[buffer];
    return one->kind == VT_BUFFER_ARENA && one->first >= 0 && one->data == NULL;
}

static void lives_fill(checkpointing *c)
{
    const vt_dnnl *dnnl = c->dnnl;
    for (size_t b = 0; b < dnnl->buffer_count; b++)
        c->lives[b] = (life){.first_write = SIZE_MAX, .last_write = SIZE_MAX, .held = true};
    for (size_t i = 0; i < dnnl->action_count; i++)
        for (size_t r = c->starts[i]; r < c->starts[i + 1]; r++) {
            const reference *ref = &c->references[r];
            life *one = &c->lives[ref->buffer];
            if (i >= c->forward) {
                one->read_back = true;
                continue;
            }
            one->last_forward = i;
            if (ref->written && one->first_write == SIZE_MAX)
                one->first_write = i;
            if (ref->written)
                one->last_write = i;
        }
}

static bool is_read_back(const checkpointing *c, size_t buffer)
{
    return is_placed(c, buffer) && c->lives[buffer].first_write != SIZE_MAX &&
           c->lives[buffer].read_back;
}

/* A conversion that reads no buffer of the arena. */
static void lives_find_cheap(checkpointing *c)
{
    for (size_t i = 0; i < c->forward; i++) {
        bool cheap = c->dnnl->actions[i].step == NULL;
        for (size_t r = c->starts[i]; cheap && r < c->starts[i + 1]; r++) {
            const reference *ref = &c->references[r];
            const life *one = &c->lives[ref->buffer];
            cheap = ref->written ? one->first_write == one->last_write
                                 : c->dnnl->buffers[ref->buffer].kind != VT_BUFFER_ARENA;
        }
        for (size_t r = c->starts[i]; cheap && r < c->starts[i + 1]; r++)
            if (c->references[r].written)
                c->lives[c->references[r].buffer].cheap = true;
    }
}

/* Outputs stay, and what is so small that it saves nothing. */
static void lives_hold(checkpointing *c)
{
    vt_dnnl *dnnl = c->dnnl;
    size_t total = 0;
    for (size_t b = 0; b < dnnl->buffer_count; b++)
        total += is_read_back(c, b) ? dnnl->buffers[b].bytes : 0;
    for (size_t b = 0; b < dnnl->buffer_count; b++)
        c->lives[b].held = !is_placed(c, b) || c->lives[b].first_write == SIZE_MAX ||
                           dnnl->buffers[b].bytes < total / HELD_SHARE;
    for (size_t i = 0; i < dnnl->plan->output_count; i++) {
        size_t root = (size_t)(vt_dnnl_buffer_root(dnnl, dnnl->output_buffers[i]) - dnnl->buffers);
        c->lives[root].held = true;
    }
}

/* Bytes at every position, from what each buffer adds at the begin and takes at the end. */
static void positions_fill(checkpointing *c)
{
    for (size_t b = 0; b < c->dnnl->buffer_count; b++) {
        const life *one = &c->lives[b];
        size_t bytes = c->dnnl->buffers[b].bytes;
        if (one->first_write == SIZE_MAX)
            continue;
        c->forbidden[one->first_write + 1]++;
        c->forbidden[one->last_write + 1]--;
        if (!is_placed(c, b))
            continue;
        c->crossing[one->first_write + 1] += bytes;
        c->crossing[one->last_forward + 1] -= bytes; /* wraps until it is summed */
        if (one->read_back && !one->held && !one->cheap)
            c->saved[one->last_write + 1] += bytes;
    }
    for (size_t p = 1; p <= c->forward; p++) {
        c->crossing[p] += c->crossing[p - 1];
        c->saved[p] += c->saved[p - 1];
        c->forbidden[p] += c->forbidden[p - 1];
    }
}

/* ---- segments ---- */

/* The cheapest position behind which a segment that began at `begin` may end; `begin`: none. */
static size_t cut_place(const checkpointing *c, size_t begin, size_t end, size_t budget)
{
    size_t best = begin;
    for (size_t p = begin + 1; p <= end; p++) {
        if (c->forbidden[p] > 0 || c->saved[p] - c->saved[begin] < budget / 2)
            continue;
        if (best == begin || c->crossing[p] <= c->crossing[best])
            best = p;
    }
    return best;
}

static void cut(checkpointing *c, size_t budget)
{
    size_t begin = 0, segment = 0;
    for (size_t p = 1; p < c->forward; p++) {
        if (c->saved[p] - c->saved[begin] <= budget)
            continue;
        size_t place = cut_place(c, begin, p, budget);
        if (place == begin)
            continue;
        for (size_t i = begin; i < place; i++)
            c->segments[i] = segment;
        segment++;
        begin = place;
    }
    for (size_t i = begin; i < c->forward; i++)
        c->segments[i] = segment;
    c->last_segment = segment;
}

static bool is_kept(const checkpointing *c, size_t buffer)
{
    const life *one = &c->lives[buffer];
    return one->held ||
           (!one->cheap && c->segments[one->first_write] != c->segments[one->last_forward]);
}

/* Whether the backward part reads the twin. */
static bool is_replaced(const checkpointing *c, size_t buffer)
{
    const life *one = &c->lives[buffer];
    return is_read_back(c, buffer) && !is_kept(c, buffer) &&
           (one->cheap || c->segments[one->first_write] != c->last_segment);
}

/* Whether action `i`, run again, reads the twin: of what its own segment made, but for what was
 * kept and is complete. */
static bool reads_twin(const checkpointing *c, size_t i, size_t buffer)
{
    const life *one = &c->lives[buffer];
    return one->first_write != SIZE_MAX && c->segments[one->first_write] == c->segments[i] &&
           !(is_kept(c, buffer) && i > one->last_write);
}

/* Which actions run again: those that what is replaced hangs on. */
static void mark_again(checkpointing *c)
{
    for (size_t b = 0; b < c->dnnl->buffer_count; b++)
        c->needed[b] = is_replaced(c, b);
    for (size_t i = c->forward; i-- > 0;) {
        c->again[i] = false;
        for (size_t r = c->starts[i]; r < c->starts[i + 1]; r++)
            c->again[i] =
                c->again[i] || (c->references[r].written && c->needed[c->references[r].buffer]);
        for (size_t r = c->starts[i]; c->again[i] && r < c->starts[i + 1]; r++)
            if (!c->references[r].written && reads_twin(c, i, c->references[r].buffer))
                c->needed[c->references[r].buffer] = true;
    }
}

static void replay_action(checkpointing *c, size_t i)
{
    if (!c->made[i])
        c->list[c->list_count++] = (entry){i, true};
    c->made[i] = true;
}

/* What makes the twin of a buffer: with the others of its segment, or by itself. */
static void replay(checkpointing *c, size_t buffer)
{
    const life *one = &c->lives[buffer];
    size_t segment = c->segments[one->first_write];
    if (one->cheap)
        replay_action(c, one->first_write);
    if (one->cheap || c->done[segment])
        return;
    c->done[segment] = true;
    for (size_t i = 0; i < c->forward; i++)
        if (c->segments[i] == segment && c->again[i])
            replay_action(c, i);
}

static void list_make(checkpointing *c)
{
    c->list_count = 0;
    memset(c->done, 0, (c->forward + 1) * sizeof(*c->done));
    memset(c->made, 0, (c->forward + 1) * sizeof(*c->made));
    for (size_t i = 0; i < c->dnnl->action_count; i++) {
        for (size_t r = c->starts[i]; i >= c->forward && r < c->starts[i + 1]; r++)
            if (is_replaced(c, c->references[r].buffer))
                replay(c, c->references[r].buffer);
        c->list[c->list_count++] = (entry){i, false};
    }
}

static bool is_twin(const checkpointing *c, const entry *one, const reference *ref)
{
    if (one->again)
        return ref->written || reads_twin(c, one->action, ref->buffer);
    return one->action >= c->forward && is_replaced(c, ref->buffer);
}

/* ---- plans ---- */

static void touch(vt_interval *interval, size_t bytes, size_t at)
{
    if (interval->bytes == 0)
        *interval = (vt_interval){.bytes = bytes, .first = (int)at};
    interval->last = (int)at;
}

/* Bytes of the plan that the segments lead to. */
static vt_status measure(checkpointing *c, size_t *total, vt_error *error)
{
    const vt_dnnl *dnnl = c->dnnl;
    size_t count = dnnl->buffer_count;
    mark_again(c);
    list_make(c);
    memset(c->intervals, 0, 2 * count * sizeof(*c->intervals));
    for (size_t k = 0; k < c->list_count; k++)
        for (size_t r = c->starts[c->list[k].action]; r < c->starts[c->list[k].action + 1]; r++) {
            const reference *ref = &c->references[r];
            size_t twin = is_twin(c, &c->list[k], ref) ? count : 0;
            if (is_placed(c, ref->buffer))
                touch(&c->intervals[ref->buffer + twin], dnnl->buffers[ref->buffer].bytes, k);
        }
    for (size_t i = 0; i < dnnl->plan->output_count; i++) {
        size_t root =
            (size_t)(vt_dnnl_buffer_root(c->dnnl, dnnl->output_buffers[i]) - dnnl->buffers);
        c->intervals[root].last = (int)c->list_count;
    }
    return vt_memory_plan_intervals(c->intervals, 2 * count, total, error);
}

/* ---- the new list ---- */

static vt_status twins_make(checkpointing *c, vt_error *error)
{
    vt_status status = VT_OK;
    size_t count = c->dnnl->buffer_count;
    memset(c->twins, 0xff, count * sizeof(*c->twins));
    for (size_t i = 0; i < c->forward; i++)
        for (size_t r = c->starts[i]; c->again[i] && status == VT_OK && r < c->starts[i + 1]; r++) {
            const reference *ref = &c->references[r];
            if (!ref->written || c->twins[ref->buffer] != VT_NO_BUFFER)
                continue;
            const vt_buffer twin = {.kind = VT_BUFFER_ARENA,
                                    .bytes = c->dnnl->buffers[ref->buffer].bytes,
                                    .used = true};
            status = vt_dnnl_buffer_add(c->dnnl, &twin, &c->twins[ref->buffer], error);
        }
    return status;
}

/* The buffer that the entry uses in the place of `buffer`, which may be a view. */
static vt_status exchange(checkpointing *c, const entry *one, bool written, size_t *buffer,
                          vt_error *error)
{
    if (*buffer == VT_NO_BUFFER)
        return VT_OK;
    const vt_buffer *view = &c->dnnl->buffers[*buffer];
    size_t root = view->kind == VT_BUFFER_VIEW ? view->base : *buffer;
    const reference ref = {root, written};
    if (!is_twin(c, one, &ref))
        return VT_OK;
    return vt_dnnl_buffer_view(c->dnnl, c->twins[root],
                               view->kind == VT_BUFFER_VIEW ? view->offset : 0, buffer, error);
}

static vt_status exchange_all(checkpointing *c, const entry *one, vt_action *action,
                              vt_error *error)
{
    vt_status status = VT_OK;
    for (int k = 0; k < action->arg_count && status == VT_OK; k++)
        status = exchange(c, one, action->arg_written[k], &action->arg_buffers[k], error);
    for (size_t k = 0; k < action->tensor_count && status == VT_OK; k++)
        status = exchange(c, one, k >= action->written_begin && k < action->written_end,
                          &action->tensor_buffers[k], error);
    return status;
}

/* Lives of all buffers in the new list. */
static void lives_renew(vt_dnnl *dnnl)
{
    for (size_t b = 0; b < dnnl->buffer_count; b++)
        dnnl->buffers[b].first = dnnl->buffers[b].last = -1;
    for (size_t i = 0; i < dnnl->action_count; i++)
        vt_dnnl_action_touch(dnnl, &dnnl->actions[i], i);
}

static vt_status apply(checkpointing *c, vt_error *error)
{
    vt_dnnl *dnnl = c->dnnl;
    size_t made = 0;
    vt_action *actions = vt_calloc(c->list_count, sizeof(*actions));
    vt_status status = actions == NULL ? vt_fail_memory(error, "recomputation") : VT_OK;
    if (status == VT_OK)
        status = twins_make(c, error);
    /* Copies first: the originals move only when nothing can fail but their exchange. */
    for (; status == VT_OK && made < c->list_count; made++)
        if (c->list[made].again)
            status = vt_dnnl_action_again(dnnl, &dnnl->actions[c->list[made].action],
                                          &actions[made], error);
    if (status != VT_OK) {
        for (size_t k = 0; k < made; k++)
            vt_dnnl_action_deinit(&actions[k]);
        vt_free(actions);
        return status;
    }
    for (size_t k = 0; k < c->list_count; k++)
        if (!c->list[k].again)
            actions[k] = dnnl->actions[c->list[k].action];
    vt_free(dnnl->actions);
    dnnl->actions = actions;
    dnnl->action_count = dnnl->action_capacity = c->list_count;
    for (size_t k = 0; status == VT_OK && k < c->list_count; k++)
        status = exchange_all(c, &c->list[k], &actions[k], error);
    lives_renew(dnnl);
    return status;
}

/* ---- the whole ---- */

static vt_status checkpointing_init(checkpointing *c, vt_error *error)
{
    const vt_dnnl *dnnl = c->dnnl;
    size_t positions = c->forward + 1, buffers = dnnl->buffer_count;
    vt_status status = references_collect(c, error);
    if (status != VT_OK)
        return status;
    c->lives = vt_calloc(buffers, sizeof(*c->lives));
    c->crossing = vt_calloc(positions + 1, sizeof(*c->crossing));
    c->saved = vt_calloc(positions + 1, sizeof(*c->saved));
    c->forbidden = vt_calloc(positions + 1, sizeof(*c->forbidden));
    c->segments = vt_calloc(positions, sizeof(*c->segments));
    c->needed = vt_calloc(buffers, sizeof(*c->needed));
    c->again = vt_calloc(positions, sizeof(*c->again));
    c->done = vt_calloc(positions, sizeof(*c->done));
    c->made = vt_calloc(positions, sizeof(*c->made));
    c->list = vt_calloc(dnnl->action_count + c->forward, sizeof(*c->list));
    c->intervals = vt_calloc(2 * buffers, sizeof(*c->intervals));
    c->twins = vt_calloc(buffers, sizeof(*c->twins));
    if (c->lives == NULL || c->crossing == NULL || c->saved == NULL || c->forbidden == NULL ||
        c->segments == NULL || c->needed == NULL || c->again == NULL || c->done == NULL ||
        c->made == NULL || c->list == NULL || c->intervals == NULL || c->twins == NULL)
        return vt_fail_memory(error, "recomputation");
    lives_fill(c);
    lives_hold(c);
    return VT_OK;
}

static void checkpointing_deinit(checkpointing *c)
{
    vt_free(c->references);
    vt_free(c->starts);
    vt_free(c->lives);
    vt_free(c->crossing);
    vt_free(c->saved);
    vt_free(c->forbidden);
    vt_free(c->segments);
    vt_free(c->needed);
    vt_free(c->again);
    vt_free(c->done);
    vt_free(c->made);
    vt_free(c->list);
    vt_free(c->intervals);
    vt_free(c->twins);
}

vt_status vt_dnnl_recompute(vt_dnnl *dnnl, size_t forward, vt_error *error)
{
    checkpointing c = {.dnnl = dnnl, .forward = forward};
    size_t least = 0, best = 0, total = 0;
    vt_status status = checkpointing_init(&c, error);
    if (status == VT_OK)
        status = measure(&c, &least, error); /* one segment: as it is */
    if (status == VT_OK) {
        lives_find_cheap(&c);
        positions_fill(&c);
    }
    size_t all = status == VT_OK ? c.saved[forward] : 0;
    for (size_t parts = 1; status == VT_OK && parts <= PARTS_MAXIMUM; parts += parts / 8 + 1) {
        cut(&c, all / parts);
        status = measure(&c, &total, error);
        if (status == VT_OK && total < least) {
            least = total;
            best = parts;
        }
    }
    if (status == VT_OK && best > 0) {
        cut(&c, all / best);
        status = measure(&c, &total, error);
        if (status == VT_OK)
            status = apply(&c, error);
    }
    checkpointing_deinit(&c);
    return status;
}
