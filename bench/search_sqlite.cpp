/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite-vec as a peer of bench/search: a table of vec0 in a file, vectors of f32 by cosine, exact.
 * Each search takes a connection that nobody else has, with the whole file mapped into memory.
 * SQLITE_VEC is the extension's path.
 */
#include "search_peer.h"

#include <sqlite3.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>
#include <string>
#include <vector>

namespace {

struct connection {
    sqlite3 *db = nullptr;
    sqlite3_stmt *ask = nullptr;

    ~connection()
    {
        sqlite3_finalize(ask);
        sqlite3_close(db);
    }
};

struct index {
    std::string path;
    size_t dim;
    std::mutex mutex;
    std::vector<connection *> idle;

    ~index()
    {
        for (connection *one : idle)
            delete one;
        unlink(path.c_str());
    }
};

bool open(connection &one, const std::string &path)
{
    return sqlite3_open(path.c_str(), &one.db) == SQLITE_OK &&
           sqlite3_enable_load_extension(one.db, 1) == SQLITE_OK &&
           sqlite3_load_extension(one.db, SQLITE_VEC, "sqlite3_vec_init", nullptr) == SQLITE_OK &&
           sqlite3_exec(one.db, "PRAGMA mmap_size = 68719476736", nullptr, nullptr, nullptr) ==
               SQLITE_OK;
}

bool fill(connection &one, const float *vectors, size_t count, size_t dim)
{
    const std::string table = "CREATE VIRTUAL TABLE v USING vec0(e float[" + std::to_string(dim) +
                              "] distance_metric=cosine); BEGIN";
    sqlite3_stmt *put = nullptr;
    bool done =
        sqlite3_exec(one.db, "PRAGMA synchronous = OFF", nullptr, nullptr, nullptr) == SQLITE_OK &&
        sqlite3_exec(one.db, table.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK &&
        sqlite3_prepare_v2(one.db, "INSERT INTO v(rowid, e) VALUES (?1, ?2)", -1, &put, nullptr) ==
            SQLITE_OK;
    for (size_t i = 0; done && i < count; i++) {
        sqlite3_bind_int64(put, 1, static_cast<sqlite3_int64>(i) + 1);
        sqlite3_bind_blob(put, 2, vectors + i * dim, static_cast<int>(dim * sizeof(float)),
                          SQLITE_STATIC);
        done = sqlite3_step(put) == SQLITE_DONE && sqlite3_reset(put) == SQLITE_OK;
    }
    sqlite3_finalize(put);
    return done && sqlite3_exec(one.db, "COMMIT", nullptr, nullptr, nullptr) == SQLITE_OK;
}

void *build(const float *vectors, size_t count, size_t dim, int)
{
    const char *folder = std::getenv("TMPDIR");
    std::string path = std::string(folder ? folder : "/tmp") + "/search-XXXXXX";
    const int file = mkstemp(path.data());
    if (file < 0)
        return nullptr;
    close(file);
    auto *made = new index{path, dim, {}, {}};
    connection one;
    if (open(one, path) && fill(one, vectors, count, dim))
        return made;
    delete made;
    return nullptr;
}

void effort(void *, size_t) {}

connection *borrow(index *from)
{
    {
        const std::lock_guard<std::mutex> lock(from->mutex);
        if (!from->idle.empty()) {
            connection *one = from->idle.back();
            from->idle.pop_back();
            return one;
        }
    }
    auto *one = new connection;
    if (open(*one, from->path) &&
        sqlite3_prepare_v2(one->db, "SELECT rowid FROM v WHERE e MATCH ?1 AND k = ?2", -1,
                           &one->ask, nullptr) == SQLITE_OK)
        return one;
    delete one;
    return nullptr;
}

void search(void *context, const float *query, size_t k, uint32_t *ids)
{
    auto *from = static_cast<index *>(context);
    connection *one = borrow(from);
    size_t found = 0;
    if (one) {
        sqlite3_bind_blob(one->ask, 1, query, static_cast<int>(from->dim * sizeof(float)),
                          SQLITE_STATIC);
        sqlite3_bind_int64(one->ask, 2, static_cast<sqlite3_int64>(k));
        for (; found < k && sqlite3_step(one->ask) == SQLITE_ROW; found++)
            ids[found] = static_cast<uint32_t>(sqlite3_column_int64(one->ask, 0) - 1);
        sqlite3_reset(one->ask);
        const std::lock_guard<std::mutex> lock(from->mutex);
        from->idle.push_back(one);
    }
    for (; found < k; found++)
        ids[found] = UINT32_MAX;
}

void destroy(void *context)
{
    delete static_cast<index *>(context);
}

const search_peer peers[] = {
    {"sqlite-vec", 1, build, effort, search, destroy, nullptr, nullptr},
};

} // namespace

const search_peer *search_peer_get(size_t index)
{
    return index < sizeof peers / sizeof peers[0] ? &peers[index] : nullptr;
}
