/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building the picture cache: photos are decoded in blocks by all threads and written in order, so
 * that memory is bounded by a block and the file is the same for any number of threads.
 *
 * Pictures longer than four times their short side lose both ends: nothing that is trained looks at
 * them, and one panorama should not weigh as much as a hundred photos.
 */
#include "train/picture_cache_file.h"

#include "base/crc32c.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 128, LONGEST = 4, REASON_BYTES = 256 };

typedef struct block_work {
    const vt_cache_plan *plan;
    size_t first;
    vt_image images[BLOCK];
    vt_error errors[BLOCK];
} block_work;

typedef struct writer {
    FILE *file;
    const char *path; /* the temporary file's */
    uint64_t offset;
    uint8_t *index; /* (count, VT_CACHE_ENTRY_BYTES) */
    size_t done;
} writer;

static vt_status cut_ends(vt_image *image, vt_error *error)
{
    int side = image->width < image->height ? image->width : image->height;
    int longest = side * LONGEST;
    if (image->width <= longest && image->height <= longest)
        return VT_OK;
    vt_rect middle = {0, 0, image->width, image->height};
    if (middle.width > longest)
        middle = (vt_rect){(image->width - longest) / 2, 0, longest, image->height};
    else
        middle = (vt_rect){0, (image->height - longest) / 2, image->width, longest};
    vt_image cut;
    vt_status status = vt_image_crop(image, middle, &cut, error);
    if (status != VT_OK)
        return status;
    vt_image_deinit(image);
    *image = cut;
    return VT_OK;
}

static vt_status shrink(vt_image *image, int short_side, vt_error *error)
{
    static const uint8_t black[3];
    int side = image->width < image->height ? image->width : image->height;
    if (side <= short_side)
        return VT_OK;
    double scale = (double)short_side / side;
    int width = image->width == side ? short_side : (int)(image->width * scale + 0.5);
    int height = image->height == side ? short_side : (int)(image->height * scale + 0.5);
    vt_image small;
    vt_status status = vt_image_resize(image, width, height, VT_FIT_SQUASH, VT_KERNEL_BILINEAR,
                                       black, &small, error);
    if (status != VT_OK)
        return status;
    vt_image_deinit(image);
    *image = small;
    return VT_OK;
}

static void decode_one(void *context, size_t i)
{
    block_work *work = context;
    int side = work->plan->options->short_side_px;
    vt_decode_options options = vt_decode_options_defaults();
    options.fit_width = options.fit_height = side;
    vt_image *image = &work->images[i];
    vt_error *error = &work->errors[i];
    *image = (vt_image){0};
    *error = (vt_error){0};
    vt_status status =
        vt_image_decode_file(work->plan->paths[work->first + i], &options, image, error);
    if (status == VT_OK)
        status = cut_ends(image, error);
    if (status == VT_OK)
        status = shrink(image, side, error);
    if (status != VT_OK)
        vt_image_deinit(image);
}

static vt_status write_bytes(writer *out, const void *bytes, size_t length, vt_error *error)
{
    if (length > 0 && fwrite(bytes, 1, length, out->file) != length)
        return vt_fail_errno(error, errno, "write", out->path);
    out->offset += length;
    return VT_OK;
}

static vt_status write_one(writer *out, const vt_image *image, const vt_error *failure,
                           vt_error *error)
{
    /* Says nothing about the photo. */
    if (failure->status == VT_ERR_NO_MEMORY)
        return vt_fail(error, failure->status, "%s", failure->message);
    const void *bytes = image->rgb;
    size_t length = (size_t)image->width * (size_t)image->height * 3;
    uint32_t width = (uint32_t)image->width;
    if (failure->status != VT_OK) {
        bytes = failure->message;
        length = strnlen(failure->message, REASON_BYTES);
        width = (uint32_t)length;
    }
    uint8_t *at = out->index + out->done++ * VT_CACHE_ENTRY_BYTES;
    vt_cache_put64(at, out->offset);
    vt_cache_put32(at + 8, width);
    vt_cache_put32(at + 12, failure->status == VT_OK ? (uint32_t)image->height : 0);
    vt_cache_put32(at + 16, vt_crc32c(0, bytes, length));
    vt_cache_put32(at + 20, (uint32_t)failure->status);
    return write_bytes(out, bytes, length, error);
}

static vt_status write_pictures(const vt_cache_plan *plan, writer *out, block_work *work,
                                vt_error *error)
{
    const vt_picture_cache_options *options = plan->options;
    vt_status status = VT_OK;
    for (work->first = 0; status == VT_OK && work->first < plan->count; work->first += BLOCK) {
        size_t left = plan->count - work->first, count = left < BLOCK ? left : BLOCK;
        vt_pool_for(options->pool, count, decode_one, work);
        for (size_t i = 0; i < count; i++) {
            if (status == VT_OK)
                status = write_one(out, &work->images[i], &work->errors[i], error);
            vt_image_deinit(&work->images[i]);
        }
        if (status == VT_OK && options->on_progress != NULL &&
            !options->on_progress(options->context, work->first + count, plan->count))
            status = vt_fail(error, VT_ERR_CANCELLED, "cache pictures: cancelled");
    }
    return status;
}

static vt_status write_ends(const vt_cache_plan *plan, writer *out, vt_error *error)
{
    uint8_t header[VT_CACHE_HEADER_BYTES] = {0};
    size_t index_bytes = plan->count * VT_CACHE_ENTRY_BYTES;
    memcpy(header, VT_CACHE_MAGIC, 8);
    vt_cache_put32(header + 8, VT_CACHE_VERSION);
    vt_cache_put32(header + 12, (uint32_t)plan->options->short_side_px);
    vt_cache_put64(header + 16, plan->count);
    vt_cache_put64(header + 24, out->offset);
    memcpy(header + 32, plan->key.bytes, VT_HASH_BYTES);
    vt_cache_put32(header + 64, vt_crc32c(0, out->index, index_bytes));
    vt_cache_put32(header + 124, vt_crc32c(0, header, 124));
    vt_status status = write_bytes(out, out->index, index_bytes, error);
    if (status == VT_OK && (fseek(out->file, 0, SEEK_SET) != 0 ||
                            fwrite(header, 1, sizeof(header), out->file) != sizeof(header) ||
                            fflush(out->file) != 0 || fsync(fileno(out->file)) != 0))
        status = vt_fail_errno(error, errno, "write", out->path);
    return status;
}

static vt_status write_file(const vt_cache_plan *plan, writer *out, vt_error *error)
{
    static const uint8_t room[VT_CACHE_HEADER_BYTES];
    block_work *work = vt_calloc(1, sizeof(*work));
    out->index = vt_calloc(plan->count + 1, VT_CACHE_ENTRY_BYTES);
    vt_status status = VT_OK;
    if (work == NULL || out->index == NULL)
        status = vt_fail_memory(error, "a picture cache");
    if (status == VT_OK) {
        work->plan = plan;
        status = write_bytes(out, room, sizeof(room), error);
    }
    if (status == VT_OK)
        status = write_pictures(plan, out, work, error);
    if (status == VT_OK)
        status = write_ends(plan, out, error);
    vt_free(work);
    vt_free(out->index);
    return status;
}

vt_status vt_cache_build(const vt_cache_plan *plan, vt_error *error)
{
    vt_buf name;
    vt_buf_init(&name, 1 << 16);
    if (!vt_buf_printf(&name, "%s.%ld.new", plan->options->path, (long)getpid())) {
        vt_buf_deinit(&name);
        return vt_fail_memory(error, "a path");
    }
    writer out = {.path = name.data, .file = fopen(name.data, "wbe")};
    if (out.file == NULL) {
        vt_status failed = vt_fail_errno(error, errno, "write", name.data);
        vt_buf_deinit(&name);
        return failed;
    }
    vt_status status = write_file(plan, &out, error);
    if (fclose(out.file) != 0 && status == VT_OK)
        status = vt_fail_errno(error, errno, "write", name.data);
    if (status == VT_OK && rename(name.data, plan->options->path) != 0)
        status = vt_fail_errno(error, errno, "write", plan->options->path);
    if (status != VT_OK)
        unlink(name.data);
    vt_buf_deinit(&name);
    return status;
}
