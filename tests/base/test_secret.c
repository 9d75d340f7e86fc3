/* SPDX-License-Identifier: Apache-2.0 */
#include "support/scratch.h"

#include "base/secret.h"

static void a_stored_secret_matches_itself_alone(void **state)
{
    (void)state;
    char first[VT_SECRET_STORED], second[VT_SECRET_STORED];
    assert_int_equal(vt_secret_store("the secret", first, NULL), VT_OK);
    assert_int_equal(vt_secret_store("the secret", second, NULL), VT_OK);
    assert_string_not_equal(first, second); /* a salt each */
    assert_memory_equal(first, "$argon2id$", 10);
    assert_true(vt_secret_matches(first, "the secret"));
    assert_true(vt_secret_matches(second, "the secret"));
    assert_false(vt_secret_matches(first, "the secreT"));
    assert_false(vt_secret_matches(first, ""));
    static const char nonsense[VT_SECRET_STORED] = "nonsense";
    assert_false(vt_secret_matches(nonsense, "the secret"));
}

static void tags_depend_on_the_key_and_the_bytes(void **state)
{
    (void)state;
    uint8_t keys[2][VT_SECRET_TAG_BYTES], a[VT_SECRET_TAG_BYTES], b[VT_SECRET_TAG_BYTES];
    vt_secret_random(keys[0], sizeof(keys[0]));
    vt_secret_random(keys[1], sizeof(keys[1]));
    assert_false(vt_secret_equal(keys[0], keys[1], sizeof(keys[0])));
    vt_secret_tag(keys[0], "text", 4, a);
    vt_secret_tag(keys[0], "text", 4, b);
    assert_true(vt_secret_equal(a, b, sizeof(a)));
    vt_secret_tag(keys[0], "tex", 3, b);
    assert_false(vt_secret_equal(a, b, sizeof(a)));
    vt_secret_tag(keys[1], "text", 4, b);
    assert_false(vt_secret_equal(a, b, sizeof(a)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stored_secret_matches_itself_alone),
        cmocka_unit_test(tags_depend_on_the_key_and_the_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
