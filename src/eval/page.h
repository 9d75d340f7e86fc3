/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts of reports: one HTML file that needs nothing else.
 *
 *     vt_buf page;
 *     vt_buf_init(&page, VT_PAGE_BYTES);
 *     vt_page_begin(&page, "Training");
 *     vt_page_matrix(&page, measures, labels);
 *     vt_page_put_examples(&page, &examples);
 *     vt_page_end(&page);
 *     if (!page.failed) ...
 *
 * Threads: no shared state.
 */
#ifndef VT_EVAL_PAGE_H
#define VT_EVAL_PAGE_H

#include "base/buf.h"
#include "eval/attributes.h"
#include "eval/classification.h"
#include "eval/retrieval.h"

enum { VT_PAGE_BYTES = 256 << 20 };

void vt_page_begin(vt_buf *page, const char *title);
void vt_page_end(vt_buf *page);

/* names: (classes). */
void vt_page_matrix(vt_buf *page, const vt_classification *measures, const char *const *names);
void vt_page_classes(vt_buf *page, const vt_classification *measures, const char *const *names);
void vt_page_attributes(vt_buf *page, const vt_attributes *measures, const char *const *names);

/* Recall at each k of every category. */
void vt_page_recall(vt_buf *page, const vt_retrieval *retrieval,
                    const vt_retrieval_options *options);

/* ---- page_examples.c ---- */

/* The hardest photos, each with its nearest neighbours. A *place* numbers photos: those that were
 * measured come first, behind them may be others that are only neighbours. */
typedef struct vt_page_examples {
    size_t count;                   /* photos that were measured */
    const uint32_t *labels;         /* (places) */
    const char *const *label_names; /* by label */
    const uint32_t *named;          /* (count) class that was named; NULL: there are none */
    const float *wrong;             /* (count) how sure a wrong class was named; 0: it is right */
    const char *const *class_names; /* by class */
    const uint32_t *neighbours;     /* (count, neighbour_count) places; NULL: none */
    size_t neighbour_count;
    const char *among; /* "the other validation photos": what neighbours are of */
    /* Appends a small JPEG of the photo; nothing where there is none to be had. */
    void (*thumb)(void *context, size_t place, vt_buf *jpeg);
    void *context;
} vt_page_examples;
enum { VT_PAGE_THUMB_PX = 80, VT_PAGE_THUMB_QUALITY = 70 };
void vt_page_put_examples(vt_buf *page, const vt_page_examples *examples);

#endif
