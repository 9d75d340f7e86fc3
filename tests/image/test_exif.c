/* SPDX-License-Identifier: Apache-2.0 */
/* Orientation from EXIF blocks: both byte orders, and every way to be damaged. */
#include "image/exif.h"
#include "image/pictures.h"

static const uint8_t little[] = {'I', 'I', 42, 0, 8, 0,   0,   0,   2, 0,    0x0F, 0x01, 2,
                                 0,   4,   0,  0, 0, 'a', 'b', 'c', 0, 0x12, 0x01, 3,    0,
                                 1,   0,   0,  0, 6, 0,   0,   0,   0, 0,    0,    0};
static const uint8_t big[] = {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0,
                              3,   0,   0, 0,  1, 0, 8, 0, 0, 0, 0,    0,    0};

static void reads_both_byte_orders(void **state)
{
    (void)state;
    assert_int_equal(vt_exif_orientation(little, sizeof little), 6);
    assert_int_equal(vt_exif_orientation(big, sizeof big), 8);
}

/* Each prefix in a heap block of its own, so that the sanitiser sees a read behind it. */
static void survives_every_prefix(void **state)
{
    (void)state;
    for (size_t length = 0; length < sizeof little; length++) {
        uint8_t *copy = vt_alloc(length);
        memcpy(copy, little, length);
        int orientation = vt_exif_orientation(copy, length);
        assert_int_equal(orientation, length >= 34 ? 6 : 1);
        vt_free(copy);
    }
}

static void ignores_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
    } changes[] = {{0, 'M'}, {1, 'X'}, {2, 43}, {4, 200}, {7, 255}, {22, 0x13},
                   {24, 4},  {26, 2},  {30, 0}, {30, 9},  {31, 1}};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        uint8_t *copy = vt_alloc(sizeof little);
        memcpy(copy, little, sizeof little);
        copy[changes[i].at] = changes[i].value;
        assert_int_equal(vt_exif_orientation(copy, sizeof little), 1);
        vt_free(copy);
    }
}

static void count_beyond_the_block_is_cut(void **state)
{
    (void)state;
    uint8_t *copy = vt_alloc(sizeof little);
    memcpy(copy, little, sizeof little);
    copy[8] = copy[9] = 255;
    assert_int_equal(vt_exif_orientation(copy, sizeof little), 6);
    copy[23] = 0x55; /* tag gone: all the entries that fit are walked, no more */
    assert_int_equal(vt_exif_orientation(copy, sizeof little), 1);
    vt_free(copy);
}

/* Signature, a header chunk, and the block as a chunk. */
static size_t png_make(uint8_t *out, const char *name)
{
    memcpy(out, "\x89PNG\r\n\x1A\n\0\0\0\3IHDRabc....", 23);
    memcpy(out + 23, "\0\0\0", 3);
    out[26] = sizeof big;
    memcpy(out + 27, name, 4);
    memcpy(out + 31, big, sizeof big);
    memcpy(out + 31 + sizeof big, "....", 4);
    return 35 + sizeof big;
}

static void png_chunks_are_walked(void **state)
{
    (void)state;
    uint8_t png[100];
    size_t whole = png_make(png, "eXIf");
    for (size_t length = 8; length <= whole; length++) {
        uint8_t *copy = vt_alloc(length);
        memcpy(copy, png, length);
        assert_int_equal(vt_exif_orientation_png(copy, length), length == whole ? 8 : 1);
        vt_free(copy);
    }
    png[8] = 0xFF; /* a chunk longer than the file */
    assert_int_equal(vt_exif_orientation_png(png, whole), 1);
    whole = png_make(png, "eXIx");
    assert_int_equal(vt_exif_orientation_png(png, whole), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_both_byte_orders), cmocka_unit_test(survives_every_prefix),
        cmocka_unit_test(ignores_what_is_wrong),  cmocka_unit_test(count_beyond_the_block_is_cut),
        cmocka_unit_test(png_chunks_are_walked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
