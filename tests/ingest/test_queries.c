/* SPDX-License-Identifier: Apache-2.0 */
#include "support/scratch.h"

#include "ingest/queries.h"

static vt_status open_text(void **state, const char *text, vt_queries **out, vt_error *error)
{
    scratch_write(*state, "q.csv", text, strlen(text));
    return vt_queries_open(scratch_path(*state, "q.csv"), out, error);
}

static void columns_may_stand_in_any_order(void **state)
{
    vt_error error;
    vt_queries *queries = NULL;
    vt_query_row row;
    assert_int_equal(open_text(state,
                               "\xEF\xBB\xBFnote;Category;PRODUCT;photo\r\n"
                               "x;Mugs;M-1;\"a;b.jpg\"\r\n\r\ny;;M-2;c.jpg",
                               &queries, &error),
                     VT_OK);
    assert_int_equal(vt_queries_next(queries, &row, &error), VT_OK);
    assert_string_equal(row.photo, "a;b.jpg");
    assert_string_equal(row.product, "M-1");
    assert_string_equal(row.category, "Mugs");
    assert_int_equal(row.line, 2);
    assert_int_equal(vt_queries_next(queries, &row, &error), VT_OK);
    assert_string_equal(row.photo, "c.jpg");
    assert_null(row.category);
    assert_int_equal(row.line, 4);
    assert_int_equal(vt_queries_next(queries, &row, &error), VT_OK);
    assert_null(row.photo);
    vt_queries_close(queries);
}

static void a_broken_row_costs_one_row(void **state)
{
    vt_error error;
    vt_queries *queries = NULL;
    vt_query_row row;
    assert_int_equal(
        open_text(state, "photo,product\na.jpg\n,M-1\n\"b.jpg,M-1\nc\xff.jpg,M-1\nd.jpg,M-2\n",
                  &queries, &error),
        VT_OK);
    for (uint64_t line = 2; line <= 5; line++) {
        assert_int_equal(vt_queries_next(queries, &row, &error), VT_ERR_FORMAT);
        assert_int_equal(row.line, line);
        assert_non_null(strstr(error.message, "line "));
    }
    assert_int_equal(vt_queries_next(queries, &row, &error), VT_OK);
    assert_string_equal(row.photo, "d.jpg");
    vt_queries_close(queries);
}

static void a_list_without_its_columns_is_refused(void **state)
{
    vt_error error;
    vt_queries *queries = NULL;
    static const char *const wrong[] = {"", "photo\na.jpg\n", "id,title\n1,2\n", "\xff\xfe\n"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(open_text(state, wrong[i], &queries, &error), VT_ERR_FORMAT);
    assert_int_equal(vt_queries_open("/nowhere/q.csv", &queries, &error), VT_ERR_NOT_FOUND);
    assert_null(queries);
}

static vt_status read_all(void *path)
{
    vt_queries *queries = NULL;
    vt_query_row row;
    vt_status status = vt_queries_open(path, &queries, NULL);
    if (status != VT_OK)
        return status;
    do
        status = vt_queries_next(queries, &row, NULL);
    while (status == VT_OK && row.photo != NULL);
    vt_queries_close(queries);
    return status;
}

static void running_out_of_memory_is_an_error(void **state)
{
    const char *text = "photo,product\na.jpg,M-1\n";
    scratch_write(*state, "q.csv", text, strlen(text));
    each_allocation_failing(read_all, (char *)(uintptr_t)scratch_path(*state, "q.csv"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(columns_may_stand_in_any_order, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(a_broken_row_costs_one_row, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(a_list_without_its_columns_is_refused, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(running_out_of_memory_is_an_error, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
