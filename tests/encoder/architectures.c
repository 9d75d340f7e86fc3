/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes every architecture, small, with an input each, for test_architectures_peers.sh.
 *
 *     architectures DIRECTORY    DIRECTORY/<name>.onnx, <name>.noise.0.npy and cases.txt
 */
#include "base/file.h"
#include "base/random.h"
#include "encoder/architecture.h"

#include <stdio.h>
#include <string.h>

enum { BATCH = 2 };

static bool write_file(const char *directory, const char *name, const char *ending, vt_buf *file)
{
    char path[1024];
    vt_error error = {0};
    snprintf(path, sizeof(path), "%s/%s%s", directory, name, ending);
    if (file->failed || vt_file_replace(path, file->data, file->length, false, &error) != VT_OK) {
        fprintf(stderr, "architectures: cannot write \"%s\": %s\n", path, error.message);
        return false;
    }
    return true;
}

static bool write_noise(const char *directory, const char *name, int size)
{
    const vt_shape shape = {.rank = 4, .dims = {BATCH, 3, size, size}};
    vt_tensor image;
    vt_buf file;
    vt_random random;
    if (vt_tensor_init(&image, VT_F32, &shape, 0, NULL) != VT_OK)
        return false;
    vt_random_init(&random, 5);
    float *values = image.data;
    for (size_t i = 0; i < vt_tensor_count(&image); i++)
        values[i] = (float)vt_random_normal(&random);
    vt_buf_init(&file, (size_t)1 << 30);
    bool done = vt_tensor_write_npy(&image, &file, NULL) == VT_OK &&
                write_file(directory, name, ".noise.0.npy", &file);
    vt_buf_deinit(&file);
    vt_tensor_deinit(&image);
    return done;
}

static bool write_architecture(const char *directory, const vt_architecture_info *info)
{
    vt_architecture_options options = vt_architecture_options_defaults();
    vt_model *model;
    vt_buf file;
    vt_error error = {0};
    bool vit = strncmp(info->name, "vit", 3) == 0;
    options.size = strcmp(info->name, "inception3") == 0 ? 75 : 32;
    options.width = info->has_width ? 0.25 : 1;
    options.small_input = info->has_small_input;
    options.patch = vit ? 8 : 0;
    /* Untrained, these give scores that are too large or too small to say anything. */
    bool vector_only = strncmp(info->name, "mobilenet", 9) == 0 || options.size == 75;
    options.heads = vector_only ? NULL : "category:5,color:3";
    options.dim = 16;
    options.stochastic_depth = 0.1;
    options.pooling = options.size == 75 ? VT_POOLING_AVERAGE : VT_POOLING_GEM;
    options.fuse = vit ? 0 : 3;
    if (vt_architecture_build(info->name, &options, &model, &error) != VT_OK) {
        fprintf(stderr, "architectures: %s\n", error.message);
        return false;
    }
    vt_buf_init(&file, (size_t)1 << 30);
    bool done = vt_model_write(model, &file, &error) == VT_OK &&
                write_file(directory, info->name, ".onnx", &file) &&
                write_noise(directory, info->name, options.size);
    vt_buf_deinit(&file);
    vt_model_free(model);
    return done;
}

int main(int argc, char **argv)
{
    const vt_architecture_info *info;
    vt_buf cases;
    bool done = argc == 2;
    vt_buf_init(&cases, 1 << 16);
    for (size_t i = 0; done && (info = vt_architecture_list(i)) != NULL; i++) {
        done = write_architecture(argv[1], info);
        vt_buf_printf(&cases, "%s noise %s.noise.0.npy\n", info->name, info->name);
    }
    done = done && write_file(argv[1], "cases", ".txt", &cases);
    vt_buf_deinit(&cases);
    return done ? 0 : 1;
}
