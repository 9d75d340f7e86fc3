/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many pictures a second one core turns from JPEG bytes into network input. bench/decode runs
 * this beside another library's program over the same files.
 *
 *     decode measure LIST SIDE KERNEL     one warm-up and one timed pass over the files that LIST
 *                                         names, one a line; prints one line of JSON
 *     decode enlarge LIST SIDE FOLDER     writes each file to FOLDER, scaled to SIDE on its long
 * side
 *
 * Files are read before the clock starts. The tensor is cover, SIDE x SIDE, normalised by mean and
 * deviation, as in the peer's program.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/file.h"
#include "base/mem.h"
#include "bench/files.h"
#include "image/image.h"

enum { BENCH_WARM_UP = 50 };

static int bench_fail(const vt_error *error)
{
    fprintf(stderr, "decode: %s\n", error->message);
    return 1;
}

typedef struct bench_times {
    double decode_ms, tensor_ms, sum;
} bench_times;

static vt_status bench_one(const vt_buf *file, const vt_pixel_spec *spec, float *tensor,
                           bench_times *times, vt_error *error)
{
    vt_decode_options options = vt_decode_options_defaults();
    vt_image image;
    vt_pixel_spec_fit(spec, &options.fit_width, &options.fit_height);
    double begin = vt_clock_ms();
    vt_status status = vt_image_decode(file->data, file->length, &options, &image, error);
    if (status != VT_OK)
        return status;
    double decoded = vt_clock_ms();
    status = vt_image_to_tensor(&image, spec, tensor, error);
    vt_image_deinit(&image);
    times->decode_ms += decoded - begin;
    times->tensor_ms += vt_clock_ms() - decoded;
    times->sum += (double)tensor[spec->width * spec->height / 2]; /* the work has a use */
    return status;
}

static vt_status bench_measure(const vt_bench_files *files, int side, vt_kernel kernel,
                               vt_error *error)
{
    vt_pixel_spec spec = {.width = side,
                          .height = side,
                          .fit = VT_FIT_COVER,
                          .kernel = kernel,
                          .crop_ratio = 1.0f,
                          .scale = 1.0f / 255.0f,
                          .mean = {0.485f, 0.456f, 0.406f},
                          .std = {0.229f, 0.224f, 0.225f}};
    bench_times warm = {0}, times = {0};
    float *tensor = vt_alloc_array(3 * (size_t)side * (size_t)side, sizeof *tensor);
    if (!tensor)
        return vt_fail_memory(error, "a tensor");
    vt_status status = VT_OK;
    for (size_t i = 0; i < files->count && i < BENCH_WARM_UP && status == VT_OK; i++)
        status = bench_one(&files->contents[i], &spec, tensor, &warm, error);
    double begin = vt_clock_ms();
    for (size_t i = 0; i < files->count && status == VT_OK; i++)
        status = bench_one(&files->contents[i], &spec, tensor, &times, error);
    double spent_ms = vt_clock_ms() - begin, count = (double)files->count;
    vt_free(tensor);
    if (status == VT_OK)
        printf(
            "{\"images\": %zu, \"images_per_s\": %.1f, \"decode_ms\": %.3f, \"tensor_ms\": %.3f, "
            "\"cpu\": \"%s\", \"checksum\": %.3f}\n",
            files->count, count / spent_ms * 1000.0, times.decode_ms / count,
            times.tensor_ms / count, vt_cpu_name(vt_cpu()), times.sum / count);
    return status;
}

static vt_status bench_enlarge_one(const vt_buf *file, int side, const char *path, vt_error *error)
{
    vt_image image = {0}, large = {0};
    vt_buf jpeg;
    vt_buf_init(&jpeg, VT_BENCH_FILE_BYTES);
    vt_status status = vt_image_decode(file->data, file->length, NULL, &image, error);
    if (status == VT_OK) {
        int longer = image.width > image.height ? image.width : image.height;
        status = vt_image_resize(&image, image.width * side / longer, image.height * side / longer,
                                 VT_FIT_SQUASH, VT_KERNEL_BICUBIC, NULL, &large, error);
    }
    if (status == VT_OK)
        status = vt_image_encode_jpeg(&large, 85, &jpeg, error);
    if (status == VT_OK)
        status = vt_file_replace(path, jpeg.data, jpeg.length, false, error);
    vt_buf_deinit(&jpeg);
    vt_image_deinit(&image);
    vt_image_deinit(&large);
    return status;
}

static vt_status bench_enlarge(const vt_bench_files *files, int side, const char *folder,
                               vt_error *error)
{
    vt_status status = VT_OK;
    for (size_t i = 0; i < files->count && status == VT_OK; i++) {
        char name[32];
        snprintf(name, sizeof name, "%05zu.jpg", i);
        char *path = vt_path_join(folder, name);
        status = path ? bench_enlarge_one(&files->contents[i], side, path, error)
                      : vt_fail_memory(error, "a path");
        vt_free(path);
    }
    return status;
}

int main(int argc, char **argv)
{
    vt_error error = {0};
    int64_t side;
    vt_kernel kernel = VT_KERNEL_BICUBIC;
    bool measure = argc == 5 && strcmp(argv[1], "measure") == 0;
    bool enlarge = argc == 5 && strcmp(argv[1], "enlarge") == 0;
    if ((!measure && !enlarge) || !vt_parse_int(argv[3], 1, 10000, &side) ||
        (measure && !vt_kernel_from_name(argv[4], &kernel))) {
        fprintf(stderr, "usage: decode measure LIST SIDE area|bilinear|bicubic|lanczos\n"
                        "       decode enlarge LIST SIDE FOLDER\n");
        return 2;
    }
    vt_bench_files files;
    vt_status status = vt_bench_files_open(&files, argv[2], &error);
    if (status == VT_OK)
        status = measure ? bench_measure(&files, (int)side, kernel, &error)
                         : bench_enlarge(&files, (int)side, argv[4], &error);
    vt_bench_files_close(&files);
    return status == VT_OK ? 0 : bench_fail(&error);
}
