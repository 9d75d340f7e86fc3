/* SPDX-License-Identifier: Apache-2.0 */
/* Measures of attributes, from three counts of each. */
#include "eval/attributes.h"

#include "eval/class_results.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

struct vt_attributes {
    size_t classes, examples, exact;
    size_t *truths, *named, *right; /* (classes) */
    bool *has;                      /* (classes) of the example at hand */
    double loss_sum;                /* of all scores */
};

vt_status vt_attributes_new(size_t classes, vt_attributes **out, vt_error *error)
{
    if (classes < 1 || classes > VT_CLASSIFICATION_MAX_CLASSES)
        return vt_fail(error, VT_ERR_LIMIT, "measure %zu attributes: it can be 1 to %d", classes,
                       VT_CLASSIFICATION_MAX_CLASSES);
    vt_attributes *measures = vt_calloc(1, sizeof(*measures));
    if (measures == NULL)
        return vt_fail_memory(error, "measures");
    measures->classes = classes;
    measures->truths = vt_calloc(classes, sizeof(*measures->truths));
    measures->named = vt_calloc(classes, sizeof(*measures->named));
    measures->right = vt_calloc(classes, sizeof(*measures->right));
    measures->has = vt_calloc(classes, sizeof(*measures->has));
    if (measures->truths == NULL || measures->named == NULL || measures->right == NULL ||
        measures->has == NULL) {
        vt_attributes_free(measures);
        return vt_fail_memory(error, "measures");
    }
    *out = measures;
    return VT_OK;
}

void vt_attributes_free(vt_attributes *measures)
{
    if (measures == NULL)
        return;
    vt_free(measures->truths);
    vt_free(measures->named);
    vt_free(measures->right);
    vt_free(measures->has);
    vt_free(measures);
}

size_t vt_attributes_classes(const vt_attributes *measures)
{
    return measures->classes;
}

void vt_attributes_add(vt_attributes *measures, const uint32_t *values, size_t count,
                       const float *scores)
{
    bool exact = true;
    memset(measures->has, 0, measures->classes * sizeof(*measures->has));
    for (size_t i = 0; i < count; i++)
        measures->has[values[i]] = true;
    for (size_t c = 0; c < measures->classes; c++) {
        double x = (double)scores[c];
        bool has = measures->has[c], named = x >= 0;
        exact = exact && has == named;
        measures->truths[c] += has;
        measures->named[c] += named;
        measures->right[c] += has && named;
        measures->loss_sum += fmax(x, 0) - (has ? x : 0) + log1p(exp(-fabs(x)));
    }
    measures->examples++;
    measures->exact += exact;
}

void vt_attributes_class(const vt_attributes *measures, size_t index, vt_class_result *out)
{
    *out =
        vt_class_result_of(measures->truths[index], measures->named[index], measures->right[index]);
}

void vt_attributes_result_of(const vt_attributes *measures, vt_attributes_result *out)
{
    size_t truths = 0, named = 0, right = 0;
    vt_class_macro macro = {0};
    for (size_t c = 0; c < measures->classes; c++) {
        vt_class_result one;
        vt_attributes_class(measures, c, &one);
        vt_class_macro_add(&macro, &one);
        truths += one.examples;
        named += one.named;
        right += measures->right[c];
    }
    vt_class_macro_finish(&macro);
    *out = (vt_attributes_result){.examples = measures->examples,
                                  .accuracy = vt_share(measures->exact, measures->examples),
                                  .macro_precision = macro.precision,
                                  .macro_recall = macro.recall,
                                  .macro_f1 = macro.f1,
                                  .micro_f1 = vt_share(2 * right, truths + named)};
    if (measures->examples > 0)
        out->loss = measures->loss_sum / ((double)measures->examples * (double)measures->classes);
}
