/* SPDX-License-Identifier: Apache-2.0 */
/* Measures of attributes, from three counts of each. */
#include "eval/attributes.h"

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

static double share(size_t part, size_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0;
}

void vt_attributes_class(const vt_attributes *measures, size_t index, vt_class_result *out)
{
    size_t right = measures->right[index];
    *out = (vt_class_result){.examples = measures->truths[index], .named = measures->named[index]};
    out->precision = share(right, out->named);
    out->recall = share(right, out->examples);
    out->f1 = share(2 * right, out->examples + out->named);
}

void vt_attributes_result_of(const vt_attributes *measures, vt_attributes_result *out)
{
    size_t present = 0, truths = 0, named = 0, right = 0;
    *out = (vt_attributes_result){.examples = measures->examples};
    out->accuracy = share(measures->exact, measures->examples);
    for (size_t c = 0; c < measures->classes; c++) {
        vt_class_result one;
        vt_attributes_class(measures, c, &one);
        truths += one.examples;
        named += one.named;
        right += measures->right[c];
        if (one.examples == 0)
            continue;
        present++;
        out->macro_precision += one.precision;
        out->macro_recall += one.recall;
        out->macro_f1 += one.f1;
    }
    out->micro_f1 = share(2 * right, truths + named);
    if (present > 0) {
        out->macro_precision /= (double)present;
        out->macro_recall /= (double)present;
        out->macro_f1 /= (double)present;
    }
    if (measures->examples > 0)
        out->loss = measures->loss_sum / ((double)measures->examples * (double)measures->classes);
}
