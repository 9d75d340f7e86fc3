/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the orientation in an EXIF block.
 *
 * Method: the TIFF 6.0 header names the byte order and the first directory (IFD0); its entries of
 * 12 bytes are walked for tag 0x0112, type SHORT, count 1, whose value lies in the entry itself. In
 * PNG the block is the content of chunk eXIf. Source: EXIF 2.32 (JEITA CP-3451), sections 4.5
 * and 4.6.4; PNG 3rd edition, sections 5.3, 11.3.3.4. Departures: nothing else is read, no other
 * directory is followed, so no offset can loop. PNG checksums are not looked at: whoever decodes
 * the pixels does that.
 */
#include <string.h>

#include "image/exif.h"

enum { EXIF_TAG_ORIENTATION = 0x0112, EXIF_TYPE_SHORT = 3, EXIF_ENTRY_BYTES = 12 };
enum { PNG_SIGNATURE_BYTES = 8, PNG_CHUNK_BYTES = 12 };

static uint32_t exif_number(const uint8_t *at, int bytes, int big_endian)
{
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | at[big_endian ? i : bytes - 1 - i];
    return value;
}

int vt_exif_orientation(const uint8_t *tiff, size_t length)
{
    if (length < 8 || tiff[0] != tiff[1] || (tiff[0] != 'I' && tiff[0] != 'M'))
        return 1;
    int big_endian = tiff[0] == 'M';
    if (exif_number(tiff + 2, 2, big_endian) != 42)
        return 1;
    size_t directory = exif_number(tiff + 4, 4, big_endian);
    if (directory > length - 2)
        return 1;
    size_t count = exif_number(tiff + directory, 2, big_endian);
    size_t room = (length - directory - 2) / EXIF_ENTRY_BYTES;
    if (count > room)
        count = room;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *entry = tiff + directory + 2 + i * EXIF_ENTRY_BYTES;
        if (exif_number(entry, 2, big_endian) != EXIF_TAG_ORIENTATION)
            continue;
        uint32_t value = exif_number(entry + 8, 2, big_endian);
        if (exif_number(entry + 2, 2, big_endian) != EXIF_TYPE_SHORT ||
            exif_number(entry + 4, 4, big_endian) != 1 || value < 1 || value > 8)
            return 1;
        return (int)value;
    }
    return 1;
}

int vt_exif_orientation_png(const uint8_t *png, size_t length)
{
    size_t at = PNG_SIGNATURE_BYTES;
    while (at < length && length - at >= PNG_CHUNK_BYTES) {
        size_t size = exif_number(png + at, 4, 1);
        if (size > length - at - PNG_CHUNK_BYTES)
            break;
        if (memcmp(png + at + 4, "eXIf", 4) == 0)
            return vt_exif_orientation(png + at + 8, size);
        at += PNG_CHUNK_BYTES + size;
    }
    return 1;
}
