/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures: bytes of any common format in, sRGB pixels, network tensors, thumbnails and hashes out.
 *
 *     vt_image photo;
 *     vt_decode_options options = vt_decode_options_defaults();
 *     options.fit_width = options.fit_height = 224;        // decode no more than this needs
 *     vt_image_decode(bytes, length, &options, &photo, error);
 *     vt_image_to_tensor(&photo, &spec, tensor, error);    // (3, spec.height, spec.width)
 *     vt_image_deinit(&photo);
 *
 * Pixels are 8-bit sRGB, interleaved, top row first, upright (EXIF orientation applied), alpha
 * flattened over white, colour profiles converted.
 *
 * Threads: every function is safe from any thread on pictures of its own. The first call sets up
 * libvips once.
 */
#ifndef VT_IMAGE_IMAGE_H
#define VT_IMAGE_IMAGE_H

#include "base/buf.h"
#include "base/status.h"

typedef struct vt_image {
    uint8_t *rgb; /* (height, width, 3) without padding, owned */
    int width, height;
    int full_width, full_height; /* upright size of the encoded picture, before scaled decoding */
} vt_image;

typedef struct vt_rect {
    int x, y, width, height; /* pixels of the full upright picture; width 0: the whole picture */
} vt_rect;

/* ---- decode.c, decode_jpeg.c, decode_vips.c ---- */

/* With a fit size (> 0; one side alone will do) the result may be smaller than the full picture, as
 * long as scaling it (its crop, if any) to *cover* that size still shrinks. */
typedef struct vt_decode_options {
    size_t maximum_bytes;      /* of the encoded picture */
    uint64_t maximum_pixels;   /* of the full picture, checked on the header */
    int fit_width, fit_height; /* 0: full size */
    vt_rect crop;              /* decode only what this needs and return just it */
} vt_decode_options;
/* 64 MiB, 200 million pixels, full size, no crop. */
vt_decode_options vt_decode_options_defaults(void);

/* JPEG, PNG, GIF, WebP, TIFF, HEIC and AVIF (where libheif has the decoder); nothing else. First
 * frame of animations, first page of documents. `options` NULL: the defaults. *out is untouched on
 * failure: VT_ERR_FORMAT damaged or no picture (truncated data too), VT_ERR_UNSUPPORTED unknown or
 * blocked format, VT_ERR_LIMIT over a limit, VT_ERR_USAGE crop outside the picture. The format is
 * taken from the bytes, never from a name. */
vt_status vt_image_decode(const void *bytes, size_t length, const vt_decode_options *options,
                          vt_image *out, vt_error *error);
vt_status vt_image_decode_file(const char *path, const vt_decode_options *options, vt_image *out,
                               vt_error *error);
void vt_image_deinit(vt_image *image); /* safe on a zeroed one */
/* Uninitialised pixels. */
vt_status vt_image_init(vt_image *image, int width, int height, vt_error *error);

/* ---- resize.c, crop.c ---- */

typedef enum vt_kernel {
    VT_KERNEL_AREA,
    VT_KERNEL_BILINEAR,
    VT_KERNEL_BICUBIC,
    VT_KERNEL_LANCZOS
} vt_kernel;
typedef enum vt_fit {
    VT_FIT_SQUASH,  /* to the exact size, aspect ignored */
    VT_FIT_COVER,   /* fills the size, what sticks out is cut off on both sides */
    VT_FIT_CONTAIN, /* wholly inside the size, the rest filled */
} vt_fit;

/* Separable with the kernel stretched by the scale when shrinking (antialiased), as Pillow and
 * libvips do; bicubic a = -0.5, Lanczos 3 lobes. */
vt_status vt_image_resize(const vt_image *image, int width, int height, vt_fit fit,
                          vt_kernel kernel, const uint8_t fill_rgb[3], vt_image *out,
                          vt_error *error);
vt_status vt_image_crop(const vt_image *image, vt_rect pixels, vt_image *out, vt_error *error);

/* ---- tensor.c ---- */

typedef enum vt_channel_order { VT_ORDER_RGB, VT_ORDER_BGR } vt_channel_order;

/* How pixels become a network's input: value = (pixel * scale - mean) / std, channels in `order`,
 * mean and std in that order too. `pixel` is the resampled value, a fraction between 0 and 255
 * (what bicubic and Lanczos overshoot is cut off, as in the 8-bit pictures that networks are
 * trained on). */
typedef struct vt_pixel_spec {
    int width, height;
    vt_fit fit;
    vt_kernel kernel;
    float crop_ratio; /* cover only: the output shows this share of the covered size (0.875: resize
                         to 256, cut 224); 1: all of it */
    vt_channel_order order;
    float scale, mean[3], std[3];
    uint8_t fill_rgb[3]; /* contain only */
} vt_pixel_spec;

/* out: (3, height, width) f32. One pass: resampled in float, written normalised; no 8-bit copy. */
vt_status vt_image_to_tensor(const vt_image *image, const vt_pixel_spec *spec, float *out,
                             vt_error *error);
/* What vt_image_decode needs as fit_width/fit_height so that this spec loses nothing. */
void vt_pixel_spec_fit(const vt_pixel_spec *spec, int *fit_width, int *fit_height);
/* "area" "bilinear" "bicubic" "lanczos"; NULL is no name. */
bool vt_kernel_from_name(const char *name, vt_kernel *out);
const char *vt_kernel_name(vt_kernel kernel);
bool vt_fit_from_name(const char *name, vt_fit *out); /* "squash" "cover" "contain" */
const char *vt_fit_name(vt_fit fit);

/* ---- phash.c ---- */

/* Perceptual hash: 32x32 grey, DCT-II, the 8x8 lowest frequencies against their median (Zauner
 * 2010, section 3.2.1). Compare with vt_hamming. */
vt_status vt_image_phash(const vt_image *image, uint64_t *out, vt_error *error);

/* ---- encode.c ---- */

vt_status vt_image_encode_jpeg(const vt_image *image, int quality, vt_buf *out, vt_error *error);
vt_status vt_image_encode_png(const vt_image *image, vt_buf *out, vt_error *error);

#endif
