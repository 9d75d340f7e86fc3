/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pictures of a data set, decoded once into a file that is mapped: training reads pixels at the
 * speed of memory. The format is docs/formats/picture-cache.md.
 *
 *     vt_picture_cache_options options = vt_picture_cache_options_defaults();
 *     options.path = "model.onnx.pictures";
 *     vt_picture_cache_open(paths, count, &options, &cache, error);
 *     if (vt_picture_cache_get(cache, i, &image)) ...        // false: that one failed
 *     vt_picture_cache_close(cache);
 *
 * Threads: an open cache may be read from any number of threads.
 */
#ifndef VT_TRAIN_PICTURE_CACHE_H
#define VT_TRAIN_PICTURE_CACHE_H

#include "base/thread.h"
#include "image/image.h"

typedef struct vt_picture_cache vt_picture_cache;

typedef struct vt_picture_cache_options {
    const char *path;            /* of the file */
    int short_side_px;           /* pictures are shrunk to it, never enlarged; 1 to 4096 */
    vt_pool *pool;               /* NULL: the caller's thread */
    vt_on_progress *on_progress; /* pictures decoded; may be NULL */
    void *context;
} vt_picture_cache_options;
vt_picture_cache_options vt_picture_cache_options_defaults(void); /* 256 px */

/* Uses the file where it is whole and of these photos, else builds it. A photo that cannot be
 * decoded is no failure of the whole. paths are read during the call only. */
vt_status vt_picture_cache_open(const char *const *paths, size_t count,
                                const vt_picture_cache_options *options, vt_picture_cache **out,
                                vt_error *error);
void vt_picture_cache_close(vt_picture_cache *cache);
bool vt_picture_cache_was_built(const vt_picture_cache *cache); /* by this opening */
size_t vt_picture_cache_failed(const vt_picture_cache *cache);
/* *out borrows its pixels, which must not be written, from the cache (no vt_image_deinit); false
 * for a picture that failed, whose reason vt_picture_cache_reason fills. */
bool vt_picture_cache_get(const vt_picture_cache *cache, size_t index, vt_image *out);
void vt_picture_cache_reason(const vt_picture_cache *cache, size_t index, vt_error *out);

#endif
