/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From bytes to pixels: says what the bytes are, applies limits, and hands them to a decoder.
 *
 * Method: the first bytes decide against a closed list. A format that is not on it is refused by
 * name, also when a library in the process could read it: documents and vector graphics (PDF, SVG)
 * would pull in fonts, files and addresses, and the remaining decoders are not hardened against
 * strangers' input (libvips calls them untrusted; JPEG XL and JPEG 2000 are among those).
 * Source: the formats' own signatures (RFC 2083, 9649, TIFF 6.0, ISO/IEC 14496-12 and 23008-12).
 */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "image/decode.h"

enum { SNIFF_BYTES = 12 };

typedef struct picture_signature {
    uint8_t offset, length;
    const char *bytes;
    vt_picture_format format;
} picture_signature;

static const picture_signature picture_accepted[] = {
    {0, 3, "\xFF\xD8\xFF", VT_PICTURE_JPEG}, {0, 8, "\x89PNG\r\n\x1A\n", VT_PICTURE_PNG},
    {0, 6, "GIF87a", VT_PICTURE_GIF},        {0, 6, "GIF89a", VT_PICTURE_GIF},
    {8, 4, "WEBP", VT_PICTURE_WEBP}, /* and RIFF in front, checked below */
    {0, 4, "II*\0", VT_PICTURE_TIFF},        {0, 4, "MM\0*", VT_PICTURE_TIFF},
    {0, 4, "II+\0", VT_PICTURE_TIFF},        {0, 4, "MM\0+", VT_PICTURE_TIFF},
    {4, 8, "ftypavif", VT_PICTURE_HEIF},     {4, 8, "ftypavis", VT_PICTURE_HEIF},
    {4, 7, "ftyphei", VT_PICTURE_HEIF},      {4, 7, "ftyphev", VT_PICTURE_HEIF},
    {4, 8, "ftypmif1", VT_PICTURE_HEIF},     {4, 8, "ftypmsf1", VT_PICTURE_HEIF},
    {4, 8, "ftypmiaf", VT_PICTURE_HEIF},
};

static const struct {
    uint8_t offset, length;
    const char *bytes, *name;
} picture_refused[] = {
    {0, 2, "\xFF\x0A", "jpeg xl"},
    {4, 8, "JXL \r\n\x87\n", "jpeg xl"},
    {4, 4, "jP  ", "jpeg 2000"},
    {0, 4, "\xFF\x4F\xFF\x51", "jpeg 2000"},
    {0, 5, "%PDF-", "pdf"},
    {0, 4, "8BPS", "photoshop"},
    {0, 4, "\0\0\1\0", "windows icon"},
    {4, 4, "ftyp", "mp4 video"},
    {0, 4, "\x1A\x45\xDF\xA3", "matroska video"},
    {0, 4, "\x76\x2F\x31\x01", "openexr"},
    {0, 9, "SIMPLE  =", "fits"},
    {0, 2, "BM", "bmp"},
};

vt_decode_options vt_decode_options_defaults(void)
{
    return (vt_decode_options){.maximum_bytes = (size_t)64 << 20, .maximum_pixels = 200000000};
}

static vt_status picture_refuse(const uint8_t *bytes, size_t length, vt_error *error)
{
    const char *name = NULL;
    for (size_t i = 0; i < sizeof picture_refused / sizeof *picture_refused && !name; i++) {
        if (memcmp(bytes + picture_refused[i].offset, picture_refused[i].bytes,
                   picture_refused[i].length) == 0)
            name = picture_refused[i].name;
    }
    const char *text = (const char *)bytes;
    if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        text += 3;
        length -= 3;
    }
    if (!name && vt_text_trim(&text, length) > 0 && *text == '<')
        name = "xml, svg or html";
    if (name)
        return vt_fail(error, VT_ERR_UNSUPPORTED, "decode picture: %s is not supported", name);
    return vt_fail(error, VT_ERR_UNSUPPORTED,
                   "decode picture: unknown format, it begins with %02x %02x %02x %02x", bytes[0],
                   bytes[1], bytes[2], bytes[3]);
}

static vt_status picture_sniff(const uint8_t *bytes, size_t length, vt_picture_format *out,
                               vt_error *error)
{
    if (length == 0)
        return vt_fail(error, VT_ERR_FORMAT, "decode picture: it is empty");
    if (length < SNIFF_BYTES)
        return vt_fail(error, VT_ERR_FORMAT, "decode picture: %zu bytes are no picture", length);
    for (size_t i = 0; i < sizeof picture_accepted / sizeof *picture_accepted; i++) {
        const picture_signature *s = &picture_accepted[i];
        if (memcmp(bytes + s->offset, s->bytes, s->length) != 0 ||
            (s->format == VT_PICTURE_WEBP && memcmp(bytes, "RIFF", 4) != 0))
            continue;
        *out = s->format;
        return VT_OK;
    }
    return picture_refuse(bytes, length, error);
}

vt_status vt_image_decode(const void *bytes, size_t length, const vt_decode_options *options,
                          vt_image *out, vt_error *error)
{
    vt_decode_options defaults = vt_decode_options_defaults();
    if (!options)
        options = &defaults;
    if (!bytes && length > 0)
        return vt_fail(error, VT_ERR_USAGE, "decode picture: no bytes given");
    if (options->fit_width < 0 || options->fit_height < 0)
        return vt_fail(error, VT_ERR_USAGE, "decode picture: fit size %dx%d", options->fit_width,
                       options->fit_height);
    if (length > options->maximum_bytes)
        return vt_fail(error, VT_ERR_LIMIT, "decode picture: %zu bytes, %zu are allowed", length,
                       options->maximum_bytes);
    vt_picture_format format = VT_PICTURE_JPEG;
    vt_status status = picture_sniff(bytes, length, &format, error);
    if (status != VT_OK)
        return status;
    return format == VT_PICTURE_JPEG ? vt_decode_jpeg(bytes, length, options, out, error)
                                     : vt_decode_vips(format, bytes, length, options, out, error);
}

vt_status vt_image_decode_file(const char *path, const vt_decode_options *options, vt_image *out,
                               vt_error *error)
{
    vt_decode_options defaults = vt_decode_options_defaults();
    if (!options)
        options = &defaults;
    vt_buf bytes;
    vt_buf_init(&bytes, options->maximum_bytes);
    vt_status status = vt_file_read(path, options->maximum_bytes, &bytes, error);
    if (status == VT_OK) {
        status = vt_image_decode(bytes.data, bytes.length, options, out, error);
        if (status != VT_OK)
            vt_fail_context(error, status, "\"%s\"", path);
    }
    vt_buf_deinit(&bytes);
    return status;
}

vt_status vt_image_init(vt_image *image, int width, int height, vt_error *error)
{
    size_t bytes;
    if (width <= 0 || height <= 0)
        return vt_fail(error, VT_ERR_USAGE, "make picture: size %dx%d", width, height);
    if (!vt_size_mul((size_t)width, (size_t)height, &bytes) || !vt_size_mul(bytes, 3, &bytes))
        return vt_fail(error, VT_ERR_LIMIT, "make picture: size %dx%d", width, height);
    uint8_t *rgb = vt_alloc(bytes);
    if (!rgb)
        return vt_fail_memory(error, "a picture");
    *image = (vt_image){
        .rgb = rgb, .width = width, .height = height, .full_width = width, .full_height = height};
    return VT_OK;
}

void vt_image_deinit(vt_image *image)
{
    vt_free(image->rgb);
    *image = (vt_image){0};
}
