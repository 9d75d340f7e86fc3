/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Losses, as nodes that are added to a network.
 *
 *     vt_loss loss;
 *     vt_loss_parse("arcface(margin=0.4)=1,triplet=0.5,ce", &loss, error);
 *     if (loss.needs & VT_LOSS_EMBEDDING) ...
 *     vt_loss_inputs inputs = vt_loss_inputs_defaults();
 *     inputs.embedding = vt_builder_find(builder, "embedding");
 *     inputs.dim = 256;
 *     inputs.labels = vt_builder_input(builder, "labels", VT_I64, &one_dimension);
 *     inputs.classes = 81;
 *     vt_loss_add(builder, &loss, &inputs, &scalar);
 *     vt_builder_output(builder, "loss", scalar);
 *
 * A description is terms between commas, "name(parameter=value,...):head=weight"; parameters, the
 * head (train/heads.h tells what it is) and the weight, 1, may be left out. vt_loss_list tells the
 * names; docs/losses.md the formulas.
 *
 * What a loss trains itself (class weights of margin losses, projections to a teacher's dimension)
 * are constants below the scope "loss": an exporter that keeps only the network's own outputs
 * (vt_model_prune) leaves them out.
 *
 * Threads: no shared state.
 */
#ifndef VT_TRAIN_LOSS_H
#define VT_TRAIN_LOSS_H

#include "nn/builder.h"

enum { VT_LOSS_TERMS = 16, VT_LOSS_PARAMETERS = 4, VT_LOSS_HEAD_BYTES = 64 };

enum { /* what a term reads */
       VT_LOSS_LOGITS = 1,
       VT_LOSS_EMBEDDING = 2,
       VT_LOSS_LABELS = 4,  /* targets may stand in for them in ce, bce */
       VT_LOSS_TARGETS = 8, /* mse alone cannot do without */
       VT_LOSS_TEACHER_LOGITS = 16,
       VT_LOSS_TEACHER_EMBEDDING = 32,
       VT_LOSS_INSTANCES = 64, /* two rows of a batch with equal labels are views of one picture */
};

typedef struct vt_loss_kind vt_loss_kind;

typedef struct vt_loss_term {
    const vt_loss_kind *kind;
    double weight;                         /* positive */
    double parameters[VT_LOSS_PARAMETERS]; /* as the kind's table names them */
    char head[VT_LOSS_HEAD_BYTES];         /* whose labels or scores it is of; "": not said */
} vt_loss_term;

typedef struct vt_loss {
    vt_loss_term terms[VT_LOSS_TERMS];
    int count;
    unsigned needs;
} vt_loss;

/* VT_ERR_USAGE tells the unknown or doubled name, parameter or value. */
vt_status vt_loss_parse(const char *text, vt_loss *out, vt_error *error);
const char *vt_loss_term_name(const vt_loss_term *term);
unsigned vt_loss_term_needs(const vt_loss_term *term);
/* VT_ERR_LIMIT: there are VT_LOSS_TERMS already. */
vt_status vt_loss_append(vt_loss *loss, const vt_loss_term *term, vt_error *error);

typedef struct vt_loss_inputs {
    vt_value_id logits;    /* (N, classes) */
    vt_value_id embedding; /* (N, dim); losses bring it to length 1 where their papers do */
    vt_value_id labels;    /* (N) i64; negative: not known, the row does not count */
    vt_value_id targets;   /* (N, classes) f32: shares of classes (mixup) instead of labels for ce;
                              attributes for bce, negative: not known; values for mse */
    bool unknown_negative; /* negative targets are not known to ce and mse either */
    vt_value_id teacher_logits;    /* (N, classes) */
    vt_value_id teacher_embedding; /* (N, teacher_dim) */
    int classes, dim, teacher_dim;
    const float *class_weights; /* of ce, (classes), borrowed during the call; NULL: all 1 */
    const char *scope;          /* below "loss", for several heads: "category"; NULL: none */
    uint64_t seed;              /* of trained class weights */
} vt_loss_inputs;
vt_loss_inputs vt_loss_inputs_defaults(void); /* all values VT_NO_VALUE */

/* *scalar: the weighted sum of all terms, each a mean over what counts in the batch and 0 where
 * nothing does. A failure is the builder's: an input that a term needs is missing. */
void vt_loss_add(vt_builder *builder, const vt_loss *loss, const vt_loss_inputs *inputs,
                 vt_value_id *scalar);

typedef struct vt_loss_info {
    const char *name, *source;
    const char *parameters[VT_LOSS_PARAMETERS]; /* NULL behind the last */
    double defaults[VT_LOSS_PARAMETERS];
} vt_loss_info;
/* The index-th of all, for help texts; NULL behind the last. */
const vt_loss_info *vt_loss_list(size_t index);

#endif
