/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside src/eval: precision, recall and F1 out of counts, and their macro averages.
 *
 *     vt_class_macro macro = {0};
 *     vt_class_result one = vt_class_result_of(examples, named, right);   // of each class
 *     vt_class_macro_add(&macro, &one);
 *     vt_class_macro_finish(&macro);                                      // now they are means
 *
 * Definitions: eval/classification.h.
 */
#ifndef VT_EVAL_CLASS_RESULTS_H
#define VT_EVAL_CLASS_RESULTS_H

#include "eval/classification.h"

typedef struct vt_class_macro {
    size_t present; /* classes that have examples; the others do not count */
    double precision, recall, f1;
} vt_class_macro;

double vt_share(size_t part, size_t whole); /* 0 of nothing */
/* examples: truly of it; named: named so; right: both. */
vt_class_result vt_class_result_of(size_t examples, size_t named, size_t right);
void vt_class_macro_add(vt_class_macro *macro, const vt_class_result *one);
void vt_class_macro_finish(vt_class_macro *macro);

#endif
