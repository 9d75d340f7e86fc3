/* SPDX-License-Identifier: Apache-2.0 */
/* The first failure among workers. */
#include "support/scratch.h"

#include "base/thread.h"

enum { LOOPS = 400, EVERY = 7 };

static void work(void *context, size_t index)
{
    vt_error error = {0};
    vt_status status =
        index % EVERY == 0 ? vt_fail(&error, VT_ERR_FORMAT, "loop %zu", index) : VT_OK;
    vt_first_error_note(context, status, &error);
}

static void one_of_those_that_failed_is_kept_whole(void **state)
{
    (void)state;
    vt_pool *pool;
    vt_first_error first;
    vt_error error = {0};
    size_t index = 1;
    assert_int_equal(vt_pool_new(4, &pool, NULL), VT_OK);
    vt_first_error_init(&first);
    vt_pool_for(pool, LOOPS, work, &first);
    assert_int_equal(vt_first_error_give(&first, &error), VT_ERR_FORMAT);
    assert_int_equal(sscanf(error.message, "loop %zu", &index), 1);
    assert_true(index < LOOPS && index % EVERY == 0);
    vt_first_error_deinit(&first);
    vt_pool_free(pool);
}

static void the_second_changes_nothing(void **state)
{
    (void)state;
    vt_first_error first;
    vt_error error = {0};
    vt_first_error_init(&first);
    assert_int_equal(vt_first_error_give(&first, &error), VT_OK);
    vt_first_error_note(&first, VT_OK, &error);
    assert_int_equal(vt_first_error_give(&first, &error), VT_OK);
    vt_first_error_note(&first, vt_fail(&error, VT_ERR_IO, "one"), &error);
    vt_first_error_note(&first, vt_fail(&error, VT_ERR_LIMIT, "two"), &error);
    assert_int_equal(vt_first_error_give(&first, &error), VT_ERR_IO);
    assert_string_equal(error.message, "one");
    vt_first_error_deinit(&first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_of_those_that_failed_is_kept_whole),
        cmocka_unit_test(the_second_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
