/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: signed distance to plane curves in constant time.
 * Method: the distance to every segment is measured once per grid node; look-ups weigh the 3 x 3
 *   nearest nodes with a quadratic B-spline, which makes the gradient continuous. Outside the grid
 * the distance to the grid and the distance found at its edge are combined to a lower bound: the
 * shape lies inside the grid, so with c the nearest point of the grid, |q - s|^2 >= |q - c|^2 + |c
 * - s|^2.
 */
#include "sample/outline.h"
#include "base/mem.h"

enum { CURVE_STEPS = 7, ARC_STEPS = 20, RIM_STEPS = 8 };

/* Strokes are thickened when they are used: their surface lies well away from the line. */
static int margin_cells(vt_outline_use use)
{
    return use == VT_OUTLINE_STROKE ? 26 : 3;
}

void vt_pen_corner(vt_pen *pen, float x, float y)
{
    if (pen->count >= VT_PEN_POINTS)
        return;
    pen->x[pen->count] = x;
    pen->y[pen->count] = y;
    pen->count++;
}

static float catmull_rom(float a, float b, float c, float d, float t)
{
    return b +
           0.5f * t *
               (c - a + t * (2.0f * a - 5.0f * b + 4.0f * c - d + t * (3.0f * (b - c) + d - a)));
}

void vt_pen_curve(vt_pen *pen, const float (*points)[2], int count)
{
    for (int i = 0; i + 1 < count; i++) {
        const float *b = points[i];
        const float *c = points[i + 1];
        /* Ends are continued in a straight line. */
        float a[2] = {2.0f * b[0] - c[0], 2.0f * b[1] - c[1]};
        float d[2] = {2.0f * c[0] - b[0], 2.0f * c[1] - b[1]};
        if (i > 0)
            memcpy(a, points[i - 1], sizeof a);
        if (i + 2 < count)
            memcpy(d, points[i + 2], sizeof d);
        for (int step = 0; step < CURVE_STEPS; step++) {
            float t = (float)step / (float)CURVE_STEPS;
            vt_pen_corner(pen, catmull_rom(a[0], b[0], c[0], d[0], t),
                          catmull_rom(a[1], b[1], c[1], d[1], t));
        }
    }
    if (count > 0)
        vt_pen_corner(pen, points[count - 1][0], points[count - 1][1]);
}

void vt_pen_arc(vt_pen *pen, float x, float y, float radius, float from_degrees, float to_degrees)
{
    for (int i = 0; i <= ARC_STEPS; i++) {
        float angle = f_mix(from_degrees, to_degrees, (float)i / (float)ARC_STEPS) * VT_PI / 180.0f;
        vt_pen_corner(pen, x + radius * f_cos(angle), y + radius * f_sin(angle));
    }
}

void vt_pen_hollow(vt_pen *pen, float wall, float floor_thickness)
{
    int outer = pen->count;
    if (outer < 2)
        return;
    float bottom = pen->y[0];
    for (int i = 0; i < outer; i++)
        bottom = f_min(bottom, pen->y[i]);
    float rim_x = pen->x[outer - 1];
    float rim_y = pen->y[outer - 1];
    float dx = rim_x - pen->x[outer - 2];
    float dy = rim_y - pen->y[outer - 2];
    float length = f_sqrt(dx * dx + dy * dy);
    dx = length > 0.0f ? dx / length : 0.0f;
    dy = length > 0.0f ? dy / length : 1.0f;
    /* Half a circle over the rim, from the outer side (dy, -dx) to the inner (-dy, dx). */
    float middle_x = rim_x - 0.5f * wall * dy;
    float middle_y = rim_y + 0.5f * wall * dx;
    for (int i = 1; i < RIM_STEPS; i++) {
        float angle = VT_PI * (float)i / (float)RIM_STEPS;
        float across = 0.5f * wall * f_cos(angle);
        float up = 0.5f * wall * f_sin(angle);
        vt_pen_corner(pen, middle_x + across * dy + up * dx, middle_y - across * dx + up * dy);
    }
    for (int i = outer - 1; i > 0; i--) {
        float tx = pen->x[i < outer - 1 ? i + 1 : i] - pen->x[i - 1];
        float ty = pen->y[i < outer - 1 ? i + 1 : i] - pen->y[i - 1];
        float t_length = f_max(f_sqrt(tx * tx + ty * ty), 1e-6f);
        float x = pen->x[i] - wall * ty / t_length;
        float y = pen->y[i] + wall * tx / t_length;
        if (y < bottom + floor_thickness || x < 0.0f)
            continue;
        vt_pen_corner(pen, x, y);
    }
    vt_pen_corner(pen, f_max(pen->x[pen->count - 1] - 0.5f * floor_thickness, 0.0f),
                  bottom + floor_thickness);
    vt_pen_corner(pen, 0.0f, bottom + floor_thickness);
    vt_pen_corner(pen, 0.0f, bottom);
}

void vt_pen_to_axis(vt_pen *pen)
{
    if (pen->count == 0)
        return;
    float first = pen->y[0];
    vt_pen_corner(pen, 0.0f, pen->y[pen->count - 1]);
    vt_pen_corner(pen, 0.0f, first);
}

void vt_pen_mirror(vt_pen *pen)
{
    for (int i = pen->count - 1; i >= 0; i--)
        vt_pen_corner(pen, -pen->x[i], pen->y[i]);
}

/* Distance from (x, y) to segment i -> j, and whether a ray towards +x crosses it. */
static float segment_square(const vt_pen *pen, int i, int j, float x, float y, bool *crosses)
{
    float ex = pen->x[j] - pen->x[i];
    float ey = pen->y[j] - pen->y[i];
    float wx = x - pen->x[i];
    float wy = y - pen->y[i];
    float square = ex * ex + ey * ey;
    float t = square > 0.0f ? f_saturate((wx * ex + wy * ey) / square) : 0.0f;
    float bx = wx - ex * t;
    float by = wy - ey * t;
    *crosses = false;
    if ((pen->y[i] > y) != (pen->y[j] > y))
        *crosses = x < pen->x[i] + ex * (y - pen->y[i]) / ey;
    return bx * bx + by * by;
}

static float pen_distance(const vt_pen *pen, vt_outline_use use, float x, float y)
{
    float best = 1e30f;
    bool inside = false;
    if (use == VT_OUTLINE_LATHE)
        x = f_abs(x);
    int segments = use == VT_OUTLINE_STROKE ? pen->count - 1 : pen->count;
    for (int i = 0; i < segments; i++) {
        int j = i + 1 == pen->count ? 0 : i + 1;
        /* The axis is no surface of a solid of revolution. */
        if (use == VT_OUTLINE_LATHE && pen->x[i] < 1e-5f && pen->x[j] < 1e-5f)
            continue;
        bool crosses;
        best = f_min(best, segment_square(pen, i, j, x, y, &crosses));
        inside ^= crosses;
    }
    float distance = f_sqrt(best);
    return inside && use != VT_OUTLINE_STROKE ? -distance : distance;
}

bool vt_outline_init(vt_outline *outline, const vt_pen *pen, vt_outline_use use)
{
    vt_outline o = {.low_x = 1e30f, .low_y = 1e30f, .high_x = -1e30f, .high_y = -1e30f};
    for (int i = 0; i < pen->count; i++) {
        o.low_x = f_min(o.low_x, pen->x[i]);
        o.low_y = f_min(o.low_y, pen->y[i]);
        o.high_x = f_max(o.high_x, pen->x[i]);
        o.high_y = f_max(o.high_y, pen->y[i]);
    }
    if (pen->count < 2)
        o.low_x = o.low_y = o.high_x = o.high_y = 0.0f;
    if (use == VT_OUTLINE_LATHE)
        o.low_x = 0.0f;
    float longest = f_max(f_max(o.high_x - o.low_x, o.high_y - o.low_y), 1e-3f);
    o.cell = longest / (float)VT_OUTLINE_CELLS;
    o.inverse_cell = 1.0f / o.cell;
    int margin = margin_cells(use);
    o.origin_x = o.low_x - o.cell * (float)margin;
    o.origin_y = o.low_y - o.cell * (float)margin;
    o.width = (int)((o.high_x - o.low_x) * o.inverse_cell) + 2 * margin + 2;
    o.height = (int)((o.high_y - o.low_y) * o.inverse_cell) + 2 * margin + 2;
    o.distance = vt_alloc_array((size_t)o.width * (size_t)o.height, sizeof(float));
    if (!o.distance)
        return false;
    for (int row = 0; row < o.height; row++)
        for (int column = 0; column < o.width; column++)
            o.distance[row * o.width + column] = pen_distance(
                pen, use, o.origin_x + o.cell * (float)column, o.origin_y + o.cell * (float)row);
    *outline = o;
    return true;
}

void vt_outline_deinit(vt_outline *outline)
{
    vt_free(outline->distance);
    *outline = (vt_outline){0};
}

float vt_outline_distance(const vt_outline *outline, float x, float y)
{
    float u = (x - outline->origin_x) * outline->inverse_cell;
    float v = (y - outline->origin_y) * outline->inverse_cell;
    float cu = f_clamp(u, 1.0f, (float)(outline->width - 2));
    float cv = f_clamp(v, 1.0f, (float)(outline->height - 2));
    int column = (int)(cu + 0.5f);
    int row = (int)(cv + 0.5f);
    float fu = cu - (float)column;
    float fv = cv - (float)row;
    float wu[3] = {0.5f * (0.5f - fu) * (0.5f - fu), 0.75f - fu * fu,
                   0.5f * (0.5f + fu) * (0.5f + fu)};
    float wv[3] = {0.5f * (0.5f - fv) * (0.5f - fv), 0.75f - fv * fv,
                   0.5f * (0.5f + fv) * (0.5f + fv)};
    const float *node = outline->distance + (row - 1) * outline->width + column - 1;
    float distance = 0.0f;
    for (int i = 0; i < 3; i++) {
        distance += wv[i] * (wu[0] * node[0] + wu[1] * node[1] + wu[2] * node[2]);
        node += outline->width;
    }
    float du = u - cu;
    float dv = v - cv;
    if (du == 0.0f && dv == 0.0f)
        return distance;
    du *= outline->cell;
    dv *= outline->cell;
    return f_sqrt(du * du + dv * dv + distance * distance);
}
