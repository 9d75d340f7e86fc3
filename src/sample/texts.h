/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the feed says about a product.
 *
 *     vt_texts_product(&design, 16, 2, &row);   // p00017,"Tall Red ...",...\n
 *
 * Threads: no state.
 */
#ifndef VT_SAMPLE_TEXTS_H
#define VT_SAMPLE_TEXTS_H

#include "base/buf.h"
#include "sample/families/family.h"

enum { VT_TEXTS_ID = 24 };

void vt_texts_id(size_t product, char id[VT_TEXTS_ID]); /* product from 0 */
/* Paths of pictures relative to the catalogue, view from 1; 64 bytes are enough. */
void vt_texts_studio_path(size_t product, int view, char path[64]);
void vt_texts_photo_path(size_t product, int view, char path[64]);

void vt_texts_feed_header(vt_buf *out);
void vt_texts_feed_row(const vt_design *design, size_t product, int studio_views, vt_buf *out);
void vt_texts_query_header(vt_buf *out);
void vt_texts_query_rows(const vt_design *design, size_t product, int photo_views, vt_buf *out);

#endif
