/* SPDX-License-Identifier: Apache-2.0 */
/* Augmentations as people write them: a preset, then names with numbers. */
#include "image/augment.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

/* One word of the text: which number it sets, what it is without "=", and what it may be. */
typedef struct setting {
    const char *name;
    size_t offset; /* of a float in vt_augment */
    float usual, low, high;
} setting;

static const setting settings[] = {
    {"crop", offsetof(vt_augment, crop), 0.35f, 0.01f, 1},
    {"aspect", offsetof(vt_augment, crop_aspect), 1.3333f, 1, 4},
    {"pad", offsetof(vt_augment, pad), 0.125f, 0, 0.5f},
    {"flip", offsetof(vt_augment, flip), 0.5f, 0, 1},
    {"altflip", offsetof(vt_augment, flip_in_turn), 1, 1, 1},
    {"vflip", offsetof(vt_augment, flip_vertical), 0.5f, 0, 1},
    {"rotate", offsetof(vt_augment, rotate_deg), 15, 0, 180},
    {"shear", offsetof(vt_augment, shear_deg), 10, 0, 60},
    {"zoom", offsetof(vt_augment, zoom), 0.2f, 0, 4},
    {"perspective", offsetof(vt_augment, perspective), 0.3f, 0, 0.9f},
    {"brightness", offsetof(vt_augment, brightness), 0.3f, 0, 1},
    {"contrast", offsetof(vt_augment, contrast), 0.3f, 0, 1},
    {"saturation", offsetof(vt_augment, saturation), 0.3f, 0, 1},
    {"hue", offsetof(vt_augment, hue), 0.05f, 0, 0.5f},
    {"grey", offsetof(vt_augment, grey), 0.1f, 0, 1},
    {"blur", offsetof(vt_augment, blur), 0.2f, 0, 1},
    {"sigma", offsetof(vt_augment, blur_sigma), 2, 0.1f, 16},
    {"noise", offsetof(vt_augment, noise), 0.2f, 0, 1},
    {"deviation", offsetof(vt_augment, noise_deviation), 0.08f, 0, 1},
    {"jpeg", offsetof(vt_augment, jpeg), 0.2f, 0, 1},
    {"erase", offsetof(vt_augment, erase), 0.25f, 0, 1},
    {"share", offsetof(vt_augment, erase_share), 0.2f, 0.02f, 0.9f},
    {"mixup", offsetof(vt_augment, mixup), 0.2f, 0, 10},
    {"cutmix", offsetof(vt_augment, cutmix), 1, 0, 10},
};
enum {
    SETTINGS = sizeof(settings) / sizeof(settings[0]),
    WORD_BYTES = 48,
    LOWEST_QUALITY = 5,
    HIGHEST_QUALITY = 95
};

static const struct preset {
    const char *name, *text;
} presets[] = {
    {"none", ""},
    {"light", "pad,flip"},
    {"standard", "crop,flip,brightness,contrast,saturation,hue"},
    {"strong", "crop=0.2,flip,rotate=20,shear=8,perspective=0.25,brightness=0.4,contrast=0.4,"
               "saturation=0.4,hue=0.1,grey,blur,noise,jpeg,erase"},
    {"trivial", "crop=0.5,flip,trivial"},
};

static float *number_at(vt_augment *augment, const setting *one)
{
    return (float *)(void *)((char *)augment + one->offset);
}

vt_augment vt_augment_none(void)
{
    return (vt_augment){.crop_aspect = 1.3333f,
                        .blur_sigma = 2,
                        .noise_deviation = 0.08f,
                        .jpeg_quality = 40,
                        .erase_share = 0.2f};
}

static vt_status parse_quality(const char *value, vt_augment *out, vt_error *error)
{
    int64_t quality;
    if (value == NULL || !vt_parse_int(value, LOWEST_QUALITY, HIGHEST_QUALITY, &quality))
        return vt_fail(error, VT_ERR_USAGE, "augment: \"quality\" is not from %d to %d",
                       LOWEST_QUALITY, HIGHEST_QUALITY);
    out->jpeg_quality = (int)quality;
    return VT_OK;
}

static vt_status parse_number(const setting *one, const char *value, vt_augment *out,
                              vt_error *error)
{
    double number = (double)one->usual;
    if (value != NULL &&
        (!vt_parse_double(value, strlen(value), &number) ||
         !((number >= (double)one->low && number <= (double)one->high) || number == 0)))
        return vt_fail(error, VT_ERR_USAGE, "augment: \"%s\" is \"%s\", it is from %g to %g",
                       one->name, value, (double)one->low, (double)one->high);
    *number_at(out, one) = (float)number;
    return VT_OK;
}

static vt_status parse_word(const char *word, const char *value, vt_augment *out, vt_error *error)
{
    if (strcmp(word, "trivial") == 0 && value == NULL) {
        out->trivial = true;
        return VT_OK;
    }
    if (strcmp(word, "quality") == 0)
        return parse_quality(value, out, error);
    if (strcmp(word, "jitter") == 0) { /* all four, the hue at a quarter */
        double number = 0.3;
        if (value != NULL &&
            (!vt_parse_double(value, strlen(value), &number) || number < 0 || number > 1))
            return vt_fail(error, VT_ERR_USAGE, "augment: \"jitter\" is \"%s\", it is from 0 to 1",
                           value);
        out->brightness = out->contrast = out->saturation = (float)number;
        out->hue = (float)number / 4;
        return VT_OK;
    }
    for (size_t i = 0; i < SETTINGS; i++)
        if (strcmp(word, settings[i].name) == 0)
            return parse_number(&settings[i], value, out, error);
    return vt_fail(error, VT_ERR_USAGE, "augment: there is no \"%s\"", word);
}

static vt_status parse_words(const char *text, vt_augment *out, vt_error *error)
{
    vt_status status = VT_OK;
    while (status == VT_OK && *text != '\0') {
        char word[WORD_BYTES];
        size_t length = strcspn(text, ",");
        if (length >= sizeof(word))
            return vt_fail(error, VT_ERR_USAGE, "augment: \"%.40s...\" is too long", text);
        memcpy(word, text, length);
        word[length] = '\0';
        char *value = strchr(word, '=');
        if (value != NULL)
            *value++ = '\0';
        status = parse_word(word, value, out, error);
        text += length + (text[length] == ',');
    }
    return status;
}

vt_status vt_augment_parse(const char *text, vt_augment *out, vt_error *error)
{
    vt_augment augment = vt_augment_none();
    vt_status status = VT_OK;
    size_t first = strcspn(text, ",");
    for (size_t i = 0; i < sizeof(presets) / sizeof(presets[0]); i++) {
        /* "trivial=..." is no preset, "trivial" alone or first is. */
        if (strlen(presets[i].name) != first || strncmp(presets[i].name, text, first) != 0)
            continue;
        status = parse_words(presets[i].text, &augment, error);
        text += first + (text[first] == ',');
        break;
    }
    if (status == VT_OK)
        status = parse_words(text, &augment, error);
    if (status == VT_OK)
        *out = augment;
    return status;
}

bool vt_augment_print(const vt_augment *augment, vt_buf *out)
{
    vt_augment copy = *augment;
    vt_buf_append_text(out, "none");
    for (size_t i = 0; i < SETTINGS; i++) {
        float value = *number_at(&copy, &settings[i]);
        if (value > 0)
            vt_buf_printf(out, ",%s=%.9g", settings[i].name, (double)value);
    }
    if (augment->jpeg > 0)
        vt_buf_printf(out, ",quality=%d", augment->jpeg_quality);
    return augment->trivial ? vt_buf_append_text(out, ",trivial") : !out->failed;
}
