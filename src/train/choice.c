/* SPDX-License-Identifier: Apache-2.0 */
/* Names with keys and numbers, read from and written as one word. */
#include "train/choice.h"

#include <string.h>

enum { WORD_BYTES = 64 };

static vt_status set_key(const vt_choice *choice, size_t name, char *word, void *options,
                         vt_error *error)
{
    char *text = strchr(word, '=');
    if (text != NULL)
        *text++ = '\0';
    for (size_t i = 0; i < choice->key_count; i++) {
        const vt_choice_key *key = &choice->keys[i];
        double value = key->bare;
        if ((key->names >> name & 1) == 0 || strcmp(key->key, word) != 0)
            continue;
        if (text != NULL &&
            (!vt_parse_double(text, strlen(text), &value) || value < key->low || value > key->high))
            return vt_fail(error, VT_ERR_USAGE, "%s %s: \"%s\" is \"%s\", it is from %g to %g",
                           choice->what, choice->names[name], word, text, key->low, key->high);
        memcpy((char *)options + key->offset, &value, sizeof(value));
        return VT_OK;
    }
    return vt_fail(error, VT_ERR_USAGE, "%s %s: it has no \"%s\"", choice->what,
                   choice->names[name], word);
}

static vt_status find_name(const vt_choice *choice, const char *text, size_t length, size_t *name,
                           vt_error *error)
{
    vt_buf known;
    for (size_t i = 0; i < choice->name_count; i++)
        if (strlen(choice->names[i]) == length && strncmp(choice->names[i], text, length) == 0) {
            *name = i;
            return VT_OK;
        }
    vt_buf_init(&known, 1024);
    for (size_t i = 0; i < choice->name_count; i++)
        vt_buf_printf(&known, "%s%s", i > 0 ? ", " : "", choice->names[i]);
    vt_status status = vt_fail(error, VT_ERR_USAGE, "there is no %s \"%.40s\", there are %s",
                               choice->what, text, vt_buf_text(&known));
    vt_buf_deinit(&known);
    return status;
}

vt_status vt_choice_parse(const vt_choice *choice, const char *text, size_t *name, void *options,
                          vt_error *error)
{
    size_t length = strcspn(text, ":"), found;
    vt_status status = find_name(choice, text, length, &found, error);
    if (status != VT_OK)
        return status;
    text += length + (text[length] == ':');
    while (status == VT_OK && *text != '\0') {
        char word[WORD_BYTES];
        length = strcspn(text, ",");
        if (length >= sizeof(word))
            return vt_fail(error, VT_ERR_USAGE, "%s: \"%.40s...\" is too long", choice->what, text);
        memcpy(word, text, length);
        word[length] = '\0';
        status = set_key(choice, found, word, options, error);
        text += length + (text[length] == ',');
    }
    if (status == VT_OK)
        *name = found;
    return status;
}

bool vt_choice_print(const vt_choice *choice, size_t name, const void *options, vt_buf *out)
{
    const char *between = ":";
    vt_buf_append_text(out, choice->names[name]);
    for (size_t i = 0; i < choice->key_count; i++) {
        double value;
        if ((choice->keys[i].names >> name & 1) == 0)
            continue;
        memcpy(&value, (const char *)options + choice->keys[i].offset, sizeof(value));
        vt_buf_printf(out, "%s%s=%.17g", between, choice->keys[i].key, value);
        between = ",";
    }
    return !out->failed;
}
