/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LoRA: Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models" (2021), equation 3:
 * h = W x + (alpha / r) B A x, with B 0 and A random at first.
 *
 * The sum is taken on the weight's side, h = (W + (alpha / r) B A) x, which is the same function
 * and needs to know nothing of how the operator reads W (transposed, as a 1x1 convolution, by
 * several readers). It costs the product B A and one gradient of W's size in a step, both small
 * beside a batch's. W is seen as a matrix of its first side and the rest; A starts uniform within
 * 1 / sqrt(rest), as in the authors' program.
 */
#include "train/adapter.h"

#include "base/mem.h"
#include "base/random.h"
#include "nn/builder.h"
#include "train/freeze.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 1024, LINKS = 4 }; /* MatMul, Reshape, Mul, Add */

vt_adapter_options vt_adapter_options_defaults(void)
{
    return (vt_adapter_options){.rank = 8};
}

/* "<weight>.<suffix>" */
static void full_name(char out[NAME_BYTES], const char *weight, const char *suffix)
{
    snprintf(out, NAME_BYTES, "%.900s.%s", weight, suffix);
}

static bool fits(const vt_selected *item, const vt_adapter_options *options)
{
    const vt_shape *shape = &item->shape;
    bool point = shape->rank == 4 && shape->dims[2] == 1 && shape->dims[3] == 1;
    return item->role == VT_WEIGHT_KERNEL && !item->head && !item->adapter &&
           (shape->rank == 2 || point) && shape->dims[0] > options->rank &&
           shape->dims[1] > options->rank && strlen(item->name) < 900 &&
           (options->only == NULL || strstr(item->name, options->only) != NULL);
}

/* ---- adding ---- */

static vt_value_id random_rows(vt_builder *builder, const char *name, const vt_shape *shape,
                               vt_random *random)
{
    vt_error error = {0};
    vt_tensor tensor = {0};
    if (vt_builder_failed(builder))
        return VT_NO_VALUE;
    vt_status status = vt_tensor_init(&tensor, VT_F32, shape, 0, &error);
    if (status != VT_OK) {
        vt_builder_fail(builder, status, error.message);
        return VT_NO_VALUE;
    }
    float *values = tensor.data, bound = 1.0F / sqrtf((float)shape->dims[1]);
    for (size_t i = 0; i < vt_tensor_count(&tensor); i++)
        values[i] = vt_random_float(random, -bound, bound);
    return vt_builder_constant(builder, name, &tensor);
}

/* Four nodes behind lora_b, in this order, which merging relies on. */
static void add_adapter(vt_builder *builder, const vt_selected *item, double scale,
                        vt_random *random, int rank)
{
    char name[NAME_BYTES];
    int64_t rest = item->shape.dims[1];
    const vt_shape a_shape = {.rank = 2, .dims = {rank, rest}};
    const vt_shape b_shape = {.rank = 2, .dims = {item->shape.dims[0], rank}};
    full_name(name, item->name, "lora_a");
    vt_value_id a = random_rows(builder, name, &a_shape, random);
    full_name(name, item->name, "lora_b");
    vt_value_id b = vt_builder_floats(builder, name, &b_shape, NULL);
    full_name(name, item->name, "fixed_shape");
    vt_value_id shape = vt_builder_ints(builder, name, item->shape.dims, (size_t)item->shape.rank);
    full_name(name, item->name, "fixed_scale");
    vt_value_id factor = vt_builder_scalar(builder, name, (float)scale);
    vt_value_id w = vt_builder_find(builder, item->name);
    vt_value_id y = vt_builder_node(builder, "MatMul", NULL, (vt_value_id[]){b, a}, 2);
    y = vt_builder_node(builder, "Reshape", NULL, (vt_value_id[]){y, shape}, 2);
    y = vt_builder_node(builder, "Mul", NULL, (vt_value_id[]){y, factor}, 2);
    vt_builder_node(builder, "Add", NULL, (vt_value_id[]){w, y}, 2);
}

/* The changed weight's name, told by the chain behind lora_b; NULL: broken. */
static const char *changed_weight(const vt_model *model, const char *weight)
{
    char name[NAME_BYTES];
    full_name(name, weight, "lora_b");
    const char *at = vt_model_reader(model, name);
    for (int i = 1; i < LINKS && at != NULL; i++)
        at = vt_model_reader(model, at);
    return at;
}

static vt_status add_all(const vt_model *model, const vt_selection *selection,
                         const vt_adapter_options *options, vt_model **out, vt_error *error)
{
    vt_random random;
    vt_builder *builder;
    vt_model *adapted = NULL;
    double alpha = options->alpha == 0.0 ? options->rank : options->alpha;
    vt_status status = vt_builder_from(model, &builder, error);
    if (status != VT_OK)
        return status;
    vt_random_init(&random, options->seed);
    for (size_t i = 0; i < selection->count; i++)
        if (fits(&selection->items[i], options))
            add_adapter(builder, &selection->items[i], alpha / options->rank, &random,
                        options->rank);
    status = vt_builder_finish(builder, &adapted, error);
    for (size_t i = 0; i < selection->count && status == VT_OK; i++) {
        const char *weight = selection->items[i].name;
        if (fits(&selection->items[i], options))
            status = vt_model_redirect(adapted, weight, changed_weight(adapted, weight), error);
    }
    if (status == VT_OK)
        *out = adapted;
    else
        vt_model_free(adapted);
    return status;
}

vt_status vt_adapter_add(const vt_model *model, const vt_adapter_options *options, vt_model **out,
                         size_t *count, vt_error *error)
{
    vt_selection selection;
    size_t found = 0;
    if (options->rank < 1 || options->rank > 1024 || !(options->alpha >= 0.0) ||
        !isfinite(options->alpha))
        return vt_fail(error, VT_ERR_USAGE,
                       "adapters have a rank from 1 to 1024 and an alpha that is not negative");
    vt_status status = vt_selection_init(&selection, model, NULL, 1, error);
    if (status != VT_OK)
        return status;
    for (size_t i = 0; i < selection.count; i++)
        found += fits(&selection.items[i], options);
    status = found > 0 ? add_all(model, &selection, options, out, error)
                       : vt_fail(error, VT_ERR_USAGE, "no weight can have an adapter of rank %d",
                                 options->rank);
    vt_selection_deinit(&selection);
    if (status == VT_OK)
        *count = found;
    return status;
}

/* ---- merging ---- */

typedef struct factors {
    vt_tensor w, a, b, scale;
} factors;

static void factors_deinit(factors *f)
{
    vt_tensor_deinit(&f->w);
    vt_tensor_deinit(&f->a);
    vt_tensor_deinit(&f->b);
    vt_tensor_deinit(&f->scale);
}

static vt_status factors_read(const vt_model *model, const char *weight, factors *f,
                              vt_error *error)
{
    char name[NAME_BYTES];
    *f = (factors){0};
    vt_status status = vt_model_weight_read(model, weight, &f->w, error);
    full_name(name, weight, "lora_a");
    if (status == VT_OK)
        status = vt_model_weight_read(model, name, &f->a, error);
    full_name(name, weight, "lora_b");
    if (status == VT_OK)
        status = vt_model_weight_read(model, name, &f->b, error);
    full_name(name, weight, "fixed_scale");
    if (status == VT_OK)
        status = vt_model_weight_read(model, name, &f->scale, error);
    /* A file may hold anything under these names. */
    if (status == VT_OK &&
        (f->a.shape.rank != 2 || f->b.shape.rank != 2 || f->a.shape.dims[0] != f->b.shape.dims[1] ||
         f->w.shape.rank < 2 || f->w.shape.dims[0] != f->b.shape.dims[0] ||
         vt_tensor_count(&f->w) != (size_t)(f->b.shape.dims[0] * f->a.shape.dims[1]) ||
         vt_tensor_count(&f->scale) != 1))
        status = vt_fail(error, VT_ERR_FORMAT, "the adapter of \"%.200s\" does not fit it", weight);
    if (status != VT_OK)
        factors_deinit(f);
    return status;
}

/* W += scale B A, sums in double. */
static void take_in(factors *f)
{
    size_t rows = (size_t)f->b.shape.dims[0], rank = (size_t)f->a.shape.dims[0];
    size_t rest = (size_t)f->a.shape.dims[1];
    const float *a = f->a.data, *b = f->b.data;
    double scale = (double)*(const float *)f->scale.data;
    float *w = f->w.data;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < rest; j++) {
            double sum = 0;
            for (size_t k = 0; k < rank; k++)
                sum += (double)b[i * rank + k] * (double)a[k * rest + j];
            w[i * rest + j] = (float)((double)w[i * rest + j] + scale * sum);
        }
}

static vt_status merge_one(vt_model *model, const char *adapter, vt_error *error)
{
    char weight[NAME_BYTES];
    factors f;
    snprintf(weight, sizeof(weight), "%.*s", (int)(strlen(adapter) - strlen(".lora_a")), adapter);
    const char *changed = changed_weight(model, weight);
    if (changed == NULL)
        return vt_fail(error, VT_ERR_FORMAT, "the adapter of \"%.200s\" is not connected", weight);
    vt_status status = factors_read(model, weight, &f, error);
    if (status != VT_OK)
        return status;
    take_in(&f);
    status = vt_model_weight_write(model, weight, f.w.data, vt_tensor_count(&f.w), error);
    factors_deinit(&f);
    return status == VT_OK ? vt_model_redirect(model, changed, weight, error) : status;
}

vt_status vt_adapter_merge(const vt_model *model, vt_model **out, vt_error *error)
{
    vt_selection selection;
    vt_model *merged = NULL;
    vt_status status = vt_selection_init(&selection, model, NULL, 1, error);
    if (status != VT_OK)
        return status;
    status = vt_model_dup(model, &merged, error);
    for (size_t i = 0; i < selection.count && status == VT_OK; i++) {
        const vt_selected *item = &selection.items[i];
        size_t length = strlen(item->name);
        if (item->adapter && length < NAME_BYTES && item->name[length - 1] == 'a')
            status = merge_one(merged, item->name, error);
    }
    if (status == VT_OK)
        status = vt_model_prune(merged, NULL, 0, error);
    vt_selection_deinit(&selection);
    if (status == VT_OK)
        *out = merged;
    else
        vt_model_free(merged);
    return status;
}
