/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A picture that a stranger names by its URL: fetched as feeds' pictures are (src/net), with the
 * tighter bounds of somebody who waits for the answer: one attempt, web ports, few redirects.
 */
#include "shop/shop.h"

#include "net/fetch.h"

enum { FETCH_BYTES = 32 << 20, FETCH_MS = 8000, FETCH_CONNECT_MS = 3000, FETCH_REDIRECTS = 3 };

vt_photo_fetch_options vt_photo_fetch_options_defaults(void)
{
    return (vt_photo_fetch_options){
        .maximum_bytes = FETCH_BYTES, .timeout_ms = FETCH_MS, .maximum_redirects = FETCH_REDIRECTS};
}

static vt_status fetch(const vt_fetch_options *options, const char *url, vt_buf *bytes,
                       vt_error *error)
{
    vt_fetcher *fetcher = NULL;
    vt_status status = vt_fetcher_new(options, &fetcher, error);
    if (status == VT_OK)
        status = vt_fetch(fetcher, url, bytes, error);
    vt_fetcher_free(fetcher);
    return status;
}

vt_status vt_photo_fetch(const char *url, const vt_photo_fetch_options *options, void **bytes,
                         size_t *length, vt_error *error)
{
    vt_photo_fetch_options how = options != NULL ? *options : vt_photo_fetch_options_defaults();
    vt_fetch_options limits = vt_fetch_options_defaults();
    vt_buf body;
    limits.maximum_bytes = how.maximum_bytes;
    limits.timeout_ms = how.timeout_ms;
    limits.connect_timeout_ms =
        how.timeout_ms < FETCH_CONNECT_MS ? how.timeout_ms : FETCH_CONNECT_MS;
    limits.maximum_redirects = how.maximum_redirects;
    limits.attempts = 1;
    limits.allow_private_hosts = how.allow_private_hosts;
    limits.web_ports_only = !how.any_port;
    limits.names = how.names;
    limits.name_count = how.name_count;
    vt_buf_init(&body, how.maximum_bytes);
    vt_status status = fetch(&limits, url, &body, error);
    if (status == VT_OK && body.length == 0)
        status = vt_fail(error, VT_ERR_FORMAT, "fetch \"%.300s\": there is nothing in it", url);
    if (status == VT_OK) {
        size_t taken = body.length;
        void *memory = vt_buf_take(&body, NULL);
        if (memory == NULL) {
            status = vt_fail_memory(error, "a picture");
        } else {
            *bytes = memory;
            *length = taken;
        }
    }
    vt_buf_deinit(&body);
    return status;
}

vt_status vt_photo_size(const vt_photo *photo, uint64_t maximum_pixels, int *width, int *height,
                        vt_error *error)
{
    vt_decode_options options = vt_decode_options_defaults();
    vt_image image = {0};
    options.fit_width = options.fit_height = 1; /* decoders that can, shrink while they read */
    if (maximum_pixels > 0)
        options.maximum_pixels = maximum_pixels;
    vt_status status = photo->path != NULL
                           ? vt_image_decode_file(photo->path, &options, &image, error)
                           : vt_image_decode(photo->bytes, photo->length, &options, &image, error);
    if (status != VT_OK)
        return status;
    *width = image.full_width;
    *height = image.full_height;
    vt_image_deinit(&image);
    return VT_OK;
}
