/* SPDX-License-Identifier: Apache-2.0 */
/*
 * multipart/form-data (RFC 7578, RFC 2046 section 5.1): a body that is there whole is split without
 * copying what its parts hold.
 *
 * Departures: the boundary must be followed by CRLF at once (no padding, which nobody sends); names
 * are taken as UTF-8, which browsers send; of a part's headers only Content-Disposition counts.
 * Every part must have a name, and the closing boundary must be there: half a body is an error.
 */
#include "server/http.h"

#include <string.h>
#include <strings.h>

enum { BOUNDARY_BYTES = 70, PART_HEAD_BYTES = 4096 };

/* What follows `name=` in a header's parameters, without quotes; NULL: not there. The pattern
 * starts with a separator so that "name" is not found in "filename". */
static char *parameter(vt_arena *arena, const char *header, size_t length, const char *name)
{
    size_t wanted = strlen(name);
    for (size_t i = 0; i + wanted + 1 < length; i++) {
        bool starts = i > 0 && (header[i - 1] == ';' || header[i - 1] == ' ');
        if (header[i] == '"') { /* skips what is quoted */
            for (i++; i < length && header[i] != '"'; i++)
                i += header[i] == '\\';
            continue;
        }
        if (!starts || strncasecmp(header + i, name, wanted) != 0 || header[i + wanted] != '=')
            continue;
        const char *value = header + i + wanted + 1, *end = header + length;
        bool quoted = value < end && *value == '"';
        const char *stop = value + quoted;
        while (stop < end && (quoted ? *stop != '"' : *stop != ';' && *stop != ' '))
            stop++;
        if (quoted && stop == end)
            return NULL;
        return vt_arena_strndup(arena, value + quoted, (size_t)(stop - value - quoted));
    }
    return NULL;
}

static const char *find_bytes(const char *from, const char *end, const char *what, size_t length)
{
    return from <= end ? memmem(from, (size_t)(end - from), what, length) : NULL;
}

/* The line of Content-Disposition among a part's headers. */
static const char *disposition(const char *head, const char *end, size_t *length)
{
    static const char name[] = "Content-Disposition:";
    while (head < end) {
        const char *line_end = find_bytes(head, end, "\r\n", 2);
        if (line_end == NULL)
            line_end = end;
        size_t room = (size_t)(line_end - head);
        if (room >= sizeof(name) - 1 && strncasecmp(head, name, sizeof(name) - 1) == 0) {
            *length = room;
            return head;
        }
        head = line_end + 2;
    }
    return NULL;
}

static vt_status add_part(vt_form *form, const char *head, const char *body, const char *end,
                          vt_error *error)
{
    size_t length = 0;
    const char *line = disposition(head, body - 4, &length);
    if (form->count == VT_PARTS_MAXIMUM)
        return vt_fail(error, VT_ERR_LIMIT, "read the form: it has more than %d parts",
                       VT_PARTS_MAXIMUM);
    vt_part *part = &form->parts[form->count];
    part->name = line != NULL ? parameter(form->arena, line, length, "name") : NULL;
    if (part->name == NULL || !vt_utf8_valid(part->name, strlen(part->name)))
        return vt_fail(error, VT_ERR_FORMAT, "read the form: part %zu has no name",
                       form->count + 1);
    part->filename = parameter(form->arena, line, length, "filename");
    part->bytes = body;
    part->length = (size_t)(end - body);
    form->count++;
    return VT_OK;
}

/* *at: behind a boundary; moves it behind the next one. *last: that was the closing one. */
static vt_status next_part(vt_form *form, const char **at, const char *end, const char *mark,
                           bool *last, vt_error *error)
{
    const char *head = *at;
    if (end - head >= 2 && memcmp(head, "--", 2) == 0) {
        *last = true;
        return VT_OK;
    }
    if (end - head < 2 || memcmp(head, "\r\n", 2) != 0)
        return vt_fail(error, VT_ERR_FORMAT,
                       "read the form: a boundary is not followed by a line "
                       "end");
    const char *limit = end - head > PART_HEAD_BYTES ? head + PART_HEAD_BYTES : end;
    const char *blank = find_bytes(head, limit, "\r\n\r\n", 4);
    if (blank == NULL)
        return vt_fail(error, VT_ERR_FORMAT, "read the form: the headers of part %zu do not end",
                       form->count + 1);
    const char *body = blank + 4;
    /* The CRLF before a boundary belongs to it, and may be that of an empty part's head. */
    const char *stop = find_bytes(blank + 2, end, mark, strlen(mark));
    if (stop == NULL)
        return vt_fail(error, VT_ERR_FORMAT, "read the form: part %zu does not end",
                       form->count + 1);
    *at = stop + strlen(mark);
    return add_part(form, head + 2, body, stop < body ? body : stop, error);
}

vt_status vt_form_parse(const char *content_type, const char *body, size_t length, vt_form *form,
                        vt_error *error)
{
    char mark[BOUNDARY_BYTES + 5] = "\r\n--";
    const char *boundary = parameter(form->arena, content_type, strlen(content_type), "boundary");
    size_t room = boundary != NULL ? strlen(boundary) : 0;
    form->count = 0;
    if (room == 0 || room > BOUNDARY_BYTES)
        return vt_fail(error, VT_ERR_FORMAT,
                       "read the form: its boundary has %zu characters, from "
                       "1 to %d are needed",
                       room, BOUNDARY_BYTES);
    memcpy(mark + 4, boundary, room + 1);
    /* The first boundary may stand at the very start, without a line end before it. */
    const char *end = body + length, *at;
    if (length >= room + 2 && memcmp(body, mark + 2, room + 2) == 0) {
        at = body + room + 2;
    } else {
        at = find_bytes(body, end, mark, room + 4);
        if (at == NULL)
            return vt_fail(error, VT_ERR_FORMAT, "read the form: its boundary is not in it");
        at += room + 4;
    }
    vt_status status = VT_OK;
    for (bool last = false; status == VT_OK && !last;)
        status = next_part(form, &at, end, mark, &last, error);
    return status;
}
