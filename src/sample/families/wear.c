/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: shoes and hats.
 * Method: a shoe is the soft intersection of what it looks like from the side and from above.
 */
#include "sample/families/family.h"

enum { LOW_TOP, HIGH_TOP, RUNNER, SLIP_ON };

typedef struct shoe {
    int style;
    float collar, instep, toe; /* heights */
    float width, sole;
    const vt_outline *side, *top, *section;
    vt_pen pen; /* of the side */
    int coat, rubber, lining, accent, lace;
} shoe;

static void shoe_outlines(vt_design *d, shoe *s)
{
    float c = s->collar;
    const float side[][2] = {{-0.5f, 0.02f},
                             {-0.525f, 0.16f},
                             {-0.5f, c * 0.8f},
                             {-0.49f, c},
                             {-0.34f, c - 0.03f},
                             {-0.16f, c * 0.93f},
                             {-0.05f, f_mix(c, s->instep, 0.55f)},
                             {0.1f, s->instep * 0.96f},
                             {0.3f, s->toe * 1.25f},
                             {0.44f, s->toe},
                             {0.525f, s->toe * 0.55f},
                             {0.54f, 0.02f}};
    vt_pen_curve(&s->pen, side, 12);
    s->side = vt_solid_outline(d->model, &s->pen, VT_OUTLINE_CLOSED);
    float w = s->width;
    /* Across: widest just above the sole, narrow at the collar. */
    const float across[][2] = {{0.0f, -0.1f},     {w * 1.05f, -0.1f}, {w * 1.08f, 0.06f},
                               {w * 1.0f, 0.16f}, {w * 0.72f, 0.3f},  {w * 0.62f, 0.5f},
                               {w * 0.6f, 0.8f},  {0.0f, 0.8f}};
    vt_pen section = {0};
    vt_pen_curve(&section, across, 8);
    vt_pen_mirror(&section);
    s->section = vt_solid_outline(d->model, &section, VT_OUTLINE_CLOSED);
    const float top[][2] = {{-0.525f, 0.0f},     {-0.48f, 0.62f * w}, {-0.33f, 0.8f * w},
                            {-0.05f, 0.76f * w}, {0.2f, 0.98f * w},   {0.38f, 0.92f * w},
                            {0.5f, 0.55f * w},   {0.54f, 0.0f},       {0.51f, -0.5f * w},
                            {0.4f, -0.86f * w},  {0.22f, -1.0f * w},  {-0.05f, -0.84f * w},
                            {-0.33f, -0.8f * w}, {-0.48f, -0.6f * w}, {-0.525f, 0.0f}};
    vt_pen plan = {0};
    vt_pen_curve(&plan, top, 15);
    s->top = vt_solid_outline(d->model, &plan, VT_OUTLINE_CLOSED);
}

/* The shoe's form let out by `more`; what follows may cut or keep pieces of it. */
static void shoe_form(vt_design *d, const shoe *s, float more, int material)
{
    vt_part *side = vt_solid_plate(d->model, v3(0, 0, 0), s->side, 0.4f, material);
    side->taper = more;
    vt_part *plan = vt_solid_plate(d->model, v3(0, 0.2f, 0), s->top, 0.7f, material);
    plan->taper = more;
    vt_part_turn(plan, 90, 0, 0);
    vt_solid_join(d->model, VT_JOIN_KEEP, 0.10f);
    vt_part *across = vt_solid_plate(d->model, v3(0, 0, 0), s->section, 2.0f, material);
    across->taper = more;
    vt_part_turn(across, 0, 90, 0);
    vt_solid_join(d->model, VT_JOIN_KEEP, 0.05f);
}

static void shoe_sole(vt_design *d, const shoe *s)
{
    vt_part *sole = vt_solid_plate(d->model, v3(0, s->sole, 0), s->top, s->sole, s->rubber);
    sole->taper = s->style == RUNNER ? 0.006f : 0.0f;
    sole->round = s->style == RUNNER ? 0.035f : 0.02f;
    vt_part_turn(sole, 90, 0, 0);
    if (s->style == RUNNER) { /* bent up at the toe, a thicker heel */
        vt_part *heel = vt_solid_box(d->model, v3(-0.36f, 0.07f, 0),
                                     v3(0.17f, 0.07f, s->width * 0.84f), 0.05f, s->rubber);
        heel->round = 0.05f;
        vt_solid_join(d->model, VT_JOIN_ADD, 0.06f);
        vt_part *rocker =
            vt_solid_box(d->model, v3(0.52f, -0.06f, 0), v3(0.2f, 0.07f, 0.5f), 0.0f, s->rubber);
        vt_part_turn(rocker, 0, 0, 14);
        vt_solid_join(d->model, VT_JOIN_CUT, 0.03f);
    }
    vt_part *stripe =
        vt_solid_plate(d->model, v3(0, s->sole * 1.25f, 0), s->top, 0.009f, s->accent);
    stripe->taper = sole->taper + 0.0035f;
    vt_part_turn(stripe, 90, 0, 0);
}

/* How high the side's curve is at x. */
static float side_height(const vt_pen *pen, float x)
{
    float height = 0.0f;
    for (int i = 0; i + 1 < pen->count; i++) {
        float low = f_min(pen->x[i], pen->x[i + 1]);
        float high = f_max(pen->x[i], pen->x[i + 1]);
        if (x < low || x > high || high <= low)
            continue;
        float t = (x - pen->x[i]) / (pen->x[i + 1] - pen->x[i]);
        height = f_max(height, f_mix(pen->y[i], pen->y[i + 1], t));
    }
    return height;
}

static void shoe_laces(vt_design *d, const shoe *s)
{
    int rows = s->style == HIGH_TOP ? 5 : 4;
    for (int i = 0; i < rows; i++) {
        float t = (float)i / (float)(rows - 1);
        float x = f_mix(0.25f, -0.07f, t);
        float y = side_height(&s->pen, x) + 0.012f;
        float half = f_mix(0.06f, 0.075f, t);
        vt_part *lace = vt_solid_rod(d->model, v3(x, y - 0.012f, -half),
                                     v3(x - 0.028f, y - 0.004f, half), 0.0135f, s->lace);
        if (i == rows - 1)
            lace->mirror_z = true;
    }
    /* The bow. */
    float y = side_height(&s->pen, -0.09f);
    vt_part *loop =
        vt_solid_ring(d->model, v3(-0.085f, y + 0.018f, 0.055f), v3(0.042f, 0.01f, 0.01f), s->lace);
    vt_part_turn(loop, 25, 0, -28);
    loop->mirror_z = true;
}

void vt_build_sneaker(vt_design *d)
{
    shoe s = {.style = vt_design_pick(d, 4)};
    s.collar =
        s.style == HIGH_TOP ? vt_design_float(d, 0.52f, 0.62f) : vt_design_float(d, 0.37f, 0.43f);
    s.instep = vt_design_float(d, 0.31f, 0.35f);
    s.toe = vt_design_float(d, 0.18f, 0.22f);
    s.width = vt_design_float(d, 0.17f, 0.195f);
    s.sole =
        s.style == RUNNER ? vt_design_float(d, 0.055f, 0.075f) : vt_design_float(d, 0.035f, 0.055f);
    shoe_outlines(d, &s);
    uint32_t finishes = s.style == RUNNER ? VT_FINISH_BIT(KNIT) | VT_FINISH_BIT(CANVAS)
                                          : VT_FINISH_BIT(CANVAS) | VT_FINISH_BIT(LEATHER);
    s.coat = vt_design_coat(d, &(vt_coat){.finishes = finishes,
                                          .patterns = VT_PATTERNS_CLOTH | VT_PATTERN_BIT(GRADIENT) |
                                                      VT_PATTERN_BIT(DIP),
                                          .projection = VT_PROJECTION_FRONT,
                                          .cell = 0.1f,
                                          .high = 0.4f,
                                          .grain = 60.0f});
    static const uint32_t soles[] = {0xf2f1ec, 0xe9e0cf, 0x2a2a2d, 0xb98a5c};
    int sole = vt_random_int(&d->coat, 0, 3);
    s.rubber = vt_design_fixed(d, VT_FINISH_RUBBER, soles[sole]);
    s.accent = vt_design_second(d, VT_FINISH_RUBBER);
    s.lining = vt_design_fixed(d, VT_FINISH_CANVAS, sole == 2 ? 0x3b3b40 : 0xcfc9bd);
    s.lace = vt_random_float(&d->coat, 0.0f, 1.0f) < 0.5f
                 ? s.accent
                 : vt_design_fixed(d, VT_FINISH_CANVAS, 0xf4f3ee);
    shoe_form(d, &s, 0.0f, s.coat);
    vt_part *mouth = vt_solid_ball(d->model, v3(-0.3f, s.collar + 0.03f, 0),
                                   v3(0.155f, s.collar * 0.62f, s.width * 0.58f), s.lining);
    vt_part_turn(mouth, 0, 0, 6);
    vt_solid_join(d->model, VT_JOIN_CUT, 0.02f);
    if (s.style != SLIP_ON && s.style != RUNNER) {
        shoe_form(d, &s, 0.009f, s.rubber);
        vt_solid_ball(d->model, v3(0.56f, 0.06f, 0), v3(0.25f, 0.2f, 0.3f), s.rubber);
        vt_solid_join(d->model, VT_JOIN_KEEP, 0.01f);
        vt_design_feature(d, "a rubber toe cap");
    }
    if (vt_design_chance(d, 0.6f)) {
        shoe_form(d, &s, 0.008f, s.accent);
        vt_solid_box(d->model, v3(-0.56f, s.collar * 0.62f, 0), v3(0.15f, s.collar * 0.3f, 0.4f),
                     0.02f, s.accent);
        vt_solid_join(d->model, VT_JOIN_KEEP, 0.01f);
        vt_design_feature(d, "a contrasting heel");
    }
    if (s.style == RUNNER || vt_design_chance(d, 0.25f)) { /* a slanting band on both sides */
        shoe_form(d, &s, 0.006f, s.accent);
        vt_part *band =
            vt_solid_box(d->model, v3(-0.02f, 0.16f, 0), v3(0.035f, 0.16f, 0.4f), 0.0f, s.accent);
        vt_part_turn(band, 0, 0, -32);
        vt_solid_join(d->model, VT_JOIN_KEEP, 0.01f);
        vt_design_feature(d, "side bands");
    }
    shoe_sole(d, &s);
    if (s.style != SLIP_ON)
        shoe_laces(d, &s);
    static const char *const nouns[] = {"Sneaker", "High-Top Sneaker", "Running Shoe", "Slip-On"};
    d->noun = nouns[s.style];
}

static void hat_cap(vt_design *d, int coat, int trim)
{
    vt_part *dome = vt_solid_ball(d->model, v3(0, 0.02f, -0.03f), v3(0.36f, 0.34f, 0.39f), coat);
    dome->shell = 0.03f;
    vt_solid_box(d->model, v3(0, -0.5f, 0), v3(1, 0.5f, 1), 0.0f, coat);
    vt_solid_join(d->model, VT_JOIN_CUT, 0.02f);
    const float p[][2] = {{0.0f, 0.62f},   {0.2f, 0.56f}, {0.31f, 0.38f},
                          {0.345f, 0.08f}, {0.2f, 0.14f}, {0.0f, 0.16f}};
    vt_pen pen = {0};
    vt_pen_curve(&pen, p, 6);
    vt_pen_mirror(&pen);
    int brim = vt_design_chance(d, 0.5f) ? trim : coat;
    vt_part *visor =
        vt_solid_plate(d->model, v3(0, 0.045f, 0.08f),
                       vt_solid_outline(d->model, &pen, VT_OUTLINE_CLOSED), 0.016f, brim);
    visor->round = 0.014f;
    vt_part_turn(visor, 98, 0, 0);
    vt_solid_ball(d->model, v3(0, 0.365f, -0.03f), v3(0.035f, 0.02f, 0.035f), trim);
    vt_design_feature(d, "a curved visor");
    d->noun = "Cap";
}

static void hat_beanie(vt_design *d, int coat, int trim)
{
    float tall = vt_design_float(d, 0.46f, 0.6f);
    const float p[][2] = {
        {0.33f, 0}, {0.345f, 0.1f}, {0.33f, tall * 0.55f}, {0.22f, tall * 0.88f}, {0.0f, tall}};
    vt_pen pen = {0};
    vt_pen_curve(&pen, p, 5);
    vt_pen_to_axis(&pen);
    vt_part *body = vt_solid_lathe(d->model, v3(0, 0, 0),
                                   vt_solid_outline(d->model, &pen, VT_OUTLINE_LATHE), coat);
    body->flutes = 30.0f;
    body->flute_depth = 0.006f;
    if (vt_design_chance(d, 0.7f)) {
        vt_part *cuff = vt_solid_cylinder(d->model, v3(0, 0.085f, 0), v3(0.375f, 0.085f, 0), 0.04f,
                                          vt_design_chance(d, 0.5f) ? trim : coat);
        cuff->round = 0.04f;
        vt_design_feature(d, "a folded cuff");
    }
    if (vt_design_chance(d, 0.55f)) {
        int fluff = vt_design_second(d, VT_FINISH_PLUSH);
        vt_solid_ball(d->model, v3(0, tall + 0.08f, 0), v3_all(0.12f), fluff);
        vt_design_feature(d, "a pompon");
    }
    d->noun = "Beanie";
}

static void hat_brimmed(vt_design *d, int style, int coat, int trim)
{
    float brim = style == 3 ? vt_design_float(d, 0.46f, 0.5f) : vt_design_float(d, 0.54f, 0.74f);
    float tall = vt_design_float(d, 0.32f, 0.42f);
    float r = vt_design_float(d, 0.29f, 0.33f);
    float lift = style == 3 ? -0.2f : vt_design_float(d, -0.05f, 0.07f);
    float top = style == 2 ? r * 0.75f : r * 0.85f;
    float flat = style == 4 ? 0.0f : top * 0.75f;
    const float outer[][2] = {{brim, lift},
                              {f_mix(r, brim, 0.6f), 0.02f + lift * 0.35f},
                              {r * 1.03f, 0.02f},
                              {r * 0.98f, 0.09f},
                              {top, tall * 0.86f},
                              {flat, tall},
                              {0.0f, tall * (style == 4 ? 1.06f : 1.0f)}};
    vt_pen pen = {0};
    vt_pen_curve(&pen, outer, 7);
    int outside = pen.count;
    for (int i = outside - 1; i >= 0; i--)
        vt_pen_corner(&pen, f_max(pen.x[i] - (pen.y[i] > 0.06f ? 0.024f : 0.0f), 0.0f),
                      pen.y[i] - 0.024f);
    vt_solid_lathe(d->model, v3(0, 0, 0), vt_solid_outline(d->model, &pen, VT_OUTLINE_LATHE), coat);
    if (style == 2) { /* the fedora's pinched crown */
        vt_solid_ball(d->model, v3(0, tall + 0.06f, 0), v3(0.07f, 0.11f, 0.3f), coat);
        vt_solid_join(d->model, VT_JOIN_CUT, 0.08f);
        vt_part *pinch = vt_solid_ball(d->model, v3(r * 1.05f, tall * 0.86f, r * 0.75f),
                                       v3(0.13f, 0.16f, 0.13f), coat);
        pinch->mirror_x = true;
        vt_solid_join(d->model, VT_JOIN_CUT, 0.08f);
    }
    if (style != 3 || vt_design_chance(d, 0.4f)) {
        float high = vt_design_float(d, 0.025f, 0.05f);
        vt_solid_cone(d->model, v3(0, 0.035f + high, 0), v3(r * 1.035f, high, r * 1.0f), 0.006f,
                      trim);
        vt_design_feature(d, "a contrasting band");
    }
    static const char *const nouns[] = {"", "", "Fedora", "Bucket Hat", "Sun Hat"};
    d->noun = nouns[style];
}

void vt_build_hat(vt_design *d)
{
    int style = vt_design_pick(d, 5);
    bool knit = style == 1;
    uint32_t brimmed = style == 4
                           ? VT_FINISH_BIT(WICKER) | VT_FINISH_BIT(CANVAS)
                           : VT_FINISH_BIT(CANVAS) | VT_FINISH_BIT(LEATHER) | VT_FINISH_BIT(RUBBER);
    int coat = vt_design_coat(
        d, &(vt_coat){.finishes = knit         ? VT_FINISH_BIT(KNIT)
                                  : style == 0 ? VT_FINISH_BIT(CANVAS)
                                               : brimmed,
                      .patterns = style == 2 ? VT_PATTERN_BIT(PLAIN) : (uint32_t)VT_PATTERNS_CLOTH,
                      .projection = VT_PROJECTION_AROUND,
                      .radius = 0.34f,
                      .cell = 0.11f,
                      .high = 0.5f,
                      .grain = style == 4 ? 30.0f
                               : knit     ? 26.0f
                                          : 70.0f});
    vt_material *m = vt_design_material(d, coat);
    if (m->finish == VT_FINISH_WICKER)
        d->material = "Straw";
    else if (m->finish == VT_FINISH_RUBBER)
        d->material = "Felt";
    if (m->finish == VT_FINISH_RUBBER)
        m->finish = VT_FINISH_CANVAS;
    int trim = vt_design_second(d, VT_FINISH_CANVAS);
    if (style == 0)
        hat_cap(d, coat, trim);
    else if (style == 1)
        hat_beanie(d, coat, trim);
    else
        hat_brimmed(d, style, coat, trim);
}
