/* SPDX-License-Identifier: Apache-2.0 */
/* Ids met so far, through many growths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "ingest/seen.h"

#include <stdio.h>

static void test_first_lines(void **state)
{
    (void)state;
    enum { IDS = 200000 };
    vt_seen seen;
    vt_error error;
    vt_seen_init(&seen);
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < IDS; i++) {
            char id[16];
            uint64_t first = 99;
            snprintf(id, sizeof id, "id-%d", i);
            assert_int_equal(vt_seen_add(&seen, id, (uint64_t)(pass * IDS + i + 2), &first, &error),
                             VT_OK);
            assert_int_equal(first, pass == 0 ? 0 : i + 2);
        }
    }
    assert_int_equal(seen.count, IDS);
    assert_true(seen.capacity * sizeof *seen.slots <= 48 * (size_t)IDS);
    vt_seen_deinit(&seen);
}

static void test_allocation_failure(void **state)
{
    (void)state;
    vt_seen seen;
    vt_error error;
    uint64_t first;
    vt_seen_init(&seen);
    for (int i = 0; i < 3000; i++) {
        char id[16];
        snprintf(id, sizeof id, "%d", i);
        vt_mem_fail_after(0);
        vt_status status = vt_seen_add(&seen, id, (uint64_t)i + 1, &first, &error);
        vt_mem_fail_after(-1);
        if (status != VT_OK) {
            assert_int_equal(status, VT_ERR_NO_MEMORY);
            assert_int_equal(vt_seen_add(&seen, id, (uint64_t)i + 1, &first, &error), VT_OK);
        }
        assert_int_equal(first, 0);
    }
    assert_int_equal(seen.count, 3000);
    vt_seen_deinit(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_lines),
        cmocka_unit_test(test_allocation_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
