/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The oneDNN executor from inside.
 *
 * A plan becomes a flat list of *actions*: oneDNN primitives, reference functions, conversions. A
 * value of the plan exists in one or more *forms*, each a type and an arrangement in a *buffer*:
 * the form its producer chose, and those its readers asked for. A form is made once and reused by
 * later readers. Buffers get their lives in actions, and a place in one block of memory when the
 * list is complete.
 *
 *     plan ──lower.c, lower_*.c──> forms.c (forms, conversions) + actions.c (list) ──runner.c──>
 * placed, bound
 *
 * Another precision is another dtype of a form; a residual sum is a buffer that two values share.
 *
 * Threads: a runner belongs to one thread at a time; only prepared weights are shared (weights.c).
 */
#ifndef VT_NN_DNNL_RUNNER_H
#define VT_NN_DNNL_RUNNER_H

#include "nn/dnnl/layout.h"
#include "nn/kernels/loop.h"
#include "nn/plan.h"

#define VT_NO_BUFFER SIZE_MAX

typedef struct vt_buffer {
    enum {
        VT_BUFFER_ARENA,    /* written during a run, placed in the arena */
        VT_BUFFER_INPUT,    /* the caller's, bound at each run */
        VT_BUFFER_CONSTANT, /* read only: the plan's or graph's own data */
        VT_BUFFER_PREPARED, /* read only: made from a constant, released with the runner */
        VT_BUFFER_VIEW,     /* inside another buffer, which is not a view itself */
    } kind;
    size_t bytes;
    int first, last;     /* actions between which it is live */
    bool used;           /* some action or output refers to it */
    void *data;          /* once known */
    size_t input;        /* INPUT: index among the graph's inputs */
    size_t base, offset; /* VIEW: the buffer it lies in, and where, in bytes */
} vt_buffer;

typedef struct vt_form {
    vt_dtype dtype;
    vt_layout *layout; /* owned; NULL: row-major, whatever shape it is read in */
    size_t buffer;
    size_t next; /* of the same value, SIZE_MAX: last; the producer's form comes first */
} vt_form;

typedef struct vt_dnnl vt_dnnl;
typedef struct vt_action vt_action;

struct vt_action {
    vt_status (*run)(vt_dnnl *dnnl, vt_action *action, vt_error *error);
    const vt_step *step; /* for messages; NULL: a conversion */
    const char *name;    /* what it is, for people; NULL: a primitive of oneDNN */
    /* oneDNN: */
    dnnl_primitive_t primitive; /* owned */
    dnnl_exec_arg_t *args;      /* (arg_count), in the arena; memories owned */
    size_t *arg_buffers;        /* (arg_count) */
    bool *arg_written;          /* (arg_count) */
    int arg_count;
    /* plain code: */
    vt_tensor *tensors;     /* (tensor_count), in the arena: inputs first, then outputs */
    size_t *tensor_buffers; /* (tensor_count), VT_NO_BUFFER: absent */
    size_t input_count, tensor_count;
    size_t written_begin, written_end; /* tensors it writes; both 0: all from input_count on */
    size_t outer, *runs;               /* of a join: (input_count), in bytes */
    void *state;                       /* whatever else `run` needs; owned */
    void (*state_free)(void *state);
    bool borrowed; /* primitive and state are another action's, which this one repeats */
};

struct vt_dnnl {
    vt_runner base; /* first: the runner that callers see */
    vt_plan *plan;  /* owned */
    int threads;
    bool blocks; /* convolutions keep maps in blocks of channels (winograd.c) */
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    vt_arena arena;
    vt_buffer *buffers;
    size_t buffer_count, buffer_capacity;
    vt_form *forms;
    size_t form_count, form_capacity;
    size_t step;         /* number of the one that is being lowered */
    size_t forward;      /* actions that make the loss of a training that recomputes; else 0 */
    size_t *value_forms; /* (plan->value_count): first form, SIZE_MAX: none yet */
    vt_action *actions;
    size_t action_count, action_capacity;
    size_t *output_buffers; /* (plan->output_count) */
    vt_tensor *outputs;     /* (plan->output_count), as handed out */
    void *memory;           /* the block in which ARENA buffers lie */
};

/* ---- actions.c ---- */
vt_status vt_dnnl_buffer_add(vt_dnnl *dnnl, const vt_buffer *buffer, size_t *out, vt_error *error);
/* The part of a buffer (or of a view) that starts at `offset` bytes; the buffer itself for 0. */
vt_status vt_dnnl_buffer_view(vt_dnnl *dnnl, size_t buffer, size_t offset, size_t *out,
                              vt_error *error);
/* The buffer that owns the memory. */
vt_buffer *vt_dnnl_buffer_root(vt_dnnl *dnnl, size_t buffer);
/* One argument of a primitive. */
typedef struct vt_argument {
    int name; /* DNNL_ARG_... */
    const vt_layout *layout;
    size_t buffer;
    bool written;
} vt_argument;
/* Creates the primitive, its scratchpad and its memories. Takes desc, also on failure. */
vt_status vt_dnnl_primitive_add(vt_dnnl *dnnl, const vt_step *step, dnnl_primitive_desc_t desc,
                                const vt_argument *arguments, int count, vt_error *error);
/* Plain code: copies tensors and buffers (action->tensor_count of each). Takes the state, also on
 * failure. */
vt_status vt_dnnl_action_add(vt_dnnl *dnnl, vt_action *action, const vt_tensor *tensors,
                             const size_t *buffers, vt_error *error);
/* Runs the step's reference function; tensors and buffers are copied, inputs before outputs. */
vt_status vt_dnnl_reference_add(vt_dnnl *dnnl, const vt_step *step, const vt_tensor *tensors,
                                const size_t *buffers, vt_error *error);
/* Copies tensors[0] to tensors[1] and applies the step's posts there; their operands follow. */
vt_status vt_dnnl_posts_add(vt_dnnl *dnnl, const vt_step *step, const vt_tensor *tensors,
                            const size_t *buffers, size_t count, vt_error *error);
/* Element by element from tensors[0] to tensors[1], row-major, types as they say (equal: a copy).
 */
vt_status vt_dnnl_convert_add(vt_dnnl *dnnl, const vt_tensor tensors[2], const size_t buffers[2],
                              vt_error *error);
/* Copies runs of bytes from `count` buffers in turn into the last of `buffers`, `outer` times over.
 */
vt_status vt_dnnl_join_add(vt_dnnl *dnnl, const vt_step *step, const size_t *buffers,
                           const size_t *runs, size_t outer, vt_error *error);
/* A fused loop from the first of `buffers` into the last. Takes the loop, also on failure. */
vt_status vt_dnnl_loop_add(vt_dnnl *dnnl, const vt_step *step, vt_loop *loop, const size_t *buffers,
                           vt_error *error);
void vt_dnnl_action_deinit(vt_action *action);
/* Notes that action number `at` of the list refers to its buffers. */
void vt_dnnl_action_touch(vt_dnnl *dnnl, const vt_action *action, size_t at);
/* A copy that does the same with the same buffers, until others are put into its arrays; it borrows
 * from the first, which must live as long. The caller's (vt_dnnl_action_deinit). */
vt_status vt_dnnl_action_again(vt_dnnl *dnnl, const vt_action *first, vt_action *out,
                               vt_error *error);
/* Maps a failure of oneDNN itself. */
vt_status vt_dnnl_fail(dnnl_status_t status, const char *what, vt_error *error);

/* ---- forms.c ---- */
/* Registers what a step has made; the first form of a value is its producer's. layout NULL:
 * row-major; else its type is dtype. */
vt_status vt_dnnl_form_add(vt_dnnl *dnnl, vt_value_id value, vt_dtype dtype,
                           const vt_layout *layout, size_t buffer, vt_error *error);
/* The buffer that holds a value in this form; adds the conversions it takes. */
vt_status vt_dnnl_form_get(vt_dnnl *dnnl, vt_value_id value, vt_dtype dtype,
                           const vt_layout *layout, size_t *buffer, vt_error *error);
/* The buffer of a value whose row-major bytes are to be read as `reading` says (a transpose, say),
 * in the layout the reader wants: `reading` itself, or for constants any other. */
vt_status vt_dnnl_form_read(vt_dnnl *dnnl, vt_value_id value, const vt_layout *reading,
                            const vt_layout *layout, size_t *buffer, vt_error *error);
/* A new buffer for a result in this form. */
vt_status vt_dnnl_form_make(vt_dnnl *dnnl, vt_value_id value, vt_dtype dtype,
                            const vt_layout *layout, size_t *buffer, vt_error *error);
/* A result in this layout whose memory holds a residual (`onto`, a post of kind SUM) before: the
 * residual's own memory where nobody needs it any more, else a copy. */
vt_status vt_dnnl_form_onto(vt_dnnl *dnnl, vt_value_id value, const vt_layout *layout,
                            const vt_post *onto, size_t *buffer, vt_error *error);
/* The layout of this type in which a value lies best for a primitive that takes any: its
 * producer's, if that leaves no gaps, else row-major. The caller's. */
vt_status vt_dnnl_form_layout(vt_dnnl *dnnl, vt_value_id value, vt_dtype dtype, vt_layout **out,
                              vt_error *error);
/* The same without a change: type, layout (row-major too) and buffer as they are, the layout the
 * caller's. */
vt_status vt_dnnl_form_as_is(vt_dnnl *dnnl, vt_value_id value, vt_layout **layout, size_t *buffer,
                             vt_error *error);
/* The first form, added now if the value is a constant; never NULL for values that are defined. */
const vt_form *vt_dnnl_form_first(vt_dnnl *dnnl, vt_value_id value, vt_error *error);

/* ---- weights.c ---- */
/* A constant in this layout and its type (NULL: row-major f32), converted now. reading: what its
 * row-major bytes mean (NULL: the layout's dimensions in order). On success data and bytes of *out
 * are set. */
vt_status vt_dnnl_weights_prepare(vt_dnnl *dnnl, const vt_tensor *tensor, const vt_layout *reading,
                                  const vt_layout *layout, vt_buffer *out, vt_error *error);
void vt_dnnl_weights_release(void *data);

/* ---- convert.c ---- */
/* Between f32 and f16, bf16 or f64, in both directions; equal types are copied. */
bool vt_dnnl_can_convert(vt_dtype from, vt_dtype to);
void vt_dnnl_convert(vt_dtype from, const void *source, vt_dtype to, void *target, size_t count);
/* max(low, min(x, high)) in place; NaN stays. False: no float type. */
bool vt_dnnl_clamp(vt_dtype dtype, void *data, size_t count, float low, float high);

/* ---- winograd.c ---- */
/* Once, before the first step: whether maps are kept in blocks. */
vt_status vt_winograd_settle(vt_dnnl *dnnl, vt_error *error);

/* ---- describe.c ---- */
vt_status vt_dnnl_describe(vt_runner *base, void (*visit)(void *context, const vt_step_info *step),
                           void *context, vt_error *error);

/* ---- lower.c ---- */
/* Turns one step into actions. */
vt_status vt_dnnl_lower(vt_dnnl *dnnl, const vt_step *step, vt_error *error);

#endif
