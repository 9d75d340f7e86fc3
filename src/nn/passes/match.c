/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading steps: the small questions that recognising passes ask.
 */
#include "nn/passes/match.h"

#include <math.h>

enum { OPSET_NUMPY_BROADCAST = 7 };

bool vt_match_step(const vt_step *step, const char *op, size_t inputs)
{
    if (!vt_pass_is(step, op) || step->post_count > 0 || step->node.input_count != inputs ||
        step->node.opset < OPSET_NUMPY_BROADCAST) {
        return false;
    }
    for (size_t i = 0; i < inputs; i++) {
        if (step->node.inputs[i] == VT_NO_VALUE) {
            return false;
        }
    }
    return true;
}

size_t vt_match_producer(const vt_plan *plan, const vt_pass_uses *uses, vt_value_id value,
                         const char *op, size_t inputs)
{
    size_t producer = vt_pass_producer(uses, value);
    return producer != SIZE_MAX && vt_match_step(&plan->steps[producer], op, inputs) ? producer
                                                                                     : SIZE_MAX;
}

bool vt_match_scalar(const vt_plan *plan, vt_value_id value, double *out)
{
    if (value == VT_NO_VALUE) {
        return false;
    }
    const vt_plan_value *constant = &plan->values[value];
    if (!constant->constant || !constant->tensor.data || vt_tensor_count(&constant->tensor) != 1) {
        return false;
    }
    *out = vt_tensor_get(&constant->tensor, 0);
    return true;
}

int vt_match_scalar_side(const vt_plan *plan, const vt_step *step, double *out)
{
    double values[2] = {0};
    bool left = vt_match_scalar(plan, step->node.inputs[0], &values[0]);
    bool right = vt_match_scalar(plan, step->node.inputs[1], &values[1]);
    if (left == right) {
        return -1;
    }
    *out = values[right];
    return right;
}

bool vt_match_close(double have, double want, vt_dtype dtype)
{
    double tolerance = 1e-4;
    if (dtype == VT_F16) {
        tolerance = 0x1p-11;
    } else if (dtype == VT_BF16) {
        tolerance = 0x1p-8;
    }
    return fabs(have - want) <= tolerance * fabs(want); /* false for NaN */
}

void vt_match_perm(const vt_step *transpose, int rank, int64_t perm[VT_MAX_RANK])
{
    if (vt_node_ints(&transpose->node, "perm", perm, VT_MAX_RANK) < 0) {
        for (int i = 0; i < rank; i++) {
            perm[i] = rank - 1 - i;
        }
    }
}

bool vt_cluster_add(vt_cluster *cluster, size_t step)
{
    for (size_t i = 0; i < cluster->count; i++) {
        if (cluster->steps[i] == step) {
            return true;
        }
    }
    if (cluster->count == VT_CLUSTER_STEPS) {
        return false;
    }
    cluster->steps[cluster->count++] = step;
    return true;
}

bool vt_cluster_is_closed(const vt_plan *plan, const vt_pass_uses *uses, const vt_cluster *cluster)
{
    for (size_t i = 1; i < cluster->count; i++) {
        vt_value_id made = plan->steps[cluster->steps[i]].node.outputs[0];
        uint32_t inside = 0;
        for (size_t k = 0; k < cluster->count; k++) {
            const vt_step *reader = &plan->steps[cluster->steps[k]];
            for (size_t r = 0; r < vt_step_read_count(reader); r++) {
                inside += vt_step_read(reader, r) == made;
            }
        }
        if (inside != uses->counts[made]) {
            return false;
        }
    }
    return true;
}
