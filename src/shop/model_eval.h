/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside src/shop: measuring a model on labelled photos. model_eval.c (the order of things),
 * model_eval_data.c (which photos, against which), model_eval_embed.c (vectors and scores),
 * model_eval_measure.c (neighbours), model_eval_classes.c, model_eval_report.c (what is handed out,
 * JSON), model_eval_page.c (HTML).
 *
 * Threads: an evaluation belongs to one thread; it embeds with all cores.
 */
#ifndef VT_SHOP_MODEL_EVAL_H
#define VT_SHOP_MODEL_EVAL_H

#include "encoder/heads.h"
#include "eval/attributes.h"
#include "eval/classification.h"
#include "eval/retrieval.h"
#include "shop/shop.h"
#include "train/dataset.h"

enum { VT_EVAL_NEIGHBOURS = 10 }; /* kept of every photo, and those that vote */

/* One label of the photos. All columns list the same photos in the same order: each has a data set
 * of its own in which every photo has the label, or, for a model with named heads, all are columns
 * of one data set in which photos may lack some. */
typedef struct vt_eval_column {
    const char *name;
    vt_dataset *data;
    size_t index; /* of the column in it */
    bool several; /* of a photo: then nothing is searched by it */
    bool searched;
    vt_retrieval *retrieval; /* NULL: it is not searched by */
    size_t values, alone, voted_right;
} vt_eval_column;

/* A head of the model that names classes. */
typedef struct vt_eval_classifier {
    const vt_model_head *head;
    const char **names;          /* (count) */
    size_t count;                /* of classes */
    size_t source, first;        /* of its scores: behind the vector, in eval->scores */
    vt_eval_column *column;      /* whose labels the classes are; NULL: it was not measured */
    int *classes;                /* (labels of the column): the class of that name, or -1 */
    const char *reason;          /* why not */
    vt_classification *measures; /* of one class a photo */
    vt_attributes *attributes;   /* of several */
    uint32_t *named;             /* (query_count); NULL with several */
    float *wrong;                /* (query_count) how sure a wrong class was named */
    size_t unknown, unlabelled;
} vt_eval_classifier;

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
    float *scores;        /* (query_count, score_count); NULL: no classifier */
    uint32_t *neighbours; /* (query_count, VT_EVAL_NEIGHBOURS) places, VT_NO_NEIGHBOUR */
    size_t dim, depth;
    vt_model_heads heads; /* as the file names them */
    bool named;           /* they have names: labels are read as columns of one data set */
    vt_eval_classifier classifiers[VT_MODEL_HEADS_MAX];
    size_t classifier_count, score_count; /* score_count: of all of them */
} vt_model_evaluation;

static inline size_t vt_eval_places(const vt_model_evaluation *eval)
{
    return eval->query_count + (eval->among ? 0 : eval->gallery_count);
}

/* VT_NO_LABEL: it has none. */
static inline uint32_t vt_eval_label_at(const vt_model_evaluation *eval,
                                        const vt_eval_column *column, size_t place)
{
    return vt_dataset_value(column->data, column->index, eval->photos[place]);
}

static inline const char **vt_eval_labels(const vt_eval_column *column, size_t *count)
{
    const vt_dataset *data = column->data;
    bool named = data->column_count > 0;
    *count = named ? data->columns[column->index].label_count : data->label_count;
    return named ? data->columns[column->index].labels : data->labels;
}

/* ---- model_eval_data.c ---- */
vt_status vt_eval_read_data(vt_model_evaluation *eval, vt_error *error);
/* Whether anything can be found: said with a reason before the first photo is embedded, and again
 * when those that cannot be decoded are gone. Of named heads it need not be every label, or none
 * where classes can be measured. */
vt_status vt_eval_check_data(vt_model_evaluation *eval, vt_error *error);

/* ---- model_eval_embed.c ---- */
vt_status vt_eval_embed(vt_model_evaluation *eval, vt_error *error);

/* ---- model_eval_measure.c ---- */
vt_status vt_eval_measure(vt_model_evaluation *eval, vt_error *error);

/* ---- model_eval_classes.c ---- */
/* The classifiers that the encoder's scores are of, and the labels that they are measured on. */
vt_status vt_eval_name_classes(vt_model_evaluation *eval, vt_error *error);
/* Whether there is a photo to measure any of them on. */
bool vt_eval_measures_classes(const vt_model_evaluation *eval);
vt_status vt_eval_measure_classes(vt_model_evaluation *eval, vt_error *error);
void vt_eval_free_classes(vt_model_evaluation *eval);

/* ---- model_eval_report.c ---- */
vt_status vt_eval_fill_report(vt_model_evaluation *eval, double took_s, vt_error *error);

/* ---- model_eval_page.c ---- */
vt_status vt_eval_write_page(const vt_model_evaluation *eval, const char *path, vt_error *error);

#endif
