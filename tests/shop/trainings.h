/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trainings through the public API that are over in a second, for the tests of src/shop.
 */
#ifndef VT_TESTS_SHOP_TRAININGS_H
#define VT_TESTS_SHOP_TRAININGS_H

#include "shop/journey.h"

#include "base/file.h"

enum { TRAINING_SETTINGS = 24 };

typedef struct attempt {
    journey *j;
    const char *data, *out; /* below the scratch directory */
    vt_train_options options;
    vt_train_setting settings[TRAINING_SETTINGS];
    char paths[2][SCRATCH_PATH_BYTES];
    vt_train_report *report;
    vt_error error;
} attempt;

/* settings: pairs over the usual ones, NULL behind the last; NULL: none. */
static inline attempt prepare(journey *j, const char *data, const char *const *settings)
{
    static const char *const usual[] = {"arch",   "resnet9", "width",   "0.1", "size",    "32",
                                        "epochs", "2",       "batch",   "6",   "augment", "none",
                                        "lr",     "0.02",    "threads", "1",   NULL};
    attempt a = {.j = j, .data = data, .out = "out.onnx", .options = vt_train_options_defaults()};
    for (const char *const *s = usual; *s != NULL; s += 2)
        a.settings[a.options.setting_count++] = (vt_train_setting){s[0], s[1]};
    for (const char *const *s = settings; s != NULL && *s != NULL; s += 2)
        a.settings[a.options.setting_count++] = (vt_train_setting){s[0], s[1]};
    return a;
}

static inline vt_status train(attempt *a)
{
    snprintf(a->paths[0], sizeof(a->paths[0]), "%s", at(a->j, a->data));
    snprintf(a->paths[1], sizeof(a->paths[1]), "%s", at(a->j, a->out));
    a->options.out = a->paths[1];
    a->options.settings = a->settings;
    return vt_train(a->paths[0], &a->options, &a->report, &a->error);
}

static inline void train_well(attempt *a)
{
    expect_ok(train(a), &a->error);
}

static inline void refused(journey *j, const char *data, const char *const *settings,
                           vt_status want, const char *text)
{
    attempt a = prepare(j, data, settings);
    vt_status status = train(&a);
    expect_failure(status, want, &a.error, text);
    assert_null(a.report);
    assert_false(vt_file_exists(a.paths[1]));
}

#endif
