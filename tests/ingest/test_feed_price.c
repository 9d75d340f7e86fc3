/* SPDX-License-Identifier: Apache-2.0 */
/* Prices as shops write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ingest/feed_row.h"

#include <stdio.h>
#include <string.h>

static void test_prices(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want; /* want: "amount currency", "" when it is no price */
    } cases[] = {
        {"12.90", "12.9 "},
        {"12.90 USD", "12.9 USD"},
        {"USD 12.90", "12.9 USD"},
        {"usd12.90", "12.9 USD"},
        {"12,90 EUR", "12.9 EUR"},
        {"12,9", "12.9 "},
        {" 0 ", "0 "},
        {"1,299", "1299 "},
        {"1,299.00 USD", "1299 USD"},
        {"1.299,50 EUR", "1299.5 EUR"},
        {"1.299.000", "1299000 "},
        {"12,345,678.9", "12345678.9 "},
        {"1 299,00 SEK", "1299 SEK"},
        {"1\xc2\xa0"
         "299,00 SEK",
         "1299 SEK"},
        {"CHF 1'299.50", "1299.5 CHF"},
        {"\xe2\x82\xac 5", "5 EUR"},
        {"5,00 \xe2\x82\xac", "5 EUR"},
        {"\xc2\xa3"
         "9.99",
         "9.99 GBP"},
        {"$9.99", "9.99 "},
        {"9.999", "9.999 "},
        {"0,005", "5 "}, /* groups of three: nobody prices in thousandths with a comma */
        {".99", "0.99 "},
        {"12.", "12 "},
        {"", ""},
        {" ", ""},
        {"free", ""},
        {"USD", ""},
        {"-1", ""},
        {"1e3", ""},
        {"0x10", ""},
        {"12.90.1", ""},
        {"1,2,3", ""},
        {"12 34", ""},
        {"1,299,5", ""},
        {"5 EUR USD", ""},
        {"5 euros", ""},
        {".", ""},
        {",", ""},
        {"nan", ""},
        {"12.9 - 15.0", ""},
        {"111111111111111111111111111111111111111111111111111111111111", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double amount;
        char currency[4], got[64] = "";
        if (vt_price_parse(cases[i].text, &amount, currency))
            snprintf(got, sizeof got, "%.10g %s", amount, currency);
        if (strcmp(got, cases[i].want) != 0)
            print_error("price \"%s\"\n", cases[i].text);
        assert_string_equal(got, cases[i].want);
    }
}

static void test_currency(void **state)
{
    (void)state;
    char currency[4] = "old";
    assert_true(vt_currency_parse("eUr", currency));
    assert_string_equal(currency, "EUR");
    assert_false(vt_currency_parse("E1R", currency));
    assert_false(vt_currency_parse("EU", currency));
    assert_false(vt_currency_parse("EURO", currency));
    assert_string_equal(currency, "EUR");
}

static void test_clip(void **state)
{
    (void)state;
    assert_int_equal(vt_text_clip("abc", 3), 3);
    assert_int_equal(vt_text_clip("abcd", 3), 3);
    assert_int_equal(vt_text_clip("ab\xc3\xa4", 3), 2);
    assert_int_equal(vt_text_clip("a\xf0\x9f\x98\x80z", 4), 1);
    assert_int_equal(vt_text_clip("a\xf0\x9f\x98\x80z", 5), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prices),
        cmocka_unit_test(test_currency),
        cmocka_unit_test(test_clip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
