/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: titles, descriptions, prices; rows of products.csv and queries.csv (RFC 4180, line
 * feeds). Method: sentences put together from the words that the builder noted; a generator of the
 * product's own chooses between wordings, so that texts stay the same whatever is rendered.
 */
#include "sample/texts.h"

#include <stdio.h>
#include <string.h>

enum { FIELD_BYTES = 1024 };

static const struct pattern_words {
    const char *name, *title, *sentence; /* %s: the second colour */
} pattern_words[VT_PATTERN_COUNT] = {
    [VT_PATTERN_PLAIN] = {"Plain", "", ""},
    [VT_PATTERN_STRIPES] = {"Striped", " with %s Stripes", " with stripes in %s"},
    [VT_PATTERN_PINSTRIPES] = {"Vertical Stripes", " with %s Vertical Stripes",
                               " with upright stripes in %s"},
    [VT_PATTERN_DIAGONAL] = {"Diagonal Stripes", " with %s Diagonal Stripes",
                             " with slanting stripes in %s"},
    [VT_PATTERN_ZIGZAG] = {"Zigzag", " with %s Zigzag", " with a zigzag in %s"},
    [VT_PATTERN_DOTS] = {"Polka Dots", " with %s Dots", " with dots in %s"},
    [VT_PATTERN_CHECKS] = {"Checked", " with %s Checks", " checked with %s"},
    [VT_PATTERN_PLAID] = {"Plaid", " in Plaid with %s", " in a plaid with %s"},
    [VT_PATTERN_BAND] = {"Banded", " with %s Band", " with a broad band in %s"},
    [VT_PATTERN_GRADIENT] = {"Gradient", " Fading to %s", " fading to %s"},
    [VT_PATTERN_DIP] = {"Two-Tone", " Dipped in %s", " dipped in %s"},
    [VT_PATTERN_SPECKLE] = {"Speckled", " with %s Speckles", " speckled with %s"},
    [VT_PATTERN_FLORAL] = {"Floral", " with %s Flowers", " with flowers in %s"},
    [VT_PATTERN_STARS] = {"Stars", " with %s Stars", " with stars in %s"},
    [VT_PATTERN_MARBLE] = {"Marbled", " with %s Veins", " with veins in %s like marble"},
};

void vt_texts_id(size_t product, char id[VT_TEXTS_ID])
{
    snprintf(id, VT_TEXTS_ID, "p%05zu", product + 1);
}

static void picture_path(const char *folder, size_t product, int view, char path[64])
{
    char id[VT_TEXTS_ID];
    vt_texts_id(product, id);
    snprintf(path, 64, "%s/%s-%d.jpg", folder, id, view);
}

void vt_texts_studio_path(size_t product, int view, char path[64])
{
    picture_path("studio", product, view, path);
}

void vt_texts_photo_path(size_t product, int view, char path[64])
{
    picture_path("photos", product, view, path);
}

static void append_field(vt_buf *out, const char *text, char end)
{
    if (!strpbrk(text, ",\"\r\n")) {
        vt_buf_append_text(out, text);
        vt_buf_append_char(out, end);
        return;
    }
    vt_buf_append_char(out, '"');
    for (; *text; text++) {
        if (*text == '"')
            vt_buf_append_char(out, '"');
        vt_buf_append_char(out, *text);
    }
    vt_buf_append_char(out, '"');
    vt_buf_append_char(out, end);
}

/* Words joined into `out`; `lower` for use inside a sentence. */
static void add_words(vt_buf *out, const char *words, bool lower)
{
    if (*words == '\0')
        return;
    for (const char *c = words; *c; c++)
        vt_buf_append_char(out, lower && *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c);
}

static void add_pattern(const vt_design *d, const char *sentence, bool lower, vt_buf *out)
{
    const char *place = strstr(sentence, "%s");
    if (!place || !d->second) {
        vt_buf_append_text(out, sentence);
        return;
    }
    vt_buf_append(out, sentence, (size_t)(place - sentence));
    add_words(out, d->second, lower);
    vt_buf_append_text(out, place + 2);
}

static void add_title(const vt_design *d, vt_buf *out)
{
    if (*d->character)
        vt_buf_printf(out, "%s ", d->character);
    /* "Plush Plush Rabbit" and the like are said once. */
    bool said = strstr(d->noun, d->material) != NULL;
    vt_buf_printf(out, "%s %s%s%s", d->color, said ? "" : d->material, said ? "" : " ", d->noun);
    add_pattern(d, pattern_words[d->pattern].title, false, out);
}

static void add_features(const vt_design *d, vt_buf *out)
{
    for (int i = 0; i < d->feature_count; i++) {
        const char *between = i == 0 ? "" : i + 1 == d->feature_count ? " and " : ", ";
        vt_buf_printf(out, "%s%s", between, d->features[i]);
    }
}

static void add_description(const vt_design *d, vt_random *random, vt_buf *out)
{
    const struct pattern_words *pattern = pattern_words + d->pattern;
    int wording = vt_random_int(random, 0, 2);
    static const char *const openings[] = {"New: the ", "Our ", "A favourite: the "};
    vt_buf_append_text(out, openings[wording]);
    add_words(out, d->noun, true);
    vt_buf_append_text(out, " in ");
    add_words(out, d->color, true);
    vt_buf_append_char(out, ' ');
    add_words(out, d->material, true);
    add_pattern(d, pattern->sentence, true, out);
    if (d->feature_count > 0) {
        vt_buf_append_text(out, ", with ");
        add_features(d, out);
    }
    int size = (int)(d->family->size_cm * vt_random_float(random, 0.9f, 1.1f) + 0.5f);
    vt_buf_printf(out, ". %s Size about %d cm.", d->family->use, size);
}

static void add_price(const vt_design *d, vt_random *random, vt_buf *out)
{
    static const int endings[] = {95, 90, 99, 0, 50};
    float t = vt_random_float(random, 0.0f, 1.0f);
    float price = f_mix(d->family->low_price, d->family->high_price, t * t);
    int ending = vt_random_int(random, 0, 4);
    vt_buf_printf(out, "%d.%02d,", (int)price, endings[ending]);
}

void vt_texts_feed_header(vt_buf *out)
{
    vt_buf_append_text(
        out, "id,title,description,category,brand,price,color,material,pattern,image_link,"
             "additional_image_link\n");
}

/* Moves what was composed into a field of the row. */
static void take_field(vt_buf *out, vt_buf *text, char end)
{
    append_field(out, vt_buf_text(text), end);
    out->failed |= text->failed;
    vt_buf_clear(text);
}

void vt_texts_feed_row(const vt_design *design, size_t product, int studio_views, vt_buf *out)
{
    vt_random random = vt_random_fork(&design->coat, 77);
    vt_buf text;
    vt_buf_init(&text, FIELD_BYTES + 80 * (size_t)studio_views);
    char name[64];
    vt_texts_id(product, name);
    append_field(out, name, ',');
    add_title(design, &text);
    take_field(out, &text, ',');
    add_description(design, &random, &text);
    take_field(out, &text, ',');
    append_field(out, design->family->category, ',');
    int brand = vt_random_int(&random, 0, 2);
    append_field(out, design->family->brands[brand], ',');
    add_price(design, &random, out);
    vt_buf_append_text(&text, design->color);
    if (design->second)
        vt_buf_printf(&text, "/%s", design->second);
    take_field(out, &text, ',');
    append_field(out, design->material, ',');
    append_field(out, pattern_words[design->pattern].name, ',');
    vt_texts_studio_path(product, 1, name);
    append_field(out, name, ',');
    for (int view = 2; view <= studio_views; view++) {
        vt_texts_studio_path(product, view, name);
        vt_buf_printf(&text, "%s%s", view > 2 ? "," : "", name);
    }
    take_field(out, &text, '\n');
    vt_buf_deinit(&text);
}

void vt_texts_query_header(vt_buf *out)
{
    vt_buf_append_text(out, "photo,product,category\n");
}

void vt_texts_query_rows(const vt_design *design, size_t product, int photo_views, vt_buf *out)
{
    for (int view = 1; view <= photo_views; view++) {
        char name[64];
        vt_texts_photo_path(product, view, name);
        append_field(out, name, ',');
        vt_texts_id(product, name);
        append_field(out, name, ',');
        append_field(out, design->family->category, '\n');
    }
}
