/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A catalogue that belongs to nobody: goods modelled as signed-distance shapes, ray-marched into
 * studio pictures and "customer photos". For trying vitrine out, for tests, and for training.
 *
 *     vt_sample_options options = vt_sample_options_defaults();
 *     vt_sample_render("sample", &options, &report, error);
 *
 * Layout written: products.csv (id,title,description,category,brand,price,color,material,pattern,
 * image_link,additional_image_link), queries.csv (photo,product,category), studio/<id>-<n>.jpg,
 * photos/<id>-<n>.jpg. The same options give the same bytes on every machine and thread count.
 *
 * Threads: renders on its own pool; no shared state.
 */
#ifndef VT_SAMPLE_SAMPLE_H
#define VT_SAMPLE_SAMPLE_H

#include "base/status.h"

#include <stdint.h>

/* vt_sample_options and vt_sample_report are the public header's. */
vt_sample_options vt_sample_options_defaults(void); /* 160 products, 2, 3, seed 1, 320 px */

/* Makes the directory. VT_ERR_EXISTS when products.csv is already there. */
vt_status vt_sample_render(const char *directory, const vt_sample_options *options,
                           vt_sample_report *report, vt_error *error);

#endif
