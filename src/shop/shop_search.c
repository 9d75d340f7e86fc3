/* SPDX-License-Identifier: Apache-2.0 */
/* Search, as the public API has it. */
#include "shop/shop.h"

vt_query vt_query_defaults(void)
{
    return (vt_query){.top = 10, .min_similarity = -1.0, .facet_top = VT_SEARCH_FACET_TOP};
}

static vt_status search_once(vt_shop *shop, const vt_query *query, uint32_t *model, vt_answer **out,
                             vt_error *error)
{
    vt_searcher searcher;
    vt_status status = vt_shop_enter(shop, model, error);
    if (status != VT_OK)
        return status;
    status = query->photo_count > 0 ? vt_shop_need_searcher(shop, &searcher, error)
                                    : vt_shop_need_scanner(shop, &searcher, error);
    if (status == VT_OK)
        status = vt_search_run(&searcher, query, out, error);
    vt_shop_leave(shop);
    return status;
}

/* Anything may fail when the encoder is exchanged in the middle: its file and vectors are gone. */
vt_status vt_shop_search(vt_shop *shop, const vt_query *query, vt_answer **out, vt_error *error)
{
    for (int retry = 0;; retry++) {
        uint32_t model = 0;
        vt_status status = search_once(shop, query, &model, out, error);
        if (status == VT_OK || model == 0 || retry == VT_SHOP_RETRIES ||
            !vt_shop_has_moved(shop, model))
            return status;
    }
}

void vt_answer_free(vt_answer *answer)
{
    vt_search_answer_free(answer);
}

vt_status vt_photo_thumbnail(const vt_photo *photo, int side_px, void **jpeg, size_t *length,
                             vt_error *error)
{
    if (side_px < 1 || side_px > 4096)
        return vt_fail(error, VT_ERR_USAGE, "make a thumbnail: %d px is not from 1 to 4096",
                       side_px);
    static const uint8_t white[3] = {255, 255, 255};
    vt_decode_options options = vt_decode_options_defaults();
    options.fit_width = options.fit_height = side_px;
    vt_image image = {0}, small = {0};
    vt_buf bytes;
    vt_buf_init(&bytes, 16 << 20);
    vt_status status = photo->path != NULL
                           ? vt_image_decode_file(photo->path, &options, &image, error)
                           : vt_image_decode(photo->bytes, photo->length, &options, &image, error);
    if (status == VT_OK)
        status = vt_image_resize(&image, side_px, side_px, VT_FIT_CONTAIN, VT_KERNEL_AREA, white,
                                 &small, error);
    if (status == VT_OK)
        status = vt_image_encode_jpeg(&small, 85, &bytes, error);
    if (status == VT_OK) {
        size_t taken = bytes.length;
        void *memory = vt_buf_take(&bytes, NULL);
        if (memory == NULL)
            status = vt_fail_memory(error, "a thumbnail");
        else {
            *jpeg = memory;
            *length = taken;
        }
    }
    vt_image_deinit(&image);
    vt_image_deinit(&small);
    vt_buf_deinit(&bytes);
    return status;
}
