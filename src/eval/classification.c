/* SPDX-License-Identifier: Apache-2.0 */
/* Measures of classification, all from the matrix of true and named classes. */
#include "eval/class_results.h"

#include "base/mem.h"

enum { TOP = 5 };

struct vt_classification {
    size_t classes, examples, right, in_top;
    uint32_t *confused; /* (classes, classes): truth, named */
    size_t *truths, *named;
};

vt_status vt_classification_new(size_t classes, vt_classification **out, vt_error *error)
{
    if (classes < 1 || classes > VT_CLASSIFICATION_MAX_CLASSES)
        return vt_fail(error, VT_ERR_LIMIT, "measure %zu classes: it can be 1 to %d", classes,
                       VT_CLASSIFICATION_MAX_CLASSES);
    vt_classification *measures = vt_calloc(1, sizeof(*measures));
    if (measures == NULL)
        return vt_fail_memory(error, "measures");
    measures->classes = classes;
    measures->confused = vt_calloc(classes * classes, sizeof(*measures->confused));
    measures->truths = vt_calloc(classes, sizeof(*measures->truths));
    measures->named = vt_calloc(classes, sizeof(*measures->named));
    if (measures->confused == NULL || measures->truths == NULL || measures->named == NULL) {
        vt_classification_free(measures);
        return vt_fail_memory(error, "measures");
    }
    *out = measures;
    return VT_OK;
}

void vt_classification_free(vt_classification *measures)
{
    if (measures == NULL)
        return;
    vt_free(measures->confused);
    vt_free(measures->truths);
    vt_free(measures->named);
    vt_free(measures);
}

size_t vt_classification_classes(const vt_classification *measures)
{
    return measures->classes;
}

size_t vt_classification_add(vt_classification *measures, size_t truth, const float *scores)
{
    size_t best = 0, before = 0;
    for (size_t i = 0; i < measures->classes; i++) {
        if (scores[i] > scores[best] || scores[best] != scores[best])
            best = i;
        before += scores[i] > scores[truth] || (scores[i] == scores[truth] && i < truth);
    }
    measures->confused[truth * measures->classes + best]++;
    measures->truths[truth]++;
    measures->named[best]++;
    measures->examples++;
    measures->right += best == truth;
    measures->in_top += before < TOP && scores[truth] == scores[truth];
    return best;
}

void vt_classification_class(const vt_classification *measures, size_t index, vt_class_result *out)
{
    *out = vt_class_result_of(measures->truths[index], measures->named[index],
                              vt_classification_confused(measures, index, index));
}

void vt_classification_result_of(const vt_classification *measures, vt_classification_result *out)
{
    vt_class_macro macro = {0};
    for (size_t i = 0; i < measures->classes; i++) {
        vt_class_result one;
        vt_classification_class(measures, i, &one);
        vt_class_macro_add(&macro, &one);
    }
    vt_class_macro_finish(&macro);
    *out = (vt_classification_result){.examples = measures->examples,
                                      .accuracy = vt_share(measures->right, measures->examples),
                                      .top5 = vt_share(measures->in_top, measures->examples),
                                      .macro_precision = macro.precision,
                                      .macro_recall = macro.recall,
                                      .macro_f1 = macro.f1};
}

size_t vt_classification_confused(const vt_classification *measures, size_t truth, size_t named)
{
    return measures->confused[truth * measures->classes + named];
}
