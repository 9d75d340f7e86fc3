/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots of inverted lists: what is read is what was saved, for each code, and lives on;
 * everything that can be wrong with a file is refused, also where its checksums fit.
 */
#include "support/scratch.h"

#include "base/file.h"
#include "base/random.h"
#include "clustered.h"
#include "index/ivf_file.h"
#include "support/failing_io.h"
#include "support/snapshots.h"

enum { DIM = 40, ROWS = 500, QUERIES = 10, K = 10, LISTS = 7, FILE_BYTES = 1 << 26 };
static const vt_index_origin origin = {.change = 77, .session = {{1, 2, 3}}, .model = {{9, 8, 7}}};

typedef struct world {
    float *vectors; /* (ROWS + QUERIES, DIM) */
    vt_ivf *ivf;
} world;

/* Built, some added, some removed. */
static void world_init(world *w, const vt_ivf_options *options)
{
    clustered c;
    uint32_t ids[ROWS];
    assert_true(clustered_init(&c, DIM, 5, 3));
    w->vectors = vt_alloc_array(ROWS + QUERIES, DIM * sizeof(float));
    for (size_t i = 0; i < ROWS + QUERIES; i++)
        clustered_make(&c, i, w->vectors + i * DIM);
    clustered_deinit(&c);
    for (uint32_t i = 0; i < ROWS; i++)
        ids[i] = i * 3;
    vt_ivf_rows rows = {w->vectors, ids, NULL, ROWS - 50};
    assert_int_equal(vt_ivf_new(DIM, options, &w->ivf, NULL), VT_OK);
    assert_int_equal(vt_ivf_build(w->ivf, &rows, NULL, NULL), VT_OK);
    for (size_t i = ROWS - 50; i < ROWS; i++)
        assert_int_equal(vt_ivf_add(w->ivf, ids[i], 5, w->vectors + i * DIM, NULL), VT_OK);
    for (size_t i = 0; i < ROWS; i += 4)
        assert_true(vt_ivf_remove(w->ivf, ids[i]));
}

static void world_deinit(world *w)
{
    vt_ivf_free(w->ivf);
    vt_free(w->vectors);
}

static vt_ivf_options options_of(vt_ivf_code code, bool precise, vt_codec codec)
{
    vt_ivf_options options = vt_ivf_options_defaults();
    options.code = code;
    options.precise = precise;
    options.codec = codec;
    options.lists = LISTS;
    return options;
}

static void save(const vt_ivf *ivf, const char *path)
{
    vt_error error;
    if (vt_ivf_save(ivf, path, &origin, &error) != VT_OK)
        fail_msg("%s", error.message);
}

static void ask(const world *w, const vt_ivf *ivf, vt_hit *hits, size_t *counts)
{
    vt_ivf_search_options options = vt_ivf_search_defaults();
    vt_ivf_answers answers = {hits, counts, NULL};
    options.probes = 3;
    memset(hits, 0, QUERIES * K * sizeof *hits);
    assert_int_equal(vt_ivf_search(ivf, w->vectors + ROWS * DIM, QUERIES, &options, &answers, NULL),
                     VT_OK);
}

static void assert_same(const world *w, const vt_ivf *a, const vt_ivf *b)
{
    static vt_hit have[QUERIES * K], want[QUERIES * K];
    size_t have_counts[QUERIES], want_counts[QUERIES];
    vt_error error;
    if (vt_ivf_check(a, NULL, &error) != VT_OK)
        fail_msg("%s", error.message);
    ask(w, a, have, have_counts);
    ask(w, b, want, want_counts);
    assert_memory_equal(have_counts, want_counts, sizeof have_counts);
    assert_memory_equal(have, want, sizeof have);
}

static void file_read(const char *path, vt_buf *out)
{
    vt_buf_init(out, FILE_BYTES);
    assert_int_equal(vt_file_read(path, FILE_BYTES, out, NULL), VT_OK);
}

/* ---- there and back ---- */

static void round_trip(world *w, scratch *s)
{
    char path[SCRATCH_PATH_BYTES], again[SCRATCH_PATH_BYTES];
    vt_ivf_file_info info;
    vt_ivf *loaded = NULL;
    vt_pool *pool;
    vt_buf first, second;
    vt_error error;
    snprintf(path, sizeof path, "%s", scratch_path(s, "lists"));
    snprintf(again, sizeof again, "%s", scratch_path(s, "again"));
    save(w->ivf, path);
    assert_int_equal(vt_pool_new(3, &pool, NULL), VT_OK);
    if (vt_ivf_load(path, FILE_BYTES, pool, &loaded, &info, &error) != VT_OK)
        fail_msg("%s", error.message);
    vt_pool_free(pool);
    assert_int_equal(info.rows, vt_ivf_count(w->ivf));
    assert_int_equal(info.lists, vt_ivf_lists(w->ivf));
    assert_int_equal(info.origin.change, 77);
    assert_memory_equal(&info.origin.model, &origin.model, sizeof origin.model);
    assert_same(w, loaded, w->ivf);
    save(loaded, again);
    file_read(path, &first);
    file_read(again, &second);
    assert_int_equal(first.length, second.length);
    assert_memory_equal(first.data, second.data, first.length);
    vt_buf_deinit(&first);
    vt_buf_deinit(&second);
    /* It lives, as the one it was made from. */
    for (size_t i = 0; i < ROWS; i += 4) {
        const float *vector = w->vectors + i * DIM;
        assert_int_equal(vt_ivf_add(loaded, (uint32_t)i * 3, 9, vector, NULL), VT_OK);
        assert_int_equal(vt_ivf_add(w->ivf, (uint32_t)i * 3, 9, vector, NULL), VT_OK);
        assert_true(vt_ivf_remove(loaded, (uint32_t)(i + 1) * 3));
        assert_true(vt_ivf_remove(w->ivf, (uint32_t)(i + 1) * 3));
    }
    assert_same(w, loaded, w->ivf);
    vt_ivf_free(loaded);
}

static void every_code_comes_back(void **state)
{
    for (int code = 0; code <= VT_IVF_PQ; code++)
        for (int codec = -1; codec < VT_CODEC_COUNT; codec++) {
            if (codec == VT_CODEC_INT4X2)
                continue;
            vt_ivf_options options =
                options_of((vt_ivf_code)code, codec >= 0, codec >= 0 ? (vt_codec)codec : 0);
            world w;
            world_init(&w, &options);
            round_trip(&w, *state);
            world_deinit(&w);
        }
}

static void emptied_and_untrained(void **state)
{
    vt_ivf_options options = options_of(VT_IVF_PQ, true, VT_CODEC_INT8);
    const char *path = scratch_path(*state, "lists");
    vt_ivf *loaded = NULL;
    vt_error error;
    world w;
    world_init(&w, &options);
    for (uint32_t i = 0; i < ROWS; i++)
        (void)vt_ivf_remove(w.ivf, i * 3);
    assert_int_equal(vt_ivf_count(w.ivf), 0);
    save(w.ivf, path);
    assert_int_equal(vt_ivf_load(path, FILE_BYTES, NULL, &loaded, NULL, NULL), VT_OK);
    assert_int_equal(vt_ivf_add(loaded, 1, 1, w.vectors, NULL), VT_OK);
    vt_ivf_free(loaded);
    loaded = NULL;
    assert_int_equal(vt_ivf_load(path, 1000, NULL, &loaded, NULL, &error), VT_ERR_LIMIT);
    assert_int_equal(vt_ivf_new(DIM, &options, &loaded, NULL), VT_OK);
    assert_int_equal(vt_ivf_save(loaded, path, &origin, &error), VT_ERR_USAGE);
    vt_ivf_free(loaded);
    world_deinit(&w);
}

/* ---- damage ---- */

typedef struct saved {
    world w;
    char path[SCRATCH_PATH_BYTES];
    vt_buf file;
} saved;

static void saved_init(saved *s, void **state)
{
    vt_ivf_options options = options_of(VT_IVF_PQ, true, VT_CODEC_INT8);
    world_init(&s->w, &options);
    snprintf(s->path, sizeof s->path, "%s", scratch_path(*state, "lists"));
    save(s->w.ivf, s->path);
    file_read(s->path, &s->file);
}

static void saved_deinit(saved *s)
{
    vt_buf_deinit(&s->file);
    world_deinit(&s->w);
}

static vt_status try_load(saved *s, size_t length)
{
    vt_ivf *ivf = NULL;
    vt_error error = {0};
    assert_int_equal(vt_file_replace(s->path, s->file.data, length, false, NULL), VT_OK);
    vt_status status = vt_ivf_load(s->path, FILE_BYTES, NULL, &ivf, NULL, &error);
    assert_true((status == VT_OK) == (ivf != NULL));
    assert_true(status == VT_OK || error.message[0] != '\0');
    vt_ivf_free(ivf);
    return status;
}

static void assert_refused(saved *s, size_t length, const char *what, size_t at)
{
    vt_status status = try_load(s, length);
    if (status != VT_ERR_CORRUPT && status != VT_ERR_UNSUPPORTED)
        fail_msg("%s at %zu: status %d", what, at, (int)status);
}

static void every_flipped_bit_is_found(void **state)
{
    enum { FLIPS = 1000, HEAD_BITS = 1024 };
    saved s;
    vt_random random;
    saved_init(&s, state);
    vt_random_init(&random, 5);
    for (size_t i = 0; i < FLIPS + HEAD_BITS; i += SCRATCH_STRIDE) {
        size_t bit = i < HEAD_BITS ? i : (size_t)vt_random_below(&random, s.file.length * 8);
        snapshot_flip(&s.file, bit);
        assert_refused(&s, s.file.length, "bit flipped", bit);
        snapshot_flip(&s.file, bit);
    }
    assert_int_equal(try_load(&s, s.file.length), VT_OK);
    saved_deinit(&s);
}

static void truncated_files_are_refused(void **state)
{
    saved s;
    saved_init(&s, state);
    for (size_t length = 0; length < s.file.length; length += length < 300 ? 1 : 997)
        assert_refused(&s, length, "cut", length);
    assert_refused(&s, s.file.length - 1, "cut", s.file.length - 1);
    assert_true(vt_buf_append(&s.file, "x", 1));
    assert_refused(&s, s.file.length, "longer", s.file.length);
    saved_deinit(&s);
}

/* Numbers of a stranger whose checksums fit. Where a section begins, by its number. */
static size_t section_at(const saved *s, size_t index)
{
    size_t table = (size_t)snapshot_get(&s->file, 48, 8);
    return (size_t)snapshot_get(&s->file, table + 32 * index, 8);
}

static void forge(saved *s, size_t at, uint64_t value, size_t bytes, const char *what)
{
    uint64_t kept = snapshot_get(&s->file, at, bytes);
    assert_true(kept != value);
    snapshot_put(&s->file, at, value, bytes);
    snapshot_fix_sums(&s->file);
    assert_refused(s, s->file.length, what, at);
    snapshot_put(&s->file, at, kept, bytes);
    snapshot_fix_sums(&s->file);
}

static void forged_files_are_refused(void **state)
{
    enum { NAN_BITS = 0x7fc00000 };
    saved s;
    saved_init(&s, state);
    size_t parameters = section_at(&s, 0), list = section_at(&s, 5);
    for (size_t at = 32; at < 128; at += 4)
        if (at != 64 && at != 68) /* the seed is whatever it is */
            forge(&s, parameters + at, 0x7fffffff, 4, "parameter");
    forge(&s, parameters + 48, LISTS + 1, 4, "number of lists");
    forge(&s, parameters + 72, ROWS * 2, 8, "number of rows");
    forge(&s, section_at(&s, 1) + 8, NAN_BITS, 4, "centroid");
    forge(&s, section_at(&s, 2) + 4, NAN_BITS, 4, "codebook");
    forge(&s, section_at(&s, 3), NAN_BITS, 4, "mean");
    forge(&s, section_at(&s, 4), 1, 4, "rows of a list");
    /* 64 elements in sub-vectors of 8: 8 groups of 16 bytes, then factors, ids and groups. */
    forge(&s, list + 128, NAN_BITS, 4, "scale");
    forge(&s, list + 128, 0xbf800000, 4, "scale below 0");
    forge(&s, list + 128 + 256, 0xbf800000, 4, "error below 0");
    size_t ids = list + 128 + 384;
    forge(&s, ids, snapshot_get(&s.file, ids + 4, 4), 4, "id twice");
    size_t rows = (size_t)snapshot_get(&s.file, section_at(&s, 4), 4);
    assert_true(rows % 32 != 0);
    size_t last = list + rows / 32 * (128 + 640);
    forge(&s, last + 128 + 384 + 31 * 4, 5, 4, "id behind the last row");
    forge(&s, last + 15, 0x10 + snapshot_get(&s.file, last + 15, 1), 1, "code behind the last row");
    assert_int_equal(try_load(&s, s.file.length), VT_OK);
    saved_deinit(&s);
}

static void newer_and_foreign_files_are_refused(void **state)
{
    saved s;
    vt_ivf *ivf = NULL;
    vt_error error;
    saved_init(&s, state);
    snapshot_put(&s.file, 8, 2, 4);
    snapshot_fix_sums(&s.file);
    assert_int_equal(try_load(&s, s.file.length), VT_ERR_UNSUPPORTED);
    snapshot_put(&s.file, 8, 1, 4);
    snapshot_put(&s.file, section_at(&s, 0) + 88, 5, 4); /* the rotation's checksum */
    snapshot_fix_sums(&s.file);
    assert_int_equal(try_load(&s, s.file.length), VT_ERR_UNSUPPORTED);
    assert_int_equal(
        vt_ivf_load(scratch_path(*state, "none"), FILE_BYTES, NULL, &ivf, NULL, &error),
        VT_ERR_NOT_FOUND);
    saved_deinit(&s);
}

/* ---- disks that fail ---- */

/* One attempt that fails after so many calls; false: it got through. The error names the file and
 * the reason, and what was there is read as before. */
static bool fail_once(world *w, const char *path, int64_t left, int code)
{
    vt_error error;
    vt_buf before, now;
    vt_ivf *loaded = NULL;
    file_read(path, &before);
    failing_io_after(left, code);
    vt_status status = vt_ivf_save(w->ivf, path, &origin, &error);
    bool failed = failing_io_after(-1, 0) > left;
    file_read(path, &now);
    bool same = now.length == before.length && memcmp(now.data, before.data, now.length) == 0;
    assert_int_equal(status, failed ? VT_ERR_IO : VT_OK);
    if (failed) {
        /* The last call syncs the folder: by then the new one has its place. */
        bool last = strstr(error.message, path) == NULL;
        assert_non_null(strcasestr(error.message, code == EIO ? "input/output error" : "no space"));
        assert_true(same != last);
    } else {
        assert_false(same);
    }
    assert_int_equal(vt_ivf_load(path, FILE_BYTES, NULL, &loaded, NULL, &error), VT_OK);
    if (!same)
        assert_same(w, loaded, w->ivf);
    vt_ivf_free(loaded);
    vt_buf_deinit(&before);
    vt_buf_deinit(&now);
    return failed;
}

static void a_failing_disk_leaves_the_old_one(void **state)
{
    static const int codes[] = {ENOSPC, EIO};
    world w;
    char path[SCRATCH_PATH_BYTES];
    vt_ivf_options options = options_of(VT_IVF_RABITQ, true, VT_CODEC_INT8);
    world_init(&w, &options);
    snprintf(path, sizeof path, "%s", scratch_path(*state, "lists"));
    save(w.ivf, path);
    uint32_t row = 1;
    for (size_t c = 0; c < 2; c++) {
        int64_t left = -1;
        do {
            assert_true(vt_ivf_remove(w.ivf, row * 3)); /* so that it differs */
            row += 4;
        } while (fail_once(&w, path, ++left, codes[c]));
        assert_true(left > 4);
    }
    assert_false(vt_file_exists(scratch_path(*state, "lists.new")));
    world_deinit(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_code_comes_back, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(emptied_and_untrained, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(every_flipped_bit_is_found, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(truncated_files_are_refused, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(forged_files_are_refused, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(newer_and_foreign_files_are_refused, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(a_failing_disk_leaves_the_old_one, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
