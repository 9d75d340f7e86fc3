/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: what lens, sensor and the camera's processing do to a picture.
 * Method: depth of field by gathering over a disc as wide as each pixel's circle of confusion (a
 * golden-angle spiral; neighbours contribute only if they are blurred that far themselves, or lie
 * behind); shake and defocus by small separable kernels; noise grows with the square root of the
 * light; then contrast and sRGB.
 */
#include "base/mem.h"
#include "sample/shot.h"

enum { DISC_TAPS = 28, MAXIMUM_TAPS = 31, ENCODE_STEPS = 4096 };

static float confusion(const vt_camera_effects *e, float depth, float shorter)
{
    float blur = f_abs(1.0f - e->focus_depth / depth) * e->aperture * shorter;
    return f_min(blur, 0.03f * shorter);
}

static void disc_blur_pixel(const vt_camera_effects *e, const vt_frame *in, const float (*disc)[3],
                            int x, int y, float *rgb)
{
    float shorter = (float)(in->width < in->height ? in->width : in->height);
    const float *depths = in->depth;
    float own_depth = depths[y * in->width + x];
    float own = confusion(e, own_depth, shorter);
    /* What is sharp itself may still be under the blur of something nearer; that is left out. */
    if (own < 0.6f)
        return;
    float sum[3] = {0.0f, 0.0f, 0.0f};
    float weights = 0.0f;
    float spin = 6.28f * f_hash2(x, y, e->seed);
    float c = f_cos(spin);
    float s = f_sin(spin);
    for (int i = 0; i < DISC_TAPS; i++) {
        float dx = own * (c * disc[i][0] - s * disc[i][1]);
        float dy = own * (s * disc[i][0] + c * disc[i][1]);
        float radius = own * disc[i][2];
        int tx = (int)f_clamp((float)x + 0.5f + dx, 0.0f, (float)(in->width - 1));
        int ty = (int)f_clamp((float)y + 0.5f + dy, 0.0f, (float)(in->height - 1));
        float depth = depths[ty * in->width + tx];
        float reach = confusion(e, depth, shorter);
        float weight = depth >= own_depth * 0.98f || reach >= radius ? 1.0f : 0.02f;
        const float *tap = in->rgb + 3 * (ty * in->width + tx);
        for (int channel = 0; channel < 3; channel++)
            sum[channel] += weight * tap[channel];
        weights += weight;
    }
    for (int channel = 0; channel < 3; channel++)
        rgb[channel] = sum[channel] / weights;
}

static void disc_blur(const vt_camera_effects *e, vt_frame *frame, float *out)
{
    float disc[DISC_TAPS][3]; /* x, y, distance from the middle */
    for (int i = 0; i < DISC_TAPS; i++) {
        float radius = f_sqrt(((float)i + 0.5f) / DISC_TAPS);
        float angle = 2.3999632f * (float)i;
        disc[i][0] = radius * f_cos(angle);
        disc[i][1] = radius * f_sin(angle);
        disc[i][2] = radius;
    }
    for (int y = 0; y < frame->height; y++) {
        for (int x = 0; x < frame->width; x++) {
            float *rgb = out + 3 * (y * frame->width + x);
            memcpy(rgb, frame->rgb + 3 * (y * frame->width + x), 3 * sizeof *rgb);
            disc_blur_pixel(e, frame, (const float(*)[3])disc, x, y, rgb);
        }
    }
}

/* Weighted sum of samples at i * (dx, dy) for i = -taps/2 .. taps/2. */
static void line_blur(const vt_frame *frame, float *out, const float *weights, int taps, float dx,
                      float dy)
{
    for (int y = 0; y < frame->height; y++) {
        for (int x = 0; x < frame->width; x++) {
            float sum[3] = {0.0f, 0.0f, 0.0f};
            for (int i = 0; i < taps; i++) {
                float way = (float)(i - taps / 2);
                int tx = (int)f_clamp((float)x + 0.5f + way * dx, 0.0f, (float)(frame->width - 1));
                int ty = (int)f_clamp((float)y + 0.5f + way * dy, 0.0f, (float)(frame->height - 1));
                const float *tap = frame->rgb + 3 * (ty * frame->width + tx);
                for (int c = 0; c < 3; c++)
                    sum[c] += weights[i] * tap[c];
            }
            memcpy(out + 3 * (y * frame->width + x), sum, sizeof sum);
        }
    }
}

static void swap_pixels(vt_frame *frame, float **other)
{
    float *kept = frame->rgb;
    frame->rgb = *other;
    *other = kept;
}

static void lens(const vt_camera_effects *e, vt_frame *frame, float **other)
{
    if (e->aperture > 0.0f) {
        disc_blur(e, frame, *other);
        swap_pixels(frame, other);
    }
    if (e->blur_px > 0.05f) {
        float weights[7];
        float total = 0.0f;
        for (int i = 0; i < 7; i++) {
            float away = (float)(i - 3) / e->blur_px;
            weights[i] = f_exp(-0.5f * away * away);
            total += weights[i];
        }
        for (int i = 0; i < 7; i++)
            weights[i] /= total;
        line_blur(frame, *other, weights, 7, 1.0f, 0.0f);
        swap_pixels(frame, other);
        line_blur(frame, *other, weights, 7, 0.0f, 1.0f);
        swap_pixels(frame, other);
    }
    float motion = f_sqrt(e->motion_x * e->motion_x + e->motion_y * e->motion_y);
    if (motion > 0.5f) {
        float weights[MAXIMUM_TAPS];
        int taps = (int)f_min(2.0f * motion, MAXIMUM_TAPS - 2.0f) + 2;
        for (int i = 0; i < taps; i++)
            weights[i] = 1.0f / (float)taps;
        line_blur(frame, *other, weights, taps, e->motion_x / (float)taps,
                  e->motion_y / (float)taps);
        swap_pixels(frame, other);
    }
}

static float bell(int32_t x, int32_t y, uint32_t seed) /* about normal, deviation 1 */
{
    float sum = f_hash2(x, y, seed) + f_hash2(x, y, seed + 1) + f_hash2(x, y, seed + 2);
    return 2.0f * (sum - 1.5f);
}

/* One pixel, exposed but not encoded yet. */
static vt_vec3 expose(const vt_camera_effects *e, const vt_frame *frame, int x, int y)
{
    const float *rgb = frame->rgb + 3 * (y * frame->width + x);
    vt_vec3 color = v3_mul(v3(rgb[0], rgb[1], rgb[2]), e->balance);
    float u = 2.0f * ((float)x + 0.5f) / (float)frame->width - 1.0f;
    float v = 2.0f * ((float)y + 0.5f) / (float)frame->height - 1.0f;
    color = v3_scale(color, 1.0f - e->vignette * 0.25f * (u * u + v * v) * (u * u + v * v));
    if (e->white_border) {
        float inner = f_max(f_abs(u), f_abs(v));
        color = v3_mix(color, v3_all(1.0f), f_smooth(0.80f, 0.97f, inner));
    }
    color = v3_upper(v3_mix(v3_all(v3_luma(color)), color, e->saturation), v3_all(0.0f));
    if (e->noise > 0.0f) {
        float grain = e->noise * f_sqrt(v3_luma(color) + 0.015f);
        float grey = bell(x, y, e->seed + 11);
        color.x += grain * (0.7f * grey + 0.6f * bell(x, y, e->seed + 21));
        color.y += grain * (0.7f * grey + 0.5f * bell(x, y, e->seed + 31));
        color.z += grain * (0.7f * grey + 0.8f * bell(x, y, e->seed + 41));
    }
    return color;
}

static uint8_t encode(const float *table, float linear, float contrast)
{
    /* The table is even in the square root, where dark steps are as fine as bright ones. */
    float at = f_sqrt(f_saturate(linear)) * (float)(ENCODE_STEPS - 1);
    float value = table[(int)(at + 0.5f)];
    value = 118.0f + (value - 118.0f) * contrast;
    return (uint8_t)(f_clamp(value, 0.0f, 255.0f) + 0.5f);
}

static void develop_pixels(const vt_camera_effects *e, const vt_frame *frame, const float *table,
                           uint8_t *out)
{
    for (int y = 0; y < frame->height; y++) {
        for (int x = 0; x < frame->width; x++) {
            vt_vec3 color = expose(e, frame, x, y);
            uint8_t *pixel = out + 3 * (y * frame->width + x);
            pixel[0] = encode(table, color.x, e->contrast);
            pixel[1] = encode(table, color.y, e->contrast);
            pixel[2] = encode(table, color.z, e->contrast);
        }
    }
}

vt_status vt_camera_develop(const vt_camera_effects *effects, vt_frame *frame, vt_image *image,
                            vt_error *error)
{
    size_t pixels = (size_t)frame->width * (size_t)frame->height;
    float *other = vt_alloc_array(pixels, 3 * sizeof(float));
    float *table = vt_alloc_array(ENCODE_STEPS, sizeof(float));
    vt_status status = VT_OK;
    vt_image picture;
    if (!other || !table) {
        status = vt_fail_memory(error, "a picture being developed");
        goto done;
    }
    status = vt_image_init(&picture, frame->width, frame->height, error);
    if (status != VT_OK)
        goto done;
    for (int i = 0; i < ENCODE_STEPS; i++) {
        float root = (float)i / (float)(ENCODE_STEPS - 1);
        table[i] = vt_srgb_encode(root * root);
    }
    lens(effects, frame, &other);
    develop_pixels(effects, frame, table, picture.rgb);
    *image = picture;
done:
    vt_free(table);
    vt_free(other);
    return status;
}
