/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New heads on a network that is there already: what an architecture ends with, on the value of
 * another network that is chosen as its features.
 *
 * The network is cut off behind that value and what else is to stay, and goes through a file in
 * memory, so that names of former heads are free again.
 */
#include "encoder/architecture_net.h"

#include "nn/weights.h"

#include <string.h>

enum { FILE_BYTES = 0x7fffffff, MAXIMUM_KEPT = 33 };

/* Layers as in torch.nn; no dropout of its own. */
static const vt_architecture plain = {.info = {.name = "heads of its own"},
                                      .zero_classes = true,
                                      .conv = VT_START_TORCH,
                                      .linear = VT_START_TORCH,
                                      .epsilon = 1e-5F,
                                      .momentum = 0.9F};

static vt_status cut_off(const vt_model *model, const char *const *outputs, size_t count,
                         vt_model **out, vt_error *error)
{
    vt_model *copy = NULL, *raised = NULL;
    vt_model_limits limits = vt_model_limits_defaults();
    vt_buf file;
    vt_buf_init(&file, FILE_BYTES);
    vt_status status = vt_model_dup(model, &copy, error);
    if (status == VT_OK)
        status = vt_model_prune(copy, outputs, count, error);
    if (status == VT_OK)
        status = vt_model_raise(copy, &raised, error);
    if (status == VT_OK)
        status = vt_model_write(raised, &file, error);
    if (status == VT_OK)
        status = vt_model_parse(file.data, file.length, &limits, out, error);
    vt_model_free(raised);
    vt_model_free(copy);
    vt_buf_deinit(&file);
    return status;
}

static void add_heads(vt_net *net, const vt_extension *from)
{
    vt_map features = {.value = vt_builder_find(net->builder, from->feature),
                       .channels = (int)from->shape.dims[1],
                       .side = from->shape.rank == 4 ? (int)from->shape.dims[2] : 1};
    vt_builder_clear_outputs(net->builder);
    if (from->scored != NULL)
        net->scored = (vt_vector){vt_builder_find(net->builder, from->scored), from->scored_width};
    if (from->shape.rank == 2) /* pooled already: a map of one pixel */
        features.value =
            vt_net_reshape(net, features.value, (const int64_t[]){0, from->shape.dims[1], 1, 1}, 4);
    vt_net_heads(net, features);
    for (size_t i = 0; i < from->keep_count; i++)
        vt_builder_output(net->builder, from->keep[i],
                          vt_builder_find(net->builder, from->keep[i]));
}

vt_status vt_architecture_extend(const vt_model *model, const vt_extension *from,
                                 const vt_architecture_options *options, vt_model **out,
                                 vt_error *error)
{
    const char *outputs[MAXIMUM_KEPT + 1] = {from->feature};
    vt_model *trunk = NULL;
    if (from->keep_count > MAXIMUM_KEPT || options->fuse != 0 ||
        (from->shape.rank != 2 && from->shape.rank != 4))
        return vt_fail(error, VT_ERR_USAGE,
                       "heads on value \"%.200s\": it has to have 2 or 4 axes, and only networks "
                       "by name have resolutions to fuse",
                       from->feature);
    for (size_t i = 0; i < from->keep_count; i++)
        outputs[1 + i] = from->keep[i];
    vt_status status = cut_off(model, outputs, 1 + from->keep_count, &trunk, error);
    if (status != VT_OK)
        return status;
    vt_net net;
    vt_net_init(&net, &plain, options);
    status = vt_builder_from(trunk, &net.builder, error);
    vt_model_free(trunk);
    if (status != VT_OK)
        return status;
    add_heads(&net, from);
    return vt_builder_finish(net.builder, out, error);
}
