/* SPDX-License-Identifier: Apache-2.0 */
/* hnswlib as a peer of bench/search: M 16, ef of construction 200, as its examples have them. */
#include "search_peer.h"

#include <hnswlib/hnswlib.h>

#include <atomic>
#include <thread>
#include <vector>

namespace {

struct index {
    hnswlib::InnerProductSpace space;
    hnswlib::HierarchicalNSW<float> graph;

    index(size_t count, size_t dim) : space(dim), graph(&space, count, 16, 200) {}
};

void *build(const float *vectors, size_t count, size_t dim, int threads)
{
    auto *made = new index(count, dim);
    std::atomic<size_t> next{0};
    std::vector<std::thread> workers;
    auto work = [&] {
        for (size_t row; (row = next++) < count;)
            made->graph.addPoint(vectors + row * dim, row);
    };
    for (int i = 0; i < threads; i++)
        workers.emplace_back(work);
    for (auto &worker : workers)
        worker.join();
    return made;
}

void effort(void *context, size_t effort)
{
    static_cast<index *>(context)->graph.setEf(effort);
}

void search(void *context, const float *query, size_t k, uint32_t *ids)
{
    auto found = static_cast<index *>(context)->graph.searchKnn(query, k);
    for (size_t i = k; i > 0; i--) {
        ids[i - 1] = UINT32_MAX;
        if (found.size() >= i) {
            ids[i - 1] = static_cast<uint32_t>(found.top().second);
            found.pop();
        }
    }
}

void destroy(void *context)
{
    delete static_cast<index *>(context);
}

const search_peer peer = {"hnswlib", 0, build, effort, search, destroy};

} // namespace

const search_peer *search_peer_get(size_t index)
{
    return index == 0 ? &peer : nullptr;
}
