/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thumbnails: small JPEG files below dir/thumbs, named by the hash of the picture they were made
 * of.
 *
 * Method: thumbs/ab/cdef....jpg, replaced atomically but not synced: they are derived, and an
 * import of tens of thousands of pictures should not wait for the disk once per file. After a power
 * cut such a file may be empty, which counts as absent.
 */
#include "store/store_driver.h"

#include "base/file.h"
#include "base/status.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

/* path: (PATH_MAX); false when it does not fit. *slash: where the directory part ends. */
static bool thumb_path(const vt_store *store, const vt_hash *hash, char *path, size_t *slash)
{
    char hex[VT_HASH_HEX];
    vt_hash_hex(hash, hex);
    int length = snprintf(path, PATH_MAX, "%s/thumbs/%.2s/%s.jpg", store->dir, hex, hex + 2);
    if (length < 0 || length >= PATH_MAX)
        return false;
    *slash = (size_t)length - (VT_HASH_HEX - 3) - 5; /* "/", 62 digits, ".jpg" */
    return true;
}

bool vt_store_has_thumb(vt_store *store, const vt_hash *hash)
{
    char path[PATH_MAX];
    size_t slash;
    struct stat info;
    return thumb_path(store, hash, path, &slash) && stat(path, &info) == 0 &&
           S_ISREG(info.st_mode) && info.st_size > 0;
}

vt_status vt_store_put_thumb(vt_store *store, const vt_hash *hash, const void *jpeg, size_t length,
                             vt_error *error)
{
    char path[PATH_MAX];
    size_t slash;
    if (!thumb_path(store, hash, path, &slash))
        return vt_fail(error, VT_ERR_LIMIT, "store thumbnail below \"%s\": the path is too long",
                       store->dir);
    if (!store->writable)
        return vt_fail(error, VT_ERR_DENIED,
                       "store thumbnail \"%s\": the shop is open for reading only", path);
    if (length == 0)
        return vt_fail(error, VT_ERR_USAGE, "store thumbnail \"%s\": it is empty", path);
    if (length > VT_STORE_MAX_THUMB_BYTES)
        return vt_fail(error, VT_ERR_LIMIT,
                       "store thumbnail \"%s\": it has %zu bytes, at most %d may be", path, length,
                       VT_STORE_MAX_THUMB_BYTES);
    path[slash] = '\0';
    vt_status status = vt_dir_exists(path) ? VT_OK : vt_dir_make(path, error);
    path[slash] = '/';
    return status != VT_OK ? status : vt_file_replace(path, jpeg, length, false, error);
}

vt_status vt_store_get_thumb(vt_store *store, const vt_hash *hash, vt_buf *out, vt_error *error)
{
    char path[PATH_MAX];
    size_t slash;
    if (!thumb_path(store, hash, path, &slash))
        return vt_fail(error, VT_ERR_LIMIT, "read thumbnail below \"%s\": the path is too long",
                       store->dir);
    size_t before = out->length;
    vt_status status = vt_file_read(path, VT_STORE_MAX_THUMB_BYTES, out, error);
    if (status == VT_OK && out->length == before)
        return vt_fail(error, VT_ERR_NOT_FOUND, "read thumbnail \"%s\": it is empty", path);
    return status;
}
