/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Augmentation: a picture changed at random in ways that keep what it shows, straight into a
 * network's input tensor.
 *
 *     vt_augment how = vt_augment_none();
 *     vt_augment_parse("crop=0.4,flip,jitter=0.3,erase", &how, error);
 *     vt_random random = vt_random_fork(&epoch, sample_index);
 *     vt_augment_apply(&how, &spec, &picture, &random, scratch, tensor, error);
 *
 * What comes out depends on the settings, the picture and the random generator alone.
 *
 * Threads: every function is safe from any thread with memory of its own.
 */
#ifndef VT_IMAGE_AUGMENT_H
#define VT_IMAGE_AUGMENT_H

#include "base/random.h"
#include "image/image.h"

/* Probabilities are 0 to 1. A zeroed one changes nothing. */
typedef struct vt_augment {
    float crop;                  /* random resized crop: smallest share of the area; 0: no crop */
    float crop_aspect;           /* and widest aspect, 4/3 means 3/4 to 4/3 */
    float pad;                   /* random shift: up to this share of the side, each way */
    float flip, flip_vertical;   /* probabilities */
    float flip_in_turn;          /* 1: who loads pictures decides on flips, every second epoch one
                                    (vt_loader_plan); 0: not */
    float rotate_deg, shear_deg; /* up to, each way */
    float zoom;                  /* up to this share, in and out */
    float perspective;           /* corners move up to this share of half a side */
    float brightness, contrast, saturation; /* factors 1 +- this */
    float hue;                              /* up to this share of the circle, each way */
    float grey;                             /* probability */
    float blur, blur_sigma;                 /* probability; up to, in pixels of a 224 px side */
    float noise, noise_deviation;           /* probability; up to, of 255 */
    float jpeg;                             /* probability */
    int jpeg_quality;                       /* down to */
    float erase, erase_share;               /* probability; up to this share of the area */
    bool trivial;                           /* TrivialAugment (wide) after crop and flip */
    float mixup, cutmix; /* alpha of the Beta distribution, on batches; 0: none. Both: either, at
                            even chances */
} vt_augment;

vt_augment vt_augment_none(void);
/* "name[=value],..." or a preset ("none" "light" "standard" "strong" "trivial") as the first word.
 * Changes *out only on success. VT_ERR_USAGE names what is unknown or impossible. The names are in
 * docs/training.md. */
vt_status vt_augment_parse(const char *text, vt_augment *out, vt_error *error);
/* As the text that parses to the same, appended. */
bool vt_augment_print(const vt_augment *augment, vt_buf *out);

/* out: (3, spec.height, spec.width), normalised as the contract says; scratch: as many floats.
 * VT_ERR_USAGE for an empty picture or contract. */
vt_status vt_augment_apply(const vt_augment *augment, const vt_pixel_spec *spec,
                           const vt_image *image, vt_random *random, float *scratch, float *out,
                           vt_error *error);
/* Takes the picture's place by one that was changed: of the spec's size and fitted as it says,
 * 8-bit pixels, whatever it says of their order and scale. The picture is untouched on failure. */
vt_status vt_augment_picture(const vt_augment *augment, const vt_pixel_spec *spec,
                             vt_random *random, vt_image *image, vt_error *error);

/* ---- augment_mix.c ---- */
typedef struct vt_mix_batch {
    float *pixels; /* (count, channels, height, width) */
    size_t count;
    int channels, height, width;
} vt_mix_batch;
/* Mixes picture i with picture count-1-i, in place, by mixup (Zhang 2018) or CutMix (Yun 2019).
 * Returns the share of its own label that each picture keeps; 1: nothing was mixed. */
float vt_augment_mix(const vt_augment *augment, vt_random *random, const vt_mix_batch *batch);

/* ---- inside ---- */

/* Output pixel centres, -1 to 1 on both axes, to source pixels: a projective map. */
typedef struct vt_warp {
    double m[9]; /* row by row */
} vt_warp;

/* augment_warp.c: out (3, height, width) in 0 to 255, bilinear, several samples per pixel where
 * the picture shrinks; what lies outside is `fill`. */
typedef struct vt_warp_target {
    float *plane; /* red, green, blue, one after another */
    int width, height;
    float fill[3];
} vt_warp_target;
void vt_warp_run(const vt_image *image, const vt_warp *warp, const vt_warp_target *target);
vt_warp vt_warp_multiply(const vt_warp *a, const vt_warp *b); /* first b, then a */
vt_warp vt_warp_affine(double xx, double xy, double x0, double yx, double yy, double y0);
/* The square's corners (top left, top right, bottom right, bottom left; x and y) go to these. */
vt_warp vt_warp_corners(const double to[8]);

/* augment_colour.c: in place, planes of `count` values, 0 to 255. */
typedef struct vt_colour_map {
    float m[9], add[3];
} vt_colour_map;
vt_colour_map vt_colour_identity(void);
void vt_colour_brightness(vt_colour_map *map, float factor);
void vt_colour_contrast(vt_colour_map *map, float factor, float mean_grey);
void vt_colour_saturation(vt_colour_map *map, float factor);
void vt_colour_hue(vt_colour_map *map, float share);                         /* of the circle */
void vt_colour_apply(const vt_colour_map *map, float *planes, size_t count); /* clamps */
float vt_colour_mean_grey(const float *planes, size_t count);
void vt_planes_blur(float *planes, float *scratch, int width, int height, float sigma);
void vt_planes_sharpen(float *planes, float *scratch, int width, int height, float factor);

/* augment_trivial.c: TrivialAugment's choice for one picture, and the part that is no warp. */
typedef enum vt_trivial_op {
    VT_TRIVIAL_IDENTITY,
    VT_TRIVIAL_SHEAR_X,
    VT_TRIVIAL_SHEAR_Y,
    VT_TRIVIAL_TRANSLATE_X,
    VT_TRIVIAL_TRANSLATE_Y,
    VT_TRIVIAL_ROTATE,
    VT_TRIVIAL_BRIGHTNESS,
    VT_TRIVIAL_COLOUR,
    VT_TRIVIAL_CONTRAST,
    VT_TRIVIAL_SHARPNESS,
    VT_TRIVIAL_POSTERIZE,
    VT_TRIVIAL_SOLARIZE,
    VT_TRIVIAL_AUTOCONTRAST,
    VT_TRIVIAL_EQUALIZE,
    VT_TRIVIAL_OPS
} vt_trivial_op;
typedef struct vt_trivial {
    vt_trivial_op op;
    float magnitude; /* in the operation's own unit, with its sign */
} vt_trivial;
vt_trivial vt_trivial_draw(vt_random *random);
/* false: it is no warp. */
bool vt_trivial_warp(const vt_trivial *trivial, int width, int height, vt_warp *warp);
void vt_trivial_apply(const vt_trivial *trivial, float *planes, float *scratch, int width,
                      int height);

#endif
