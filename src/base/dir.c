/* SPDX-License-Identifier: Apache-2.0 */
/* Directories: making them, looking into them. */
#include "base/file.h"

#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool vt_dir_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* A parent may be there and yet give another reason than EEXIST (a read-only mount): being there is
 * what counts. */
static vt_status dir_make_one(const char *path, vt_error *error)
{
    if (mkdir(path, 0777) == 0)
        return VT_OK;
    int code = errno;
    return vt_dir_exists(path) ? VT_OK : vt_fail_errno(error, code, "make directory", path);
}

vt_status vt_dir_make(const char *path, vt_error *error)
{
    if (*path == '\0')
        return vt_fail(error, VT_ERR_USAGE, "make directory \"\": empty path");
    if (vt_dir_exists(path))
        return VT_OK;
    char *prefix = vt_strdup(path);
    if (!prefix)
        return vt_fail_memory(error, "a path");
    vt_status status = VT_OK;
    for (char *slash = strchr(prefix + 1, '/'); slash && status == VT_OK;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        status = dir_make_one(prefix, error);
        *slash = '/';
    }
    if (status == VT_OK)
        status = dir_make_one(prefix, error);
    vt_free(prefix);
    return status;
}

/* The next entry that is neither "." nor ".."; NULL at the end, with *code 0 or the reason. */
static const char *entry_next(DIR *stream, int *code)
{
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(stream);
        *code = entry ? 0 : errno;
        if (!entry)
            return NULL;
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            return entry->d_name;
    }
}

vt_status vt_dir_is_empty(const char *path, bool *empty, vt_error *error)
{
    DIR *stream = opendir(path);
    if (!stream)
        return vt_fail_errno(error, errno, "list directory", path);
    int code;
    bool found = entry_next(stream, &code) != NULL;
    closedir(stream);
    if (code != 0)
        return vt_fail_errno(error, code, "list directory", path);
    *empty = !found;
    return VT_OK;
}

static int name_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static vt_status names_collect(DIR *stream, const char *path, size_t maximum, vt_dir_list *list,
                               vt_error *error)
{
    size_t capacity = 0;
    int code;
    const char *name;
    while ((name = entry_next(stream, &code)) != NULL) {
        if (list->count == maximum)
            return vt_fail(error, VT_ERR_LIMIT, "list directory \"%s\": more than %zu entries",
                           path, maximum);
        void *array = list->names;
        bool grown = vt_grow(&array, &capacity, list->count + 1, sizeof *list->names, SIZE_MAX);
        list->names = array;
        char *copy = grown ? vt_strdup(name) : NULL;
        if (!copy)
            return vt_fail_memory(error, "a directory's names");
        list->names[list->count++] = copy;
    }
    return code == 0 ? VT_OK : vt_fail_errno(error, code, "list directory", path);
}

vt_status vt_dir_list_open(const char *path, size_t maximum_count, vt_dir_list *out,
                           vt_error *error)
{
    DIR *stream = opendir(path);
    if (!stream)
        return vt_fail_errno(error, errno, "list directory", path);
    vt_dir_list list = {0};
    vt_status status = names_collect(stream, path, maximum_count, &list, error);
    closedir(stream);
    if (status != VT_OK) {
        vt_dir_list_close(&list);
        return status;
    }
    if (list.count)
        qsort(list.names, list.count, sizeof *list.names, name_compare);
    *out = list;
    return VT_OK;
}

void vt_dir_list_close(vt_dir_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        vt_free(list->names[i]);
    vt_free(list->names);
    *list = (vt_dir_list){0};
}
