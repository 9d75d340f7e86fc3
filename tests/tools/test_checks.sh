#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The checks of tools/ hold on this repository and catch violations that are planted in a small tree.
#
#     tests/tools/test_checks.sh [SOURCE_ROOT]      (environment: CC, default cc)
set -eu
root=$(cd "${1:-${VITRINE_SOURCE_ROOT:-$(dirname "$0")/../..}}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
cases=0

# expect STATUS TEXT COMMAND...: the command ends with STATUS and says TEXT ("" for anything)
expect() {
    want=$1
    text=$2
    shift 2
    cases=$((cases + 1))
    got=0
    "$@" >"$work/output" 2>&1 || got=$?
    if [ "$got" -ne "$want" ] || ! grep -qF -- "$text" "$work/output"; then
        echo "FAILED: $* ended with $got, wanted $want and \"$text\"; it said:"
        sed 's/^/    /' "$work/output"
        failures=$((failures + 1))
    fi
}

tree_make() {
    rm -rf "$work/tree"
    mkdir -p "$work/tree/src/base" "$work/tree/include"
    cat >"$work/tree/ARCHITECTURE.md" <<'TABLE'
| floor | folder | what lives there | may include (besides base) | the only folder that includes |
|---|---|---|---|---|
| 0 | `base` | all sorts | – | jansson, sodium |
| 1 | `vector` | kernels | – | roaring, intrinsics |
| 1 | `image` | pictures | – | turbojpeg, vips |
| 3 | `store` | rows | vector | sqlite3, libpq |
| 6 | `shop` | all | floors 1–5 | – |
| 7 | `server` | http | shop | microhttpd |
| 7 | `cli` | commands | shop (and `server` from `serve.c`) | – |
TABLE
    echo '#include <stdio.h>' >"$work/tree/src/base/mem.c"
    : >"$work/tree/include/vitrine.h"
}

# plant FILE LINE...: a file of the tree with these lines
plant() {
    planted=$work/tree/$1
    mkdir -p "$(dirname "$planted")"
    shift
    printf '%s\n' "$@" >"$planted"
}

# layers STATUS TEXT FILE LINE: what check-layers says about a tree with this one line in this file
layers() {
    tree_make
    plant "$3" "$4"
    expect "$1" "$2" "$root/tools/check-layers" "$work/tree"
}

layers_cases() {
    expect 0 "check-layers: ok" "$root/tools/check-layers" "$root"
    layers 0 "ok" src/vector/a.c '#include "base/mem.h"'
    layers 0 "ok" src/store/sqlite/a.c '#include "vector/a.h"'
    layers 0 "ok" src/store/sqlite/a.c '#include "store/sqlite/b.h"'
    layers 0 "ok" src/store/sqlite/a.c '#include <sqlite3.h>'
    layers 0 "ok" src/shop/a.c '#include "store/a.h"'
    layers 0 "ok" src/shop/a.c '#include "vitrine.h"'
    layers 0 "ok" src/base/a.h '#include "vitrine.h"'
    layers 0 "ok" src/base/a.c '#include <cpuid.h>'
    layers 0 "ok" src/vector/a.c '  #  include <immintrin.h>'
    layers 0 "ok" src/cli/serve.c '#include "server/a.h"'
    layers 0 "ok" src/image/a.c '#include <sys/stat.h>'
    layers 1 "src/vector/a.c:1: vector (floor 1) may not include image" src/vector/a.c '#include "image/a.h"'
    layers 1 "src/base/a.c:1: base (floor 0) may not include vector" src/base/a.c '#include "vector/a.h"'
    layers 1 "src/store/sqlite/a.c:1: store" src/store/sqlite/a.c '#include "image/a.h"'
    layers 1 "may be included from cli/serve.c only" src/cli/main.c '#include "server/a.h"'
    layers 1 "cli (floor 7) may not include store" src/cli/main.c '#include "store/a.h"'
    layers 1 "shop (floor 6) may not include cli" src/shop/a.c '#include "cli/a.h"'
    layers 1 "vitrine.h is for base" src/vector/a.c '#include "vitrine.h"'
    layers 1 "only base includes jansson" src/vector/a.c '#include <jansson.h>'
    layers 1 "only store includes sqlite3" src/shop/a.c '#include <sqlite3.h>'
    layers 1 "only vector includes intrinsics" src/image/a.c '#include <immintrin.h>'
    layers 1 "only vector includes intrinsics" src/image/a.c '#include <arm_neon.h>'
    layers 1 "only image includes vips" src/shop/a.c '#include <vips/vips.h>'
    layers 1 "only base asks" src/vector/a.c '#include <cpuid.h>'
    layers 1 "no folder of ARCHITECTURE.md includes curl" src/base/a.c '#include <curl/curl.h>'
    layers 1 "belongs to no library" src/base/a.c '#include <zlib.h>'
    layers 1 "not of the form" src/vector/a.c '#include "a.h"'
    layers 1 "not of the form" src/vector/a.c '#include "../image/a.h"'
    layers 1 "not of the form" src/vector/a.c '#include "vector/../image/a.h"'
    layers 1 "names no header" src/vector/a.c '#include HEADER'
    layers 1 "folder utils has no row" src/vector/a.c '#include "utils/a.h"'
    tree_make
    plant src/misc/a.c '/* lost */'
    expect 1 "folder misc has no row" "$root/tools/check-layers" "$work/tree"
    tree_make
    sed -i 's/| vector | sqlite3/| shop | sqlite3/' "$work/tree/ARCHITECTURE.md"
    expect 1 "store lists shop, which is a floor above it" "$root/tools/check-layers" "$work/tree"
    tree_make
    sed -i 's/sqlite3, libpq/sqlite3, duckdb/' "$work/tree/ARCHITECTURE.md"
    expect 1 "no header pattern for library \"duckdb\"" "$root/tools/check-layers" "$work/tree"
    tree_make
    sed -i 's/floors 1–5/most of it/' "$work/tree/ARCHITECTURE.md"
    expect 1 "is not understood" "$root/tools/check-layers" "$work/tree"
    tree_make
    echo "no table" >"$work/tree/ARCHITECTURE.md"
    expect 1 "table of floors was not found" "$root/tools/check-layers" "$work/tree"
    rm "$work/tree/ARCHITECTURE.md"
    expect 1 "no ARCHITECTURE.md" "$root/tools/check-layers" "$work/tree"
}

# banned STATUS TEXT FILE LINE...
banned() {
    tree_make
    want_status=$1
    want_text=$2
    shift 2
    plant "$@"
    expect "$want_status" "$want_text" "$root/tools/check-banned" "$work/tree"
}

banned_cases() {
    expect 0 "check-banned: ok" "$root/tools/check-banned" "$root"
    for name in strcpy strcat sprintf vsprintf gets strtok atoi atof alloca rand malloc calloc realloc \
        free strdup; do
        banned 1 "src/vector/a.c:2: $name is banned" src/vector/a.c '' "    x = $name(y);"
    done
    banned 1 "include/vitrine.h:1: atoi" include/vitrine.h 'x = atoi (y);'
    banned 1 "src/store/sqlite/a.c:1: free" src/store/sqlite/a.c '(free)(x);'
    banned 1 "a.c:1: free" src/vector/a.c 'list_each(list, free);'
    banned 1 "a.c:1: malloc" src/vector/a.c 'hooks.take = malloc;'
    banned 1 "a.c:3: strcpy" src/vector/a.c '/* a comment' 'that ends */' 'x(); strcpy(a, b); /* "strcpy" */'
    banned 1 "a.c:1: free" src/vector/a.c "c = '\"'; free(x); d = '\"';"
    banned 1 "a.c:1: abort" src/vector/a.c 'abort();'
    banned 0 "ok" src/cli/main.c 'printf("x"); exit(1);'
    banned 0 "ok" src/base/mem.c 'free(malloc(1));'
    banned 1 "mem.c:1: strcpy" src/base/mem.c 'strcpy(a, b);'
    banned 1 "other/mem.c:1: free" src/vector/other/mem.c 'free(x);'
    banned 0 "ok" src/vector/a.c '/* never malloc(1),' ' * nor free(x) */ y(); // strcpy(a, b)' \
        'z = "sprintf(\"free(1)\")";' 'x->free(y); api.free(y); vt_free(x); free_all(x); size_t rand;' \
        'int free, strtok_r(void);'
    rm -rf "$work/tree/src" "$work/tree/include"
    expect 1 "no sources" "$root/tools/check-banned" "$work/tree"
}

# symbols STATUS TEXT SOURCE: a library made of this C text against the header written below
symbols() {
    printf '%s\n' "$3" >"$work/lib.c"
    ${CC:-cc} -shared -fPIC -nostdlib -fvisibility=hidden -o "$work/lib.so" "$work/lib.c"
    expect "$1" "$2" "$root/tools/check-symbols" "$work/lib.so" "$work/api.h"
}

symbols_cases() {
    cat >"$work/api.h" <<'HEADER'
/* VT_API void vt_in_comment(void); */
#define VT_API __attribute__((visibility("default")))
#define VT_LIST(X) \
    X(VT_API vt_in_macro(void);)
extern "C" {
typedef void vt_callback(void *context); // VT_API
struct s {
    void (*sink)(void *context);
};
VT_API const char *vt_one(void);
VT_API int
vt_two(void (*sink)(int), /* a comment; with a semicolon */
       int x);
HEADER
    show='__attribute__((visibility("default")))'
    both="$show const char *vt_one(void) { return 0; } $show int vt_two(void) { return 0; }"
    symbols 0 "check-symbols: ok, 2 functions" "$both int vt_hidden(void) { return 0; }"
    symbols 1 "vt_three: exported by" "$both $show int vt_three(void) { return 0; }"
    symbols 1 "helper: exported by" "$both $show int helper;"
    symbols 1 "vt_two: VT_API in" "$show const char *vt_one(void) { return 0; } int vt_two(void) { return 0; }"
    echo 'int vt_forgotten(int x);' >>"$work/api.h"
    symbols 1 "vt_forgotten: declared in" "$both"
    echo '/* nothing */' >"$work/api.h"
    symbols 1 "no VT_API function was found" "int x;"
    expect 1 "cannot read" "$root/tools/check-symbols" "$work/none.so"
    expect 1 "usage" "$root/tools/check-symbols"
}

layers_cases
banned_cases
symbols_cases
if [ "$failures" -ne 0 ]; then
    echo "test_checks: $failures of $cases cases failed"
    exit 1
fi
echo "test_checks: ok, $cases cases"
