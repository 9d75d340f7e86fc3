/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: the table of families, and what their builders share: choosing coats and noting the
 * words. Method: colours and patterns of a family are dealt like cards (a stride that is coprime to
 * the deck), so that neighbours in a family differ; every sixth product has the shape of the one
 * before it.
 */
#include "sample/families/family.h"
#include "base/mem.h"

static const vt_family families[] = {
    {"mug",
     "Kitchen > Mugs",
     VT_PLACE_STANDS,
     VT_SETTING_TABLE,
     6,
     24,
     -28,
     20,
     10,
     vt_build_mug,
     {"Morrowen", "Tassely", "Kilnby"},
     "Holds a generous cup and is safe in the dishwasher."},
    {"chair",
     "Furniture > Chairs",
     VT_PLACE_STANDS,
     VT_SETTING_ROOM,
     59,
     289,
     -32,
     14,
     85,
     vt_build_chair,
     {"Nordvale", "Holtmark", "Sedera"},
     "Comfortable for a long dinner, sturdy enough for every day."},
    {"vase",
     "Home > Vases",
     VT_PLACE_STANDS,
     VT_SETTING_TABLE,
     14,
     79,
     -20,
     12,
     26,
     vt_build_vase,
     {"Kilnby", "Florenza Home", "Osterwend"},
     "Beautiful with a single branch or a full bunch."},
    {"sneaker",
     "Fashion > Sneakers",
     VT_PLACE_STANDS,
     VT_SETTING_ROOM,
     39,
     139,
     -26,
     16,
     28,
     vt_build_sneaker,
     {"Strido", "Velopace", "Runeva"},
     "Light on the foot, with a cushioned sole."},
    {"table lamp",
     "Lighting > Table Lamps",
     VT_PLACE_STANDS,
     VT_SETTING_TABLE,
     24,
     149,
     -24,
     10,
     45,
     vt_build_table_lamp,
     {"Lumorel", "Glimmet", "Candelisk"},
     "Gives a warm light for reading corners."},
    {"handbag",
     "Fashion > Handbags",
     VT_PLACE_STANDS,
     VT_SETTING_TABLE,
     49,
     259,
     -30,
     14,
     30,
     vt_build_handbag,
     {"Bellavere", "Costiera", "Maroquet"},
     "Room for phone, purse and a book."},
    {"bottle",
     "Kitchen > Bottles",
     VT_PLACE_STANDS,
     VT_SETTING_TABLE,
     9,
     39,
     -18,
     10,
     25,
     vt_build_bottle,
     {"Hydrella", "Quellwerk", "Tassely"},
     "Keeps drinks fresh at the desk and on the way."},
    {"teapot",
     "Kitchen > Teapots",
     VT_PLACE_STANDS,
     VT_SETTING_TABLE,
     19,
     89,
     -16,
     20,
     18,
     vt_build_teapot,
     {"Kilnby", "Morrowen", "Chadora"},
     "Pours without dripping and serves four cups."},
    {"stool",
     "Furniture > Stools",
     VT_PLACE_STANDS,
     VT_SETTING_ROOM,
     25,
     129,
     -25,
     17,
     50,
     vt_build_stool,
     {"Holtmark", "Nordvale", "Trespino"},
     "A spare seat, a bedside table, a step up."},
    {"headphones",
     "Electronics > Headphones",
     VT_PLACE_STANDS,
     VT_SETTING_TABLE,
     35,
     299,
     -35,
     14,
     19,
     vt_build_headphones,
     {"Sonavell", "Auralis Nine", "Klangfeld"},
     "Clear sound and soft cushions for hours of music."},
    {"bowl",
     "Kitchen > Bowls",
     VT_PLACE_STANDS,
     VT_SETTING_TABLE,
     7,
     45,
     -20,
     28,
     18,
     vt_build_bowl,
     {"Tassely", "Kilnby", "Osterwend"},
     "For breakfast, salads and everything between."},
    {"wall clock",
     "Home > Clocks",
     VT_PLACE_WALL,
     VT_SETTING_ROOM,
     19,
     99,
     -20,
     8,
     30,
     vt_build_clock,
     {"Tempora Haus", "Minuvar", "Zeitling"},
     "Silent movement, easy to read across the room."},
    {"toy car",
     "Toys > Cars",
     VT_PLACE_STANDS,
     VT_SETTING_TABLE,
     8,
     39,
     -30,
     20,
     14,
     vt_build_toy_car,
     {"Brummelo", "Kinderlot", "Tuffy Wheels"},
     "Rolls far and has no sharp edges."},
    {"backpack",
     "Fashion > Backpacks",
     VT_PLACE_STANDS,
     VT_SETTING_ROOM,
     35,
     149,
     -28,
     12,
     44,
     vt_build_backpack,
     {"Trekorn", "Velopace", "Maroquet"},
     "Padded straps and a pocket for everything."},
    {"plant pot",
     "Garden > Plant Pots",
     VT_PLACE_STANDS,
     VT_SETTING_TABLE,
     6,
     49,
     -20,
     18,
     20,
     vt_build_plant_pot,
     {"Gardenique", "Kilnby", "Verdanelle"},
     "Frost-proof, with a hole for drainage."},
    {"wrist watch",
     "Fashion > Watches",
     VT_PLACE_STANDS,
     VT_SETTING_TABLE,
     59,
     349,
     -30,
     26,
     9,
     vt_build_watch,
     {"Minuvar", "Orvane", "Zeitling"},
     "Scratch-resistant crystal and a movement you can rely on."},
    {"cushion",
     "Home > Cushions",
     VT_PLACE_STANDS,
     VT_SETTING_ROOM,
     12,
     49,
     -22,
     8,
     45,
     vt_build_cushion,
     {"Lanaro", "Florenza Home", "Sedera"},
     "Soft filling, removable cover."},
    {"toy robot",
     "Toys > Robots",
     VT_PLACE_STANDS,
     VT_SETTING_TABLE,
     14,
     59,
     -28,
     12,
     22,
     vt_build_robot,
     {"Kinderlot", "Bolt and Pip", "Tuffy Wheels"},
     "Arms and head can be turned."},
    {"hat",
     "Fashion > Hats",
     VT_PLACE_STANDS,
     VT_SETTING_TABLE,
     15,
     79,
     -30,
     17,
     30,
     vt_build_hat,
     {"Capello Norte", "Bellavere", "Sombrane"},
     "Keeps its shape in sun and wind."},
    {"pendant lamp",
     "Lighting > Pendant Lamps",
     VT_PLACE_HANGS,
     VT_SETTING_ROOM,
     39,
     199,
     -15,
     4,
     40,
     vt_build_pendant_lamp,
     {"Glimmet", "Lumorel", "Osterwend"},
     "Hangs beautifully over the dining table."},
    {"sunglasses",
     "Fashion > Sunglasses",
     VT_PLACE_STANDS,
     VT_SETTING_TABLE,
     19,
     159,
     -30,
     16,
     15,
     vt_build_sunglasses,
     {"Costiera", "Solvanto", "Runeva"},
     "Full UV protection in a light frame."},
    {"table",
     "Furniture > Tables",
     VT_PLACE_STANDS,
     VT_SETTING_ROOM,
     69,
     399,
     -30,
     18,
     90,
     vt_build_table,
     {"Nordvale", "Trespino", "Holtmark"},
     "A calm piece that fits many rooms."},
    {"teddy bear",
     "Toys > Soft Toys",
     VT_PLACE_STANDS,
     VT_SETTING_TABLE,
     12,
     49,
     -22,
     12,
     28,
     vt_build_bear,
     {"Pelusso", "Kinderlot", "Lanaro"},
     "Very soft, washable, and a good listener."},
    {"kettle",
     "Kitchen > Kettles",
     VT_PLACE_STANDS,
     VT_SETTING_TABLE,
     29,
     119,
     -22,
     16,
     23,
     vt_build_kettle,
     {"Chadora", "Quellwerk", "Calidune"},
     "Boils quickly and stays cool at the handle."},
};

size_t vt_family_count(void)
{
    return sizeof families / sizeof *families;
}

const vt_family *vt_family_at(size_t index)
{
    return families + index;
}

bool vt_design_init(vt_design *design, const vt_random *root, size_t product)
{
    size_t family = product % vt_family_count();
    size_t number = product / vt_family_count();
    vt_random own = vt_random_fork(root, family);
    /* Every sixth repeats the shape before it. */
    size_t shape = number % 6 == 5 ? number - 1 : number;
    vt_design d = {.family = families + family,
                   .number = number,
                   .shape = vt_random_fork(&own, 2 * (uint64_t)shape),
                   .coat = vt_random_fork(&own, 2 * (uint64_t)number + 1),
                   .character = "",
                   .material = "",
                   .color = "",
                   .dearness = 0.5f};
    d.model = vt_solid_new();
    if (!d.model)
        return false;
    d.noun = "";
    d.family->build(&d);
    if (!vt_solid_finish(d.model)) {
        vt_solid_free(d.model);
        return false;
    }
    *design = d;
    return true;
}

void vt_design_deinit(vt_design *design)
{
    vt_solid_free(design->model);
    design->model = NULL;
}

bool vt_design_is_glass(const vt_design *design)
{
    return design->model->materials[0].finish == VT_FINISH_GLASS;
}

float vt_design_float(vt_design *design, float low, float high)
{
    return vt_random_float(&design->shape, low, high);
}

int vt_design_pick(vt_design *design, int count)
{
    return vt_random_int(&design->shape, 0, count - 1);
}

bool vt_design_chance(vt_design *design, float share)
{
    return vt_random_float(&design->shape, 0.0f, 1.0f) < share;
}

void vt_design_feature(vt_design *design, const char *words)
{
    if (design->feature_count < VT_DESIGN_FEATURES)
        design->features[design->feature_count++] = words;
}

float vt_pen_reach(const vt_pen *pen, float y)
{
    float reach = 0.0f;
    for (int i = 0; i + 1 < pen->count; i++) {
        float low = f_min(pen->y[i], pen->y[i + 1]);
        float high = f_max(pen->y[i], pen->y[i + 1]);
        if (y < low || y > high)
            continue;
        float t = high > low ? (y - pen->y[i]) / (pen->y[i + 1] - pen->y[i]) : 0.0f;
        reach = f_max(reach, f_mix(pen->x[i], pen->x[i + 1], t));
    }
    return reach;
}
