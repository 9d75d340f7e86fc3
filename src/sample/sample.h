/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A catalogue that belongs to nobody: goods modelled as signed-distance shapes, ray-marched into studio
 * pictures and "customer photos". For trying vitrine out, for tests, and for training.
 *
 *     vt_sample_options options = vt_sample_options_defaults();
 *     vt_sample_render("sample", &options, &report, error);
 *
 * Layout written: products.csv (id,title,description,category,brand,price,color,material,image_link,
 * additional_image_link), queries.csv (photo,product,category), studio/<id>-<n>.jpg,
 * photos/<id>-<n>.jpg. The same options give the same bytes on every machine and thread count.
 *
 * Threads: renders on its own pool; no shared state.
 */
#ifndef VT_SAMPLE_SAMPLE_H
#define VT_SAMPLE_SAMPLE_H

#include "base/status.h"

#include <stdint.h>

typedef struct vt_sample_options {
    size_t products;
    int studio_views; /* per product, on white */
    int photo_views;  /* per product, "customer photos" */
    uint64_t seed;
    int size_px;      /* side of the studio pictures; photos vary around it */
    int threads;      /* 0: all cores */
    bool (*on_progress)(void *context, uint64_t done, uint64_t total); /* pictures; false cancels */
    void *context;
} vt_sample_options;
vt_sample_options vt_sample_options_defaults(void); /* 160 products, 2, 3, seed 1, 320 px */

typedef struct vt_sample_report {
    size_t products, families, pictures;
} vt_sample_report;

/* Makes the directory. VT_ERR_EXISTS when products.csv is already there. */
vt_status vt_sample_render(const char *directory, const vt_sample_options *options,
                           vt_sample_report *report, vt_error *error);

#endif
