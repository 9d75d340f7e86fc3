/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FAISS as a peer of bench/search: HNSW with M 16 and ef of construction 200, flat, and inverted
 * lists with product quantisers read by fast scan, of as many lists and as many bits as vitrine's,
 * whose best 100 are ordered by 8-bit codes. Searches are one query a call (flat: also many), from
 * as many threads as the driver has; OpenMP is for building.
 */
#include "search_peer.h"

#include <faiss/IndexFlat.h>
#include <faiss/IndexHNSW.h>
#include <faiss/IndexIVFPQFastScan.h>
#include <faiss/IndexRefine.h>
#include <faiss/IndexScalarQuantizer.h>
#include <omp.h>

#include <cmath>

#include <vector>

namespace {

using idx_t = int64_t; /* faiss::idx_t, which 1.7 has inside of Index */

void *hnsw_build(const float *vectors, size_t count, size_t dim, int threads)
{
    auto *made = new faiss::IndexHNSWFlat(static_cast<int>(dim), 16, faiss::METRIC_INNER_PRODUCT);
    made->hnsw.efConstruction = 200;
    omp_set_num_threads(threads);
    made->add(static_cast<idx_t>(count), vectors);
    omp_set_num_threads(1);
    return made;
}

void hnsw_effort(void *context, size_t effort)
{
    static_cast<faiss::IndexHNSWFlat *>(context)->hnsw.efSearch = static_cast<int>(effort);
}

void *ivf_build(const float *vectors, size_t count, size_t dim, int threads)
{
    const int d = static_cast<int>(dim);
    const auto n = static_cast<idx_t>(count);
    auto *coarse = new faiss::IndexFlatIP(d);
    auto *lists = new faiss::IndexIVFPQFastScan(
        coarse, dim, static_cast<size_t>(2.0 * std::sqrt(static_cast<double>(count))) + 1, dim / 4,
        4, faiss::METRIC_INNER_PRODUCT);
    lists->own_fields = true;
    auto *codes = new faiss::IndexScalarQuantizer(d, faiss::ScalarQuantizer::QT_8bit,
                                                  faiss::METRIC_INNER_PRODUCT);
    auto *made = new faiss::IndexRefine(lists, codes);
    made->own_fields = made->own_refine_index = true;
    made->k_factor = 10;
    omp_set_num_threads(threads);
    made->train(n, vectors);
    made->add(n, vectors);
    omp_set_num_threads(1);
    return made;
}

void ivf_effort(void *context, size_t effort)
{
    auto *refine = static_cast<faiss::IndexRefine *>(context);
    static_cast<faiss::IndexIVF *>(refine->base_index)->nprobe = effort;
}

void *flat_build(const float *vectors, size_t count, size_t dim, int threads)
{
    (void)threads;
    auto *made = new faiss::IndexFlatIP(static_cast<idx_t>(dim));
    made->add(static_cast<idx_t>(count), vectors);
    omp_set_num_threads(1);
    return made;
}

void flat_effort(void *, size_t) {}

void search_many(void *context, const float *queries, size_t count, size_t k, uint32_t *ids)
{
    std::vector<float> similarities(count * k);
    std::vector<idx_t> found(count * k);
    omp_set_num_threads(1); /* of the calling thread */
    static_cast<faiss::Index *>(context)->search(
        static_cast<idx_t>(count), queries, static_cast<idx_t>(k),
        similarities.data(), found.data());
    for (size_t i = 0; i < count * k; i++)
        ids[i] = found[i] < 0 ? UINT32_MAX : static_cast<uint32_t>(found[i]);
}

void search(void *context, const float *query, size_t k, uint32_t *ids)
{
    search_many(context, query, 1, k, ids);
}

void destroy(void *context)
{
    delete static_cast<faiss::Index *>(context);
}

const search_peer peers[] = {
    {"faiss hnsw", 0, hnsw_build, hnsw_effort, search, destroy, nullptr, nullptr},
    {"faiss ivfpq", 0, ivf_build, ivf_effort, search, destroy, nullptr, nullptr},
    {"faiss flat", 1, flat_build, flat_effort, search, destroy, nullptr, nullptr},
    {"faiss flat batch", 1, flat_build, flat_effort, search, destroy, nullptr, search_many},
};

} // namespace

const search_peer *search_peer_get(size_t index)
{
    return index < sizeof peers / sizeof peers[0] ? &peers[index] : nullptr;
}
