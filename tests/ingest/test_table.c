/* SPDX-License-Identifier: Apache-2.0 */
/* CSV out: quoting, formulas, failures that are not lost. */
#include "ingest/shop.h"
#include "ingest/table.h"

static const char *const header[] = {"a", "b"};

static void test_cells(void **state)
{
    (void)state;
    static const struct {
        const char *cell, *want;
    } cases[] = {
        {"plain", "plain"},
        {NULL, ""},
        {"", ""},
        {"a,b", "\"a,b\""},
        {"say \"hi\"", "\"say \"\"hi\"\"\""},
        {"two\nlines", "\"two\nlines\""},
        {"=1+1", "'=1+1"},
        {"+49", "'+49"},
        {"-5", "'-5"},
        {"@SUM(A1)", "'@SUM(A1)"},
        {"\tx", "'\tx"},
        {"=A1,\"x\"", "\"'=A1,\"\"x\"\"\""},
        {"a=b", "a=b"},
        {"\xc3\xa4", "\xc3\xa4"},
    };
    shop s;
    shop_init_closed(&s);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        vt_table *table;
        char want[64];
        const char *cells[] = {cases[i].cell, "z"};
        assert_ok(vt_table_open(s.rejects, header, 2, &table, error));
        vt_table_row(table, cells, 2);
        /* Whole before it is closed. */
        snprintf(want, sizeof want, "a,b\n%s,z\n", cases[i].want);
        assert_file(s.rejects, want);
        assert_ok(vt_table_close(table, error));
        assert_file(s.rejects, want);
    }
    shop_deinit(&s);
}

static void test_failures(void **state)
{
    (void)state;
    vt_error error;
    vt_table *table;
    assert_int_equal(vt_table_open("/nonexistent/x.csv", header, 2, &table, &error),
                     VT_ERR_NOT_FOUND);
    vt_table_row(NULL, header, 2);
    assert_int_equal(vt_table_close(NULL, &error), VT_OK);
    /* A full disk is found out at the first row, the header. */
    if (access("/dev/full", W_OK) == 0) {
        assert_int_equal(vt_table_open("/dev/full", header, 2, &table, &error), VT_ERR_IO);
        assert_non_null(strstr(error.message, "/dev/full"));
    }
}

static void test_allocation_failure(void **state)
{
    (void)state;
    shop s;
    shop_init_closed(&s);
    bool done = false;
    for (int64_t n = 0; !done; n++) {
        vt_table *table;
        vt_error error;
        const char *cells[] = {"a cell that is longer than what a buffer starts with, so that it "
                               "has to grow once more for it",
                               "z"};
        vt_mem_fail_after(n);
        vt_status status = vt_table_open(s.rejects, header, 2, &table, &error);
        if (status == VT_OK) {
            vt_table_row(table, cells, 2);
            status = vt_table_close(table, &error);
        }
        vt_mem_fail_after(-1);
        done = status == VT_OK;
        if (!done)
            assert_int_equal(status, VT_ERR_NO_MEMORY);
        assert_true(n < 100);
    }
    shop_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cells),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_allocation_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
