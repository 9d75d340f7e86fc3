/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the marker segments of a JPEG file.
 *
 * Method: the segments up to the first scan are walked in order, skipping stray bytes between
 * segments the way libjpeg does so that both see the same picture. The scans are then walked from
 * marker to marker to the end marker.
 * Source: ITU-T T.81, annex B; ICC.1:2022 annex B.4 (profile parts); Adobe technical note 5116.
 * Departures: a second frame header before the scan is refused, as is everything that the decoder
 * cannot decode (12 bits, lossless, hierarchical), so that the answer does not depend on its
 * version. A bound that the standard implies but does not state: a Huffman code has at least one
 * bit and every block at least one code, so a file with fewer bits than blocks is cut off. That
 * refuses a tiny file of huge size before anything is allocated for it.
 */
#include <string.h>

#include "base/mem.h"
#include "image/exif.h"
#include "image/jpeg_markers.h"

enum {
    MARKER_SOF0 = 0xC0,
    MARKER_SOF1 = 0xC1,
    MARKER_SOF2 = 0xC2,
    MARKER_DHT = 0xC4,
    MARKER_JPG = 0xC8,
    MARKER_SOF9 = 0xC9,
    MARKER_SOF10 = 0xCA,
    MARKER_DAC = 0xCC,
    MARKER_SOF15 = 0xCF,
    MARKER_RST0 = 0xD0,
    MARKER_RST7 = 0xD7,
    MARKER_SOI = 0xD8,
    MARKER_EOI = 0xD9,
    MARKER_SOS = 0xDA,
    MARKER_APP1 = 0xE1,
    MARKER_APP2 = 0xE2,
    MARKER_APP14 = 0xEE,
    MARKER_TEM = 0x01,
};

static size_t jpeg_u16(const uint8_t *at)
{
    return (size_t)at[0] << 8 | at[1];
}

/* Moves *at behind the next marker, over stray bytes, and returns it; 0 at the end of the data. */
static uint8_t jpeg_next_marker(const uint8_t *bytes, size_t length, size_t *at)
{
    while (*at < length) {
        const uint8_t *found = memchr(bytes + *at, 0xFF, length - *at);
        if (!found)
            break;
        *at = (size_t)(found - bytes);
        while (*at < length && bytes[*at] == 0xFF)
            ++*at;
        if (*at < length && bytes[(*at)++] != 0)
            return bytes[*at - 1];
    }
    *at = length;
    return 0;
}

static bool jpeg_marker_is_bare(uint8_t marker)
{
    return (marker >= MARKER_RST0 && marker <= MARKER_RST7) || marker == MARKER_TEM;
}

static bool jpeg_marker_is_frame(uint8_t marker)
{
    return marker >= MARKER_SOF0 && marker <= MARKER_SOF15 && marker != MARKER_DHT &&
           marker != MARKER_JPG && marker != MARKER_DAC;
}

static uint64_t jpeg_blocks(int size, int factor, int maximum_factor)
{
    uint64_t samples = ((uint64_t)size * (uint64_t)factor + (uint64_t)maximum_factor - 1) /
                       (uint64_t)maximum_factor;
    return (samples + 7) / 8;
}

static vt_status jpeg_count_blocks(const uint8_t *components, vt_jpeg_info *info, vt_error *error)
{
    int maximum_h = 1, maximum_v = 1;
    for (int i = 0; i < info->components; i++) {
        int h = components[3 * i + 1] >> 4, v = components[3 * i + 1] & 15;
        if (h < 1 || h > 4 || v < 1 || v > 4)
            return vt_fail(error, VT_ERR_FORMAT,
                           "decode jpeg: component %d has sampling factors %dx%d", i + 1, h, v);
        maximum_h = h > maximum_h ? h : maximum_h;
        maximum_v = v > maximum_v ? v : maximum_v;
    }
    info->blocks = 0;
    for (int i = 0; i < info->components; i++) {
        uint64_t blocks = jpeg_blocks(info->width, components[3 * i + 1] >> 4, maximum_h) *
                          jpeg_blocks(info->height, components[3 * i + 1] & 15, maximum_v);
        if (blocks > info->blocks)
            info->blocks = blocks;
    }
    return VT_OK;
}

static vt_status jpeg_read_frame(uint8_t marker, const uint8_t *body, size_t length,
                                 vt_jpeg_info *info, vt_error *error)
{
    if (info->width > 0)
        return vt_fail(error, VT_ERR_FORMAT, "decode jpeg: two frame headers");
    if (marker != MARKER_SOF0 && marker != MARKER_SOF1 && marker != MARKER_SOF2 &&
        marker != MARKER_SOF9 && marker != MARKER_SOF10)
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "decode jpeg: lossless and hierarchical coding (frame type %d) is not "
                       "supported",
                       marker - MARKER_SOF0);
    if (length < 6 || length < 6 + 3 * (size_t)body[5])
        return vt_fail(error, VT_ERR_FORMAT, "decode jpeg: frame header of %zu bytes", length);
    if (body[0] != 8)
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "decode jpeg: %d bits per sample are not supported", body[0]);
    int height = (int)jpeg_u16(body + 1), width = (int)jpeg_u16(body + 3);
    if (width == 0 || height == 0)
        return vt_fail(error, VT_ERR_FORMAT, "decode jpeg: size %dx%d", width, height);
    int components = body[5];
    if (components != 1 && components != 3 && components != 4)
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "decode jpeg: %d colour components are not supported", components);
    info->width = width;
    info->height = height;
    info->components = components;
    info->arithmetic = marker >= MARKER_SOF9;
    return jpeg_count_blocks(body + 6, info, error);
}

static void jpeg_read_icc_part(const uint8_t *bytes, size_t offset, size_t length,
                               vt_jpeg_info *info)
{
    const uint8_t *body = bytes + offset;
    if (length < 14 || memcmp(body, "ICC_PROFILE", 12) != 0)
        return;
    int number = body[12], count = body[13];
    if (number < 1 || number > count || (info->icc_parts != 0 && info->icc_parts != count))
        return;
    info->icc_parts = count;
    if (info->icc[number - 1].offset == 0)
        info->icc[number - 1] = (vt_jpeg_span){.offset = offset + 14, .length = length - 14};
}

vt_status vt_jpeg_info_read(const uint8_t *bytes, size_t length, vt_jpeg_info *out, vt_error *error)
{
    vt_jpeg_info info;
    memset(&info, 0, sizeof info);
    info.orientation = 1;
    size_t at = 2; /* behind SOI, which the caller has seen */
    bool has_exif = false;
    for (;;) {
        uint8_t marker = jpeg_next_marker(bytes, length, &at);
        if (marker == 0)
            return vt_fail(error, VT_ERR_FORMAT, "decode jpeg: data ends before the first scan");
        if (jpeg_marker_is_bare(marker))
            continue;
        if (marker == MARKER_SOI || marker == MARKER_EOI)
            return vt_fail(error, VT_ERR_FORMAT, "decode jpeg: %s before the first scan",
                           marker == MARKER_EOI ? "end marker" : "second start marker");
        if (length - at < 2 || jpeg_u16(bytes + at) < 2 || length - at < jpeg_u16(bytes + at))
            return vt_fail(error, VT_ERR_FORMAT, "decode jpeg: segment 0x%02x is cut off", marker);
        const uint8_t *body = bytes + at + 2;
        size_t body_length = jpeg_u16(bytes + at) - 2;
        if (marker == MARKER_SOS)
            break;
        if (jpeg_marker_is_frame(marker)) {
            vt_status status = jpeg_read_frame(marker, body, body_length, &info, error);
            if (status != VT_OK)
                return status;
        } else if (marker == MARKER_APP1 && !has_exif && body_length > 6 &&
                   memcmp(body, "Exif\0", 6) == 0) {
            has_exif = true;
            info.orientation = vt_exif_orientation(body + 6, body_length - 6);
        } else if (marker == MARKER_APP2) {
            jpeg_read_icc_part(bytes, at + 2, body_length, &info);
        } else if (marker == MARKER_APP14 && body_length >= 12 && memcmp(body, "Adobe", 5) == 0) {
            info.adobe = true;
        }
        at += 2 + body_length;
    }
    if (info.width == 0)
        return vt_fail(error, VT_ERR_FORMAT, "decode jpeg: scan without a frame header");
    info.scan_offset = at;
    *out = info;
    return VT_OK;
}

vt_status vt_jpeg_scans_check(const uint8_t *bytes, size_t length, const vt_jpeg_info *info,
                              vt_error *error)
{
    size_t at = info->scan_offset;
    int scans = 1;
    for (uint8_t marker = MARKER_SOS; marker != MARKER_EOI;) {
        if (!jpeg_marker_is_bare(marker)) {
            if (length - at < 2 || length - at < jpeg_u16(bytes + at))
                return vt_fail(error, VT_ERR_FORMAT, "decode jpeg: data is cut off");
            at += jpeg_u16(bytes + at);
        }
        marker = jpeg_next_marker(bytes, length, &at);
        if (marker == 0)
            return vt_fail(error, VT_ERR_FORMAT, "decode jpeg: data is cut off");
        if (marker == MARKER_SOS && ++scans > VT_JPEG_MAXIMUM_SCANS)
            return vt_fail(error, VT_ERR_LIMIT, "decode jpeg: more than %d scans",
                           VT_JPEG_MAXIMUM_SCANS);
    }
    if (!info->arithmetic && (uint64_t)(at - info->scan_offset) * 8 < info->blocks)
        return vt_fail(error, VT_ERR_FORMAT,
                       "decode jpeg: %zu bytes cannot hold the data of %dx%d pixels",
                       at - info->scan_offset, info->width, info->height);
    return VT_OK;
}

vt_status vt_jpeg_icc_take(const uint8_t *bytes, const vt_jpeg_info *info, uint8_t **icc,
                           size_t *icc_length, vt_error *error)
{
    size_t total = 0;
    bool whole = info->icc_parts > 0;
    for (int i = 0; i < info->icc_parts && whole; i++) {
        whole = info->icc[i].offset != 0;
        total += info->icc[i].length; /* at most 255 times 65,519 */
    }
    if (!whole || total == 0 || total > VT_JPEG_ICC_BYTES) {
        *icc = NULL;
        *icc_length = 0;
        return VT_OK;
    }
    uint8_t *profile = vt_alloc(total);
    if (!profile)
        return vt_fail_memory(error, "a colour profile");
    size_t used = 0;
    for (int i = 0; i < info->icc_parts; i++) {
        memcpy(profile + used, bytes + info->icc[i].offset, info->icc[i].length);
        used += info->icc[i].length;
    }
    *icc = profile;
    *icc_length = total;
    return VT_OK;
}
