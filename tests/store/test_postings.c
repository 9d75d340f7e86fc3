/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Postings beside a database: in step with what this process and another one write, whole after
 * every kind of change, and safe to ask while somebody writes.
 */
#include "filter_trees.h"

#include "base/thread.h"
#include "store/store.h"

#include <stdatomic.h>

static vt_status count(vt_store *store, const char *where, uint64_t *out, vt_error *error)
{
    vt_filter *filter = NULL;
    vt_selection selection = {0};
    vt_arena arena;
    vt_arena_init(&arena, 1 << 20);
    vt_status status = vt_filter_parse(where, &filter, error);
    if (status == VT_OK) {
        const vt_select what = {.filter = filter};
        status = vt_store_select(store, &what, &arena, &selection, error);
    }
    if (status == VT_OK) {
        *out = selection.matched;
        assert_true(selection.matched == vt_idset_count(selection.products));
    }
    vt_idset_free(selection.products);
    vt_filter_free(filter);
    vt_arena_deinit(&arena);
    return status;
}

static uint64_t matching(vt_store *store, const char *where)
{
    uint64_t matched = 0;
    assert_ok(count(store, where, &matched, error));
    return matched;
}

static void test_changes_are_seen(void **state)
{
    (void)state;
    fixture f;
    uint32_t model;
    vt_store *store = fixture_create(&f, &model), *other = NULL;
    assert_int_equal(matching(store, "price > 0"), 0);
    assert_ok(vt_store_check_postings(store, error));
    for (uint32_t i = 0; i < 70; i++)
        assert_ok(fixture_put(store, model, i, 1, FIXTURE_DIM, 1 + i % 3, error));
    assert_ok(vt_store_open(f.shop, VT_STORE_READ, &other, error));
    vt_store *const both[] = {store, other};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(matching(both[i], "category = 'c3'"), 10);
        assert_int_equal(matching(both[i], "color = 'f1' AND weight < 1"), 4);
        assert_int_equal(matching(both[i], "sizes = 'f1' AND sizes CONTAINS 'S'"), 70);
    }
    assert_ok(fixture_put(store, model, 3, 2, FIXTURE_DIM, 2, error));
    assert_ok(vt_store_remove(store, "p10", error));
    assert_ok(fixture_put(store, model, 500, 7, FIXTURE_DIM, 1, error));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(matching(both[i], "category = 'c3'"), 10 - 1 + (500 % 7 == 3));
        assert_int_equal(matching(both[i], "color = 'f2'"), 1);
        assert_int_equal(matching(both[i], "sizes = 'f1'"), 68);
        assert_int_equal(matching(both[i], "weight = 125 AND color = 'f7'"), 1);
        assert_int_equal(matching(both[i], "id = 'p10'"), 0);
        assert_ok(vt_store_check_postings(both[i], error));
    }
    vt_store_close(other);
    vt_store_close(store);
    fixture_deinit(&f);
}

/* Products with everything that products can have, put, replaced and removed at random. */
static void test_in_step(void **state)
{
    (void)state;
    fixture f;
    uint32_t model;
    vt_store *store = fixture_create(&f, &model);
    vt_random random;
    vt_random_init(&random, 31);
    tree_product p;
    bool there[120] = {false};
    for (int step = 0; step < 700; step++) {
        uint32_t number = (uint32_t)vt_random_below(&random, 120);
        tree_product_init(&p, number, &random);
        if (there[number] && tree_chance(&random, 30)) {
            assert_ok(vt_store_remove(store, p.id, error));
            there[number] = false;
        } else {
            assert_ok(vt_store_put(store, model, &p.product, error));
            there[number] = true;
        }
        if (tree_chance(&random, 20))
            matching(store, "title LIKE 'r%' OR price BETWEEN 1 AND 4");
        if (step % 50 == 49)
            assert_ok(vt_store_check_postings(store, error));
    }
    uint64_t count_there = 0;
    for (int i = 0; i < 120; i++)
        count_there += there[i];
    assert_int_equal(matching(store, "id IS NOT NULL"), count_there);
    vt_store_close(store);
    assert_ok(vt_store_open(f.shop, VT_STORE_READ, &store, error));
    assert_int_equal(matching(store, "id IS NOT NULL"), count_there);
    assert_ok(vt_store_check_postings(store, error));
    vt_store_close(store);
    fixture_deinit(&f);
}

typedef struct traffic {
    vt_store *store;
    uint32_t model;
    atomic_int wrong;
    atomic_bool stop;
} traffic;

/* Every product is of color f1 or f2, at any moment, and there are 40 of them. */
static void ask(void *context)
{
    traffic *t = context;
    while (!atomic_load(&t->stop)) {
        uint64_t one = 0, all = 0;
        if (count(t->store, "color IN ('f1', 'f2')", &all, NULL) != VT_OK || all != 40 ||
            count(t->store, "color = 'f1' AND NOT color = 'f2' AND title LIKE 'Prod%'", &one,
                  NULL) != VT_OK ||
            one > 40)
            atomic_fetch_add(&t->wrong, 1);
    }
}

static void test_questions_beside_a_writer(void **state)
{
    (void)state;
    fixture f;
    traffic t = {.wrong = 0};
    t.store = fixture_create(&f, &t.model);
    for (uint32_t i = 0; i < 40; i++)
        assert_ok(fixture_put(t.store, t.model, i, 1, FIXTURE_DIM, 1, error));
    vt_thread *threads[3];
    for (int i = 0; i < 3; i++)
        assert_ok(vt_thread_start("asker", ask, &t, &threads[i], error));
    for (uint32_t i = 0; i < 300; i++)
        assert_ok(fixture_put(t.store, t.model, i % 40, 1 + i / 40 % 2, FIXTURE_DIM, 1, error));
    atomic_store(&t.stop, true);
    for (int i = 0; i < 3; i++)
        vt_thread_join(threads[i]);
    assert_int_equal(atomic_load(&t.wrong), 0);
    assert_ok(vt_store_check_postings(t.store, error));
    vt_store_close(t.store);
    fixture_deinit(&f);
}

static void test_limits_and_memory(void **state)
{
    (void)state;
    fixture f;
    uint32_t model;
    vt_store *store = fixture_create(&f, &model);
    const char *names[VT_STORE_MAX_FACETS + 1];
    vt_arena arena;
    vt_selection selection;
    vt_arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < VT_STORE_MAX_FACETS + 1; i++)
        names[i] = "brand";
    vt_select what = {.facets = names, .facet_count = VT_STORE_MAX_FACETS + 1, .facet_top = 1};
    assert_fails(VT_ERR_LIMIT, vt_store_select(store, &what, &arena, &selection, error));
    what.facet_count = 1;
    what.facet_top = 0;
    assert_fails(VT_ERR_LIMIT, vt_store_select(store, &what, &arena, &selection, error));
    vt_arena_deinit(&arena);
    for (uint32_t i = 0; i < 10; i++)
        assert_ok(fixture_put(store, model, i, 1, FIXTURE_DIM, 1, error));
    for (int64_t successes = 0;; successes++) {
        uint64_t matched = 0;
        vt_mem_fail_after(successes);
        vt_status status = count(store, "title LIKE 'P%' AND weight < 1", &matched, NULL);
        bool failed = vt_mem_fail_after(-1) > successes;
        if (!failed) {
            assert_int_equal(status, VT_OK);
            assert_int_equal(matched, 4);
            break;
        }
        assert_int_equal(status, VT_ERR_NO_MEMORY);
    }
    assert_ok(vt_store_check_postings(store, error));
    vt_store_close(store);
    fixture_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes_are_seen),
        cmocka_unit_test(test_in_step),
        cmocka_unit_test(test_questions_beside_a_writer),
        cmocka_unit_test(test_limits_and_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
