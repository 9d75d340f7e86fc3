/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recognises sRGB profiles by what they do.
 *
 * Method: names lie (many sRGB profiles are called "c2", "sRGB built-in" or nothing), so the
 * numbers are compared: the three primaries against sRGB's, adapted to D50, and the tone curves,
 * sampled, against IEC 61966-2-1. For grey profiles only the curve counts. Source: ICC.1:2022,
 * sections 7.2, 9.2, 10.6 (curveType), 10.18 (parametricCurveType), 10.31. Departures: a profile
 * with lookup tables is never called sRGB, whatever they contain.
 */
#include <math.h>
#include <string.h>

#include "image/icc.h"

enum { ICC_HEADER_BYTES = 128, ICC_MAXIMUM_TAGS = 200, ICC_SAMPLES = 32 };

#define ICC_TAG(a, b, c, d)                                                                        \
    ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

static const double icc_primary_tolerance = 0.003;
static const double icc_curve_tolerance = 2.0 / 255.0;

static uint32_t icc_u32(const uint8_t *at)
{
    return ICC_TAG(at[0], at[1], at[2], at[3]);
}

static double icc_fixed(const uint8_t *at)
{
    return (double)(int32_t)icc_u32(at) / 65536.0;
}

/* The element of a tag, with its length; NULL when absent or outside the profile. */
static const uint8_t *icc_find(const uint8_t *icc, size_t length, uint32_t tag, size_t *element)
{
    size_t count = icc_u32(icc + ICC_HEADER_BYTES);
    if (count > ICC_MAXIMUM_TAGS || count > (length - ICC_HEADER_BYTES - 4) / 12)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *entry = icc + ICC_HEADER_BYTES + 4 + 12 * i;
        size_t offset = icc_u32(entry + 4), size = icc_u32(entry + 8);
        if (icc_u32(entry) != tag)
            continue;
        if (size < 8 || offset > length || size > length - offset)
            return NULL;
        *element = size;
        return icc + offset;
    }
    return NULL;
}

static bool icc_primary_matches(const uint8_t *icc, size_t length, uint32_t tag,
                                const double expected[3])
{
    size_t size;
    const uint8_t *element = icc_find(icc, length, tag, &size);
    if (!element || size < 20 || icc_u32(element) != ICC_TAG('X', 'Y', 'Z', ' '))
        return false;
    for (int i = 0; i < 3; i++) {
        if (!(fabs(icc_fixed(element + 8 + 4 * i) - expected[i]) <= icc_primary_tolerance))
            return false;
    }
    return true;
}

static double icc_sampled_curve(const uint8_t *table, size_t count, double x)
{
    double position = x * (double)(count - 1);
    size_t low = (size_t)position;
    if (low >= count - 1)
        low = count - 2;
    double a = (double)(table[2 * low] << 8 | table[2 * low + 1]);
    double b = (double)(table[2 * low + 2] << 8 | table[2 * low + 3]);
    return (a + (b - a) * (position - (double)low)) / 65535.0;
}

/* y = (a x + b)^g + e from d on, c x + f below; the five forms give some of them. */
static double icc_parametric_curve(int form, const uint8_t *at, double x)
{
    static const int counts[5] = {1, 3, 4, 5, 7};
    double p[7] = {0}; /* g a b c d e f */
    for (int i = 0; i < counts[form]; i++)
        p[i] = icc_fixed(at + 4 * i);
    double g = p[0], a = p[1], b = p[2];
    switch (form) {
    case 0:
        return pow(x, g);
    case 1:
        return a * x + b >= 0.0 ? pow(a * x + b, g) : 0.0;
    case 2:
        return (a * x + b >= 0.0 ? pow(a * x + b, g) : 0.0) + p[3];
    case 3:
        return x >= p[4] ? pow(a * x + b, g) : p[3] * x;
    default:
        return x >= p[4] ? pow(a * x + b, g) + p[5] : p[3] * x + p[6];
    }
}

static double icc_curve(const uint8_t *element, size_t size, double x)
{
    static const size_t parametric_bytes[5] = {4, 12, 16, 20, 28};
    if (icc_u32(element) == ICC_TAG('p', 'a', 'r', 'a') && size >= 12) {
        int form = element[8] << 8 | element[9];
        if (form > 4 || size - 12 < parametric_bytes[form])
            return NAN;
        return icc_parametric_curve(form, element + 12, x);
    }
    if (icc_u32(element) != ICC_TAG('c', 'u', 'r', 'v') || size < 12)
        return NAN;
    size_t count = icc_u32(element + 8);
    if (count > (size - 12) / 2)
        return NAN;
    if (count == 0)
        return x;
    if (count == 1)
        return pow(x, (double)(element[12] << 8 | element[13]) / 256.0);
    return icc_sampled_curve(element + 12, count, x);
}

static bool icc_curve_matches(const uint8_t *icc, size_t length, uint32_t tag)
{
    size_t size;
    const uint8_t *element = icc_find(icc, length, tag, &size);
    if (!element)
        return false;
    for (int i = 0; i <= ICC_SAMPLES; i++) {
        double x = (double)i / ICC_SAMPLES;
        double linear = icc_curve(element, size, x);
        /* Compared as sRGB encodes it, because that is where levels are. */
        double encoded =
            linear <= 0.0031308 ? 12.92 * linear : 1.055 * pow(linear, 1.0 / 2.4) - 0.055;
        if (!(fabs(encoded - x) <= icc_curve_tolerance)) /* false for NaN too */
            return false;
    }
    return true;
}

bool vt_icc_is_srgb(const uint8_t *icc, size_t length)
{
    static const double red[3] = {0.43607, 0.22249, 0.01392};
    static const double green[3] = {0.38515, 0.71687, 0.09708};
    static const double blue[3] = {0.14307, 0.06061, 0.71410};
    if (length < ICC_HEADER_BYTES + 4 || memcmp(icc + 36, "acsp", 4) != 0)
        return false;
    size_t size;
    if (icc_find(icc, length, ICC_TAG('A', '2', 'B', '0'), &size) ||
        icc_find(icc, length, ICC_TAG('A', '2', 'B', '1'), &size) ||
        icc_find(icc, length, ICC_TAG('D', '2', 'B', '0'), &size))
        return false;
    if (icc_u32(icc + 16) == ICC_TAG('G', 'R', 'A', 'Y'))
        return icc_curve_matches(icc, length, ICC_TAG('k', 'T', 'R', 'C'));
    return icc_u32(icc + 16) == ICC_TAG('R', 'G', 'B', ' ') &&
           icc_u32(icc + 20) == ICC_TAG('X', 'Y', 'Z', ' ') &&
           icc_primary_matches(icc, length, ICC_TAG('r', 'X', 'Y', 'Z'), red) &&
           icc_primary_matches(icc, length, ICC_TAG('g', 'X', 'Y', 'Z'), green) &&
           icc_primary_matches(icc, length, ICC_TAG('b', 'X', 'Y', 'Z'), blue) &&
           icc_curve_matches(icc, length, ICC_TAG('r', 'T', 'R', 'C')) &&
           icc_curve_matches(icc, length, ICC_TAG('g', 'T', 'R', 'C')) &&
           icc_curve_matches(icc, length, ICC_TAG('b', 'T', 'R', 'C'));
}
