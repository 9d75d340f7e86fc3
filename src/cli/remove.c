/* SPDX-License-Identifier: Apache-2.0 */
/* vitrine remove: each product by itself; one that is not there does not keep the others in. */
#include "cli/cli.h"

#include <stdio.h>

typedef struct removal {
    vt_status status; /* the first failure */
    int removed;
    vt_json_writer writer;
} removal;

static void remove_one(vt_shop *shop, const char *id, bool json, removal *state)
{
    vt_error error;
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
        fprintf(stderr, "vitrine remove: %s\n", error.message);
    }
}

int vt_cli_remove(int argc, char **argv)
{
    bool json = false;
    const vt_cli_option options[] = {
        VT_CLI_FLAG_OPTION("json", &json, "print one JSON document"),
    };
    const vt_cli_usage usage = {
        "remove", "SHOP PRODUCT...", "Takes products out of a shop, with their pictures.", NULL, 2,
        -1};
    char **arguments;
    int count;
    int code = vt_cli_parse(&usage, options, 1, argc, argv, &arguments, &count);
    if (code != VT_CLI_GO)
        return code;
    vt_error error;
    vt_shop *shop = NULL;
    vt_status status = vt_shop_open(arguments[0], VT_OPEN_WRITE, &shop, &error);
    if (status != VT_OK)
        return vt_cli_fail("remove", json, status, &error);
    removal state = {0};
    vt_buf document;
    vt_buf_init(&document, VT_CLI_DOCUMENT_BYTES);
    vt_json_begin(&state.writer, &document, true);
    vt_json_open_object(&state.writer, NULL);
    vt_json_open_array(&state.writer, "products");
    for (int i = 1; i < count; i++)
        remove_one(shop, arguments[i], json, &state);
    vt_json_close(&state.writer);
    vt_json_close(&state.writer);
    vt_shop_close(shop);
    if (json)
        vt_cli_print_json("remove", &document);
    else
        printf("%d of %d products removed\n", state.removed, count - 1);
    vt_buf_deinit(&document);
    return vt_status_exit_code(state.status);
}
