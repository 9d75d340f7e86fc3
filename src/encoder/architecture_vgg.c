/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VGG-16 and VGG-19 with batch normalisation.
 *
 * Simonyan and Zisserman, "Very Deep Convolutional Networks" (2014), table 1, columns D and E, with
 * batch normalisation behind every convolution as torchvision's vgg16_bn and vgg19_bn: biases stay,
 * maps are brought to 7x7 before the two hidden layers of 4096. At other input sizes this is
 * torch's adaptive average pooling: two products with matrices of averages.
 */
#include "encoder/architecture_net.h"

enum { VGG_SIDE = 7, VGG_HIDDEN = 4096 };

typedef struct vgg_stage {
    int convs, channels;
} vgg_stage;

static const vgg_stage vgg16[] = {{2, 64}, {2, 128}, {3, 256}, {3, 512}, {3, 512}, {0}};
static const vgg_stage vgg19[] = {{2, 64}, {2, 128}, {4, 256}, {4, 512}, {4, 512}, {0}};

static vt_map vgg_body(vt_net *net, vt_map x, const void *table)
{
    const vgg_stage *stages = table;
    for (int s = 0; stages[s].convs != 0; s++) {
        vt_net_enter(net, "stage%d", s + 1);
        vt_conv conv = {.out = vt_net_width(net, stages[s].channels), .kernel = 3, .bias = true};
        for (int c = 0; c < stages[s].convs; c++)
            x = vt_net_unit(net, c + 1, x, &conv, VT_RELU);
        x = vt_net_max_pool(net, x, 2, 2, 0);
        vt_net_leave(net);
        vt_net_tap(net, x);
    }
    return x;
}

/* Cell `out` averages the cells from floor(out side / 7) to ceil((out + 1) side / 7). */
static vt_value_id averages(vt_net *net, int side, bool turned)
{
    vt_error error = {0};
    vt_tensor tensor = {0};
    const vt_shape shape = {.rank = 2,
                            .dims = {turned ? side : VGG_SIDE, turned ? VGG_SIDE : side}};
    if (vt_builder_failed(net->builder))
        return VT_NO_VALUE;
    vt_status status = vt_tensor_init(&tensor, VT_F32, &shape, 0, &error);
    if (status != VT_OK) {
        vt_builder_fail(net->builder, status, error.message);
        return VT_NO_VALUE;
    }
    float *values = tensor.data;
    for (int out = 0; out < VGG_SIDE; out++) {
        int start = out * side / VGG_SIDE, end = ((out + 1) * side + VGG_SIDE - 1) / VGG_SIDE;
        for (int in = start; in < end; in++)
            values[turned ? in * VGG_SIDE + out : out * side + in] = 1.0F / (float)(end - start);
    }
    return vt_builder_constant(net->builder, turned ? "fixed_columns" : "fixed_rows", &tensor);
}

static vt_vector vgg_neck(vt_net *net, vt_map x, const void *table)
{
    (void)table;
    if (x.side != VGG_SIDE) {
        const vt_value_id rows[2] = {averages(net, x.side, false), x.value};
        vt_value_id y = vt_builder_node(net->builder, "MatMul", NULL, rows, 2);
        const vt_value_id columns[2] = {y, averages(net, x.side, true)};
        x.value = vt_builder_node(net->builder, "MatMul", NULL, columns, 2);
    }
    vt_vector v = {.value = vt_builder_node(net->builder, "Flatten", "axis=1", &x.value, 1),
                   .width = x.channels * VGG_SIDE * VGG_SIDE};
    v = vt_net_linear(net, "hidden1", v, VGG_HIDDEN);
    v.value = vt_net_activate_value(net, v.value, VT_RELU);
    v.value = vt_net_dropout(net, v.value, vt_net_dropout_rate(net));
    v = vt_net_linear(net, "hidden2", v, VGG_HIDDEN);
    v.value = vt_net_activate_value(net, v.value, VT_RELU);
    return v;
}

#define VGG(layers, parameters, gmacs)                                                             \
    {                                                                                              \
        .info = {"vgg" #layers, "Simonyan and Zisserman 2014, batch norm",                         \
                 224,           parameters,                                                        \
                 gmacs,         true,                                                              \
                 false,         false},                                                            \
        .body = vgg_body, .neck = vgg_neck, .table = vgg##layers, .conv = VT_START_HE_OUT,         \
        .linear = VT_START_NORMAL, .epsilon = 1e-5F, .momentum = 0.9F, .dropout = 0.5,             \
        .minimum_size = 32                                                                         \
    }

const vt_architecture vt_architectures_vgg[2] = {
    VGG(16, 138365992, 15.470),
    VGG(19, 143678248, 19.632),
};
