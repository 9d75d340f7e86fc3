/* SPDX-License-Identifier: Apache-2.0 */
/* Arenas: alignment, clearing after reset, maximum, large requests, failure. */
#include "support/scratch.h"

static void test_aligned_zeroed_disjoint(void **state)
{
    (void)state;
    vt_arena arena;
    vt_arena_init(&arena, 1 << 20);
    unsigned char *pieces[500];
    for (size_t i = 0; i < 500; i++) {
        pieces[i] = vt_arena_alloc(&arena, i % 67);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % 16, 0);
        for (size_t k = 0; k < i % 67; k++)
            assert_int_equal(pieces[i][k], 0);
        memset(pieces[i], (int)(i % 251 + 1), i % 67);
    }
    for (size_t i = 0; i < 500; i++)
        for (size_t k = 0; k < i % 67; k++)
            assert_int_equal(pieces[i][k], i % 251 + 1);
    vt_arena_deinit(&arena);
    assert_int_equal(arena.used_bytes, 0);
}

static void test_reset_clears_again(void **state)
{
    (void)state;
    vt_arena arena;
    vt_arena_init(&arena, 1 << 24);
    vt_arena_reset(&arena); /* an empty one is fine */
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 200; i++) {
            unsigned char *memory = vt_arena_alloc(&arena, 1000);
            assert_non_null(memory);
            for (int k = 0; k < 1000; k++)
                assert_int_equal(memory[k], 0);
            memset(memory, 0xAB, 1000);
        }
        vt_arena_reset(&arena);
        assert_int_equal(arena.used_bytes, 0);
    }
    vt_arena_deinit(&arena);
}

static void test_maximum(void **state)
{
    (void)state;
    vt_arena arena;
    vt_arena_init(&arena, 1024);
    assert_null(vt_arena_alloc(&arena, 1025));
    assert_null(vt_arena_alloc(&arena, SIZE_MAX));
    assert_null(vt_arena_array(&arena, SIZE_MAX / 2, 4));
    assert_non_null(vt_arena_alloc(&arena, 1000)); /* counts as 1008 */
    assert_non_null(vt_arena_alloc(&arena, 16));
    assert_null(vt_arena_alloc(&arena, 1));
    assert_int_equal(arena.used_bytes, 1024);
    vt_arena_reset(&arena);
    assert_non_null(vt_arena_alloc(&arena, 1024));
    vt_arena_deinit(&arena);
    vt_arena_init(&arena, 0);
    assert_null(vt_arena_alloc(&arena, 0));
    vt_arena_deinit(&arena);
}

static void test_large_between_small(void **state)
{
    (void)state;
    vt_arena arena;
    vt_arena_init(&arena, 64 << 20);
    char *small = vt_arena_strdup(&arena, "before");
    unsigned char *large = vt_arena_alloc(&arena, 5 << 20);
    assert_non_null(large);
    memset(large, 1, 5 << 20);
    char *after = vt_arena_strdup(&arena, "after");
    assert_string_equal(small, "before");
    assert_string_equal(after, "after");
    vt_arena_deinit(&arena);
}

static void test_text(void **state)
{
    (void)state;
    vt_arena arena;
    vt_arena_init(&arena, 1 << 20);
    assert_memory_equal(vt_arena_strndup(&arena, "a\0bc", 3), "a\0b", 4);
    assert_string_equal(vt_arena_strndup(&arena, NULL, 0), "");
    assert_string_equal(vt_arena_printf(&arena, "%s-%05d", "x", 42), "x-00042");
    assert_string_equal(vt_arena_printf(&arena, "%s", ""), "");
    char *wide = vt_arena_printf(&arena, "%9000d", 1);
    assert_int_equal(strlen(wide), 9000);
    vt_arena_deinit(&arena);
    vt_arena_init(&arena, 16);
    assert_null(vt_arena_printf(&arena, "%s", "0123456789abcdef"));
    assert_string_equal(vt_arena_printf(&arena, "%s", "0123456789abcde"), "0123456789abcde");
    vt_arena_deinit(&arena);
}

static vt_status attempt(void *context)
{
    (void)context;
    vt_arena arena;
    vt_arena_init(&arena, 1 << 22);
    vt_status status = VT_OK;
    for (int i = 0; i < 300 && status == VT_OK; i++)
        if (!vt_arena_alloc(&arena, 1000) || !vt_arena_strdup(&arena, "name"))
            status = VT_ERR_NO_MEMORY;
    vt_arena_deinit(&arena);
    return status;
}

static void test_allocation_failure(void **state)
{
    (void)state;
    assert_true(each_allocation_failing(attempt, NULL) >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aligned_zeroed_disjoint),
        cmocka_unit_test(test_reset_clears_again),
        cmocka_unit_test(test_maximum),
        cmocka_unit_test(test_large_between_small),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_allocation_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
