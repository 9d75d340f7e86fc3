/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside src/cli: what the commands share. main.c holds the table of commands; each command is one
 * file with one function, which gets the arguments after its name and returns the exit code.
 *
 * Threads: the program's commands run in the main thread.
 */
#ifndef VT_CLI_CLI_H
#define VT_CLI_CLI_H

#include "base/buf.h"
#include "base/json.h"
#include "base/progress.h"
#include "vitrine.h"

#include <stdio.h>

/* ---- options.c ---- */

typedef enum vt_cli_kind {
    VT_CLI_FLAG,   /* bool *target */
    VT_CLI_TEXT,   /* const char **target, borrowed from argv */
    VT_CLI_LIST,   /* vt_cli_list *target: the option may be repeated */
    VT_CLI_INT,    /* int64_t *target, low..high */
    VT_CLI_NUMBER, /* double *target, low..high */
} vt_cli_kind;

enum { VT_CLI_LIST_CAPACITY = 64 };
typedef struct vt_cli_list {
    const char *items[VT_CLI_LIST_CAPACITY];
    size_t count;
} vt_cli_list;

typedef struct vt_cli_option {
    const char *name;  /* without dashes */
    const char *value; /* what stands for the value in the help, NULL for flags */
    vt_cli_kind kind;
    void *target;
    const char *help;
    double low, high;
} vt_cli_option;

#define VT_CLI_FLAG_OPTION(name, target, help)                                                     \
    {                                                                                              \
        name, NULL, VT_CLI_FLAG, target, help, 0, 0                                                \
    }
#define VT_CLI_TEXT_OPTION(name, value, target, help)                                              \
    {                                                                                              \
        name, value, VT_CLI_TEXT, target, help, 0, 0                                               \
    }
#define VT_CLI_LIST_OPTION(name, value, target, help)                                              \
    {                                                                                              \
        name, value, VT_CLI_LIST, target, help, 0, 0                                               \
    }

/* Wherever a network is opened and run; the library checks the text. */
#define VT_CLI_PRECISION_OPTION(target)                                                            \
    VT_CLI_TEXT_OPTION("precision", "f32|bf16|int8|auto", target,                                  \
                       "what the network computes in (auto: the fastest that stays exact enough)")
/* The same where the default is a shop's. */
#define VT_CLI_SHOP_PRECISION_OPTION(target)                                                       \
    VT_CLI_TEXT_OPTION("precision", "f32|bf16|int8|auto", target,                                  \
                       "what the network computes in (default: as the shop was made)")

typedef struct vt_cli_usage {
    const char *command;              /* "search", "model info" */
    const char *arguments;            /* "SHOP PHOTO..." */
    const char *purpose;              /* a sentence or two */
    const char *example;              /* NULL: none */
    int min_arguments, max_arguments; /* max -1: any number */
    const vt_cli_option *options;     /* (option_count) */
    size_t option_count;
} vt_cli_usage;

/* The plain arguments, in order; borrowed from argv. */
typedef struct vt_cli_arguments {
    char **items;
    int count;
} vt_cli_arguments;

/* Parses options, anywhere among the arguments. VT_CLI_GO: run the command. Otherwise help or an
 * error was printed (as a JSON document when --json is among the arguments) and the value is the
 * exit code. */
enum { VT_CLI_GO = -1 };
int vt_cli_parse(const vt_cli_usage *usage, int argc, char **argv, vt_cli_arguments *out);

/* ---- report.c ---- */

/* Prints the failure (to standard error, with `json` also as one JSON document to standard output)
 * and returns the exit code. */
int vt_cli_fail(const char *command, bool json, vt_status status, const vt_error *error);
/* The line of it alone, and the member "error" of an open object alone. */
void vt_cli_complain(const char *command, vt_status status, const vt_error *error);
void vt_cli_put_error(vt_json_writer *writer, vt_status status, const vt_error *error);
/* Exit code of a command whose output went to standard output: VT_ERR_IO's when it did not all get
 * there, otherwise `code`. */
int vt_cli_finish(int code);
/* Begins a command's JSON document with an object, which the caller closes. */
void vt_cli_begin_json(vt_json_writer *writer, vt_buf *document);
/* Prints a finished JSON document (with line end) and frees the buffer. Returns the exit code. */
int vt_cli_print_json(const char *command, vt_buf *document);
/* Members of a product in an open object: id, title ... attributes, pictures. */
void vt_cli_put_product(vt_json_writer *writer, const vt_product *product);
void vt_cli_put_attributes(vt_json_writer *writer, const vt_product *product);
/* "12.90 EUR"; "" without a price. */
void vt_cli_price(const vt_product *product, char *out, size_t capacity);
/* What vt_onnx_run and vt_onnx_test compute in when asked so. */
const char *vt_cli_run_precision(const char *asked, vt_onnx_executor executor);
/* The text, or what stands for one that is missing. */
const char *vt_cli_or(const char *text, const char *fallback);
/* Strangers' text on a terminal: line breaks become spaces, other control characters "?". NULL
 * prints nothing. */
void vt_cli_print(FILE *stream, const char *text);
/* The same in at most so many characters; the width that is left. */
int vt_cli_print_cut(FILE *stream, const char *text, int width);
/* The same in exactly so many characters, cut or padded. */
void vt_cli_print_column(FILE *stream, const char *text, int width);
enum { VT_CLI_DOCUMENT_BYTES = 1 << 30 };

/* ---- interrupt.c ---- */

/* From here on Ctrl-C and SIGTERM ask for an orderly end instead of ending the program at once; a
 * second one ends it. */
void vt_cli_catch_interrupt(void);
bool vt_cli_interrupted(void);
/* A vt_on_progress for a vt_progress_bar (context) that also ends on interruption. */
bool vt_cli_on_progress(void *bar, uint64_t done, uint64_t total);

/* ---- phase_bar.c ---- */

/* Progress of work in phases, of which each gets a bar of its own.
 *
 *     vt_cli_phase_bar shown = {.unit = "photos"};
 *     vt_cli_phase_update(&shown, "decode", done, total);   // as often as there is news
 *     vt_cli_phase_finish(&shown);
 */
typedef struct vt_cli_phase_bar {
    const char *unit; /* borrowed: what is counted */
    char title[96];   /* to be shown instead of the phase's name; may be changed at any time */
    FILE *stream;     /* NULL: standard error */
    vt_progress_bar bar;
    char phase[24], drawn[96];
    bool begun;
} vt_cli_phase_bar;
/* What a phase's first report calls done is not counted as done by it. false: interrupted. */
bool vt_cli_phase_update(vt_cli_phase_bar *shown, const char *phase, uint64_t done, uint64_t total);
void vt_cli_phase_finish(vt_cli_phase_bar *shown);

/* ---- facets.c ---- */

/* What --facets names, as the library takes it. */
enum { VT_CLI_FACET_CAPACITY = 64 };
typedef struct vt_cli_names {
    const char *items[VT_CLI_FACET_CAPACITY];
    size_t count;
    char *memory; /* vt_free */
} vt_cli_names;
/* Cuts "color,size" at its commas; false: too many, or memory is out. */
bool vt_cli_split_names(const char *text, vt_cli_names *out);
#define VT_CLI_WHERE_OPTION(target)                                                                \
    VT_CLI_TEXT_OPTION("where", "FILTER", target,                                                  \
                       "only products that pass, like: \"price < 100 AND brand != 'x'\"")
#define VT_CLI_FACETS_OPTION(target)                                                               \
    VT_CLI_TEXT_OPTION("facets", "NAME,...", target,                                               \
                       "count the products that pass by the values of these attributes")
#define VT_CLI_FACET_TOP_OPTION(target)                                                            \
    {                                                                                              \
        "facet-top", "N", VT_CLI_INT, target, "values of each facet (default 10)", 1, 10000        \
    }
#define VT_CLI_OFFSET_OPTION(target)                                                               \
    {                                                                                              \
        "offset", "N", VT_CLI_INT, target, "leave out the first N products", 0, 1000000            \
    }
void vt_cli_print_facets(const vt_facet *facets, size_t count);
void vt_cli_put_facets(vt_json_writer *writer, const vt_facet *facets, size_t count);
/* "red" or "42.5": a value's text. scratch: (capacity). */
const char *vt_cli_facet_text(const vt_facet_value *value, char *scratch, size_t capacity);

/* ---- page.c ---- */
/* Begins a page with what all have, and rules of its own; the body is open. */
void vt_cli_page_begin(vt_buf *page, const char *title, const char *style);
/* Ends it, writes it to `path` if all went well so far, and frees the buffer. */
vt_status vt_cli_page_end(vt_buf *page, vt_status status, const char *path, vt_error *error);
void vt_cli_page_picture(vt_buf *page, const void *jpeg, size_t length, const char *alt);

/* ---- cluster_html.c ---- */
vt_status vt_cli_write_clusters(vt_shop *shop, const vt_clusters *clusters, const char *where,
                                const char *path, vt_error *error);

/* ---- search_html.c ---- */
vt_status vt_cli_write_html(vt_shop *shop, const vt_query *query, const vt_answer *answer,
                            const char *path, vt_error *error);

/* ---- model_info_json.c ---- */
int vt_cli_print_model_json(const vt_onnx_info *info);

/* ---- promote.c ---- */

/* A promotion's report as text; and the exit code, with a line about it where the shop was not
 * switched. */
void vt_cli_print_promotion(const vt_promote_report *report, const char *shop);
int vt_cli_end_promotion(const char *command, const vt_promote_report *report);
/* ---- eval_model.c ---- */

/* What `vitrine eval` is to do where it is given a model instead of a shop. */
typedef struct vt_cli_eval_plan {
    vt_init_options encoder; /* model, preset, output, precision */
    const char *data;
    vt_model_eval_options how;
    bool json;
} vt_cli_eval_plan;
int vt_cli_eval_model(vt_cli_eval_plan *plan);
/* Photos that were left out, in short. */
void vt_cli_print_failures(const struct vt_eval_failure *failed, size_t count);

/* ---- commands ---- */
int vt_cli_init(int argc, char **argv);
int vt_cli_import(int argc, char **argv);
int vt_cli_search(int argc, char **argv);
int vt_cli_list_products(int argc, char **argv);
int vt_cli_cluster(int argc, char **argv);
int vt_cli_eval(int argc, char **argv);
int vt_cli_embed(int argc, char **argv);
int vt_cli_events(int argc, char **argv);
int vt_cli_info(int argc, char **argv);
int vt_cli_index_build(int argc, char **argv);
int vt_cli_index_info(int argc, char **argv);
int vt_cli_index_check(int argc, char **argv);
int vt_cli_index_bench(int argc, char **argv);
int vt_cli_show(int argc, char **argv);
int vt_cli_remove(int argc, char **argv);
int vt_cli_model_info(int argc, char **argv);
int vt_cli_model_check(int argc, char **argv);
int vt_cli_model_export(int argc, char **argv);
int vt_cli_model_quantize(int argc, char **argv);
int vt_cli_model_run(int argc, char **argv);
int vt_cli_model_test(int argc, char **argv);
int vt_cli_sample(int argc, char **argv);
int vt_cli_train(int argc, char **argv);
int vt_cli_promote(int argc, char **argv);
/* serve.c */
int vt_cli_serve(int argc, char **argv);
int vt_cli_key_add(int argc, char **argv);
int vt_cli_key_list(int argc, char **argv);
int vt_cli_key_revoke(int argc, char **argv);

#endif
