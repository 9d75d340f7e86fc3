/* SPDX-License-Identifier: Apache-2.0 */
/*
 * USearch as a peer of bench/search: f32, f16 and i8, connectivity 16 and expansion 200 on adding,
 * with its own kernels where they compile (USEARCH_USE_NUMKONG).
 */
#include "search_peer.h"

#include <usearch/index_dense.hpp>

#include <atomic>
#include <thread>
#include <vector>

namespace {

using namespace unum::usearch;

void *build(const float *vectors, size_t count, size_t dim, int threads, scalar_kind_t scalar)
{
    index_dense_config_t config(16, 200, 64);
    metric_punned_t metric(dim, metric_kind_t::cos_k, scalar);
    auto made = index_dense_t::make(metric, config);
    if (!made)
        return nullptr;
    auto *index = new index_dense_t(std::move(made.index));
    /* Searches come from any thread of the driver. */
    if (!index->try_reserve(index_limits_t(count, 64))) {
        delete index;
        return nullptr;
    }
    std::atomic<size_t> next{0};
    std::vector<std::thread> workers;
    auto work = [&] {
        for (size_t row; (row = next++) < count;)
            (void)index->add(static_cast<index_dense_t::vector_key_t>(row), vectors + row * dim);
    };
    for (int i = 0; i < threads; i++)
        workers.emplace_back(work);
    for (auto &worker : workers)
        worker.join();
    return index;
}

void *f32_build(const float *vectors, size_t count, size_t dim, int threads)
{
    return build(vectors, count, dim, threads, scalar_kind_t::f32_k);
}

void *f16_build(const float *vectors, size_t count, size_t dim, int threads)
{
    return build(vectors, count, dim, threads, scalar_kind_t::f16_k);
}

void *i8_build(const float *vectors, size_t count, size_t dim, int threads)
{
    return build(vectors, count, dim, threads, scalar_kind_t::i8_k);
}

void effort(void *context, size_t effort)
{
    static_cast<index_dense_t *>(context)->change_expansion_search(effort);
}

void ids_take(const index_dense_t::search_result_t &found, size_t k, uint32_t *ids)
{
    for (size_t i = 0; i < k; i++)
        ids[i] = i < found.size() ? static_cast<uint32_t>(found[i].member.key) : UINT32_MAX;
}

void search(void *context, const float *query, size_t k, uint32_t *ids)
{
    ids_take(static_cast<index_dense_t *>(context)->search(query, k), k, ids);
}

void search_among(void *context, const float *query, size_t k, const uint64_t *rows, uint32_t *ids)
{
    auto among = [rows](index_dense_t::vector_key_t row) { return rows[row / 64] >> row % 64 & 1; };
    ids_take(static_cast<index_dense_t *>(context)->filtered_search(query, k, among), k, ids);
}

void destroy(void *context)
{
    delete static_cast<index_dense_t *>(context);
}

const search_peer peers[] = {
    {"usearch f32", 0, f32_build, effort, search, destroy, search_among, nullptr},
    {"usearch f16", 0, f16_build, effort, search, destroy, search_among, nullptr},
    {"usearch i8", 0, i8_build, effort, search, destroy, search_among, nullptr},
};

} // namespace

const search_peer *search_peer_get(size_t index)
{
    return index < sizeof peers / sizeof peers[0] ? &peers[index] : nullptr;
}
