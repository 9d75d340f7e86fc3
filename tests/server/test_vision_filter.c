/* SPDX-License-Identifier: Apache-2.0 */
/* Google's filters of labels in our words. */
#include "server/vision.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void filters_are_translated(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"color = red", "\"color\" = 'red'"},
        {"color=red", "\"color\" = 'red'"},
        {"  (color = red OR color = dark blue) AND brand = Acme ",
         "(\"color\" = 'red' OR \"color\" = 'dark blue') AND \"brand\" = 'Acme'"},
        {"name = it's", "\"name\" = 'it''s'"},
        {"name = \"quoted\"", "\"name\" = 'quoted'"},
        {"my \"key\" = x", "\"my \"\"key\"\"\" = 'x'"},
        {"ORDER = ANDES OR a=b", "\"ORDER\" = 'ANDES' OR \"a\" = 'b'"},
        {"a = b = c", "\"a\" = 'b = c'"},
        {"a = x') OR ('1' = '1", "\"a\" = 'x''') OR (\"'1'\" = '''1'"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vt_buf out;
        vt_error error = {0};
        vt_buf_init(&out, 1 << 12);
        vt_status status = vt_vision_filter(cases[i][0], &out, &error);
        assert_int_equal(status, VT_OK);
        assert_string_equal(vt_buf_text(&out), cases[i][1]);
        vt_buf_deinit(&out);
    }
}

static void what_is_no_filter_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "color: red", "color", "= red", "color =", "color = )", "AND = =", "(color", "color()"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        vt_buf out;
        vt_buf_init(&out, 1 << 12);
        if (vt_vision_filter(bad[i], &out, NULL) != VT_ERR_USAGE)
            fail_msg("%s: %s", bad[i], vt_buf_text(&out));
        vt_buf_deinit(&out);
    }
}

static void a_filter_has_a_largest_length(void **state)
{
    (void)state;
    vt_buf out;
    vt_buf_init(&out, 8);
    assert_int_not_equal(vt_vision_filter("color = reddish", &out, NULL), VT_OK);
    vt_buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(filters_are_translated),
                                       cmocka_unit_test(what_is_no_filter_is_refused),
                                       cmocka_unit_test(a_filter_has_a_largest_length)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
