/* SPDX-License-Identifier: Apache-2.0 */
/* The measures of a run by name. */
#include "train/run.h"

#include <string.h>

static const char *const names[VT_MEASURES] = {"accuracy", "top5",      "f1",  "recall@1",
                                               "recall@5", "recall@10", "loss"};

const char *vt_measure_name(vt_measure measure)
{
    return (unsigned)measure < VT_MEASURES ? names[measure] : "?";
}

bool vt_measure_from_name(const char *name, vt_measure *out)
{
    for (int i = 0; i < VT_MEASURES; i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (vt_measure)i;
            return true;
        }
    return false;
}

bool vt_measure_is_better_higher(vt_measure measure)
{
    return measure != VT_MEASURE_LOSS;
}
