/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside src/shop: measuring a model on labelled photos. model_eval.c (the order of things),
 * model_eval_data.c (which photos, against which), model_eval_embed.c (vectors and scores),
 * model_eval_measure.c, model_eval_report.c (what is handed out, JSON), model_eval_page.c (HTML).
 *
 * Threads: an evaluation belongs to one thread; it embeds with all cores.
 */
#ifndef VT_SHOP_MODEL_EVAL_H
#define VT_SHOP_MODEL_EVAL_H

#include "eval/classification.h"
#include "eval/retrieval.h"
#include "shop/shop.h"
#include "train/dataset.h"

enum { VT_EVAL_NEIGHBOURS = 10 }; /* kept of every photo, and those that vote */

/* One label of the photos. All columns list the same photos in the same order. */
typedef struct vt_eval_column {
    const char *name;
    vt_dataset *data;
    vt_retrieval *retrieval;
    size_t values, alone, voted_right;
} vt_eval_column;

/* The report the caller holds, and what it points to. */
typedef struct vt_model_eval_block {
    vt_model_eval_report report; /* first */
    vt_arena arena;
    size_t failed_capacity;
} vt_model_eval_block;

typedef struct vt_model_evaluation {
    const vt_model_eval_options *options;
    const char *data;
    vt_model_eval_block *block;
    vt_encoder *encoder;
    vt_pool *pool;
    vt_eval_column columns[VT_EVAL_MAX_LABELS];
    size_t column_count;
    /* Photos by place: those that are measured, then, unless they are searched in themselves,
     * those that are. */
    uint32_t *photos; /* (query_count + others) examples of the columns' data */
    size_t query_count, gallery_first, gallery_count;
    bool among;           /* themselves */
    float *vectors;       /* (places, dim) */
    float *scores;        /* (query_count, classes); NULL: no classifier */
    uint32_t *neighbours; /* (query_count, VT_EVAL_NEIGHBOURS) places, VT_NO_NEIGHBOUR */
    size_t dim, depth;
    /* Of the classifier. */
    vt_json *names;
    const char **class_names; /* (classes) */
    size_t class_count;
    vt_eval_column *class_column; /* whose labels the classes are */
    vt_classification *measures;  /* NULL: it was not measured */
    uint32_t *named;              /* (query_count) */
    float *wrong;                 /* (query_count) how sure a wrong class was named */
    size_t unknown;
} vt_model_evaluation;

static inline size_t vt_eval_places(const vt_model_evaluation *eval)
{
    return eval->query_count + (eval->among ? 0 : eval->gallery_count);
}

static inline uint32_t vt_eval_label_at(const vt_model_evaluation *eval,
                                        const vt_eval_column *column, size_t place)
{
    return column->data->examples[eval->photos[place]].label;
}

/* ---- model_eval_data.c ---- */
vt_status vt_eval_read_data(vt_model_evaluation *eval, vt_error *error);
/* Whether anything can be found: said with a reason before the first photo is embedded, and again
 * when those that cannot be decoded are gone. */
vt_status vt_eval_check_data(const vt_model_evaluation *eval, vt_error *error);

/* ---- model_eval_embed.c ---- */
vt_status vt_eval_embed(vt_model_evaluation *eval, vt_error *error);

/* ---- model_eval_measure.c ---- */
vt_status vt_eval_measure(vt_model_evaluation *eval, vt_error *error);

/* ---- model_eval_report.c ---- */
vt_status vt_eval_fill_report(vt_model_evaluation *eval, double took_s, vt_error *error);

/* ---- model_eval_page.c ---- */
vt_status vt_eval_write_page(const vt_model_evaluation *eval, const char *path, vt_error *error);

#endif
