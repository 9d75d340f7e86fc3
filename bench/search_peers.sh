# SPDX-License-Identifier: Apache-2.0
# Nearest neighbours by hnswlib, FAISS, USearch and sqlite-vec, where they are installed (Debian: libhnswlib-dev,
# libfaiss-dev; npm: usearch, sqlite-vec), as libraries for the programs of bench/: $peers names them. Sourced behind
# support.sh.

# peer NAME FLAGS...: compiled where it can be; false where it cannot.
peers=
peer() {
    name=$1
    shift
    library=$cache/search_$name.so
    if ! up_to_date "$library" "$root/bench/search_$name.cpp" "$root/bench/search_peer.h"; then
        c++ -std=c++17 -O3 -march=native -DNDEBUG -shared -fPIC -fvisibility=hidden -Wl,-z,defs -I"$root/bench" \
            "$root/bench/search_$name.cpp" -o "$library.new" "$@" 2>"$library.log" &&
            mv "$library.new" "$library" || rm -f "$library"
    fi
    [ -f "$library" ] || return 1
    peers="$peers $library"
}

# numkong: the C kernels of USearch, $kernels; false where they do not compile.
numkong() {
    kernels=
    for source in "$headers"/numkong/c/*.c; do
        kernel=$cache/usearch/$(basename "$source")
        up_to_date "$kernel.o" "$source" ||
            cc -O3 -march=native -DNDEBUG -DNK_DYNAMIC_DISPATCH=1 -fPIC -fvisibility=hidden -I"$headers/numkong/include" \
                -c "$source" -o "$kernel.o" 2>"$kernel.log" || return 1
        kernels="$kernels $kernel.o"
    done
}

if command -v c++ >/dev/null; then
    peer hnswlib -pthread || say "without hnswlib (see $cache/search_hnswlib.so.log)"
    peer faiss -fopenmp -lfaiss -llapack -lblas || say "without FAISS (see $cache/search_faiss.so.log)"
    if npm_into "$cache/usearch" usearch; then
        headers=$cache/usearch/node_modules/usearch
        # Its kernels want a newer compiler than Debian 12 has; without them it is plain C++.
        # shellcheck disable=SC2086
        if ! numkong || ! peer usearch $kernels -I"$headers/include" -I"$headers/numkong/include" -pthread -lm \
            -DUSEARCH_USE_NUMKONG=1 -DNK_DYNAMIC_DISPATCH=1; then
            say "without USearch's own kernels (see $cache/usearch/*.log, $cache/search_usearch.so.log): plain C++ in their place"
            peer usearch -I"$headers/include" -pthread || say "without usearch (see $cache/search_usearch.so.log)"
        fi
    else
        say "without usearch: there is no npm, or no package"
    fi
    extension=
    ! npm_into "$cache/sqlite-vec" sqlite-vec ||
        extension=$(find "$cache/sqlite-vec/node_modules" -name vec0.so | head -n 1)
    if [ -n "$extension" ]; then
        peer sqlite -pthread -DSQLITE_VEC="\"$extension\"" -lsqlite3 ||
            say "without sqlite-vec (see $cache/search_sqlite.so.log)"
    else
        say "without sqlite-vec: there is no npm, or no package for this machine"
    fi
else
    say "without peers: there is no C++ compiler"
fi
