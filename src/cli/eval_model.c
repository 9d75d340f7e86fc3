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

static void print_classes(const struct vt_eval_classes *head)
{
    bool named = head->head[0] != '\0';
    printf("\nclasses");
    if (named) {
        printf(" of head ");
        vt_cli_print(stdout, head->head);
    }
    if (head->unclassified != NULL) {
        printf(": not measured, %s\n", head->unclassified);
        return;
    }
    printf(" named by the model, of %zu photos by ", head->classified);
    vt_cli_print(stdout, head->label);
    if (head->several)
        printf("\nall right %.3f, macro F1 %.3f\n", head->accuracy, head->f1);
    else
        printf("\naccuracy %.3f, top 5 %.3f, macro F1 %.3f\n", head->accuracy, head->top5,
               head->f1);
    if (head->unknown > 0) {
        printf("%zu photos are not counted: their ", head->unknown);
        vt_cli_print(stdout, head->label);
        printf(" is no class of the model\n");
    }
    if (head->unlabelled > 0) {
        printf("%zu photos are not counted: they have no ", head->unlabelled);
        vt_cli_print(stdout, head->label);
        putchar('\n');
    }
    printf("\n%-*s %8s  %9s  %9s  %9s\n", NAME_WIDTH, "class", "photos", "precision", "recall",
           "F1");
    for (size_t i = 0; i < head->class_count && i < CATEGORIES_SHOWN; i++) {
        const struct vt_eval_class *one = &head->classes[i];
        vt_cli_print_column(stdout, one->name, NAME_WIDTH);
        printf(" %8zu  %9.3f  %9.3f  %9.3f\n", one->photos, one->precision, one->recall, one->f1);
    }
    if (head->class_count > CATEGORIES_SHOWN)
        printf("and %zu more (--json lists all)\n", head->class_count - CATEGORIES_SHOWN);
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
        for (size_t h = 0; h < report->head_count; h++)
            print_classes(&report->heads[h]);
        if (report->head_count == 0)
            printf("\nclasses: not measured, %s\n", report->unclassified);
        vt_cli_print_failures(report->failed, report->failed_count);
    }
    vt_model_eval_report_free(report);
    return 0;
}
