/* SPDX-License-Identifier: Apache-2.0 */
/* The program: a table of commands and the way to the right one. */
#include "cli/cli.h"

#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

typedef struct command {
    const char *name; /* one word, or two for those on models, keys and the index */
    int (*run)(int argc, char **argv);
    const char *summary;
} command;

static const command commands[] = {
    {"init", vt_cli_init, "make a shop: an empty catalogue and the encoder it uses"},
    {"import", vt_cli_import, "bring products and pictures in from a feed or folder"},
    {"search", vt_cli_search, "find products by photo, or by other products"},
    {"list", vt_cli_list_products, "products by filter and in order, without a photo"},
    {"cluster", vt_cli_cluster, "groups of products that look alike, and what they share"},
    {"eval", vt_cli_eval, "measure how well a shop finds its products, or a model its labels"},
    {"events", vt_cli_events, "what shoppers looked at, clicked and bought"},
    {"info", vt_cli_info, "what a shop holds, and whether it is sound"},
    {"index build", vt_cli_index_build, "build what finds the nearest products anew"},
    {"index info", vt_cli_index_info, "what finds the nearest products, and why that"},
    {"index check", vt_cli_index_check, "whether it equals the catalogue, and its recall"},
    {"index bench", vt_cli_index_bench, "rate and recall of each way to find the nearest"},
    {"show", vt_cli_show, "one product with everything known of it"},
    {"remove", vt_cli_remove, "take products out"},
    {"embed", vt_cli_embed, "photos to vectors in a NumPy file"},
    {"train", vt_cli_train, "learn an encoder from photos"},
    {"promote", vt_cli_promote, "give a shop another encoder while it is searched"},
    {"model info", vt_cli_model_info, "what an ONNX file is made of"},
    {"model check", vt_cli_model_check, "hold an ONNX file to its golden picture"},
    {"model run", vt_cli_model_run, "run any ONNX network on tensors from files"},
    {"model export", vt_cli_model_export, "write an ONNX file anew as one whole file"},
    {"model quantize", vt_cli_model_quantize,
     "write an encoder with 8-bit weights and activations"},
    {"model test", vt_cli_model_test, "run cases of the ONNX backend test suite"},
    {"sample", vt_cli_sample, "render a catalogue to try things with"},
    {"serve", vt_cli_serve, "answer over HTTP: an API and a page to search on"},
    {"key add", vt_cli_key_add, "make a key for the API"},
    {"key list", vt_cli_key_list, "the keys of a shop"},
    {"key revoke", vt_cli_key_revoke, "take keys back"},
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]), EXIT_CODES_PER_LINE = 4 };

static bool is_help(const char *word)
{
    return strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static void print_commands(FILE *stream, const char *group)
{
    for (int i = 0; i < COMMAND_COUNT; i++)
        if (strncmp(commands[i].name, group, strlen(group)) == 0)
            fprintf(stream, "  %-14s %s\n", commands[i].name, commands[i].summary);
}

static void print_exit_codes(FILE *stream)
{
    fprintf(stream, "\nexit codes:\n");
    for (int status = 0; status < VT_STATUS_COUNT; status++)
        fprintf(stream, "  %2d %-22s%s", vt_status_exit_code((vt_status)status),
                vt_status_text((vt_status)status),
                status % EXIT_CODES_PER_LINE == EXIT_CODES_PER_LINE - 1 ||
                        status == VT_STATUS_COUNT - 1
                    ? "\n"
                    : "");
}

static void print_help(FILE *stream)
{
    fprintf(stream, "vitrine %s - find products by photo\n\nusage: vitrine COMMAND ...\n\n",
            vt_version());
    print_commands(stream, "");
    fprintf(stream,
            "\n'vitrine COMMAND --help' tells more; --json after any command gives one JSON "
            "document.\nTo begin:\n\n"
            "  vitrine sample goods\n"
            "  vitrine init my.shop\n"
            "  vitrine import my.shop goods/products.csv\n"
            "  vitrine eval my.shop goods/queries.csv\n");
    print_exit_codes(stream);
}

/* How many words at the start of `words` name the command: 0, 1 or 2. */
static int matches(const command *one, int count, char **words)
{
    const char *space = strchr(one->name, ' ');
    if (space == NULL)
        return strcmp(words[0], one->name) == 0 ? 1 : 0;
    size_t first = (size_t)(space - one->name);
    bool both = count > 1 && strlen(words[0]) == first &&
                strncmp(words[0], one->name, first) == 0 && strcmp(words[1], space + 1) == 0;
    return both ? 2 : 0;
}

/* words[0]: the command's name. A command's argv[0] is its name's last word. */
static int run_command(int count, char **words)
{
    for (int i = 0; i < COMMAND_COUNT; i++) {
        int used = matches(&commands[i], count, words);
        if (used > 0)
            return commands[i].run(count - used + 1, words + used - 1);
    }
    bool group = strcmp(words[0], "model") == 0 || strcmp(words[0], "index") == 0 ||
                 strcmp(words[0], "key") == 0;
    if (group && (count < 2 || is_help(words[1]))) {
        FILE *stream = count < 2 ? stderr : stdout;
        char name[16];
        snprintf(name, sizeof(name), "%s ", words[0]);
        fprintf(stream, "usage: vitrine %sCOMMAND ...\n\n", name);
        print_commands(stream, name);
        return count < 2 ? vt_status_exit_code(VT_ERR_USAGE) : 0;
    }
    vt_error error;
    snprintf(error.message, sizeof(error.message),
             "there is no command \"%.64s%s%.64s\"; see 'vitrine help'", words[0], group ? " " : "",
             group ? words[1] : "");
    fprintf(stderr, "vitrine: ");
    vt_cli_print(stderr, error.message);
    fputc('\n', stderr);
    return vt_status_exit_code(VT_ERR_USAGE);
}

/* vitrine help COMMAND is vitrine COMMAND --help. */
static int run_help(int count, char **words)
{
    static char help[] = "--help";
    char *request[] = {words[0], count > 1 ? words[1] : help, help};
    if (count == 1)
        return run_command(2, request);
    return run_command(3, request);
}

static void print_log(void *context, int level, const char *line)
{
    static const char *const names[] = {"debug", "note", "warning", "error"};
    (void)context;
    fprintf(stderr, "vitrine: %s: ", names[level & 3]);
    vt_cli_print(stderr, line);
    fputc('\n', stderr);
}

/* Weights come and go in pieces of many megabytes. glibc would after a while keep such pieces in
 * its heap, full of holes: with a fixed bound they go back to the system (a ResNet-50 in f32 and
 * then bf16: 256 MB -> 165 MB at the peak). */
static void return_large_pieces(void)
{
#ifdef __GLIBC__
    enum { LARGE_BYTES = 4 << 20 };
    mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
#endif
}

int main(int argc, char **argv)
{
    enum { WARNINGS = 2 };
    return_large_pieces();
    vt_set_log(print_log, NULL, WARNINGS);
    int code;
    if (argc < 2) {
        print_help(stderr);
        code = vt_status_exit_code(VT_ERR_USAGE);
    } else if (strcmp(argv[1], "--version") == 0) {
        printf("vitrine %s\n", vt_version());
        code = 0;
    } else if (is_help(argv[1]) && argc > 2) {
        code = run_help(argc - 2, argv + 2);
    } else if (is_help(argv[1])) {
        print_help(stdout);
        code = 0;
    } else {
        code = run_command(argc - 1, argv + 1);
    }
    return vt_cli_finish(code);
}
