/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which classes a model file names: one head of classes, or several with a name each, as its
 * metadata says.
 *
 *     vt_model_heads heads;
 *     vt_model_heads_read(model, &heads, error);
 *     for (size_t h = 0; h < heads.count; h++) ... heads.items[h].output, .labels
 *     vt_model_heads_deinit(&heads);
 *
 * A file with one head has its scores in the value "logits" and an array of names in
 * "vitrine.labels". With several heads "vitrine.heads" is an array of objects: "name", "output" (a
 * value of the network; absent where the head has only shaped the embedding), "several" (true: a
 * picture has any number of the classes, each score is the logit of one; otherwise it has one, by
 * softmax) and "labels", an array of names. An empty array is as none.
 *
 * Threads: read-only once it is read.
 */
#ifndef VT_ENCODER_HEADS_H
#define VT_ENCODER_HEADS_H

#include "base/json.h"
#include "nn/model.h"

#define VT_METADATA_LABELS "vitrine.labels"
#define VT_METADATA_HEADS  "vitrine.heads"
enum { VT_MODEL_HEADS_MAX = 32 };

typedef struct vt_model_head {
    const char *name;      /* "": the only one, without a name */
    const char *output;    /* value of the network that is its scores; NULL: it has none */
    const vt_json *labels; /* array of texts */
    size_t label_count;
    bool several;
} vt_model_head;

/* What it points to belongs to `json` and the model. */
typedef struct vt_model_heads {
    vt_json *json;
    vt_model_head items[VT_MODEL_HEADS_MAX];
    size_t count; /* 0: the file says nothing about classes, or nothing that can be read */
} vt_model_heads;

/* Only a lack of memory is a failure: what cannot be read is no head. A value that the network has
 * not is no output. */
vt_status vt_model_heads_read(const vt_model *model, vt_model_heads *out, vt_error *error);
void vt_model_heads_deinit(vt_model_heads *heads);
/* NULL: there is none of this name. */
const vt_model_head *vt_model_heads_find(const vt_model_heads *heads, const char *name);

#endif
