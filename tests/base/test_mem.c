/* SPDX-License-Identifier: Apache-2.0 */
/* The heap: size checks, alignment, growth, injected failure from several threads. */
#include "support/scratch.h"

#include <pthread.h>
#include <stdatomic.h>

static void test_zero_bytes_are_valid(void **state)
{
    (void)state;
    void *a = vt_alloc(0), *b = vt_calloc(0, 8), *c = vt_alloc_array(8, 0);
    void *d = vt_alloc_aligned(64, 0), *e = vt_realloc_array(NULL, 0, 4);
    assert_true(a && b && c && d && e);
    e = vt_realloc_array(e, 0, 4);
    assert_non_null(e);
    vt_free(a);
    vt_free(b);
    vt_free(c);
    vt_free(d);
    vt_free(e);
    vt_free(NULL);
}

static void test_hostile_sizes_are_refused(void **state)
{
    (void)state;
    assert_null(vt_alloc(SIZE_MAX));
    assert_null(vt_alloc((size_t)PTRDIFF_MAX + 1));
    assert_null(vt_calloc(SIZE_MAX / 2, 3));
    assert_null(vt_calloc(SIZE_MAX, 1));
    assert_null(vt_alloc_array((size_t)1 << 33, (size_t)1 << 31));
    assert_null(vt_alloc_aligned(4096, SIZE_MAX - 10));
    assert_null(vt_strndup("x", SIZE_MAX));
    char *old = vt_strdup("kept");
    assert_null(vt_realloc_array(old, SIZE_MAX / 4, 8));
    assert_string_equal(old, "kept");
    vt_free(old);
}

static void test_calloc_is_zeroed(void **state)
{
    (void)state;
    unsigned char *memory = vt_calloc(1000, 3);
    for (int i = 0; i < 3000; i++)
        assert_int_equal(memory[i], 0);
    vt_free(memory);
}

static void test_alignment(void **state)
{
    (void)state;
    for (size_t alignment = 1; alignment <= 8192; alignment *= 2) {
        unsigned char *memory = vt_alloc_aligned(alignment, 100);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % alignment, 0);
        memset(memory, 1, 100);
        vt_free(memory);
    }
}

/* Around the size of a huge page, from which on memory is aligned to one. */
static void test_large(void **state)
{
    (void)state;
    const size_t page = (size_t)1 << 21;
    const size_t sizes[] = {0, 1, 100, page - 1, page, page + 1, 3 * page - 1};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned char *memory = vt_alloc_large(sizes[i]);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % (sizes[i] < page ? 64 : page), 0);
        memset(memory, 0xA5, sizes[i]);
        assert_true(sizes[i] == 0 || memory[sizes[i] - 1] == 0xA5);
        vt_free(memory);
        vt_mem_fail_after(0);
        assert_null(vt_alloc_large(sizes[i]));
        assert_int_equal(vt_mem_fail_after(-1), 1);
    }
    assert_null(vt_alloc_large(SIZE_MAX));
    assert_null(vt_alloc_large(SIZE_MAX - page + 2)); /* the first that has no whole pages */
    assert_null(vt_alloc_large((size_t)PTRDIFF_MAX + 1));
    assert_null(vt_alloc_large((size_t)PTRDIFF_MAX - 1));
}

static void test_strings(void **state)
{
    (void)state;
    char *copy = vt_strndup("a\0b", 3);
    assert_memory_equal(copy, "a\0b", 4);
    vt_free(copy);
    copy = vt_strndup(NULL, 0);
    assert_string_equal(copy, "");
    vt_free(copy);
}

static void test_size_arithmetic(void **state)
{
    (void)state;
    size_t value = 7;
    assert_true(vt_size_add(SIZE_MAX - 1, 1, &value));
    assert_true(value == SIZE_MAX);
    assert_false(vt_size_add(SIZE_MAX, 1, &value));
    assert_true(vt_size_mul(SIZE_MAX, 1, &value));
    assert_false(vt_size_mul(SIZE_MAX / 2 + 1, 2, &value));
}

static void test_grow(void **state)
{
    (void)state;
    void *array = NULL;
    size_t capacity = 0;
    assert_true(vt_grow(&array, &capacity, 1, sizeof(int), 100));
    assert_true(capacity >= 1 && array);
    size_t before = capacity;
    assert_true(vt_grow(&array, &capacity, capacity, sizeof(int), 100));
    assert_int_equal(capacity, before);
    assert_true(vt_grow(&array, &capacity, before + 1, sizeof(int), 100));
    assert_true(capacity >= 2 * before);
    assert_true(vt_grow(&array, &capacity, 90, sizeof(int), 100));
    assert_true(capacity >= 90 && capacity <= 100);
    assert_true(vt_grow(&array, &capacity, 100, sizeof(int), 100));
    assert_int_equal(capacity, 100);
    void *kept = array;
    assert_false(vt_grow(&array, &capacity, 101, sizeof(int), 100));
    assert_ptr_equal(array, kept);
    assert_int_equal(capacity, 100);
    assert_false(vt_grow(&array, &capacity, SIZE_MAX, sizeof(int), SIZE_MAX));
    vt_mem_fail_after(0);
    assert_false(vt_grow(&array, &capacity, 200, sizeof(int), 1000));
    vt_mem_fail_after(-1);
    assert_ptr_equal(array, kept);
    assert_int_equal(capacity, 100);
    vt_free(array);
}

/* The first growth must not exceed a maximum that is smaller than the usual first capacity. */
static void test_grow_small_maximum(void **state)
{
    (void)state;
    void *array = NULL;
    size_t capacity = 0;
    assert_true(vt_grow(&array, &capacity, 1, 1, 3));
    assert_true(capacity <= 3);
    vt_free(array);
}

static void test_failure_is_one(void **state)
{
    (void)state;
    vt_mem_fail_after(2);
    void *kept[5];
    int failed_at = -1, failed = 0;
    for (int i = 0; i < 5; i++) {
        kept[i] = vt_alloc(10);
        if (!kept[i]) {
            failed_at = i;
            failed++;
        }
    }
    assert_int_equal(vt_mem_fail_after(-1), 5);
    assert_int_equal(failed, 1);
    assert_int_equal(failed_at, 2);
    for (int i = 0; i < 5; i++)
        vt_free(kept[i]);
    /* Switched off it still counts. */
    vt_free(vt_strdup("x"));
    assert_int_equal(vt_mem_fail_after(-1), 1);
    assert_int_equal(vt_mem_fail_after(-1), 0);
}

static void test_every_function_can_fail(void **state)
{
    (void)state;
    vt_mem_fail_after(0);
    assert_null(vt_alloc(1));
    vt_mem_fail_after(0);
    assert_null(vt_calloc(1, 1));
    vt_mem_fail_after(0);
    assert_null(vt_alloc_array(1, 1));
    vt_mem_fail_after(0);
    assert_null(vt_realloc_array(NULL, 1, 1));
    vt_mem_fail_after(0);
    assert_null(vt_alloc_aligned(64, 1));
    vt_mem_fail_after(0);
    assert_null(vt_strdup("a"));
    vt_mem_fail_after(-1);
}

static atomic_int failures;

static void *allocate_many(void *unused)
{
    (void)unused;
    for (int i = 0; i < 1000; i++) {
        void *memory = vt_alloc(8);
        if (!memory)
            atomic_fetch_add(&failures, 1);
        vt_free(memory);
    }
    return NULL;
}

static void test_failure_among_threads(void **state)
{
    (void)state;
    pthread_t threads[4];
    vt_mem_fail_after(1234);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, allocate_many, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(vt_mem_fail_after(-1), 4000);
    assert_int_equal(atomic_load(&failures), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zero_bytes_are_valid),
        cmocka_unit_test(test_hostile_sizes_are_refused),
        cmocka_unit_test(test_calloc_is_zeroed),
        cmocka_unit_test(test_alignment),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_size_arithmetic),
        cmocka_unit_test(test_grow),
        cmocka_unit_test(test_grow_small_maximum),
        cmocka_unit_test(test_failure_is_one),
        cmocka_unit_test(test_every_function_can_fail),
        cmocka_unit_test(test_failure_among_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
