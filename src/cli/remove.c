/* SPDX-License-Identifier: Apache-2.0 */
/* vitrine remove: each product by itself; one that is not there does not keep the others in. */
#include "cli/cli.h"

typedef struct removal {
    vt_status status; /* the first failure */
    int removed;
    vt_json_writer writer;
} removal;

static void remove_one(vt_shop *shop, const char *id, bool json, removal *state)
{
    vt_error error = {0};
    vt_status status = vt_shop_remove(shop, id, &error);
    state->removed += status == VT_OK;
    if (status != VT_OK && state->status == VT_OK)
        state->status = status;
    if (json) {
        vt_json_open_object(&state->writer, NULL);
        vt_json_put_text(&state->writer, "product", id);
        vt_json_put_bool(&state->writer, "removed", status == VT_OK);
        if (status != VT_OK)
            vt_json_put_text(&state->writer, "reason", error.message);
        vt_json_close(&state->writer);
    } else if (status != VT_OK) {
        vt_cli_complain("remove", status, &error);
    }
}

int vt_cli_remove(int argc, char **argv)
{
    bool json = false;
    const vt_cli_option options[] = {
        VT_CLI_FLAG_OPTION("json", &json, "print one JSON document"),
    };
    const vt_cli_usage usage = {"remove",
                                "SHOP PRODUCT...",
                                "Takes products out of a shop, with their pictures. One that is "
                                "not there does not keep the\n"
                                "others in, but makes the exit code 3.",
                                "  vitrine remove my.shop A-17 A-18",
                                2,
                                -1,
                                options,
                                sizeof(options) / sizeof(options[0])};
    vt_cli_arguments arguments;
    int code = vt_cli_parse(&usage, argc, argv, &arguments);
    if (code != VT_CLI_GO)
        return code;
    vt_error error = {0};
    vt_shop *shop = NULL;
    vt_status status = vt_shop_open(arguments.items[0], VT_OPEN_WRITE, &shop, &error);
    if (status != VT_OK)
        return vt_cli_fail("remove", json, status, &error);
    removal state = {0};
    vt_buf document;
    vt_cli_begin_json(&state.writer, &document);
    vt_json_open_array(&state.writer, "products");
    for (int i = 1; i < arguments.count; i++)
        remove_one(shop, arguments.items[i], json, &state);
    vt_json_close(&state.writer);
    vt_json_close(&state.writer);
    vt_shop_close(shop);
    code = 0;
    if (json)
        code = vt_cli_print_json("remove", &document);
    else
        printf("%d of %d products removed\n", state.removed, arguments.count - 1);
    vt_buf_deinit(&document);
    return state.status != VT_OK ? vt_status_exit_code(state.status) : code;
}
