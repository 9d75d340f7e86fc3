/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes: known answers, streaming in any pieces, unambiguous text. */
#include "base/hash.h"
#include "support/scratch.h"

static void check_hash(const void *bytes, size_t length, const char *expected)
{
    char hex[VT_HASH_HEX];
    vt_hash hash = vt_hash_of(bytes, length);
    vt_hash_hex(&hash, hex);
    assert_string_equal(hex, expected);
}

/* From the reference implementation of BLAKE2b with a digest of 32 bytes. */
static void test_known_answers(void **state)
{
    (void)state;
    uint8_t bytes[256 * 5];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    check_hash("", 0, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
    check_hash(NULL, 0, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
    check_hash("abc", 3, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
    check_hash(bytes, sizeof bytes,
               "82628cbfc9689e234b0923a531f4578fe2e7138a03e2f81ed6cde97517336650");
}

static void test_pieces(void **state)
{
    (void)state;
    uint8_t bytes[700];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7);
    vt_hash whole = vt_hash_of(bytes, sizeof bytes);
    for (size_t piece = 1; piece < 300; piece += 13) {
        vt_hasher hasher;
        vt_hasher_init(&hasher);
        for (size_t at = 0; at < sizeof bytes; at += piece)
            vt_hasher_add(&hasher, bytes + at,
                          sizeof bytes - at < piece ? sizeof bytes - at : piece);
        vt_hash parts = vt_hasher_finish(&hasher);
        assert_memory_equal(&parts, &whole, sizeof whole);
    }
}

static vt_hash hash_texts(const char *a, const char *b)
{
    vt_hasher hasher;
    vt_hasher_init(&hasher);
    vt_hasher_add_text(&hasher, a);
    vt_hasher_add_text(&hasher, b);
    return vt_hasher_finish(&hasher);
}

static void test_texts_are_unambiguous(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"ab", "c"},   {"a", "bc"},   {"abc", ""}, {"", "abc"},
                                           {"abc", NULL}, {NULL, "abc"}, {NULL, ""},  {"", NULL},
                                           {"", ""},      {NULL, NULL}};
    for (size_t a = 0; a < 10; a++)
        for (size_t b = 0; b < 10; b++) {
            vt_hash x = hash_texts(pairs[a][0], pairs[a][1]);
            vt_hash y = hash_texts(pairs[b][0], pairs[b][1]);
            assert_int_equal(memcmp(&x, &y, sizeof x) == 0, a == b);
        }
    /* The prefix is little endian everywhere, because hashes are stored. */
    vt_hasher hasher;
    vt_hasher_init(&hasher);
    vt_hasher_add(&hasher, "\3\0\0\0\0\0\0\0abc", 11);
    vt_hash expected = vt_hasher_finish(&hasher);
    vt_hasher_init(&hasher);
    vt_hasher_add_text(&hasher, "abc");
    vt_hash text = vt_hasher_finish(&hasher);
    assert_memory_equal(&text, &expected, sizeof text);
}

static void test_table_hash(void **state)
{
    (void)state;
    assert_true(vt_table_hash("abc", 3) == vt_table_hash("abc", 3));
    assert_true(vt_table_hash("abc", 3) != vt_table_hash("abd", 3));
    assert_true(vt_table_hash("abc", 3) != vt_table_hash("abc", 2));
    assert_true(vt_table_hash(NULL, 0) == vt_table_hash("", 0));
    /* 4096 consecutive keys fill 4096 buckets like random ones do: about 63 % of them. */
    bool used[4096] = {false};
    int count = 0;
    for (uint32_t key = 0; key < 4096; key++) {
        uint64_t bucket = vt_table_hash(&key, sizeof key) & 4095;
        count += !used[bucket];
        used[bucket] = true;
    }
    assert_in_range(count, 2300, 2900);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_texts_are_unambiguous),
        cmocka_unit_test(test_table_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
