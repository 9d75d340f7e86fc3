/* SPDX-License-Identifier: Apache-2.0 */
#include "support/scratch.h"

#include "base/crc32c.h"
#include "base/random.h"

static void known_sums(void **state)
{
    (void)state;
    static const uint8_t zeros[32];
    assert_int_equal(vt_crc32c(0, "123456789", 9), 0xE3069283u); /* RFC 3720, B.4 and others */
    assert_int_equal(vt_crc32c(0, zeros, 32), 0x8A9136AAu);
    assert_int_equal(vt_crc32c_scalar(0, "123456789", 9), 0xE3069283u);
    assert_int_equal(vt_crc32c_scalar(0, zeros, 32), 0x8A9136AAu);
    assert_int_equal(vt_crc32c(7, zeros, 0), 7);
}

static void parts_and_both_ways_agree(void **state)
{
    (void)state;
    uint8_t bytes[300];
    vt_random random;
    vt_random_init(&random, 1);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)vt_random_u64(&random);
    for (size_t begin = 0; begin < 9; begin++)
        for (size_t length = 0; begin + length <= sizeof bytes; length++) {
            size_t half = length / 3;
            uint32_t want = vt_crc32c_scalar(0, bytes + begin, length);
            assert_int_equal(vt_crc32c(0, bytes + begin, length), want);
            uint32_t first = vt_crc32c(0, bytes + begin, half);
            assert_int_equal(vt_crc32c(first, bytes + begin + half, length - half), want);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_sums),
        cmocka_unit_test(parts_and_both_ways_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
