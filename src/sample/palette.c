/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: the colours of the catalogue.
 * Method: one table of names and sRGB values in groups; contrast by the distance of square-root
 * encoded linear colours.
 */
#include "sample/palette.h"

typedef struct palette_entry {
    const char *name;
    uint32_t rgb;
} palette_entry;

static const palette_entry palette[] = {
    /* dyes, paints and glazes */
    {"Red", 0xc22a2f},
    {"Orange", 0xe9782a},
    {"Yellow", 0xf0c030},
    {"Green", 0x3d8b4f},
    {"Olive", 0x7d7f3c},
    {"Mint", 0x9fd6bd},
    {"Teal", 0x1f7f86},
    {"Sky Blue", 0x7fb8e0},
    {"Blue", 0x2b5fb8},
    {"Navy", 0x22304f},
    {"Purple", 0x6d4596},
    {"Lilac", 0xb9a3d6},
    {"Pink", 0xec9fb4},
    {"Coral", 0xee7562},
    {"Burgundy", 0x6e2134},
    {"Brown", 0x6b4630},
    {"Beige", 0xd8c3a0},
    {"Cream", 0xf2e8d2},
    {"White", 0xf3f3f0},
    {"Grey", 0x8b8e92},
    {"Black", 0x222326},
    /* woods */
    {"Oak", 0xc89a62},
    {"Walnut", 0x75492c},
    {"Beech", 0xdcb482},
    {"Ash", 0xe2cba4},
    {"Cherry", 0xa75f38},
    {"Ebony", 0x3a2a22},
    /* leathers */
    {"Tan", 0xb87643},
    {"Cognac", 0x97532a},
    {"Chestnut", 0x693a24},
    {"Dark Brown", 0x432a20},
    {"Black", 0x26242a},
    {"Burgundy", 0x64202c},
    {"Sand", 0xceb08a},
    {"Forest Green", 0x2c4a3a},
    /* metals: reflectance */
    {"Silver", 0xd9dadd},
    {"Brass", 0xd8ae5c},
    {"Copper", 0xd58a66},
    {"Gold", 0xe6bd56},
    {"Gunmetal", 0x6a6d73},
    {"Rose Gold", 0xe0a893},
    /* glass: what one wall lets through */
    {"Clear", 0xeef3f2},
    {"Amber", 0xe0a24c},
    {"Bottle Green", 0x6fb487},
    {"Cobalt", 0x6c8fd6},
    {"Smoke", 0xa5a6aa},
    {"Rose", 0xeba9b6},
    {"Aqua", 0x8fd3d6},
};

typedef struct palette_range {
    int first, count;
} palette_range;

static const palette_range ranges[] = {
    [VT_PALETTE_ANY] = {0, 21},     [VT_PALETTE_LIGHT] = {16, 3}, [VT_PALETTE_WOOD] = {21, 6},
    [VT_PALETTE_LEATHER] = {27, 8}, [VT_PALETTE_METAL] = {35, 6}, [VT_PALETTE_GLASS] = {41, 7},
};

_Static_assert(sizeof palette / sizeof *palette == 48, "the ranges above must cover the table");

int vt_palette_pick(vt_random *random, vt_palette_group group)
{
    palette_range range = ranges[group];
    return range.first + vt_random_int(random, 0, range.count - 1);
}

int vt_palette_deal(vt_palette_group group, uint64_t start, uint64_t number)
{
    /* A stride of 5 has no divisor in common with any group's size. */
    palette_range range = ranges[group];
    return range.first + (int)((start + 5 * number) % (uint64_t)range.count);
}

static vt_vec3 rooted(int color)
{
    vt_vec3 rgb = vt_rgb_linear(palette[color].rgb);
    return v3(f_sqrt(rgb.x), f_sqrt(rgb.y), f_sqrt(rgb.z));
}

int vt_palette_pick_contrast(vt_random *random, int other)
{
    vt_vec3 have = rooted(other);
    for (int tries = 0; tries < 24; tries++) {
        int color = vt_palette_pick(random, VT_PALETTE_ANY);
        vt_vec3 gap = v3_sub(rooted(color), have);
        /* Brightness counts more: patterns must also be seen in dim photos. */
        float light = v3_luma(gap);
        if (v3_dot(gap, gap) + 3.0f * light * light > 0.42f)
            return color;
    }
    return v3_luma(have) > 0.5f ? 9 : 17;
}

vt_vec3 vt_palette_rgb(int color, vt_random *random)
{
    vt_vec3 rgb = vt_rgb_linear(palette[color].rgb);
    float light = vt_random_float(random, 0.88f, 1.12f);
    float red = vt_random_float(random, 0.96f, 1.04f);
    float blue = vt_random_float(random, 0.96f, 1.04f);
    return v3_lower(v3_mul(rgb, v3(light * red, light, light * blue)), v3_all(0.93f));
}

const char *vt_palette_name(int color)
{
    return palette[color].name;
}
