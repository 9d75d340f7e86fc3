/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Postings in a file: what is read is what was saved, also after changes; a file that is damaged,
 * or says what cannot be, is refused.
 */
#include "fixture.h"

#include "base/file.h"
#include "store/postings.h"
#include "support/scratch.h"
#include "support/snapshots.h"

enum { PRODUCTS = 400, FILE_BYTES = 1 << 24 };

typedef struct world {
    vt_postings *postings;
    vt_random random;
    char path[SCRATCH_PATH_BYTES];
    vt_buf file;
} world;

/* Texts of many products and of one, numbers, lists, attributes that come and go. */
static void put(vt_postings *postings, uint32_t key, uint32_t version)
{
    made_product m;
    char many[40], rare[16];
    made_product_init(&m, key, version, 1, 1);
    snprintf(many, sizeof many, "x%u", key * version % 11);
    snprintf(rare, sizeof rare, "rare%u", key % 5);
    const char *items[] = {many, "all", m.id};
    vt_attribute attributes[] = {
        m.attributes[0],
        m.attributes[1],
        {.name = "tags", .kind = VT_ATTRIBUTE_LIST, .items = items, .item_count = key % 4},
        {.name = rare, .kind = VT_ATTRIBUTE_NUMBER, .number = (double)(version % 3)},
        {.name = "color", .kind = VT_ATTRIBUTE_NUMBER, .number = (double)key},
    };
    m.product.key = key;
    m.product.change = key + version;
    m.product.price = key % 9 ? (double)(key % 50) - 7 : (double)NAN;
    m.product.attributes = attributes;
    m.product.attribute_count = key % 2 ? 5 : 3;
    assert_ok(vt_postings_put(postings, &m.product, error));
    made_product_deinit(&m);
}

static void change(world *w, vt_postings *postings, size_t times, uint64_t seed)
{
    vt_random random;
    vt_random_init(&random, seed);
    (void)w;
    for (size_t i = 0; i < times; i++) {
        uint32_t key = 1 + (uint32_t)vt_random_below(&random, PRODUCTS);
        key = key % 40 == 0 ? UINT32_MAX - key : key;
        vt_postings_forget(postings, key);
        if (vt_random_below(&random, 3) > 0)
            put(postings, key, (uint32_t)(seed * 1000 + i));
    }
    assert_ok(vt_postings_settle(postings, error));
}

static vt_status save(world *w, vt_postings *postings)
{
    vt_snapshot_writer *writer = NULL;
    vt_snapshot_head head = {.change = 5};
    vt_status status = vt_snapshot_create(w->path, &vt_postings_kind, &head, &writer, NULL);
    if (status == VT_OK)
        status = vt_postings_save(postings, writer, NULL);
    if (status != VT_OK) {
        vt_snapshot_abandon(writer);
        return status;
    }
    return vt_snapshot_commit(writer, NULL);
}

static vt_status load(world *w, vt_pool *pool, vt_postings **out, vt_error *error)
{
    vt_snapshot *file = NULL;
    vt_status status = vt_snapshot_open(w->path, &vt_postings_kind, FILE_BYTES, &file, error);
    if (status == VT_OK)
        status = vt_postings_load(file, pool, out, error);
    vt_snapshot_close(file);
    return status;
}

static void world_init(world *w, void **state)
{
    snprintf(w->path, sizeof w->path, "%s", scratch_path(*state, "postings"));
    assert_ok(vt_postings_new(&w->postings, error));
    change(w, w->postings, 3 * PRODUCTS, 1);
    assert_int_equal(save(w, w->postings), VT_OK);
    vt_buf_init(&w->file, FILE_BYTES);
    assert_ok(vt_file_read(w->path, FILE_BYTES, &w->file, error));
}

static void world_deinit(world *w)
{
    vt_postings_free(w->postings);
    vt_buf_deinit(&w->file);
}

/* ---- there and back ---- */

static void what_was_saved_comes_back_and_lives(void **state)
{
    world w;
    vt_pool *pool;
    world_init(&w, state);
    assert_ok(vt_pool_new(3, &pool, error));
    for (uint64_t round = 2; round < 30; round++) {
        vt_postings *loaded = NULL;
        assert_int_equal(save(&w, w.postings), VT_OK);
        assert_ok(load(&w, round % 2 ? pool : NULL, &loaded, error));
        assert_ok(vt_postings_compare(loaded, w.postings, error));
        assert_ok(vt_postings_compare(w.postings, loaded, error));
        /* Both go on alike; then the one that was loaded is the one that is saved. */
        change(&w, loaded, round * 20, round);
        change(&w, w.postings, round * 20, round);
        assert_ok(vt_postings_compare(loaded, w.postings, error));
        vt_postings_free(w.postings);
        w.postings = loaded;
    }
    vt_pool_free(pool);
    world_deinit(&w);
}

static void empty_ones_come_back(void **state)
{
    world w;
    world_init(&w, state);
    vt_postings *empty = NULL, *loaded = NULL;
    assert_ok(vt_postings_new(&empty, error));
    assert_int_equal(save(&w, empty), VT_OK);
    assert_ok(load(&w, NULL, &loaded, error));
    assert_ok(vt_postings_compare(loaded, empty, error));
    change(&w, loaded, 50, 3);
    change(&w, empty, 50, 3);
    assert_ok(vt_postings_compare(loaded, empty, error));
    vt_postings_free(loaded);
    vt_postings_free(empty);
    world_deinit(&w);
}

/* ---- damage ---- */

static void assert_refused(world *w, size_t length)
{
    vt_postings *loaded = NULL;
    vt_error error;
    assert_int_equal(vt_file_replace(w->path, w->file.data, length, false, NULL), VT_OK);
    vt_status status = load(w, NULL, &loaded, &error);
    assert_true(status == VT_ERR_CORRUPT || status == VT_ERR_UNSUPPORTED);
    assert_null(loaded);
    assert_non_null(strstr(error.message, w->path));
}

static void every_flipped_bit_is_found(void **state)
{
    world w;
    world_init(&w, state);
    vt_random_init(&w.random, 9);
    for (size_t i = 0; i < 1000; i++) {
        size_t bit = (size_t)vt_random_below(&w.random, w.file.length * 8);
        snapshot_flip(&w.file, bit);
        assert_refused(&w, w.file.length);
        snapshot_flip(&w.file, bit);
    }
    for (size_t length = 0; length < w.file.length; length += length < 200 ? 1 : 499)
        assert_refused(&w, length);
    world_deinit(&w);
}

/* ---- strangers' files, whose checksums fit ---- */

/* Asked and changed as any other; what it answers is of no interest, that it ends is. */
static void use(world *w, vt_postings *postings)
{
    static const char *const filters[] = {"price > 3 AND tags = 'all'", "color < 200 OR id > 'p3'",
                                          "NOT (title LIKE 'Pro%' AND brand IN ('b1','b2'))"};
    for (size_t i = 0; i < 3; i++) {
        vt_filter *filter = NULL;
        vt_idset *out = NULL;
        assert_ok(vt_filter_parse(filters[i], &filter, error));
        if (vt_postings_filter(postings, filter, &out, NULL) == VT_OK)
            vt_idset_free(out);
        vt_filter_free(filter);
    }
    change(w, postings, 100, 4);
}

static void forged_files_do_no_harm(void **state)
{
    enum { TRIES = 1500 };
    static const uint32_t values[] = {
        0, 1, 2, 3, 400, 0x80000000u, 0x80000005u, UINT32_MAX, 0x7ff00000u, 12346, 12347, 0x10001};
    world w;
    size_t refused = 0;
    world_init(&w, state);
    vt_buf original;
    vt_buf_init(&original, FILE_BYTES);
    assert_true(vt_buf_append(&original, w.file.data, w.file.length));
    vt_random_init(&w.random, 10);
    size_t table = (size_t)snapshot_get(&w.file, 48, 8),
           sections = (size_t)snapshot_get(&w.file, 56, 4);
    size_t directory = (size_t)snapshot_get(&w.file, table + (sections - 1) * 32, 8);
    for (size_t i = 0; i < TRIES; i++) {
        /* In the directory as often as in all the rest; not in head and table. */
        size_t begin = i % 2 ? 128 : directory, words = (table - begin) / 4;
        for (size_t j = 0; j < 1 + i % 3; j++) {
            size_t at = begin + 4 * (size_t)vt_random_below(&w.random, words);
            uint32_t value = values[vt_random_below(&w.random, sizeof values / sizeof *values)];
            snapshot_put(&w.file, at, i % 5 ? value : snapshot_get(&w.file, at, 4) + 1, 4);
        }
        snapshot_fix_sums(&w.file);
        assert_int_equal(vt_file_replace(w.path, w.file.data, w.file.length, false, NULL), VT_OK);
        vt_postings *loaded = NULL;
        vt_status status = load(&w, NULL, &loaded, NULL);
        assert_true(status == VT_OK || status == VT_ERR_CORRUPT || status == VT_ERR_NO_MEMORY);
        refused += status != VT_OK;
        if (status == VT_OK)
            use(&w, loaded);
        vt_postings_free(loaded);
        memcpy(w.file.data, original.data, original.length);
    }
    print_message("%zu of %d refused\n", refused, TRIES);
    assert_true(refused > TRIES / 3);
    vt_buf_deinit(&original);
    world_deinit(&w);
}

/* ---- memory ---- */

static vt_status save_attempt(void *context)
{
    world *w = context;
    return save(w, w->postings);
}

static vt_status load_attempt(void *context)
{
    vt_postings *loaded = NULL;
    vt_status status = load(context, NULL, &loaded, NULL);
    vt_postings_free(loaded);
    return status;
}

static void memory_that_is_not_there(void **state)
{
    world w;
    world_init(&w, state);
    assert_true(each_allocation_failing(save_attempt, &w) > 10);
    assert_true(each_allocation_failing(load_attempt, &w) > 30);
    world_deinit(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_saved_comes_back_and_lives, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(empty_ones_come_back, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(every_flipped_bit_is_found, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(forged_files_do_no_harm, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(memory_that_is_not_there, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
