/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: putting a model together, and the boxes that make looking at it cheap.
 * Method: each part's box is that of its shape, turned, mirrored and repeated; a group's box is the
 *   union of what is added to it (cutting only takes away, soft joins bulge by a quarter of their
 * width).
 */
#include "base/mem.h"
#include "sample/solid.h"

vt_solid *vt_solid_new(void)
{
    return vt_calloc(1, sizeof(vt_solid));
}

void vt_solid_free(vt_solid *model)
{
    if (!model)
        return;
    for (int i = 0; i < model->outline_count; i++)
        vt_outline_deinit(model->outlines + i);
    vt_free(model);
}

int vt_solid_material(vt_solid *model, const vt_material *material)
{
    if (model->material_count == VT_SOLID_MATERIALS) {
        model->failed = true;
        return 0;
    }
    model->materials[model->material_count] = *material;
    return model->material_count++;
}

const vt_outline *vt_solid_outline(vt_solid *model, const vt_pen *pen, vt_outline_use use)
{
    if (model->outline_count == VT_SOLID_OUTLINES ||
        !vt_outline_init(model->outlines + model->outline_count, pen, use)) {
        model->failed = true;
        return NULL;
    }
    return model->outlines + model->outline_count++;
}

static vt_part *add_part(vt_solid *model, vt_shape shape, vt_vec3 at, vt_vec3 size, int material)
{
    vt_part *part = &model->spare;
    if (model->part_count == VT_SOLID_PARTS || model->group_count == VT_SOLID_GROUPS) {
        model->failed = true;
    } else {
        model->groups[model->group_count] = (vt_group){.first = model->part_count, .count = 1};
        part = model->parts + model->part_count;
        model->part_count++;
        model->group_count++;
    }
    *part = (vt_part){.shape = (uint8_t)shape,
                      .at = v3_add(at, model->offset),
                      .size = size,
                      .turn = vt_mat3_identity(),
                      .material = (uint8_t)material};
    return part;
}

vt_part *vt_solid_ball(vt_solid *model, vt_vec3 at, vt_vec3 radii, int material)
{
    return add_part(model, VT_SHAPE_BALL, at, radii, material);
}

vt_part *vt_solid_box(vt_solid *model, vt_vec3 at, vt_vec3 half, float round, int material)
{
    vt_part *part = add_part(model, VT_SHAPE_BOX, at, half, material);
    part->round = f_min(round, f_min(half.x, f_min(half.y, half.z)));
    return part;
}

vt_part *vt_solid_cylinder(vt_solid *model, vt_vec3 at, vt_vec3 radius_half, float round,
                           int material)
{
    vt_part *part = add_part(model, VT_SHAPE_CYLINDER, at, radius_half, material);
    part->round = f_min(round, f_min(radius_half.x, radius_half.y));
    return part;
}

vt_part *vt_solid_cone(vt_solid *model, vt_vec3 at, vt_vec3 low_half_high, float round,
                       int material)
{
    vt_part *part = add_part(model, VT_SHAPE_CONE, at, low_half_high, material);
    part->round = round;
    return part;
}

vt_part *vt_solid_rod(vt_solid *model, vt_vec3 from, vt_vec3 to, float radius, int material)
{
    vt_part *part = add_part(model, VT_SHAPE_ROD, from, v3_sub(to, from), material);
    part->round = radius;
    part->taper = radius;
    return part;
}

vt_part *vt_solid_ring(vt_solid *model, vt_vec3 at, vt_vec3 radius_thickness, int material)
{
    return add_part(model, VT_SHAPE_RING, at, radius_thickness, material);
}

static vt_part *add_outlined(vt_solid *model, vt_shape shape, vt_vec3 at, vt_vec3 size,
                             const vt_outline *outline)
{
    vt_part *part = add_part(model, shape, at, size, 0);
    part->outline = outline;
    if (!outline)
        model->failed = true;
    return part;
}

vt_part *vt_solid_lathe(vt_solid *model, vt_vec3 at, const vt_outline *outline, int material)
{
    vt_part *part = add_outlined(model, VT_SHAPE_LATHE, at, v3_all(0.0f), outline);
    part->material = (uint8_t)material;
    return part;
}

vt_part *vt_solid_plate(vt_solid *model, vt_vec3 at, const vt_outline *outline,
                        float half_thickness, int material)
{
    vt_part *part =
        add_outlined(model, VT_SHAPE_PLATE, at, v3(0.0f, 0.0f, half_thickness), outline);
    part->material = (uint8_t)material;
    return part;
}

vt_part *vt_solid_tube(vt_solid *model, vt_vec3 at, const vt_outline *outline, float radius,
                       int material)
{
    vt_part *part = add_outlined(model, VT_SHAPE_TUBE, at, v3(radius, 0.0f, radius), outline);
    part->material = (uint8_t)material;
    return part;
}

vt_part *vt_solid_pillow(vt_solid *model, vt_vec3 at, vt_vec3 half, int material)
{
    return add_part(model, VT_SHAPE_PILLOW, at, half, material);
}

vt_part *vt_part_turn(vt_part *part, float x_degrees, float y_degrees, float z_degrees)
{
    vt_mat3 turn = vt_mat3_turn(x_degrees, y_degrees, z_degrees);
    /* Kept from the model's axes to the part's: the inverse, which is the transpose. */
    for (int i = 0; i < 3; i++) {
        vt_vec3 axis = i == 0 ? v3(1, 0, 0) : i == 1 ? v3(0, 1, 0) : v3(0, 0, 1);
        part->turn.row[i] = m3_apply(&turn, axis);
    }
    part->turned = true;
    return part;
}

void vt_solid_join(vt_solid *model, vt_join join, float blend)
{
    if (model->failed || model->group_count < 2)
        return;
    vt_part *part = model->parts + model->part_count - 1;
    part->join = (uint8_t)join;
    part->blend = blend;
    model->group_count--;
    model->groups[model->group_count - 1].count++;
}

static vt_bounds shape_bounds(const vt_part *part)
{
    vt_vec3 s = part->size;
    vt_vec3 half = s;
    const vt_outline *o = part->outline;
    switch ((vt_shape)part->shape) {
    case VT_SHAPE_BALL:
    case VT_SHAPE_BOX:
        break;
    case VT_SHAPE_PILLOW:
        half = v3(s.x, s.y, s.z * 1.02f);
        break;
    case VT_SHAPE_CYLINDER:
        half = v3(s.x, s.y, s.x);
        break;
    case VT_SHAPE_CONE:
        half = v3(f_max(s.x, s.z), s.y, f_max(s.x, s.z));
        break;
    case VT_SHAPE_RING:
        half = v3(s.x + s.y, s.z, s.x + s.y);
        break;
    case VT_SHAPE_ROD: {
        vt_vec3 r = v3_all(f_max(part->round, part->taper));
        return (vt_bounds){v3_sub(v3_lower(v3_all(0.0f), s), r),
                           v3_add(v3_upper(v3_all(0.0f), s), r)};
    }
    case VT_SHAPE_LATHE: {
        float r = o->high_x + f_abs(part->flute_depth);
        return (vt_bounds){v3(-r, o->low_y, -r), v3(r, o->high_y, r)};
    }
    case VT_SHAPE_PLATE:
        return (vt_bounds){v3(o->low_x - part->taper, o->low_y - part->taper, -s.z),
                           v3(o->high_x + part->taper, o->high_y + part->taper, s.z)};
    case VT_SHAPE_TUBE:
        return (vt_bounds){v3(o->low_x - s.x, o->low_y - s.x, -s.z),
                           v3(o->high_x + s.x, o->high_y + s.x, s.z)};
    }
    return (vt_bounds){v3_scale(half, -1.0f), half};
}

static vt_bounds part_bounds(const vt_part *part)
{
    vt_bounds own = shape_bounds(part);
    vt_vec3 middle = v3_scale(v3_add(own.low, own.high), 0.5f);
    vt_vec3 half = v3_scale(v3_sub(own.high, own.low), 0.5f);
    if (part->turned) {
        middle = m3_apply_transposed(&part->turn, middle);
        vt_mat3 sizes = {
            {v3_abs(part->turn.row[0]), v3_abs(part->turn.row[1]), v3_abs(part->turn.row[2])}};
        half = m3_apply_transposed(&sizes, half);
    }
    middle = v3_add(middle, part->at);
    vt_bounds bounds = {v3_sub(middle, half), v3_add(middle, half)};
    if (part->copies > 1) {
        float x = f_max(f_abs(bounds.low.x), f_abs(bounds.high.x));
        float z = f_max(f_abs(bounds.low.z), f_abs(bounds.high.z));
        float r = f_sqrt(x * x + z * z);
        bounds.low.x = bounds.low.z = -r;
        bounds.high.x = bounds.high.z = r;
    }
    if (part->mirror_x)
        bounds.low.x = -f_max(bounds.high.x, -bounds.low.x);
    if (part->mirror_x)
        bounds.high.x = -bounds.low.x;
    if (part->mirror_z)
        bounds.low.z = -f_max(bounds.high.z, -bounds.low.z);
    if (part->mirror_z)
        bounds.high.z = -bounds.low.z;
    return bounds;
}

static vt_bounds bounds_union(vt_bounds a, vt_bounds b)
{
    return (vt_bounds){v3_lower(a.low, b.low), v3_upper(a.high, b.high)};
}

/* The lowest point, found by looking up from below on a grid. */
static float find_ground(const vt_solid *model)
{
    enum { COLUMNS = 40 };
    const vt_bounds *b = &model->bounds;
    float least = 0.002f * (b->high.y - b->low.y);
    float lowest = b->high.y;
    for (int i = 0; i < COLUMNS * COLUMNS; i++) {
        float u = ((float)(i % COLUMNS) + 0.5f) / COLUMNS;
        float v = ((float)(i / COLUMNS) + 0.5f) / COLUMNS;
        vt_vec3 p = v3(f_mix(b->low.x, b->high.x, u), b->low.y, f_mix(b->low.z, b->high.z, v));
        while (p.y < lowest) {
            float distance = vt_solid_distance(model, p);
            if (distance < least) {
                lowest = p.y;
                break;
            }
            p.y += 0.95f * distance;
        }
    }
    return lowest;
}

bool vt_solid_finish(vt_solid *model)
{
    if (model->failed || model->group_count == 0)
        return false;
    for (int i = 0; i < model->part_count; i++)
        model->parts[i].bounds = part_bounds(model->parts + i);
    for (int i = 0; i < model->group_count; i++) {
        vt_group *group = model->groups + i;
        const vt_part *part = model->parts + group->first;
        group->bounds = part->bounds;
        for (int k = 1; k < group->count; k++) {
            part++;
            if (part->join == VT_JOIN_ADD) {
                group->bounds = bounds_union(group->bounds, part->bounds);
                vt_vec3 bulge = v3_all(0.25f * part->blend);
                group->bounds.low = v3_sub(group->bounds.low, bulge);
                group->bounds.high = v3_add(group->bounds.high, bulge);
            } else if (part->join == VT_JOIN_KEEP) {
                group->bounds.low = v3_upper(group->bounds.low, part->bounds.low);
                group->bounds.high = v3_lower(group->bounds.high, part->bounds.high);
            }
        }
        model->bounds = i == 0 ? group->bounds : bounds_union(model->bounds, group->bounds);
    }
    model->ground_y = find_ground(model);
    return true;
}
