/* SPDX-License-Identifier: Apache-2.0 */
/* Measures of classification, all from the matrix of true and named classes. */
#include "eval/classification.h"

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

static double share(size_t part, size_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0;
}

void vt_classification_class(const vt_classification *measures, size_t index, vt_class_result *out)
{
    size_t right = vt_classification_confused(measures, index, index);
    *out = (vt_class_result){.examples = measures->truths[index], .named = measures->named[index]};
    out->precision = share(right, out->named);
    out->recall = share(right, out->examples);
    if (right > 0)
        out->f1 = 2 * out->precision * out->recall / (out->precision + out->recall);
}

void vt_classification_result_of(const vt_classification *measures, vt_classification_result *out)
{
    size_t present = 0;
    *out = (vt_classification_result){.examples = measures->examples};
    out->accuracy = share(measures->right, measures->examples);
    out->top5 = share(measures->in_top, measures->examples);
    for (size_t i = 0; i < measures->classes; i++) {
        vt_class_result one;
        vt_classification_class(measures, i, &one);
        if (one.examples == 0)
            continue;
        present++;
        out->macro_precision += one.precision;
        out->macro_recall += one.recall;
        out->macro_f1 += one.f1;
    }
    if (present > 0) {
        out->macro_precision /= (double)present;
        out->macro_recall /= (double)present;
        out->macro_f1 /= (double)present;
    }
}

size_t vt_classification_confused(const vt_classification *measures, size_t truth, size_t named)
{
    return measures->confused[truth * measures->classes + named];
}
