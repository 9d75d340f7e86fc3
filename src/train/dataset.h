/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is trained on: photos with a label, perhaps a product, and the split that each belongs to.
 *
 *     vt_dataset *data;
 *     vt_dataset_new("photos", &data, error);
 *     vt_dataset_add_folder(data, "photos", VT_SPLIT_TRAIN, error);   // or vt_dataset_add, row by
 * row vt_dataset_finish(data, error);                                 // labels sorted by name
 *     vt_split_make(data, &options, error);                           // where no split was given
 *     vt_dataset_check(data, &need, error);
 *     vt_dataset_free(data);
 *
 * Threads: a data set belongs to one thread while it is filled, after that it is read-only.
 */
#ifndef VT_TRAIN_DATASET_H
#define VT_TRAIN_DATASET_H

#include "base/mem.h"
#include "base/status.h"

typedef enum vt_split { VT_SPLIT_TRAIN, VT_SPLIT_VAL, VT_SPLIT_TEST, VT_SPLIT_COUNT } vt_split;
const char *vt_split_name(vt_split split);                /* "train" "val" "test" */
bool vt_split_from_name(const char *name, vt_split *out); /* also "validation", "valid" */

#define VT_NO_PRODUCT UINT32_MAX
#define VT_NO_LABEL   UINT32_MAX
enum {
    VT_DATASET_MAX_COLUMNS = 16,
    VT_DATASET_MAX_EXAMPLES = 20000000,
    VT_DATASET_MAX_LABELS = 1000000
};

typedef struct vt_example {
    const char *photo;       /* path; the data set's */
    uint32_t label, product; /* with columns: the first value of the first one, or VT_NO_LABEL */
    vt_split split;
    bool left_out; /* its picture cannot be used */
} vt_example;

struct vt_names; /* train/names.h: texts with a number each */

/* One of several labels that photos have at once ("category", "color"). */
typedef struct vt_label_column {
    const char *name;
    bool several;        /* a photo has any number of its values, not one at most */
    bool classes;        /* a classifier learns it: what is measured has to be trained */
    const char **labels; /* by number, sorted */
    size_t label_count;
    struct vt_names *names;
    uint32_t *values; /* (value_count) of one example after the other */
    size_t *ends;     /* (count of examples) where in them an example's end */
    size_t value_count, value_capacity, end_capacity;
} vt_label_column;

typedef struct vt_dataset {
    char *name; /* for messages */
    vt_example *examples;
    size_t count, capacity;
    const char **labels, **products; /* by number */
    size_t label_count, product_count;
    bool has_split[VT_SPLIT_COUNT]; /* named by the source */
    vt_arena arena;
    struct vt_names *label_names, *product_names;
    vt_label_column *columns; /* (column_count); then `labels` are those of the first */
    size_t column_count;      /* 0: photos have one label, which has no name */
} vt_dataset;

vt_status vt_dataset_new(const char *name, vt_dataset **out, vt_error *error);
void vt_dataset_free(vt_dataset *data);
/* photo, label: not empty. product NULL: none. */
typedef struct vt_example_text {
    const char *photo, *label, *product;
    vt_split split;
} vt_example_text;
vt_status vt_dataset_add(vt_dataset *data, const vt_example_text *row, vt_error *error);

/* What a run wants of its data. */
typedef struct vt_dataset_need {
    vt_split validation; /* the split that is measured on */
    bool classes;        /* it is a classifier: every label of the validation has to be trained */
    bool quiet;          /* no word of labels that cannot be measured: it is asked once more */
} vt_dataset_need;

/* ---- dataset_columns.c: several labels at once ---- */

typedef struct vt_column_choice {
    const char *name;
    bool several, classes;
} vt_column_choice;
/* Before the first row. names: each another one. */
vt_status vt_dataset_set_columns(vt_dataset *data, const vt_column_choice *columns, size_t count,
                                 vt_error *error);
typedef struct vt_label_texts {
    const char *const *items; /* (count) */
    size_t count;             /* 0: the photo has none */
} vt_label_texts;
/* labels: (column_count), those of a column that has one value a photo of at most one; empty texts
 * are none. row->label is not looked at. */
vt_status vt_dataset_add_labelled(vt_dataset *data, const vt_example_text *row,
                                  const vt_label_texts *labels, vt_error *error);
/* What vt_dataset_add_labelled and vt_dataset_finish do for the columns, and vt_dataset_free. */
vt_status vt_dataset_add_values(vt_dataset *data, const vt_label_texts *labels, vt_error *error);
vt_status vt_dataset_finish_columns(vt_dataset *data, vt_error *error);
void vt_dataset_free_columns(vt_dataset *data);
/* *count: of the example's values in the column; of data without columns (column 0) its label. */
const uint32_t *vt_dataset_values(const vt_dataset *data, size_t column, size_t example,
                                  size_t *count);
/* The one value, or the first; VT_NO_LABEL: none. */
uint32_t vt_dataset_value(const vt_dataset *data, size_t column, size_t example);
/* counts: (labels of the column), of the examples of a split that are not left out. Returns how
 * many examples have any. */
size_t vt_dataset_count_column(const vt_dataset *data, size_t column, vt_split split,
                               size_t *counts);
/* Whether every column can be trained on: as vt_dataset_check, which calls it. */
vt_status vt_dataset_check_columns(const vt_dataset *data, const vt_dataset_need *need,
                                   vt_error *error);
/* Back to train comes what has the only photos of a class; by product: with its product. */
vt_status vt_dataset_keep_trained(vt_dataset *data, bool by_product, vt_error *error);

/* Numbers the labels and products by name, so that they do not depend on the order they came in. */
vt_status vt_dataset_finish(vt_dataset *data, vt_error *error);

/* dataset_folder.c: directory/class/photo.jpg, or directory/class/product/photo.jpg; a directory
 * of nothing but train, val (validation, valid) and test folders gives the splits, otherwise all
 * are of `split`. Hidden files and what is no picture by its ending are passed over. */
vt_status vt_dataset_add_folder(vt_dataset *data, const char *directory, vt_split split,
                                vt_error *error);

/* Whether it can be trained on: pictures in both splits, two labels at least. */
vt_status vt_dataset_check(const vt_dataset *data, const vt_dataset_need *need, vt_error *error);
/* counts: (label_count), of the examples of a split that are not left out. */
void vt_dataset_count(const vt_dataset *data, vt_split split, size_t *counts);

/* split.c */
typedef enum vt_split_by { VT_SPLIT_BY_PHOTO, VT_SPLIT_BY_PRODUCT } vt_split_by;
typedef struct vt_split_options {
    vt_split_by by;
    double share; /* of the train split, to become the validation split */
    uint64_t seed;
} vt_split_options;
/* Moves a share of every label's photos (or products, each with all its photos) from train to val.
 * A label keeps at least one in train; one that has two or more gives at least one. Where labels
 * are the products, a share of all products moves. Photos without a product move by themselves. */
vt_status vt_split_make(vt_dataset *data, const vt_split_options *options, vt_error *error);
/* VT_ERR_MISMATCH names a product that has photos in train and in `other`. */
vt_status vt_split_check_products(const vt_dataset *data, vt_split other, vt_error *error);

#endif
