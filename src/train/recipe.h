/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recipes: everything that decides what a training run comes to, as keys with values; read from a
 * JSON file, from single settings (the command line's), written down with the result.
 *
 *     vt_recipe recipe;
 *     vt_recipe_init(&recipe, error);
 *     vt_recipe_read(&recipe, "recipe.json", error);
 *     vt_recipe_set(&recipe, "epochs", "30", error);
 *     vt_recipe_check(&recipe, error);                 // what is inside the texts
 *     vt_recipe_deinit(&recipe);
 *
 * Threads: a recipe belongs to one thread while it is changed.
 */
#ifndef VT_TRAIN_RECIPE_H
#define VT_TRAIN_RECIPE_H

#include "base/json.h"
#include "base/mem.h"
#include "encoder/architecture.h"
#include "encoder/encoder.h"
#include "image/augment.h"
#include "train/optimizer.h"
#include "train/sampler.h"
#include "train/schedule.h"

typedef struct vt_recipe {
    /* As given; texts are the recipe's, NULL: none. */
    const char *arch, *from, *preset, *pooling, *fit, *kernel, *loss, *teacher, *optimizer,
        *schedule, *augment, *sampler, *label, *val, *split, *measure, *precision, *freeze,
        *activation;
    double epochs, batch, accumulate, lr, ema, size, first_size, first_epochs, dim, fuse, width,
        dropout, depth, val_share, early_stop, seed, threads, crop_ratio, layer_rate, bias_rate,
        imprint, sam, sam_epochs, lora;
    bool small_input, whiten, identity, recompute;
    /* What they say; filled by vt_recipe_check. */
    vt_optimizer_options optimize;
    vt_schedule rates;
    vt_augment augmentation;
    vt_sampler_options sampling;
    vt_precision compute;
    vt_fit pixel_fit;
    vt_kernel pixel_kernel;
    vt_activation activate;
    vt_arena arena;
} vt_recipe;

vt_status vt_recipe_init(vt_recipe *recipe, vt_error *error); /* the defaults */
void vt_recipe_deinit(vt_recipe *recipe);
/* VT_ERR_USAGE names the key that is unknown or whose value is impossible; a file is
 * VT_ERR_FORMAT where it is no JSON object. */
vt_status vt_recipe_set(vt_recipe *recipe, const char *key, const char *value, vt_error *error);
vt_status vt_recipe_parse(vt_recipe *recipe, const char *json, size_t length, vt_error *error);
vt_status vt_recipe_read(vt_recipe *recipe, const char *path, vt_error *error);
vt_status vt_recipe_check(vt_recipe *recipe, vt_error *error);
/* Members of the open object: all keys. */
void vt_recipe_print(const vt_recipe *recipe, vt_json_writer *writer);
/* The same for what is handed on: of files their names, not where on this machine they lie. */
void vt_recipe_print_public(const vt_recipe *recipe, vt_json_writer *writer);

#endif
