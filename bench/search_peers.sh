# SPDX-License-Identifier: Apache-2.0
# Nearest neighbours by hnswlib, FAISS and USearch, where they are installed (Debian: libhnswlib-dev,
# libfaiss-dev; npm: usearch), as libraries for the programs of bench/: $peers names them. Sourced behind
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

if command -v c++ >/dev/null; then
    peer hnswlib -pthread || say "without hnswlib (see $cache/search_hnswlib.so.log)"
    peer faiss -fopenmp -lfaiss -llapack -lblas || say "without FAISS (see $cache/search_faiss.so.log)"
    if npm_into "$cache/usearch" usearch; then
        headers=$cache/usearch/node_modules/usearch
        # Its own kernels want a newer compiler than Debian 12 has; without them it is plain C++.
        peer usearch -I"$headers/include" -I"$headers/numkong/include" -pthread \
            -DUSEARCH_USE_NUMKONG=1 -DNK_DYNAMIC_DISPATCH=0 ||
            peer usearch -I"$headers/include" -pthread ||
            say "without usearch (see $cache/search_usearch.so.log)"
    else
        say "without usearch: there is no npm, or no package"
    fi
else
    say "without peers: there is no C++ compiler"
fi
