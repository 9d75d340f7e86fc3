/* SPDX-License-Identifier: Apache-2.0 */
/* Filters as people write them: what is read, and what is said about what is wrong. */
#include "fixture.h"

#include "store/filter.h"

/* true, false, or the test fails. */
static bool passes(const char *text, const vt_product *product)
{
    vt_filter *filter = NULL;
    vt_error error = {0};
    if (vt_filter_parse(text, &filter, &error) != VT_OK)
        fail_msg("%s: %s", text, error.message);
    bool *stack = vt_calloc(filter->stack_depth, sizeof *stack);
    bool passed = vt_filter_matches(filter, product, stack);
    vt_free(stack);
    vt_filter_free(filter);
    return passed;
}

static void test_what_is_true(void **state)
{
    (void)state;
    const char *const items[] = {"S", "42"};
    const vt_attribute attributes[] = {
        {.name = "color", .kind = VT_ATTRIBUTE_TEXT, .text = "it's red"},
        {.name = "heel-height", .kind = VT_ATTRIBUTE_NUMBER, .number = 4.5},
        {.name = "sizes", .kind = VT_ATTRIBUTE_LIST, .items = items, .item_count = 2},
        {.name = "Gr\xc3\xb6\xc3\x9f"
                 "e",
         .kind = VT_ATTRIBUTE_TEXT,
         .text = "42"},
        {.name = "say \"hi\"", .kind = VT_ATTRIBUTE_TEXT, .text = "true"},
        {.name = "nothing", .kind = VT_ATTRIBUTE_LIST},
    };
    const vt_product product = {.id = "a",
                                .title = "Boot",
                                .price = 10,
                                .category = "shoes",
                                .attributes = attributes,
                                .attribute_count = 6,
                                .change = 7};
    static const struct {
        const char *text;
        bool passes;
    } cases[] = {
        {"price = 10", true},
        {"price=10.0", true},
        {"price == 1e1", true},
        {"price='10'", true},
        {"price='10.0'", false},
        {"price != 10", false},
        {"price <> 10", false},
        {"price < 10", false},
        {"price <= 10", true},
        {"price > 9.99", true},
        {"price >= +10", true},
        {"price > -1", true},
        {"price > .5 AND price < 11.", true},
        {"price BETWEEN 10 AND 10", true},
        {"price between 11 and 9", false},
        {"price NOT BETWEEN 1 AND 2", true},
        {"price < '9'", false}, /* a number is no text */
        {"NOT price < '9'", true},
        {"color = 'it''s red'", true},
        {"color = ''", false},
        {"color LIKE 'it%'", true},
        {"color LIKE '%red'", true},
        {"color LIKE '__''s%'", true},
        {"color NOT LIKE 'x%'", true},
        {"heel-height > 4", true},
        {"\"heel-height\" > 4", true},
        {"sizes = 42", true},
        {"sizes = 'S' AND sizes CONTAINS '42'", true},
        {"sizes NOT CONTAINS 'S'", false},
        {"sizes != 'M'", true},
        {"sizes NOT IN ('M', 'L')", true},
        {"sizes IN ('M', 42)", true},
        {"Gr\xc3\xb6\xc3\x9f"
         "e = 42",
         true},
        {"\"say \"\"hi\"\"\" = true", true},
        {"\"say \"\"hi\"\"\" = FALSE", false},
        {"brand IS NULL", true},
        {"nothing is null", true},
        {"category IS NOT NULL", true},
        {"NOT brand IS NOT NULL", true},
        {"brand = 'x'", false},     /* unknown ... */
        {"NOT brand = 'x'", false}, /* ... stays unknown */
        {"brand != 'x' OR price = 10", true},
        {"NOT (brand = 'x' AND price = 11)", true},
        {"NOT (brand = 'x' AND price = 10)", false},
        {"NOT NOT price = 10", true},
        {"NOT price = 11 AND price = 10", true},
        {"price = 1 AND price = 2 OR price = 10", true},
        {"price = 10 OR price = 1 AND price = 2", true},
        {"(price = 10 OR price = 1) AND price = 2", false},
        {"((((price = 10))))", true},
        {"change = 7", true},
        {"title > 'Boo' AND title < 'Bop'", true},
        {"title BETWEEN 'A' AND 'C'", true},
        {"\tprice\n=\r10 ", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (passes(cases[i].text, &product) != cases[i].passes)
            fail_msg("%s: not %d", cases[i].text, cases[i].passes);
}

static void test_what_is_wrong_and_where(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t column;
        const char *says;
    } cases[] = {
        {"", 1, "expected the name of an attribute"},
        {"   ", 4, "expected the name of an attribute"},
        {"price", 6, "expected a comparison"},
        {"price 10", 7, "expected a comparison"},
        {"price = ", 9, "expected a value"},
        {"price = red", 9, "single quotes"},
        {"price = \"red\"", 9, "single quotes"},
        {"price = NULL", 9, "IS NULL"},
        {"price = = 1", 9, "expected a value"},
        {"price = 1 2", 11, "expected AND, OR or the end, found 2"},
        {"price = 12abc", 9, "\"12abc\" is not a number"},
        {"price = 1e999", 9, "is not a number"},
        {"price ! 1", 7, "means nothing"},
        {"price = 1 &", 11, "means nothing"},
        {"price = 1 AND", 14, "expected the name"},
        {"price = 1 AND OR", 15, "expected the name of an attribute, NOT or (, found OR"},
        {"AND price = 1", 1, "found AND"},
        {"'price' = 1", 1, "double quotes"},
        {"1 = price", 1, "expected the name"},
        {"color = 'red", 9, "not closed by '"},
        {"\"color = 'red'", 1, "not closed by \""},
        {"gr\xc3\xb6\xc3\x9f"
         "e = 'red",
         9, "not closed by '"}, /* characters, not bytes */
        {"(price = 1", 1, "not closed"},
        {"price = 1 OR ((price = 2)", 14, "not closed"},
        {"price = 1)", 10, "no parenthesis is open"},
        {"()", 2, "expected the name"},
        {"color IN 'red'", 10, "( and a list"},
        {"color IN ()", 11, "expected a value"},
        {"color IN ('red' 'blue')", 17, "a comma or )"},
        {"color IN ('red',)", 17, "expected a value"},
        {"color IN ('red'", 16, "a comma or )"},
        {"color NOT = 'red'", 11, "IN, BETWEEN, LIKE or CONTAINS"},
        {"color NOT NOT IN ('a')", 11, "IN, BETWEEN, LIKE or CONTAINS"},
        {"color IS 'red'", 10, "NULL or NOT NULL"},
        {"color IS NOT 'red'", 14, "NULL after IS NOT"},
        {"color LIKE 5", 12, "a pattern"},
        {"color LIKE 'a\\'", 12, "backslash"},
        {"price BETWEEN 1", 16, "AND"},
        {"price BETWEEN 1 OR 2", 17, "AND"},
        {"price BETWEEN 1 AND 'b'", 21, "a number"},
        {"price BETWEEN 'a' AND 2", 23, "a text"},
        {"price BETWEEN 1 AND", 20, "the upper end"},
        {"NOT", 4, "expected the name"},
        {"price > AND", 9, "single quotes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char place[64];
        snprintf(place, sizeof place, "filter, column %zu:", cases[i].column);
        vt_filter *filter = NULL;
        vt_error error = {0};
        vt_status status = vt_filter_parse(cases[i].text, &filter, &error);
        if (status != VT_ERR_USAGE || strstr(error.message, place) == NULL ||
            strstr(error.message, cases[i].says) == NULL)
            fail_msg("%s: %s (wanted %s ... %s)", cases[i].text, error.message, place,
                     cases[i].says);
        assert_null(filter);
        assert_int_equal(vt_filter_parse(cases[i].text, &filter, NULL), VT_ERR_USAGE);
    }
    assert_fails_saying(VT_ERR_USAGE, "UTF-8",
                        vt_filter_parse("a = '\xff'", &(vt_filter *){0}, error));
}

static char *repeated(const char *before, const char *part, size_t times, const char *after)
{
    vt_buf text;
    vt_buf_init(&text, 4 << 20);
    vt_buf_append_text(&text, before);
    for (size_t i = 0; i < times; i++)
        vt_buf_append_text(&text, part);
    vt_buf_append_text(&text, after);
    return vt_buf_take(&text, NULL);
}

static void limit(const char *before, const char *part, size_t times, const char *after,
                  vt_status wanted)
{
    char *text = repeated(before, part, times, after);
    vt_filter *filter = NULL;
    vt_error error = {0};
    vt_status status = vt_filter_parse(text, &filter, &error);
    if (status != wanted)
        fail_msg("%zu of %s: %s", times, part, error.message);
    assert_true(status == VT_OK || error.message[0] != '\0');
    vt_filter_free(filter);
    vt_free(text);
}

static void test_limits(void **state)
{
    (void)state;
    limit("a = 1", " OR a = 2", 10000, "", VT_OK);
    limit("a = 1", " AND a = 2", VT_FILTER_MAX_TERMS - 1, "", VT_OK);
    limit("a = 1", " OR a = 2", VT_FILTER_MAX_TERMS, "", VT_ERR_LIMIT);
    limit("a IN (1", ", 2", 10000, ")", VT_OK);
    limit("a IN (1", ",2", VT_FILTER_MAX_VALUES - 1, ")", VT_OK);
    limit("a IN (1", ",2", VT_FILTER_MAX_VALUES, ")", VT_ERR_LIMIT);
    limit("", "NOT ", VT_FILTER_MAX_DEPTH, "a = 1", VT_OK);
    limit("", "NOT ", VT_FILTER_MAX_DEPTH + 1, "a = 1", VT_ERR_LIMIT);
    limit("", "(", 500000, "a = 1", VT_ERR_LIMIT);
    limit("a = '", "x", VT_FILTER_MAX_BYTES - 6, "'", VT_OK);
    limit("a = '", "x", VT_FILTER_MAX_BYTES - 5, "'", VT_ERR_LIMIT);
    limit("a = 1", " OR NOT (a = 1 AND NOT a = 2)", 9000, "", VT_OK); /* depth is given back */
}

/* Each level holds back an OR and an AND: the deepest that may be. */
static void test_deepest(void **state)
{
    (void)state;
    char *open = repeated("", "price = 1 OR price = 10 AND NOT (", VT_FILTER_MAX_DEPTH / 2, "");
    char *whole = repeated(open, "", 0, "price = 1");
    char *closed = repeated(whole, ")", VT_FILTER_MAX_DEPTH / 2, "");
    const vt_product product = {.id = "a", .price = 10};
    /* NOT of false is true, NOT of true is false ...: the levels are even in number. */
    assert_int_equal(passes(closed, &product), VT_FILTER_MAX_DEPTH / 2 % 2 == 1);
    vt_free(open);
    vt_free(whole);
    vt_free(closed);
}

static void test_memory(void **state)
{
    (void)state;
    for (int64_t successes = 0;; successes++) {
        vt_filter *filter = NULL;
        vt_mem_fail_after(successes);
        vt_status status =
            vt_filter_parse("(a IN (1, 2, 3) OR b LIKE 'x%') AND c = 'd'", &filter, NULL);
        bool failed = vt_mem_fail_after(-1) > successes;
        vt_filter_free(filter);
        if (!failed) {
            assert_int_equal(status, VT_OK);
            assert_true(successes > 3);
            return;
        }
        assert_int_equal(status, VT_ERR_NO_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_true), cmocka_unit_test(test_what_is_wrong_and_where),
        cmocka_unit_test(test_limits),       cmocka_unit_test(test_deepest),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
