/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures of classification: how often the class that a model names is the true one.
 *
 *     vt_classification_new(classes, &measures, error);
 *     vt_classification_add(measures, truth, scores);         // per example
 *     vt_classification_result_of(measures, &result);
 *     vt_classification_free(measures);
 *
 * Definitions, for a class: precision: share of true ones among those named so; recall: share of
 * its own that were named so; F1: their harmonic mean. Where nothing was named or there is none,
 * the measure is 0. The macro averages are over classes that have examples.
 *
 * Threads: one thread at a time.
 */
#ifndef VT_EVAL_CLASSIFICATION_H
#define VT_EVAL_CLASSIFICATION_H

#include "base/status.h"

typedef struct vt_classification vt_classification;

enum { VT_CLASSIFICATION_MAX_CLASSES = 16384 };

/* classes: 1 to 16384. */
vt_status vt_classification_new(size_t classes, vt_classification **out, vt_error *error);
void vt_classification_free(vt_classification *measures);
size_t vt_classification_classes(const vt_classification *measures);
/* scores: (classes), higher is more likely; ties go to the smaller number, NaN is never highest.
 * Returns the class that they name. */
size_t vt_classification_add(vt_classification *measures, size_t truth, const float *scores);

typedef struct vt_classification_result {
    size_t examples;
    double accuracy, top5; /* share whose true class is first, among the first five */
    double macro_precision, macro_recall, macro_f1;
} vt_classification_result;
void vt_classification_result_of(const vt_classification *measures, vt_classification_result *out);

typedef struct vt_class_result {
    size_t examples, named; /* truly of it; named so */
    double precision, recall, f1;
} vt_class_result;
void vt_classification_class(const vt_classification *measures, size_t index, vt_class_result *out);
/* How many of class `truth` were named `named`. */
size_t vt_classification_confused(const vt_classification *measures, size_t truth, size_t named);

#endif
