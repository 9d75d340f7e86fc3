/* SPDX-License-Identifier: Apache-2.0 */
/* vitrine eval of a model on labelled photos: its progress and what it prints. */
#include "cli/cli.h"

#include <string.h>

enum { NAME_WIDTH = 28, CATEGORIES_SHOWN = 100 };

static bool on_progress(void *context, const char *phase, uint64_t done, uint64_t total)
{
    return vt_cli_phase_update(context, phase, done, total);
}

static void print_head(const vt_model_eval_report *report)
{
    printf("%zu photos", report->photos);
    if (report->gallery > 0)
        printf(" against %zu others", report->gallery);
    else
        printf(", each against all others");
    printf("; vectors of %zu numbers", report->dimension);
    if (report->computed_in != NULL)
        printf(", computed in %s", report->computed_in);
    printf("; %.1f s\n", report->took_s);
}

static void print_recalls(const vt_model_eval_report *report, const double *recall)
{
    for (size_t i = 0; i < report->k_count; i++)
        printf("  %8.3f   ", recall[i]);
    putchar('\n');
}

static void print_label(const vt_model_eval_report *report, const struct vt_eval_label *label)
{
    printf("\nnearest neighbours by ");
    vt_cli_print(stdout, label->name);
    printf(", %zu values\n%-*s", label->values, NAME_WIDTH, "");
    for (size_t i = 0; i < report->k_count; i++)
        printf("  %8s%-3zu", "@", report->k[i]);
    printf("\n%-*s", NAME_WIDTH, "recall");
    print_recalls(report, label->recall);
    printf("%-*s", NAME_WIDTH, "precision");
    print_recalls(report, label->precision);
    printf("vote of the 10 nearest %.3f, mean average precision %.3f, mean reciprocal rank %.3f "
           "(first %zu ranks)\n",
           label->accuracy, label->map, label->mrr, report->depth);
    if (label->alone > 0)
        printf("%zu photos are not counted: nothing that is searched has their %s\n", label->alone,
               label->name);
    for (size_t c = 0; c < label->category_count && c < CATEGORIES_SHOWN; c++) {
        if (c == 0)
            printf("\nrecall by %s\n", label->name);
        vt_cli_print_column(stdout, label->categories[c].category, NAME_WIDTH - 6);
        printf(" %5zu", label->categories[c].queries);
        print_recalls(report, label->categories[c].recall);
    }
    if (label->category_count > CATEGORIES_SHOWN)
        printf("and %zu more (--json lists all)\n", label->category_count - CATEGORIES_SHOWN);
}

static void print_classes(const vt_model_eval_report *report)
{
    if (report->unclassified != NULL) {
        printf("\nclasses: not measured, %s\n", report->unclassified);
        return;
    }
    printf("\nclasses named by the model, of %zu photos by ", report->classified);
    vt_cli_print(stdout, report->classes_of);
    printf("\naccuracy %.3f, top 5 %.3f, macro F1 %.3f\n", report->accuracy, report->top5,
           report->f1);
    if (report->unknown > 0)
        printf("%zu photos are not counted: their %s is no class of the model\n", report->unknown,
               report->classes_of);
    printf("\n%-*s %8s  %9s  %9s  %9s\n", NAME_WIDTH, "class", "photos", "precision", "recall",
           "F1");
    for (size_t i = 0; i < report->class_count && i < CATEGORIES_SHOWN; i++) {
        const struct vt_eval_class *one = &report->classes[i];
        vt_cli_print_column(stdout, one->name, NAME_WIDTH);
        printf(" %8zu  %9.3f  %9.3f  %9.3f\n", one->photos, one->precision, one->recall, one->f1);
    }
    if (report->class_count > CATEGORIES_SHOWN)
        printf("and %zu more (--json lists all)\n", report->class_count - CATEGORIES_SHOWN);
}

int vt_cli_eval_model(vt_cli_eval_plan *plan)
{
    vt_error error = {0};
    vt_model_eval_report *report = NULL;
    vt_cli_phase_bar shown = {.unit = "photos"};
    plan->how.on_progress = on_progress;
    plan->how.context = &shown;
    vt_status status = vt_model_eval(&plan->encoder, plan->data, &plan->how, &report, &error);
    vt_cli_phase_finish(&shown);
    if (status != VT_OK)
        return vt_cli_fail("eval", plan->json, status, &error);
    if (plan->json) {
        printf("%s\n", report->json);
    } else {
        print_head(report);
        for (size_t i = 0; i < report->label_count; i++)
            print_label(report, &report->labels[i]);
        print_classes(report);
        vt_cli_print_failures(report->failed, report->failed_count);
    }
    vt_model_eval_report_free(report);
    return 0;
}
