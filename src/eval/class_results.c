/* SPDX-License-Identifier: Apache-2.0 */
/* Precision, recall and F1 of a class, and their means over classes. */
#include "eval/class_results.h"

double vt_share(size_t part, size_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0;
}

vt_class_result vt_class_result_of(size_t examples, size_t named, size_t right)
{
    vt_class_result out = {.examples = examples, .named = named};
    out.precision = vt_share(right, named);
    out.recall = vt_share(right, examples);
    if (right > 0)
        out.f1 = 2 * out.precision * out.recall / (out.precision + out.recall);
    return out;
}

void vt_class_macro_add(vt_class_macro *macro, const vt_class_result *one)
{
    if (one->examples == 0)
        return;
    macro->present++;
    macro->precision += one->precision;
    macro->recall += one->recall;
    macro->f1 += one->f1;
}

void vt_class_macro_finish(vt_class_macro *macro)
{
    if (macro->present == 0)
        return;
    macro->precision /= (double)macro->present;
    macro->recall /= (double)macro->present;
    macro->f1 /= (double)macro->present;
}
