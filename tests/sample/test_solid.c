/* SPDX-License-Identifier: Apache-2.0 */
/* Distances: known ones, never too large along any way, cheap bounds below the exact ones. */
#include "base/random.h"
#include "sample/families/family.h"
#include "sample/solid.h"
#include "support/scratch.h"

#include <math.h>

static void near(float have, float want, float tolerance)
{
    if (!(fabsf(have - want) <= tolerance))
        fail_msg("%.9g instead of %.9g", (double)have, (double)want);
}

static vt_vec3 random_point(vt_random *random, const vt_bounds *around, float margin)
{
    vt_vec3 p;
    p.x = vt_random_float(random, around->low.x - margin, around->high.x + margin);
    p.y = vt_random_float(random, around->low.y - margin, around->high.y + margin);
    p.z = vt_random_float(random, around->low.z - margin, around->high.z + margin);
    return p;
}

static int plain(vt_solid *model)
{
    vt_material material = vt_material_make(VT_FINISH_CLAY, v3_all(0.5f));
    return vt_solid_material(model, &material);
}

static void test_solids(void **state)
{
    (void)state;
    vt_solid *m = vt_solid_new();
    int clay = plain(m);
    vt_solid_ball(m, v3(0, 1, 0), v3_all(0.5f), clay);
    vt_part *box = vt_solid_box(m, v3(3, 0, 0), v3(0.5f, 0.25f, 0.5f), 0.0f, clay);
    vt_part_turn(box, 0, 0, 90);
    vt_part *leg = vt_solid_cylinder(m, v3(0, -3, 2), v3(0.25f, 1.0f, 0), 0.0f, clay);
    leg->mirror_z = true;
    vt_part *post = vt_solid_rod(m, v3(4, 8, 0), v3(4, 9, 0), 0.1f, clay);
    post->copies = 4;
    assert_true(vt_solid_finish(m));
    near(vt_solid_distance(m, v3(0, 2, 0)), 0.5f, 1e-5f);
    near(vt_solid_distance(m, v3(0, 1, 0)), -0.5f, 1e-5f);
    near(vt_solid_distance(m, v3(3, 1, 0)), 0.5f, 1e-4f); /* stands upright now */
    near(vt_solid_distance(m, v3(4, 0, 0)), 0.75f, 1e-4f);
    near(vt_solid_distance(m, v3(0, -3, -3)), 0.75f, 1e-5f);
    near(vt_solid_distance(m, v3(0, -3, 3)), 0.75f, 1e-5f);
    for (int i = 0; i < 4; i++) {
        vt_mat3 turn = vt_mat3_turn(0, 90.0f * (float)i, 0);
        near(vt_solid_distance(m, m3_apply(&turn, v3(4.5f, 8.5f, 0))), 0.4f, 1e-3f);
    }
    near(m->ground_y, -4.0f, 0.05f);
    vt_solid_free(m);
}

static void test_joins(void **state)
{
    (void)state;
    vt_solid *m = vt_solid_new();
    int clay = plain(m);
    int bore = plain(m);
    vt_solid_box(m, v3(0, 0, 0), v3(1, 1, 1), 0.0f, clay);
    vt_solid_ball(m, v3(0, 1, 0), v3_all(0.5f), bore);
    vt_solid_join(m, VT_JOIN_CUT, 0.0f);
    vt_solid_box(m, v3(1, 0, 0), v3(1.5f, 2, 2), 0.0f, clay);
    vt_solid_join(m, VT_JOIN_KEEP, 0.0f);
    assert_true(vt_solid_finish(m));
    near(vt_solid_distance(m, v3(0, 1, 0)), 0.5f, 1e-5f);
    near(vt_solid_distance(m, v3(-1, 0, 0)), 0.5f, 1e-5f);
    /* In the hollow the material is that of what was cut with. */
    assert_int_equal(vt_solid_part_at(m, v3(0, 0.5f, 0))->material, bore);
    assert_int_equal(vt_solid_part_at(m, v3(1, 0, 0))->material, clay);
    vt_solid_free(m);
}

static void test_overflow(void **state)
{
    (void)state;
    vt_solid *m = vt_solid_new();
    assert_false(vt_solid_finish(m)); /* of nothing */
    for (int i = 0; i < VT_SOLID_PARTS + 5; i++) {
        vt_part *part = vt_solid_ball(m, v3(0, 0, 0), v3_all(1.0f), 0);
        vt_part_turn(part, 10, 0, 0);
        if (i % 2 == 1)
            vt_solid_join(m, VT_JOIN_ADD, 0.1f);
    }
    assert_false(vt_solid_finish(m));
    vt_solid_free(m);
    m = vt_solid_new();
    vt_pen pen = {0};
    for (int i = 0; i < VT_PEN_POINTS + 50; i++)
        vt_pen_corner(&pen, (float)i, (float)(i % 7));
    assert_int_equal(pen.count, VT_PEN_POINTS);
    for (int i = 0; i < VT_SOLID_OUTLINES; i++)
        assert_non_null(vt_solid_outline(m, &pen, VT_OUTLINE_STROKE));
    assert_null(vt_solid_outline(m, &pen, VT_OUTLINE_STROKE));
    assert_false(vt_solid_finish(m));
    vt_solid_free(m);
}

/* A step as long as the distance must not lead through a surface: that would tear holes. */
static void check_family(const vt_random *root, size_t product)
{
    vt_design design;
    vt_random random = vt_random_fork(root, 1000 + product);
    assert_true(vt_design_init(&design, root, product));
    const vt_solid *m = design.model;
    assert_true(*design.noun && *design.color && *design.material);
    vt_vec3 size = v3_sub(m->bounds.high, m->bounds.low);
    assert_true(size.x > 0.05f && size.y > 0.05f && size.z > 0.02f);
    assert_true(v3_length(size) < 8.0f);
    assert_true(m->ground_y >= m->bounds.low.y - 1e-4f && m->ground_y < m->bounds.high.y);
    for (int i = 0; i < 300; i++) {
        vt_vec3 p = random_point(&random, &m->bounds, 0.3f);
        vt_vec3 way;
        way.x = vt_random_float(&random, -1.0f, 1.0f);
        way.y = vt_random_float(&random, -1.0f, 1.0f);
        way.z = vt_random_float(&random, -1.0f, 1.0f);
        float distance = vt_solid_distance(m, p);
        float bound = vt_solid_bound(m, p, 0.1f);
        if (distance <= 0.02f)
            continue;
        assert_true(bound > 0.0f);
        vt_vec3 there = v3_along(p, v3_unit(way), 0.9f * f_max(distance, bound));
        if (vt_solid_distance(m, there) < -0.025f)
            fail_msg("%s %zu: %.3f is too far", design.family->name, product, (double)distance);
        /* Outside of the bounds the model is at least as far as they are. */
        float outside = f_sqrt(vt_bounds_square(&m->bounds, p));
        assert_true(distance >= 0.55f * outside - 1e-4f);
    }
    vt_design_deinit(&design);
}

static void test_families(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        vt_random root;
        vt_random_init(&root, seed);
        for (size_t product = 0; product < vt_family_count() * 8; product++)
            check_family(&root, product);
    }
}

static void test_colors_are_dealt(void **state)
{
    (void)state;
    vt_random root;
    vt_random_init(&root, 1);
    size_t count = vt_family_count();
    assert_true(count >= 16);
    for (size_t family = 0; family < count; family++) {
        size_t same = 0;
        for (size_t number = 0; number < 6; number++) {
            vt_design one;
            vt_design two;
            assert_true(vt_design_init(&one, &root, family + count * number));
            assert_true(vt_design_init(&two, &root, family + count * (number + 1)));
            assert_ptr_equal(one.family, two.family);
            same += strcmp(one.color, two.color) == 0 && one.pattern == two.pattern &&
                    strcmp(one.material, two.material) == 0;
            vt_design_deinit(&one);
            vt_design_deinit(&two);
        }
        assert_int_equal(same, 0);
    }
}

static vt_status build_once(void *context)
{
    vt_design design;
    if (!vt_design_init(&design, context, 7))
        return VT_ERR_NO_MEMORY;
    vt_design_deinit(&design);
    return VT_OK;
}

static void test_allocations_fail(void **state)
{
    (void)state;
    vt_random root;
    vt_random_init(&root, 3);
    assert_true(each_allocation_failing(build_once, &root) >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_solids),           cmocka_unit_test(test_joins),
        cmocka_unit_test(test_overflow),         cmocka_unit_test(test_families),
        cmocka_unit_test(test_colors_are_dealt), cmocka_unit_test(test_allocations_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
