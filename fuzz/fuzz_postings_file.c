/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: any bytes as a snapshot of postings. It is refused, or it is postings that agree
 * with themselves, come back as they are when they are saved and read once more, and can be asked
 * and changed. Which product has which value is the catalogue's word: bytes whose checksums fit may
 * say anything there, so that answers are not judged.
 */
#include "snapshot_input.h"
#include "store/filter.h"
#include "store/postings.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ARENA = 1 << 22, KEYS = 12 };

static char path[64];

static void must(bool held)
{
    if (!held)
        abort();
}

static vt_status load(vt_postings **out, vt_error *error)
{
    vt_snapshot *file = NULL;
    vt_status status = vt_snapshot_open(path, &vt_postings_kind, SNAPSHOT_MAXIMUM, &file, error);
    if (status == VT_OK)
        status = vt_postings_load(file, NULL, out, error);
    vt_snapshot_close(file);
    return status;
}

/* Names that no column has are refused. */
static void ask(vt_postings *postings, const char *where, const char *sort)
{
    static const char *const facets[] = {"category", "color"};
    vt_arena arena;
    vt_selection got = {0};
    vt_filter *filter = NULL;
    vt_arena_init(&arena, ARENA);
    must(vt_filter_parse(where, &filter, NULL) == VT_OK);
    const vt_select what = {.filter = filter,
                            .facets = facets,
                            .facet_count = 2,
                            .facet_top = 3,
                            .page = true,
                            .sort = sort,
                            .top = 5};
    if (vt_postings_select(postings, &what, &arena, &got, NULL) == VT_OK) {
        must(got.key_count <= what.top && got.facet_count == what.facet_count);
        vt_idset_free(got.products);
    }
    vt_filter_free(filter);
    vt_arena_deinit(&arena);
}

static void ask_all(vt_postings *postings)
{
    ask(postings, "price > 0 AND NOT category = 'red'", "price");
    ask(postings, "title LIKE 'a%' OR color IN ('red', 'blue') OR brand IS NULL", "title");
    ask(postings, "id >= 'p' AND price BETWEEN 1 AND 3", "change");
}

static void change(vt_postings *postings)
{
    for (uint32_t key = 1; key < KEYS; key++) {
        const vt_attribute color = {.name = "color", .kind = VT_ATTRIBUTE_TEXT, .text = "red"};
        const vt_product product = {.key = key,
                                    .change = key,
                                    .id = "new",
                                    .title = "a thing",
                                    .price = key % 2 ? (double)key : (double)NAN,
                                    .attributes = &color,
                                    .attribute_count = 1};
        vt_postings_forget(postings, key);
        if (key % 3 == 0)
            must(vt_postings_put(postings, &product, NULL) == VT_OK);
    }
    must(vt_postings_settle(postings, NULL) == VT_OK);
}

static void save(vt_postings *postings)
{
    vt_snapshot_writer *writer = NULL;
    const vt_snapshot_head head = {.change = 5};
    must(vt_snapshot_create(path, &vt_postings_kind, &head, &writer, NULL) == VT_OK);
    must(vt_postings_save(postings, writer, NULL) == VT_OK);
    must(vt_snapshot_commit(writer, NULL) == VT_OK);
}

static void use(vt_postings *postings)
{
    vt_postings *again = NULL;
    must(vt_postings_compare(postings, postings, NULL) == VT_OK);
    save(postings);
    must(load(&again, NULL) == VT_OK);
    must(vt_postings_compare(again, postings, NULL) == VT_OK);
    must(vt_postings_compare(postings, again, NULL) == VT_OK);
    vt_postings_free(again);
    ask_all(postings);
    change(postings);
    ask_all(postings);
    save(postings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (path[0] == '\0')
        snprintf(path, sizeof path, "/tmp/fuzz-postings-%ld", (long)getpid());
    if (!snapshot_input_write(data, size, path))
        return 0;
    vt_postings *postings = NULL;
    vt_error error = {0};
    if (load(&postings, &error) == VT_OK)
        use(postings);
    else
        must(error.message[0] != '\0' && postings == NULL);
    vt_postings_free(postings);
    unlink(path);
    return 0;
}
