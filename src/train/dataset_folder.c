/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folders as data: the name of the folder that a photo lies in is its label; a further folder
 * between them is its product. Symbolic links are followed, to a depth that ends.
 */
#include "train/dataset.h"

#include "base/file.h"

enum { DIRECTORY_ENTRIES = 10000000, CLASS_DEPTH = 6 };

static bool is_picture(const char *name)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".png",  ".gif",  ".webp",
                                          ".tif", ".tiff", ".heic", ".heif", ".avif"};
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
        if (vt_text_ends_nocase(name, endings[i]))
            return true;
    return false;
}

/* What is below a class's folder; the first folder below it names the product. */
static vt_status add_class(vt_dataset *data, const char *directory, const vt_example_text *as,
                           int depth, vt_error *error)
{
    vt_dir_list list;
    vt_status status = vt_dir_list_open(directory, DIRECTORY_ENTRIES, &list, error);
    if (status != VT_OK)
        return status;
    for (size_t i = 0; status == VT_OK && i < list.count; i++) {
        if (list.names[i][0] == '.')
            continue;
        char *path = vt_path_join(directory, list.names[i]);
        vt_example_text row = *as;
        if (path == NULL) {
            status = vt_fail_memory(error, "a path");
        } else if (vt_dir_exists(path)) {
            if (row.product == NULL)
                row.product = list.names[i];
            if (depth == CLASS_DEPTH)
                status =
                    vt_fail(error, VT_ERR_LIMIT, "read \"%s\": folders are nested too deep", path);
            else
                status = add_class(data, path, &row, depth + 1, error);
        } else if (is_picture(list.names[i])) {
            row.photo = path;
            status = vt_dataset_add(data, &row, error);
        }
        vt_free(path);
    }
    vt_dir_list_close(&list);
    return status;
}

/* Whether the folders below are splits: each is named like one, and train is among them. */
static vt_status names_splits(const char *directory, const vt_dir_list *list, bool *splits,
                              vt_error *error)
{
    bool all = true, train = false;
    for (size_t i = 0; i < list->count && all; i++) {
        vt_split split;
        char *path = vt_path_join(directory, list->names[i]);
        if (path == NULL)
            return vt_fail_memory(error, "a path");
        if (list->names[i][0] != '.' && vt_dir_exists(path)) {
            all = vt_split_from_name(list->names[i], &split);
            train = train || (all && split == VT_SPLIT_TRAIN);
        }
        vt_free(path);
    }
    *splits = all && train;
    return VT_OK;
}

static vt_status add_classes(vt_dataset *data, const char *directory, const vt_dir_list *list,
                             vt_split split, vt_error *error)
{
    vt_status status = VT_OK;
    for (size_t i = 0; status == VT_OK && i < list->count; i++) {
        if (list->names[i][0] == '.')
            continue;
        char *path = vt_path_join(directory, list->names[i]);
        const vt_example_text as = {.label = list->names[i], .split = split};
        if (path == NULL)
            status = vt_fail_memory(error, "a path");
        else if (vt_dir_exists(path))
            status = add_class(data, path, &as, 0, error);
        vt_free(path);
    }
    return status;
}

vt_status vt_dataset_add_folder(vt_dataset *data, const char *directory, vt_split split,
                                vt_error *error)
{
    vt_dir_list list, classes;
    bool splits = false;
    vt_status status = vt_dir_list_open(directory, DIRECTORY_ENTRIES, &list, error);
    if (status != VT_OK)
        return status;
    status = names_splits(directory, &list, &splits, error);
    if (status == VT_OK && !splits)
        status = add_classes(data, directory, &list, split, error);
    for (size_t i = 0; status == VT_OK && splits && i < list.count; i++) {
        vt_split named;
        if (!vt_split_from_name(list.names[i], &named))
            continue;
        char *path = vt_path_join(directory, list.names[i]);
        status = path == NULL ? vt_fail_memory(error, "a path")
                              : vt_dir_list_open(path, DIRECTORY_ENTRIES, &classes, error);
        if (status == VT_OK) {
            status = add_classes(data, path, &classes, named, error);
            vt_dir_list_close(&classes);
        }
        vt_free(path);
    }
    vt_dir_list_close(&list);
    return status;
}
