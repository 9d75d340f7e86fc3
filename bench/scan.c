/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How close the exact scan comes to what memory can deliver.
 *
 * Method: an index of random rows and a plain buffer of the same size, with the same kind of pages.
 * Interleaved in one run, so that a change of clock or of neighbours hits all alike: summing the
 * buffer with the widest loads there are (the floor: every byte has to come from memory once), one
 * search over the index, on one thread and on all, a batch of 64 queries, and a product of large
 * matrices by oneDNN (peak.h; of f32, as what the batch multiplies). Medians are reported. A search
 * reads the vectors once, so its rate is rows * bytes of a row / time; the ratio to the summing
 * rate is what is left to gain, and for the batch that to the product. There is no screen: every
 * vector is compared.
 *
 *     bench/scan [--rows N] [--dim D] [--repeat R] [--threads T] [--json]
 */
#include "median.h"
#include "peak.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/random.h"
#include "index/flat.h"
#include "vector/distance.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { MAX_REPEAT = 1001, BATCH = 64, K = 10, SUM_BYTES = 2 << 20, MEASURES = 6 };

typedef enum measure { READ_ONE, SEARCH_ONE, READ_ALL, SEARCH_ALL, BATCH_ALL, PEAK_ALL } measure;

typedef struct settings {
    size_t rows, dim, repeat;
    int threads;
    bool json;
} settings;

typedef struct bench {
    const settings *set;
    vt_codec codec;
    vt_flat *flat;
    vt_pool *pool;
    vt_peak *peak;
    uint64_t *buffer;
    size_t bytes;   /* of the vectors, and of the buffer */
    float *queries; /* (BATCH, dim) */
    uint64_t *sums; /* per piece of the buffer: keeps the reads alive */
    double ms[MEASURES][MAX_REPEAT];
} bench;

/* ---- reading memory ---- */

#if defined(__x86_64__)
__attribute__((target("avx512f"))) static uint64_t sum_avx512(const uint64_t *p, size_t words)
{
    __m512i s[8];
    for (int i = 0; i < 8; i++)
        s[i] = _mm512_setzero_si512();
    for (size_t at = 0; at < words; at += 64)
        for (int i = 0; i < 8; i++)
            s[i] = _mm512_add_epi64(s[i], _mm512_loadu_si512(p + at + 8 * i));
    for (int i = 1; i < 8; i++)
        s[0] = _mm512_add_epi64(s[0], s[i]);
    return (uint64_t)_mm512_reduce_add_epi64(s[0]);
}

__attribute__((target("avx2"))) static uint64_t sum_avx2(const uint64_t *p, size_t words)
{
    __m256i s[8];
    for (int i = 0; i < 8; i++)
        s[i] = _mm256_setzero_si256();
    for (size_t at = 0; at < words; at += 32)
        for (int i = 0; i < 8; i++)
            s[i] = _mm256_add_epi64(s[i], _mm256_loadu_si256((const void *)(p + at + 4 * i)));
    uint64_t total = 0, lanes[4];
    for (int i = 0; i < 8; i++) {
        _mm256_storeu_si256((void *)lanes, s[i]);
        total += lanes[0] + lanes[1] + lanes[2] + lanes[3];
    }
    return total;
}
#endif

static uint64_t sum_plain(const uint64_t *p, size_t words)
{
    uint64_t s[8] = {0};
    for (size_t at = 0; at < words; at += 8)
        for (size_t i = 0; i < 8; i++)
            s[i] += p[at + i];
    return s[0] + s[1] + s[2] + s[3] + s[4] + s[5] + s[6] + s[7];
}

static void piece_sum(void *context, size_t index)
{
    bench *b = context;
    const uint64_t *p = b->buffer + index * (SUM_BYTES / 8);
    switch (vt_cpu()) {
#if defined(__x86_64__)
    case VT_CPU_AMX:
    case VT_CPU_AVX512:
        b->sums[index] = sum_avx512(p, SUM_BYTES / 8);
        break;
    case VT_CPU_AVX2:
        b->sums[index] = sum_avx2(p, SUM_BYTES / 8);
        break;
#endif
    default:
        b->sums[index] = sum_plain(p, SUM_BYTES / 8);
        break;
    }
}

/* ---- one round ---- */

static bool search(bench *b, size_t count, vt_pool *pool)
{
    vt_scan_options options = vt_scan_options_defaults();
    vt_hit hits[BATCH * K];
    size_t hit_counts[BATCH];
    options.k = K;
    options.pool = pool;
    vt_error error;
    if (vt_flat_search(b->flat, b->queries, count, &options, hits, hit_counts, NULL, &error) !=
        VT_OK) {
        fprintf(stderr, "%s\n", error.message);
        return false;
    }
    /* Query q is row q of the index, which must be what it finds. */
    for (size_t q = 0; q < count; q++)
        if (hit_counts[q] == 0 || hits[q * K].id != q) {
            fprintf(stderr, "query %zu did not find itself\n", q);
            return false;
        }
    return true;
}

static bool round_measure(bench *b, size_t round)
{
    for (int m = 0; m < MEASURES; m++) {
        double begin = vt_clock_ms();
        bool done = true;
        if (m == READ_ONE || m == READ_ALL)
            vt_pool_for(m == READ_ALL ? b->pool : NULL, b->bytes / SUM_BYTES, piece_sum, b);
        else if (m == BATCH_ALL)
            done = search(b, BATCH, b->pool);
        else if (m == PEAK_ALL)
            done = vt_peak_run(b->peak, NULL) == VT_OK;
        else
            done = search(b, 1, m == SEARCH_ALL ? b->pool : NULL);
        if (!done)
            return false;
        b->ms[m][round] = vt_clock_ms() - begin;
    }
    return true;
}

/* ---- filling ---- */

static bool fill(bench *b)
{
    const settings *set = b->set;
    vt_error error;
    float *row = vt_alloc_array(set->dim, sizeof *row);
    b->queries = vt_alloc_array(BATCH * set->dim, sizeof(float));
    b->buffer = vt_alloc_aligned(SUM_BYTES, b->bytes);
    b->sums = vt_calloc(b->bytes / SUM_BYTES + 1, sizeof *b->sums);
    bool filled = row && b->queries && b->buffer && b->sums;
    if (filled) {
        madvise(b->buffer, b->bytes, MADV_HUGEPAGE);
        memset(b->buffer, 1, b->bytes);
        filled = vt_flat_new(set->dim, b->codec, VT_METRIC_DOT, &b->flat, &error) == VT_OK &&
                 vt_flat_reserve(b->flat, set->rows, &error) == VT_OK;
    }
    vt_random random;
    vt_random_init(&random, 1);
    for (size_t r = 0; filled && r < set->rows; r++) {
        for (size_t i = 0; i < set->dim; i++)
            row[i] = (float)((int64_t)vt_random_u64(&random) >> 40) * 0x1p-23f;
        vt_vector_normalize(row, set->dim);
        if (r < BATCH)
            memcpy(b->queries + r * set->dim, row, set->dim * sizeof *row);
        filled = vt_flat_add(b->flat, (uint32_t)r, (uint32_t)r, row, &error) == VT_OK;
    }
    vt_free(row);
    return filled;
}

/* ---- reporting ---- */

static void report(bench *b, vt_json_writer *json)
{
    const settings *set = b->set;
    double median[MEASURES];
    for (int m = 0; m < MEASURES; m++)
        median[m] = vt_bench_median(b->ms[m], set->repeat);
    double searched = (double)set->rows * (double)set->dim * (b->codec == VT_CODEC_F16 ? 2 : 4);
    double read_bytes = (double)(b->bytes / SUM_BYTES * SUM_BYTES);
    double read_one = read_bytes / median[READ_ONE] * 1e-6;
    double read_all = read_bytes / median[READ_ALL] * 1e-6;
    double search_one = searched / median[SEARCH_ONE] * 1e-6;
    double search_all = searched / median[SEARCH_ALL] * 1e-6;
    double operations = 2.0 * BATCH * (double)set->rows * (double)set->dim;
    double batch_gflops = operations / median[BATCH_ALL] * 1e-6;
    double peak_gflops = 2.0 * pow(VT_PEAK_SIDE, 3) / median[PEAK_ALL] * 1e-6;
    const char *codec = b->codec == VT_CODEC_F16 ? "f16" : "f32";
    if (set->json) {
        vt_json_open_object(json, codec);
        vt_json_put_number(json, "vector_bytes", searched, 0);
        vt_json_put_number(json, "read_gb_per_s_1_thread", read_one, 2);
        vt_json_put_number(json, "search_gb_per_s_1_thread", search_one, 2);
        vt_json_put_number(json, "ratio_1_thread", search_one / read_one, 3);
        vt_json_put_number(json, "read_gb_per_s_all_threads", read_all, 2);
        vt_json_put_number(json, "search_gb_per_s_all_threads", search_all, 2);
        vt_json_put_number(json, "ratio_all_threads", search_all / read_all, 3);
        vt_json_put_number(json, "search_ms_1_thread", median[SEARCH_ONE], 3);
        vt_json_put_number(json, "search_ms_all_threads", median[SEARCH_ALL], 3);
        vt_json_put_number(json, "batch_ms_per_query", median[BATCH_ALL] / BATCH, 4);
        vt_json_put_number(json, "batch_gflops", batch_gflops, 1);
        vt_json_put_number(json, "peak_gflops", peak_gflops, 1);
        vt_json_put_number(json, "ratio_batch", batch_gflops / peak_gflops, 3);
        vt_json_close(json);
        return;
    }
    printf("%s, %.0f MB of vectors\n", codec, searched * 1e-6);
    printf("  1 thread:   memory %6.2f GB/s, search %6.2f GB/s (%.2f ms), ratio %.3f\n", read_one,
           search_one, median[SEARCH_ONE], search_one / read_one);
    printf("  %d threads: memory %6.2f GB/s, search %6.2f GB/s (%.2f ms), ratio %.3f\n",
           vt_pool_threads(b->pool), read_all, search_all, median[SEARCH_ALL],
           search_all / read_all);
    printf("  %d queries at once: %.3f ms each, %.1f GFLOP/s, a matrix product %.1f, ratio %.3f\n",
           BATCH, median[BATCH_ALL] / BATCH, batch_gflops, peak_gflops, batch_gflops / peak_gflops);
}

static bool codec_bench(const settings *set, vt_codec codec, vt_pool *pool, vt_json_writer *json)
{
    bench *b = vt_calloc(1, sizeof *b);
    if (!b)
        return false;
    b->set = set;
    b->codec = codec;
    b->pool = pool;
    size_t bytes = set->rows * set->dim * (codec == VT_CODEC_F16 ? 2 : 4);
    b->bytes = (bytes + SUM_BYTES - 1) / SUM_BYTES * SUM_BYTES;
    bool done = fill(b) && vt_peak_new(VT_F32, vt_pool_threads(pool), &b->peak, NULL) == VT_OK;
    if (!done)
        fprintf(stderr, "cannot fill an index of %zu rows\n", set->rows);
    for (size_t round = 0; done && round < set->repeat; round++)
        done = round_measure(b, round);
    if (done)
        report(b, json);
    vt_flat_free(b->flat);
    vt_peak_free(b->peak);
    vt_free(b->buffer);
    vt_free(b->queries);
    vt_free(b->sums);
    vt_free(b);
    return done;
}

static bool settings_read(int argc, char **argv, settings *set)
{
    *set = (settings){.rows = 1000000, .dim = 256, .repeat = 21};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            set->json = true;
            continue;
        }
        int64_t value;
        if (i + 1 == argc || !vt_parse_int(argv[i + 1], 1, 100000000, &value))
            return false;
        if (strcmp(argv[i], "--rows") == 0 && value >= BATCH)
            set->rows = (size_t)value;
        else if (strcmp(argv[i], "--dim") == 0 && value <= VT_FLAT_MAX_DIM)
            set->dim = (size_t)value;
        else if (strcmp(argv[i], "--repeat") == 0 && value <= MAX_REPEAT)
            set->repeat = (size_t)value;
        else if (strcmp(argv[i], "--threads") == 0 && value <= 1024)
            set->threads = (int)value;
        else
            return false;
        i++;
    }
    return true;
}

int main(int argc, char **argv)
{
    settings set;
    if (!settings_read(argc, argv, &set)) {
        fprintf(stderr, "usage: scan [--rows N] [--dim D] [--repeat R] [--threads T] [--json]\n");
        return 2;
    }
    vt_error error;
    vt_pool *pool;
    if (vt_pool_new(set.threads, &pool, &error) != VT_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    vt_buf text;
    vt_json_writer json;
    vt_buf_init(&text, 1 << 20);
    vt_json_begin(&json, &text, true);
    vt_json_open_object(&json, NULL);
    vt_json_put_text(&json, "level", vt_cpu_name(vt_cpu()));
    vt_json_put_int(&json, "threads", vt_pool_threads(pool));
    vt_json_put_int(&json, "rows", (int64_t)set.rows);
    vt_json_put_int(&json, "dim", (int64_t)set.dim);
    vt_json_put_int(&json, "repeat", (int64_t)set.repeat);
    if (!set.json)
        printf("%zu rows of %zu, %s, medians of %zu\n", set.rows, set.dim, vt_cpu_name(vt_cpu()),
               set.repeat);
    bool done = codec_bench(&set, VT_CODEC_F16, pool, &json) &&
                codec_bench(&set, VT_CODEC_F32, pool, &json);
    vt_json_close(&json);
    if (set.json && done)
        printf("%s\n", vt_buf_text(&text));
    vt_buf_deinit(&text);
    vt_pool_free(pool);
    return done ? 0 : 1;
}
