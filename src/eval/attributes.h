/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures of attributes: which of many, each for itself, a model says are there (multi-label
 * classification).
 *
 *     vt_attributes_new(classes, &measures, error);
 *     vt_attributes_add(measures, values, value_count, scores);  // per example
 *     vt_attributes_result_of(measures, &result);
 *     vt_attributes_free(measures);
 *
 * Scores are logits: what is not below 0 (a probability of one half) is said to be there. accuracy
 * is the share of examples of which exactly their attributes are said (subset accuracy); precision,
 * recall and F1 of an attribute as in eval/classification.h, macro averages over attributes that
 * examples have; micro F1 over all sayings together; loss is the mean binary cross-entropy.
 *
 * Threads: one thread at a time.
 */
#ifndef VT_EVAL_ATTRIBUTES_H
#define VT_EVAL_ATTRIBUTES_H

#include "eval/classification.h"

typedef struct vt_attributes vt_attributes;

/* classes: 1 to VT_CLASSIFICATION_MAX_CLASSES. */
vt_status vt_attributes_new(size_t classes, vt_attributes **out, vt_error *error);
void vt_attributes_free(vt_attributes *measures); /* NULL is fine */
size_t vt_attributes_classes(const vt_attributes *measures);
/* values: (count) different ones that the example has; scores: (classes), NaN is not there. */
void vt_attributes_add(vt_attributes *measures, const uint32_t *values, size_t count,
                       const float *scores);

typedef struct vt_attributes_result {
    size_t examples;
    double accuracy, macro_precision, macro_recall, macro_f1, micro_f1, loss;
} vt_attributes_result;
void vt_attributes_result_of(const vt_attributes *measures, vt_attributes_result *out);
void vt_attributes_class(const vt_attributes *measures, size_t index, vt_class_result *out);

#endif
