/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One picture, augmented: all that moves pixels in one warp, all that is linear in colour in one
 * matrix, then what looks at neighbours (blur, JPEG), noise, normalisation, erasing.
 *
 * Sources: random resized crop as in Szegedy et al. 2015; colour jitter as torchvision defines it,
 * in random order; random erasing by Zhong et al. 2020 (here one colour).
 * Departures: everything is computed in floats and clamped once after the colours, not after each
 * change.
 */
#include "image/augment.h"

#include "base/mem.h"

#include <math.h>

enum { CROP_TRIES = 10, JPEG_BYTES = 64 << 20 };

static double uniform(vt_random *random, double low, double high)
{
    return low + (high - low) * vt_random_double(random);
}

static bool chance(vt_random *random, float probability)
{
    return probability > 0 && vt_random_double(random) < (double)probability;
}

/* What the contract shows of the picture. */
static void whole_area(const vt_pixel_spec *spec, const vt_image *image, double area[4])
{
    double width = image->width, height = image->height;
    area[0] = width / 2;
    area[1] = height / 2;
    double scale_x = width / spec->width, scale_y = height / spec->height;
    if (spec->fit == VT_FIT_COVER)
        scale_x = scale_y = (scale_x < scale_y ? scale_x : scale_y) * (double)spec->crop_ratio;
    if (spec->fit == VT_FIT_CONTAIN)
        scale_x = scale_y = scale_x > scale_y ? scale_x : scale_y;
    area[2] = scale_x * spec->width;
    area[3] = scale_y * spec->height;
}

/* area: centre x, y, width, height in source pixels. */
static void crop_area(const vt_augment *augment, const vt_image *image, vt_random *random,
                      double area[4])
{
    double width = image->width, height = image->height;
    double widest = log((double)augment->crop_aspect > 1 ? (double)augment->crop_aspect : 1);
    for (int i = 0; i < CROP_TRIES; i++) {
        double share = uniform(random, (double)augment->crop, 1);
        double aspect = exp(uniform(random, -widest, widest));
        double w = sqrt(width * height * share * aspect), h = w / aspect;
        if (w > width || h > height)
            continue;
        area[0] = w / 2 + uniform(random, 0, width - w);
        area[1] = h / 2 + uniform(random, 0, height - h);
        area[2] = w;
        area[3] = h;
        return;
    }
}

static void turn(vt_warp *warp, const vt_warp *first)
{
    *warp = vt_warp_multiply(warp, first);
}

static void add_perspective(const vt_augment *augment, vt_random *random, vt_warp *warp)
{
    static const double square[8] = {-1, -1, 1, -1, 1, 1, -1, 1};
    double to[8];
    for (int i = 0; i < 8; i++)
        to[i] = square[i] * (1 - uniform(random, 0, (double)augment->perspective));
    vt_warp bend = vt_warp_corners(to);
    turn(warp, &bend);
}

/* From output to source; the draws come in one order, whatever is switched on. */
static vt_warp draw_warp(const vt_augment *augment, const vt_pixel_spec *spec,
                         const vt_image *image, vt_random *random)
{
    double area[4];
    whole_area(spec, image, area);
    if (augment->crop > 0)
        crop_area(augment, image, random, area);
    if (augment->pad > 0) { /* whole output pixels, which interpolation leaves sharp */
        int shift_x = (int)lround((double)augment->pad * spec->width);
        int shift_y = (int)lround((double)augment->pad * spec->height);
        area[0] += vt_random_int(random, -shift_x, shift_x) * area[2] / spec->width;
        area[1] += vt_random_int(random, -shift_y, shift_y) * area[3] / spec->height;
    }
    double flip_x = chance(random, augment->flip) ? -1 : 1;
    double flip_y = chance(random, augment->flip_vertical) ? -1 : 1;
    vt_warp warp =
        vt_warp_affine(flip_x * area[2] / 2, 0, area[0], 0, flip_y * area[3] / 2, area[1]);
    double aspect = (double)spec->width / spec->height;
    if (augment->rotate_deg > 0) {
        double angle = uniform(random, -1, 1) * (double)augment->rotate_deg * M_PI / 180;
        vt_warp by =
            vt_warp_affine(cos(angle), -sin(angle) / aspect, 0, sin(angle) * aspect, cos(angle), 0);
        turn(&warp, &by);
    }
    if (augment->shear_deg > 0) {
        double most = (double)augment->shear_deg * M_PI / 180;
        double x = tan(uniform(random, -1, 1) * most), y = tan(uniform(random, -1, 1) * most);
        vt_warp by = vt_warp_affine(1, x / aspect, 0, y * aspect, 1, 0);
        turn(&warp, &by);
    }
    if (augment->zoom > 0) {
        double by = exp(uniform(random, -1, 1) * log1p((double)augment->zoom));
        vt_warp zoom = vt_warp_affine(by, 0, 0, 0, by, 0);
        turn(&warp, &zoom);
    }
    if (augment->perspective > 0)
        add_perspective(augment, random, &warp);
    return warp;
}

static float draw_factor(vt_random *random, float strength)
{
    return (float)uniform(random, 1 - (double)strength, 1 + (double)strength);
}

static void jitter(const vt_augment *augment, vt_random *random, float *planes, size_t count)
{
    enum { BRIGHTNESS, CONTRAST, SATURATION, HUE, KINDS };
    int order[KINDS] = {BRIGHTNESS, CONTRAST, SATURATION, HUE};
    float mean = augment->contrast > 0 ? vt_colour_mean_grey(planes, count) : 0;
    vt_colour_map map = vt_colour_identity();
    for (int i = KINDS - 1; i > 0; i--) {
        int j = vt_random_int(random, 0, i), keep = order[i];
        order[i] = order[j];
        order[j] = keep;
    }
    for (int i = 0; i < KINDS; i++) {
        if (order[i] == BRIGHTNESS && augment->brightness > 0) {
            float factor = draw_factor(random, augment->brightness);
            vt_colour_brightness(&map, factor);
            mean *= factor;
        } else if (order[i] == CONTRAST && augment->contrast > 0) {
            vt_colour_contrast(&map, draw_factor(random, augment->contrast), mean);
        } else if (order[i] == SATURATION && augment->saturation > 0) {
            vt_colour_saturation(&map, draw_factor(random, augment->saturation));
        } else if (order[i] == HUE && augment->hue > 0) {
            vt_colour_hue(&map, (float)uniform(random, -1, 1) * augment->hue);
        }
    }
    if (chance(random, augment->grey))
        vt_colour_saturation(&map, 0);
    vt_colour_apply(&map, planes, count);
}

static void add_noise(const vt_augment *augment, vt_random *random, float *planes, size_t count)
{
    /* Four 16-bit uniforms summed: near enough to normal, and six times as fast. Their sum has the
     * variance 1/3. */
    float deviation = (float)uniform(random, 0, (double)augment->noise_deviation) * 255;
    float scale = deviation * 1.7320508f / 65536;
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = vt_random_u64(random);
        int sum = (int)(bits & 0xffff) + (int)(bits >> 16 & 0xffff) + (int)(bits >> 32 & 0xffff) +
                  (int)(bits >> 48);
        float value = planes[i] + (float)(sum - 2 * 65535) * scale;
        planes[i] = value < 0 ? 0 : value > 255 ? 255 : value;
    }
}

/* Planes of 0 to 255 as the picture's pixels. */
static void round_planes(const float *planes, vt_image *image)
{
    size_t count = (size_t)image->width * (size_t)image->height;
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < 3; c++) {
            float value = planes[c * count + i];
            image->rgb[3 * i + c] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value + 0.5f);
        }
}

static vt_status through_jpeg(float *planes, int width, int height, int quality, vt_error *error)
{
    vt_image image, back;
    size_t count = (size_t)width * (size_t)height;
    vt_status status = vt_image_init(&image, width, height, error);
    if (status != VT_OK)
        return status;
    vt_buf jpeg;
    vt_buf_init(&jpeg, JPEG_BYTES);
    round_planes(planes, &image);
    status = vt_image_encode_jpeg(&image, quality, &jpeg, error);
    if (status == VT_OK)
        status = vt_image_decode(jpeg.data, jpeg.length, NULL, &back, error);
    if (status == VT_OK) {
        for (size_t i = 0; i < count; i++)
            for (size_t c = 0; c < 3; c++)
                planes[c * count + i] = (float)back.rgb[3 * i + c];
        vt_image_deinit(&back);
    }
    vt_buf_deinit(&jpeg);
    vt_image_deinit(&image);
    return status;
}

static void erase(const vt_augment *augment, const vt_pixel_spec *spec, vt_random *random,
                  float *planes)
{
    double share = uniform(random, 0.02, (double)augment->erase_share);
    double aspect = exp(uniform(random, -log(3.3), log(3.3)));
    double area = share * spec->width * spec->height;
    int width = (int)sqrt(area * aspect), height = (int)sqrt(area / aspect);
    width = width < 1 ? 1 : width > spec->width ? spec->width : width;
    height = height < 1 ? 1 : height > spec->height ? spec->height : height;
    int left = vt_random_int(random, 0, spec->width - width);
    int top = vt_random_int(random, 0, spec->height - height);
    for (int c = 0; c < 3; c++) {
        float value = vt_random_float(random, 0, 255);
        for (int y = top; y < top + height; y++)
            for (int x = left; x < left + width; x++)
                planes[((size_t)c * (size_t)spec->height + (size_t)y) * (size_t)spec->width +
                       (size_t)x] = value;
    }
}

static bool changes_colour(const vt_augment *augment)
{
    return augment->brightness > 0 || augment->contrast > 0 || augment->saturation > 0 ||
           augment->hue > 0 || augment->grey > 0;
}

/* Values 0 to 255, red first, to what the contract wants, in place. */
static void normalise(const vt_pixel_spec *spec, float *planes, size_t count)
{
    if (spec->order == VT_ORDER_BGR)
        for (size_t i = 0; i < count; i++) {
            float red = planes[i];
            planes[i] = planes[2 * count + i];
            planes[2 * count + i] = red;
        }
    for (size_t c = 0; c < 3; c++) {
        float gain = (float)((double)spec->scale / (double)spec->std[c]);
        float offset = (float)(-(double)spec->mean[c] / (double)spec->std[c]);
        for (size_t i = 0; i < count; i++)
            planes[c * count + i] = planes[c * count + i] * gain + offset;
    }
}

/* What becomes zero for the network: the mean, as far as it is a colour. */
static void fill_of(const vt_pixel_spec *spec, float fill[3])
{
    for (int c = 0; c < 3; c++) {
        float value = spec->scale != 0 ? spec->mean[c] / spec->scale : 0;
        fill[spec->order == VT_ORDER_BGR ? 2 - c : c] = value < 0 ? 0 : value > 255 ? 255 : value;
    }
    if (spec->fit == VT_FIT_CONTAIN)
        for (int c = 0; c < 3; c++)
            fill[c] = (float)spec->fill_rgb[c];
}

vt_status vt_augment_apply(const vt_augment *augment, const vt_pixel_spec *spec,
                           const vt_image *image, vt_random *random, float *scratch, float *out,
                           vt_error *error)
{
    if (image->width <= 0 || image->height <= 0 || spec->width <= 0 || spec->height <= 0)
        return vt_fail(error, VT_ERR_USAGE, "augment: the picture or the contract is empty");
    size_t count = (size_t)spec->width * (size_t)spec->height;
    vt_warp_target target = {.plane = out, .width = spec->width, .height = spec->height};
    vt_status status = VT_OK;
    fill_of(spec, target.fill);
    vt_warp warp = draw_warp(augment, spec, image, random), by;
    vt_trivial trivial = {VT_TRIVIAL_IDENTITY, 0};
    if (augment->trivial)
        trivial = vt_trivial_draw(random);
    if (vt_trivial_warp(&trivial, spec->width, spec->height, &by))
        turn(&warp, &by);
    vt_warp_run(image, &warp, &target);
    vt_trivial_apply(&trivial, out, scratch, spec->width, spec->height);
    if (changes_colour(augment))
        jitter(augment, random, out, count);
    if (chance(random, augment->blur))
        vt_planes_blur(out, scratch, spec->width, spec->height,
                       (float)uniform(random, 0.1, (double)augment->blur_sigma) *
                           (float)spec->width / 224);
    if (chance(random, augment->noise))
        add_noise(augment, random, out, 3 * count);
    if (chance(random, augment->jpeg))
        status = through_jpeg(out, spec->width, spec->height,
                              vt_random_int(random, augment->jpeg_quality, 95), error);
    if (status == VT_OK && chance(random, augment->erase))
        erase(augment, spec, random, out);
    normalise(spec, out, count);
    return status;
}

vt_status vt_augment_picture(const vt_augment *augment, const vt_pixel_spec *spec,
                             vt_random *random, vt_image *image, vt_error *error)
{
    vt_pixel_spec plain = *spec;
    plain.order = VT_ORDER_RGB;
    plain.scale = 1;
    for (int c = 0; c < 3; c++) {
        plain.mean[c] = 0;
        plain.std[c] = 1;
    }
    vt_image changed;
    vt_status status = vt_image_init(&changed, spec->width, spec->height, error);
    if (status != VT_OK)
        return status;
    size_t area = (size_t)spec->width * (size_t)spec->height;
    float *planes = vt_alloc_array(area, 6 * sizeof(*planes));
    status = planes == NULL ? vt_fail_memory(error, "a changed picture")
                            : vt_augment_apply(augment, &plain, image, random, planes + 3 * area,
                                               planes, error);
    if (status == VT_OK) {
        round_planes(planes, &changed);
        vt_image swapped = *image;
        *image = changed;
        changed = swapped;
    }
    vt_free(planes);
    vt_image_deinit(&changed);
    return status;
}
