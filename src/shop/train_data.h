/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside src/shop: data sets to train on out of folders, manifests and shops.
 * Threads: no shared state.
 */
#ifndef VT_SHOP_TRAIN_DATA_H
#define VT_SHOP_TRAIN_DATA_H

#include "train/dataset.h"
#include "vitrine.h"

typedef struct vt_train_source {
    const char *data;       /* folder, CSV file or shop */
    const char *images_dir; /* as in vt_train_options */
    const char *label; /* CSV: column; shop: "category", "product" or an attribute's name; NULL:
                          the column "label", the category */
    vt_split split;    /* of what names none itself */
} vt_train_source;
/* Adds rows; vt_dataset_finish is the caller's. Where the data set has columns they are what is
 * read: `label` is not looked at, a cell "a|b" or a list attribute is several values of a column
 * that has several, and what has no value of any column is left out. */
vt_status vt_train_data_add(vt_dataset *data, const vt_train_source *source, vt_error *error);
/* A product's label, of that name; borrowed, NULL: it has none. */
const char *vt_train_label_of(const vt_product *product, const char *label);

/* Whether it is a folder of classes: a directory that is no shop. */
vt_status vt_train_data_is_folder(const char *data, bool *out, vt_error *error);

#endif
