/* SPDX-License-Identifier: Apache-2.0 */
/* The program: a table of commands and the way to the right one. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

typedef struct command {
    const char *name; /* one word, or two for the commands on models */
    int (*run)(int argc, char **argv);
    const char *summary;
} command;

static const command commands[] = {
    {"init", vt_cli_init, "make a shop: an empty catalogue and the encoder it uses"},
    {"import", vt_cli_import, "bring products and pictures in from a feed or folder"},
    {"search", vt_cli_search, "find products by photo"},
    {"eval", vt_cli_eval, "measure how well photos find their products"},
    {"info", vt_cli_info, "what a shop holds"},
    {"show", vt_cli_show, "one product with everything known of it"},
    {"remove", vt_cli_remove, "take products out"},
    {"embed", vt_cli_embed, "photos to vectors in a NumPy file"},
    {"model info", vt_cli_model_info, "what an ONNX file is made of"},
    {"model check", vt_cli_model_check, "hold an ONNX file to its golden picture"},
    {"model run", vt_cli_model_run, "run any ONNX network on tensors from files"},
    {"model test", vt_cli_model_test, "run cases of the ONNX backend test suite"},
    {"sample", vt_cli_sample, "render a catalogue to try things with"},
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

static void print_help(FILE *stream)
{
    fprintf(stream, "vitrine %s - find products by photo\n\nusage: vitrine COMMAND ...\n\n",
            vt_version());
    for (int i = 0; i < COMMAND_COUNT; i++)
        fprintf(stream, "  %-12s %s\n", commands[i].name, commands[i].summary);
    fprintf(stream, "\n'vitrine COMMAND --help' tells more. To begin:\n\n"
                    "  vitrine sample goods\n"
                    "  vitrine init my.shop\n"
                    "  vitrine import my.shop goods/products.csv\n"
                    "  vitrine search my.shop goods/photos/*-1.jpg --top 5\n");
}

/* How many words of argv name the command: 0, 1 or 2. */
static int matches(const command *one, int argc, char **argv)
{
    const char *space = strchr(one->name, ' ');
    if (space == NULL)
        return strcmp(argv[1], one->name) == 0 ? 1 : 0;
    size_t first = (size_t)(space - one->name);
    bool both = argc > 2 && strlen(argv[1]) == first && strncmp(argv[1], one->name, first) == 0 &&
                strcmp(argv[2], space + 1) == 0;
    return both ? 2 : 0;
}

static void print_log(void *context, int level, const char *line)
{
    static const char *const names[] = {"debug", "note", "warning", "error"};
    (void)context;
    fprintf(stderr, "vitrine: %s: %s\n", names[level & 3], line);
}

int main(int argc, char **argv)
{
    enum { WARNINGS = 2 };
    vt_set_log(print_log, NULL, WARNINGS);
    bool help = argc > 1 && (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
                             strcmp(argv[1], "-h") == 0);
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        printf("vitrine %s\n", vt_version());
        return 0;
    }
    if (argc < 2 || help) {
        print_help(help ? stdout : stderr);
        return help ? 0 : vt_status_exit_code(VT_ERR_USAGE);
    }
    for (int i = 0; i < COMMAND_COUNT; i++) {
        int words = matches(&commands[i], argc, argv);
        if (words > 0)
            return commands[i].run(argc - words, argv + words);
    }
    fprintf(stderr, "vitrine: there is no command \"%s%s%s\"; see 'vitrine help'\n", argv[1],
            strcmp(argv[1], "model") == 0 && argc > 2 ? " " : "",
            strcmp(argv[1], "model") == 0 && argc > 2 ? argv[2] : "");
    return vt_status_exit_code(VT_ERR_USAGE);
}
