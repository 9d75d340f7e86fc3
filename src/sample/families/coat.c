/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: coats of products: finish, colours and pattern, and the words for them.
 */
#include "sample/families/family.h"

static const struct finish_words {
    const char *word;
    vt_palette_group group;
} finish_words[VT_FINISH_COUNT] = {
    [VT_FINISH_CERAMIC] = {"Ceramic", VT_PALETTE_ANY},
    [VT_FINISH_CLAY] = {"Clay", VT_PALETTE_ANY},
    [VT_FINISH_POLISHED] = {"Polished Metal", VT_PALETTE_METAL},
    [VT_FINISH_BRUSHED] = {"Brushed Metal", VT_PALETTE_METAL},
    [VT_FINISH_WOOD] = {"Wood", VT_PALETTE_WOOD},
    [VT_FINISH_LEATHER] = {"Leather", VT_PALETTE_LEATHER},
    [VT_FINISH_CANVAS] = {"Canvas", VT_PALETTE_ANY},
    [VT_FINISH_KNIT] = {"Knit", VT_PALETTE_ANY},
    [VT_FINISH_PLUSH] = {"Plush", VT_PALETTE_ANY},
    [VT_FINISH_PLASTIC] = {"Plastic", VT_PALETTE_ANY},
    [VT_FINISH_RUBBER] = {"Matte Plastic", VT_PALETTE_ANY},
    [VT_FINISH_LACQUER] = {"Lacquered Metal", VT_PALETTE_ANY},
    [VT_FINISH_GLASS] = {"Glass", VT_PALETTE_GLASS},
    [VT_FINISH_WICKER] = {"Wicker", VT_PALETTE_WOOD},
    [VT_FINISH_GLOW] = {"Glass", VT_PALETTE_ANY},
};

static int nth_bit(uint32_t bits, uint64_t n)
{
    uint64_t count = (uint64_t)__builtin_popcount(bits);
    n %= count;
    for (int bit = 0; bit < 32; bit++) {
        if ((bits >> bit & 1u) == 0)
            continue;
        if (n == 0)
            return bit;
        n--;
    }
    return 0;
}

static bool takes_pattern(vt_finish finish)
{
    return !vt_finish_is_metal(finish) && finish != VT_FINISH_WOOD && finish != VT_FINISH_GLASS &&
           finish != VT_FINISH_LEATHER && finish != VT_FINISH_WICKER;
}

/* Where a family starts in the decks of finishes, colours and patterns. */
static uint64_t deck_start(const vt_design *design)
{
    uint32_t start = 0;
    for (const char *c = design->family->name; *c; c++)
        start = u32_hash(start + (uint8_t)*c);
    return start % 1000;
}

static vt_pattern choose_pattern(vt_design *design, vt_finish finish, uint32_t patterns)
{
    if (!takes_pattern(finish) || patterns == 0)
        return VT_PATTERN_PLAIN;
    bool plain = vt_random_float(&design->coat, 0.0f, 1.0f) < 0.22f;
    if (plain && (patterns & VT_PATTERN_BIT(PLAIN)))
        return VT_PATTERN_PLAIN;
    return (vt_pattern)nth_bit(patterns,
                               deck_start(design) + 3 * design->number + design->number / 21);
}

static void place_pattern(vt_design *design, const vt_coat *coat, vt_material *m)
{
    float cell = coat->cell * vt_random_float(&design->coat, 0.75f, 1.35f);
    m->projection = coat->projection;
    m->scale = 1.0f / cell;
    if (coat->projection == VT_PROJECTION_AROUND) {
        m->around = f_max(f_floor(2.0f * VT_PI * coat->radius / cell + 0.5f), 4.0f);
        /* Cells stay square at that radius. */
        m->scale = m->around / (2.0f * VT_PI * coat->radius);
    }
    if (m->pattern == VT_PATTERN_PLAID || m->pattern == VT_PATTERN_FLORAL ||
        m->pattern == VT_PATTERN_STARS) {
        m->scale *= 0.6f;
        m->around = f_floor(m->around * 0.6f + 0.5f);
    }
    m->share = vt_random_float(&design->coat, 0.35f, 0.65f);
    m->low = coat->low;
    m->high = coat->high;
    float height = coat->high - coat->low;
    if (m->pattern == VT_PATTERN_BAND) {
        float middle = vt_random_float(&design->coat, 0.3f, 0.7f);
        float half = vt_random_float(&design->coat, 0.08f, 0.2f);
        m->low = coat->low + (middle - half) * height;
        m->high = coat->low + (middle + half) * height;
    } else if (m->pattern == VT_PATTERN_DIP) {
        m->low = coat->low + height * vt_random_float(&design->coat, 0.3f, 0.6f);
    }
    if (coat->grain > 0.0f)
        m->grain = coat->grain;
    m->grain_axis = coat->grain_axis;
    m->seed = (uint32_t)vt_random_u64(&design->coat);
}

int vt_design_coat(vt_design *design, const vt_coat *coat)
{
    uint64_t start = deck_start(design);
    vt_finish finish =
        (vt_finish)nth_bit(coat->finishes, start + design->number + design->number / 4);
    vt_palette_group group = finish_words[finish].group;
    int color = vt_palette_deal(group, start, design->number);
    vt_material m = vt_material_make(finish, vt_palette_rgb(color, &design->coat));
    m.pattern = choose_pattern(design, finish, coat->patterns);
    int second = vt_palette_pick_contrast(&design->coat, color);
    int third = vt_palette_pick_contrast(&design->coat, second);
    m.color[1] = vt_palette_rgb(second, &design->coat);
    m.color[2] = vt_palette_rgb(third, &design->coat);
    place_pattern(design, coat, &m);
    if (!design->coated) {
        design->coated = true;
        design->pattern = m.pattern;
        design->color = vt_palette_name(color);
        design->second = m.pattern == VT_PATTERN_PLAIN ? NULL : vt_palette_name(second);
        design->material = finish_words[finish].word;
        design->first_rgb = m.color[0];
        design->second_rgb = m.color[1];
    }
    return vt_solid_material(design->model, &m);
}

int vt_design_accent(vt_design *design, vt_finish finish, vt_palette_group group)
{
    int color = vt_palette_pick(&design->coat, group);
    vt_material m = vt_material_make(finish, vt_palette_rgb(color, &design->coat));
    m.seed = (uint32_t)vt_random_u64(&design->coat);
    return vt_solid_material(design->model, &m);
}

int vt_design_fixed(vt_design *design, vt_finish finish, uint32_t srgb)
{
    vt_material m = vt_material_make(finish, vt_rgb_linear(srgb));
    return vt_solid_material(design->model, &m);
}

static int plain_coat(vt_design *design, vt_finish finish, vt_vec3 rgb)
{
    vt_material m = vt_material_make(finish, rgb);
    m.seed = (uint32_t)vt_random_u64(&design->coat);
    return vt_solid_material(design->model, &m);
}

int vt_design_first(vt_design *design, vt_finish finish)
{
    return plain_coat(design, finish, design->first_rgb);
}

int vt_design_second(vt_design *design, vt_finish finish)
{
    return plain_coat(design, finish, design->second_rgb);
}

vt_material *vt_design_material(vt_design *design, int material)
{
    return design->model->materials + material;
}
