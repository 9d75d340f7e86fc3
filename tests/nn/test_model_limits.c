/* SPDX-License-Identifier: Apache-2.0 */
/* Short models that ask for much: the limits hold, in memory and in time. */
#include "models.h"

#include "nn/onnx_file.h"
#include "nn/plan.h"

#include <sys/resource.h>

static long peak_kilobytes(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

static vt_status planned(const maker *m, const vt_model_limits *limits, vt_model **model,
                         vt_plan **plan, vt_error *error)
{
    *model = NULL;
    *plan = NULL;
    vt_status status = maker_parse(m, limits, model, error);
    if (status != VT_OK)
        return status;
    vt_graph *graph = &(*model)->graph;
    return vt_plan_new(graph, NULL, graph->outputs, graph->output_count, plan, error);
}

static size_t folded_bytes(const vt_plan *plan)
{
    size_t bytes = 0;
    for (size_t i = 0; i < plan->value_count; i++)
        bytes += plan->values[i].folded ? plan->values[i].tensor.bytes : 0;
    return bytes;
}

/* Each node doubles what the one before made. */
static void doubling_is_refused(void **state)
{
    (void)state;
    static const char *const operators[] = {"Concat", "Tile"};
    for (size_t k = 0; k < 2; k++) {
        maker m;
        vt_error error;
        vt_model *model;
        vt_plan *plan;
        char from[16], to[16], operands[40];
        if (vt_op_find("", operators[k], 13) == NULL)
            continue; /* not there yet */
        maker_init(&m, 13);
        maker_list(&m, "size", 1, (int64_t[]){1024});
        maker_list(&m, "two", 1, (int64_t[]){2});
        maker_node(&m, "ConstantOfShape", "size", "v0");
        for (int i = 0; i < 60; i++) {
            snprintf(from, sizeof from, "v%d", i);
            snprintf(to, sizeof to, "v%d", i + 1);
            snprintf(operands, sizeof operands, k == 0 ? "%s,%s" : "%s,two", from, from);
            Onnx__NodeProto *node = maker_node(&m, operators[k], operands, to);
            if (k == 0)
                maker_int(&m, node, "axis", 0);
        }
        maker_output(&m, "v60");
        vt_model_limits limits = vt_model_limits_defaults();
        limits.tensor_bytes = 1 << 20;
        assert_int_equal(planned(&m, &limits, &model, &plan, &error), VT_ERR_LIMIT);
        vt_model_free(model);
        maker_deinit(&m);
    }
}

/* Hundreds of folded tensors that are all alive; one chain that needs two at a time. */
static void folding_stays_within_its_limit(void **state)
{
    (void)state;
    enum { NODES = 400 };
    for (int chain = 0; chain < 2; chain++) {
        maker m;
        vt_error error;
        vt_model *model;
        vt_plan *plan;
        char names[16], sum[16], before[40];
        maker_init(&m, 13);
        maker_weight(&m, "one", VT_F32, 0, NULL, (float[]){1});
        maker_list(&m, "size", 1, (int64_t[]){1 << 18});
        maker_node(&m, "Expand", "one,size", "s0");
        for (int i = 1; i < NODES / 2; i++) {
            snprintf(names, sizeof names, "e%d", i);
            snprintf(sum, sizeof sum, "s%d", i);
            snprintf(before, sizeof before, "s%d,%s", i - 1, chain ? "one" : names);
            maker_node(&m, "Expand", "one,size", names);
            maker_node(&m, "Add", before, sum);
        }
        maker_output(&m, sum);
        vt_model_limits limits = vt_model_limits_defaults();
        limits.tensor_bytes = 4 << 20; /* four of them */
        long start = peak_kilobytes();
        vt_status status = planned(&m, &limits, &model, &plan, &error);
        if (status != VT_OK)
            fail_msg("%s", error.message);
        assert_true(folded_bytes(plan) <= limits.tensor_bytes);
        assert_true(peak_kilobytes() - start < 64 << 10);
        vt_plan_free(plan);
        vt_model_free(model);
        maker_deinit(&m);
    }
}

static void too_many_alive_is_refused(void **state)
{
    (void)state;
    enum { NODES = 300 };
    maker m;
    vt_error error;
    vt_model *model;
    vt_plan *plan;
    char name[16];
    maker_init(&m, 13);
    maker_weight(&m, "one", VT_F32, 0, NULL, (float[]){1});
    maker_list(&m, "size", 1, (int64_t[]){1 << 18});
    for (int i = 0; i < NODES; i++) {
        snprintf(name, sizeof name, "e%d", i);
        maker_node(&m, "Expand", "one,size", name);
        maker_output(&m, name);
    }
    vt_model_limits limits = vt_model_limits_defaults();
    limits.tensor_bytes = 4 << 20;
    assert_int_equal(planned(&m, &limits, &model, &plan, &error), VT_ERR_LIMIT);
    assert_non_null(strstr(error.message, "alive at once"));
    vt_model_free(model);
    maker_deinit(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubling_is_refused),
        cmocka_unit_test(folding_stays_within_its_limit),
        cmocka_unit_test(too_many_alive_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
