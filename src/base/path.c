/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths.
 *
 * Method of vt_path_inside: the path is refused by its text when it climbs above where it starts,
 * so that nobody learns what exists outside; then the file system resolves every link (realpath)
 * and the result must lie below the resolved root. Departure: a path that climbs back through a
 * link
 * ("link/../../a") is counted by its text and may be refused although it would end inside.
 */
#include "base/file.h"

#include "base/mem.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

char *vt_path_join(const char *a, const char *b)
{
    if (!a || *a == '\0' || *b == '/')
        return vt_strdup(b);
    size_t left = strlen(a), right = strlen(b);
    bool slash = a[left - 1] != '/';
    char *joined = vt_alloc(left + slash + right + 1);
    if (!joined)
        return NULL;
    memcpy(joined, a, left);
    if (slash)
        joined[left] = '/';
    memcpy(joined + left + slash, b, right + 1);
    return joined;
}

const char *vt_path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

void vt_path_hide(char *text, const char *folder)
{
    size_t length = folder != NULL ? strlen(folder) : 0;
    for (char *at = text; length > 0 && (at = strstr(at, folder)) != NULL;) {
        size_t skipped = length + (at[length] == '/');
        memmove(at, at + skipped, strlen(at + skipped) + 1);
    }
}

static bool path_climbs_out(const char *path)
{
    long depth = 0;
    while (*path) {
        size_t length = strcspn(path, "/");
        if (length == 2 && path[0] == '.' && path[1] == '.')
            depth--;
        else if (length > 0 && !(length == 1 && path[0] == '.'))
            depth++;
        if (depth < 0)
            return true;
        path += length;
        path += *path == '/';
    }
    return false;
}

static bool path_is_below(const char *real, const char *root)
{
    size_t length = strlen(root);
    if (length == 1) /* the root is "/" */
        return true;
    return strncmp(real, root, length) == 0 && (real[length] == '/' || real[length] == '\0');
}

vt_status vt_path_inside(const char *root, const char *relative, char **out, vt_error *error)
{
    if (*relative == '\0' || *relative == '/' || path_climbs_out(relative))
        return vt_fail(error, VT_ERR_DENIED, "open \"%s\": not inside \"%s\"", relative, root);
    char real_root[PATH_MAX], real[PATH_MAX];
    if (!realpath(root, real_root))
        return vt_fail_errno(error, errno, "open directory", root);
    char *joined = vt_path_join(real_root, relative);
    if (!joined)
        return vt_fail_memory(error, "a path");
    int code = realpath(joined, real) ? 0 : errno;
    vt_free(joined);
    if (code == ENOTDIR)
        return vt_fail(error, VT_ERR_NOT_FOUND, "open \"%s\": not found", relative);
    if (code != 0)
        return vt_fail_errno(error, code, "open", relative);
    if (!path_is_below(real, real_root))
        return vt_fail(error, VT_ERR_DENIED, "open \"%s\": not inside \"%s\"", relative, root);
    char *copy = vt_strdup(real);
    if (!copy)
        return vt_fail_memory(error, "a path");
    *out = copy;
    return VT_OK;
}
