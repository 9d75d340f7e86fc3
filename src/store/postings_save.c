/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Postings: to a snapshot file. postings_load.c reads it; docs/formats/postings.md is the format.
 *
 * Method: a section for each column, one for the records, and last the directory, which has the
 * sizes that are known only then. Texts are written in their order and so get new numbers; texts
 * that no product has any more are left out, and records are written with the new numbers.
 */
#include "store/postings_frame.h"

#include <string.h>

const vt_snapshot_kind vt_postings_kind = {.magic = "VTPOST01", .version = 1, .what = "postings"};

#define NUMBER_BIT 0x80000000u

typedef struct save {
    vt_postings *postings;
    vt_snapshot_writer *writer;
    postings_directory directory;
    postings_column *columns; /* (column_count), owned */
    uint32_t **renumbered;    /* (column_count) new number of each text, owned */
    vt_buf sets;
} save;

static void write_u32(save *s, uint32_t value)
{
    (void)vt_snapshot_write(s->writer, &value, sizeof value);
}

/* ---- a column ---- */

static bool is_dead(const vt_text_value *value)
{
    return value->products == NULL && value->only == 0;
}

static vt_status texts_save(save *s, size_t index, vt_error *error)
{
    const vt_text_column *texts = &s->postings->columns[index].texts;
    postings_column *column = &s->columns[index];
    vt_buf_clear(&s->sets);
    for (size_t i = 0; i < texts->ordered; i++) {
        const vt_text_value *value = &texts->values[texts->order[i]];
        if (is_dead(value))
            continue;
        size_t bytes = strlen(value->text) + 1;
        (void)vt_snapshot_write(s->writer, value->text, bytes);
        column->text_bytes += bytes;
        s->renumbered[index][texts->order[i]] = (uint32_t)column->texts++;
    }
    for (size_t i = 0; i < texts->ordered; i++) {
        const vt_text_value *value = &texts->values[texts->order[i]];
        if (is_dead(value))
            continue;
        write_u32(s, value->only);
        column->pairs += value->products != NULL ? vt_idset_count(value->products) : 1;
        if (value->products != NULL && !vt_idset_append(value->products, &s->sets))
            return vt_fail_memory(error, "a snapshot of the postings");
    }
    column->set_bytes = s->sets.length;
    (void)vt_snapshot_write(s->writer, s->sets.data, s->sets.length);
    return VT_OK;
}

static void numbers_save(save *s, size_t index)
{
    const vt_number_column *numbers = &s->postings->columns[index].numbers;
    for (size_t i = 0; i < numbers->block_count; i++)
        for (size_t j = 0; j < numbers->blocks[i].count; j++)
            (void)vt_snapshot_write(s->writer, &numbers->blocks[i].entries[j].value,
                                    sizeof(double));
    for (size_t i = 0; i < numbers->block_count; i++)
        for (size_t j = 0; j < numbers->blocks[i].count; j++)
            write_u32(s, numbers->blocks[i].entries[j].product);
    s->columns[index].numbers = numbers->count;
}

static vt_status column_save(save *s, size_t index, vt_error *error)
{
    const vt_posting_column *column = &s->postings->columns[index];
    vt_status status = vt_postings_sorted(s->postings, index, error);
    if (status != VT_OK)
        return status;
    s->renumbered[index] = vt_alloc_array(column->texts.count, sizeof **s->renumbered);
    vt_buf_clear(&s->sets);
    if (s->renumbered[index] == NULL || !vt_idset_append(column->present, &s->sets))
        return vt_fail_memory(error, "a snapshot of the postings");
    (void)vt_snapshot_section(s->writer, POSTINGS_TAG_COLUMN);
    (void)vt_snapshot_write(s->writer, s->sets.data, s->sets.length);
    s->columns[index].present_bytes = s->sets.length;
    status = texts_save(s, index, error);
    if (status == VT_OK)
        numbers_save(s, index);
    return status;
}

/* ---- records and directory ---- */

static void record_save(save *s, const uint32_t *words)
{
    size_t end = (size_t)words[0] + 1;
    write_u32(s, words[0]);
    for (size_t i = 1; i < end;) {
        write_u32(s, words[i]);
        if (words[i] & NUMBER_BIT) {
            (void)vt_snapshot_write(s->writer, &words[i + 1], 2 * sizeof *words);
            i += 3;
        } else {
            write_u32(s, s->renumbered[words[i]][words[i + 1]]);
            i += 2;
        }
    }
    s->directory.words += end;
}

static void records_save(save *s)
{
    const vt_postings *p = s->postings;
    (void)vt_snapshot_section(s->writer, POSTINGS_TAG_RECORDS);
    for (vt_idset_cursor c = vt_idset_begin(p->all); c.valid; vt_idset_next(&c))
        write_u32(s, c.id);
    for (vt_idset_cursor c = vt_idset_begin(p->all); c.valid; vt_idset_next(&c)) {
        record_save(s, vt_postings_record(p, c.id));
        s->directory.products++;
    }
}

static void directory_save(save *s)
{
    const vt_postings *p = s->postings;
    s->directory.columns = (uint32_t)p->column_count;
    for (size_t i = 0; i < p->column_count; i++)
        s->directory.name_bytes += (uint32_t)strlen(p->columns[i].name) + 1;
    (void)vt_snapshot_section(s->writer, POSTINGS_TAG_DIRECTORY);
    (void)vt_snapshot_write(s->writer, &s->directory, sizeof s->directory);
    (void)vt_snapshot_write(s->writer, s->columns, p->column_count * sizeof *s->columns);
    for (size_t i = 0; i < p->column_count; i++)
        (void)vt_snapshot_write(s->writer, p->columns[i].name, strlen(p->columns[i].name) + 1);
}

vt_status vt_postings_save(vt_postings *postings, vt_snapshot_writer *writer, vt_error *error)
{
    save s = {.postings = postings, .writer = writer};
    size_t count = postings->column_count;
    vt_buf_init(&s.sets, SIZE_MAX / 2);
    s.columns = vt_calloc(count, sizeof *s.columns);
    s.renumbered = vt_calloc(count, sizeof *s.renumbered);
    vt_status status = s.columns == NULL || s.renumbered == NULL
                           ? vt_fail_memory(error, "a snapshot of the postings")
                           : VT_OK;
    for (size_t i = 0; status == VT_OK && i < count; i++)
        status = column_save(&s, i, error);
    if (status == VT_OK) {
        records_save(&s);
        directory_save(&s);
    }
    for (size_t i = 0; s.renumbered != NULL && i < count; i++)
        vt_free(s.renumbered[i]);
    vt_free(s.renumbered);
    vt_free(s.columns);
    vt_buf_deinit(&s.sets);
    return status;
}
