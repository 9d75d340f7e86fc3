/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One picture: from the feed's reference to bytes, and from bytes to decoded pixels, perceptual
 * hash and thumbnail. What is decoded is no larger than the encoder and the thumbnail need; the
 * perceptual hash is taken from that too, since it looks at 32x32.
 */
#include "ingest/feed_row.h"
#include "ingest/job.h"

#include "base/file.h"

#include <string.h>
#include <strings.h>

enum { THUMBNAIL_QUALITY = 85, THUMBNAIL_MAXIMUM_BYTES = 16 << 20 };

bool vt_picture_is_remote(const char *reference)
{
    return strncasecmp(reference, "http://", 7) == 0 || strncasecmp(reference, "https://", 8) == 0;
}

static vt_status picture_fetch(vt_worker *worker, const char *url, vt_buf *bytes, vt_error *error)
{
    const vt_ingest_options *options = worker->setting->options;
    if (!options->allow_remote)
        return vt_fail(error, VT_ERR_DENIED, "fetch \"%.*s\": fetching is switched off",
                       vt_text_clip(url, 300), url);
    if (!worker->fetcher) {
        vt_fetch_options fetching = vt_fetch_options_defaults();
        fetching.maximum_bytes = worker->setting->decode.maximum_bytes;
        fetching.allow_private_hosts = options->allow_private_hosts;
        vt_status status = vt_fetcher_new(&fetching, &worker->fetcher, error);
        if (status != VT_OK)
            return status;
    }
    return vt_fetch(worker->fetcher, url, bytes, error);
}

vt_status vt_picture_load(vt_worker *worker, const char *reference, vt_buf *bytes, vt_error *error)
{
    if (vt_picture_is_remote(reference))
        return picture_fetch(worker, reference, bytes, error);
    if (strstr(reference, "://"))
        return vt_fail(error, VT_ERR_DENIED, "fetch \"%.*s\": only http and https are fetched",
                       vt_text_clip(reference, 300), reference);
    char *path;
    vt_status status = vt_path_inside(worker->setting->images_dir, reference, &path, error);
    if (status != VT_OK)
        return status;
    status = vt_file_read(path, worker->setting->decode.maximum_bytes, bytes, error);
    vt_free(path);
    return status;
}

/* Writes the thumbnail unless the store has it: same bytes, same thumbnail. */
static vt_status picture_put_thumb(const vt_worker_setting *setting, const vt_image *image,
                                   const vt_hash *hash, bool *store_failed, vt_error *error)
{
    static const uint8_t white[3] = {255, 255, 255};
    int longer = image->width > image->height ? image->width : image->height;
    int wanted = setting->options->thumbnail_px;
    vt_image small = {0};
    vt_buf jpeg;
    if (vt_store_has_thumb(setting->store, hash))
        return VT_OK;
    vt_buf_init(&jpeg, THUMBNAIL_MAXIMUM_BYTES);
    vt_status status = VT_OK;
    if (longer > wanted) {
        int width = (int)(((int64_t)image->width * wanted + longer / 2) / longer);
        int height = (int)(((int64_t)image->height * wanted + longer / 2) / longer);
        status = vt_image_resize(image, width > 0 ? width : 1, height > 0 ? height : 1,
                                 VT_FIT_SQUASH, VT_KERNEL_AREA, white, &small, error);
    }
    if (status == VT_OK)
        status =
            vt_image_encode_jpeg(longer > wanted ? &small : image, THUMBNAIL_QUALITY, &jpeg, error);
    if (status == VT_OK) {
        status = vt_store_put_thumb(setting->store, hash, jpeg.data, jpeg.length, error);
        *store_failed = status != VT_OK;
    }
    vt_buf_deinit(&jpeg);
    vt_image_deinit(&small);
    return status;
}

vt_status vt_picture_prepare(const vt_worker_setting *setting, const vt_buf *bytes,
                             vt_picture *picture, vt_image *image, bool *store_failed,
                             vt_error *error)
{
    vt_image decoded = {0};
    *store_failed = false;
    if (bytes->length == 0)
        return vt_fail(error, VT_ERR_FORMAT, "decode picture: the file is empty");
    vt_status status =
        vt_image_decode(bytes->data, bytes->length, &setting->decode, &decoded, error);
    if (status != VT_OK)
        return status;
    picture->width = decoded.full_width;
    picture->height = decoded.full_height;
    picture->file_bytes = bytes->length;
    status = vt_image_phash(&decoded, &picture->phash, error);
    if (status == VT_OK)
        status = picture_put_thumb(setting, &decoded, &picture->hash, store_failed, error);
    if (status != VT_OK) {
        vt_image_deinit(&decoded);
        return status;
    }
    *image = decoded;
    return VT_OK;
}
