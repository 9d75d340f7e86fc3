/* SPDX-License-Identifier: Apache-2.0 */
/* hnswlib as a peer of bench/search: M 16, ef of construction 200, as its examples have them. It can
 * be asked for some of the rows from 0.7 on, whose filters are of a class that 0.6 lacks. */
#include "search_peer.h"

#include <hnswlib/hnswlib.h>

#include <atomic>
#include <queue>
#include <thread>
#include <type_traits>
#include <vector>

namespace hnswlib {
class BaseFilterFunctor;
}

namespace {

template <class T, class = void> struct is_there : std::false_type {};
template <class T> struct is_there<T, decltype(void(sizeof(T)))> : std::true_type {};

template <class Base> struct among : Base {
    const uint64_t *rows;
    bool operator()(hnswlib::labeltype row) override { return rows[row / 64] >> row % 64 & 1; }
};

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

typedef std::priority_queue<std::pair<float, hnswlib::labeltype>> answer;

void ids_take(answer &&found, size_t k, uint32_t *ids)
{
    for (size_t i = k; i > 0; i--) {
        ids[i - 1] = UINT32_MAX;
        if (found.size() >= i) {
            ids[i - 1] = static_cast<uint32_t>(found.top().second);
            found.pop();
        }
    }
}

void search(void *context, const float *query, size_t k, uint32_t *ids)
{
    ids_take(static_cast<index *>(context)->graph.searchKnn(query, k), k, ids);
}

template <class Graph, class Base>
void search_graph(Graph &graph, const float *query, size_t k, const uint64_t *rows, uint32_t *ids)
{
    among<Base> filter;
    filter.rows = rows;
    ids_take(graph.searchKnn(query, k, &filter), k, ids);
}

template <class Base>
void search_among(void *context, const float *query, size_t k, const uint64_t *rows, uint32_t *ids)
{
    if constexpr (is_there<Base>::value)
        search_graph<decltype(index::graph), Base>(static_cast<index *>(context)->graph, query, k,
                                                   rows, ids);
}

void destroy(void *context)
{
    delete static_cast<index *>(context);
}

typedef hnswlib::BaseFilterFunctor filter_base;
const search_peer peer = {"hnswlib", 0,      build,
                          effort,    search, destroy,
                          is_there<filter_base>::value ? search_among<filter_base> : nullptr,
                          nullptr};

} // namespace

const search_peer *search_peer_get(size_t index)
{
    return index == 0 ? &peer : nullptr;
}
