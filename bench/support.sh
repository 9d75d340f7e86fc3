# SPDX-License-Identifier: Apache-2.0
# What the drivers in bench/ share; sourced, not run. Real data comes from archives in $VITRINE_DATA
# (default: ../shared/data beside the checkout) and is unpacked, like everything a benchmark makes,
# below $VITRINE_CACHE (default: build/bench).
root=$(cd "$(dirname "$0")/.." && pwd)
data=${VITRINE_DATA:-$root/../shared/data}
cache=${VITRINE_CACHE:-$root/build/bench}
vitrine=$root/build/src/cli/vitrine
mkdir -p "$cache"

say() { printf '%s\n' "$*" >&2; }
fail() { say "bench: $*"; exit 1; }

[ -x "$vitrine" ] || fail "build first: ./dev build"

# unpack NAME: the archive's folder below the cache.
unpack() {
    [ -d "$cache/$1" ] && return 0
    [ -f "$data/$1.tar.xz" ] || fail "$1.tar.xz is not in $data; set VITRINE_DATA"
    tar -xJf "$data/$1.tar.xz" -C "$cache" || fail "$1.tar.xz cannot be unpacked"
}

# number NAME: the value of "NAME": in the JSON on standard input, of which there is one.
number() { sed -n "s/.*\"$1\": *\([-0-9.]*\).*/\1/p" | head -n 1; }
