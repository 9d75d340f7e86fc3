/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What test_training_peers.sh asks of vitrine: steps of plain gradient descent on an ONNX network.
 *
 *     training_steps MODEL.onnx DIR STEPS RATE PRECISION
 *
 * Reads DIR/input<i>.npy, trains towards the model's last output, and writes to DIR: losses.txt
 * (one per step), gradient.<name>.npy of the first step, value.<name>.npy after the last one,
 * state.<name>.npy likewise, and output.npy, the first output in the first step.
 */
#include "base/file.h"
#include "nn/training.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAXIMUM_INPUTS = 8, PATH_BYTES = 1024 };
static const size_t file_maximum = (size_t)1 << 30;

static void die(const vt_error *error)
{
    fprintf(stderr, "training_steps: %s\n", error->message);
    exit(1);
}

static void read_input(const char *directory, size_t index, vt_tensor *out)
{
    char path[PATH_BYTES];
    vt_error error;
    vt_buf bytes;
    vt_buf_init(&bytes, file_maximum);
    snprintf(path, sizeof path, "%s/input%zu.npy", directory, index);
    if (vt_file_read(path, file_maximum, &bytes, &error) != VT_OK ||
        vt_tensor_read_npy(bytes.data, bytes.length, out, &error) != VT_OK)
        die(&error);
    vt_buf_deinit(&bytes);
}

static void write_tensor(const char *directory, const char *kind, const char *name,
                         const vt_tensor *tensor)
{
    char path[PATH_BYTES];
    vt_error error;
    vt_buf bytes;
    vt_buf_init(&bytes, file_maximum);
    snprintf(path, sizeof path, "%s/%s%s.npy", directory, kind, name);
    for (char *at = path + strlen(directory) + 1; *at != '\0'; at++)
        *at = *at == '/' || *at == ':' ? '_' : *at;
    FILE *file = vt_tensor_write_npy(tensor, &bytes, &error) == VT_OK ? fopen(path, "wb") : NULL;
    if (file == NULL || fwrite(bytes.data, 1, bytes.length, file) != bytes.length ||
        fclose(file) != 0) {
        fprintf(stderr, "training_steps: cannot write %s\n", path);
        exit(1);
    }
    vt_buf_deinit(&bytes);
}

static void write_floats(const char *directory, const char *kind, const vt_parameter *p,
                         float *values)
{
    const vt_tensor tensor = {
        .dtype = VT_F32, .shape = p->shape, .data = values, .bytes = p->count * sizeof(float)};
    write_tensor(directory, kind, p->name, &tensor);
}

static void descend(vt_training *training, float rate)
{
    for (size_t i = 0; i < vt_training_parameter_count(training); i++) {
        vt_parameter p = vt_training_parameter(training, i);
        for (size_t k = 0; k < p.count; k++)
            p.value[k] -= rate * p.gradient[k];
    }
}

static void write_end(vt_training *training, const char *directory)
{
    for (size_t i = 0; i < vt_training_parameter_count(training); i++) {
        vt_parameter p = vt_training_parameter(training, i);
        write_floats(directory, "value.", &p, p.value);
    }
    for (size_t i = 0; i < vt_training_state_count(training); i++) {
        vt_parameter p = vt_training_state(training, i);
        write_floats(directory, "state.", &p, p.value);
    }
}

static void run(vt_training *training, size_t input_count, char **argv)
{
    char path[PATH_BYTES];
    vt_error error;
    vt_tensor inputs[MAXIMUM_INPUTS], output;
    snprintf(path, sizeof path, "%s/losses.txt", argv[2]);
    FILE *losses = fopen(path, "w");
    if (losses == NULL)
        exit(1);
    for (size_t i = 0; i < input_count; i++)
        read_input(argv[2], i, &inputs[i]);
    for (int step = 0; step < atoi(argv[3]); step++) {
        float loss;
        if (vt_training_step(training, inputs, input_count, &loss, &output, &error) != VT_OK)
            die(&error);
        fprintf(losses, "%.9g\n", (double)loss);
        for (size_t i = 0; step == 0 && i < vt_training_parameter_count(training); i++) {
            vt_parameter p = vt_training_parameter(training, i);
            write_floats(argv[2], "gradient.", &p, p.gradient);
        }
        if (step == 0)
            write_tensor(argv[2], "output", "", &output);
        descend(training, (float)atof(argv[4]));
    }
    fclose(losses);
    write_end(training, argv[2]);
    for (size_t i = 0; i < input_count; i++)
        vt_tensor_deinit(&inputs[i]);
}

int main(int argc, char **argv)
{
    vt_error error;
    vt_model *model;
    vt_training *training;
    vt_training_options options = vt_training_options_defaults();
    if (argc != 6 || !vt_precision_parse(argv[5], &options.precision))
        return 2;
    if (vt_model_open(argv[1], NULL, &model, &error) != VT_OK)
        die(&error);
    const char *output = vt_model_output(model, 0).name;
    options.loss = vt_model_output(model, vt_model_output_count(model) - 1).name;
    options.outputs = &output;
    options.output_count = 1;
    if (vt_model_input_count(model) > MAXIMUM_INPUTS)
        return 2;
    if (vt_training_new(model, &options, &training, &error) != VT_OK)
        die(&error);
    run(training, vt_model_input_count(model), argv);
    vt_training_free(training);
    vt_model_free(model);
    return 0;
}
