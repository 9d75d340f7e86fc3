# SPDX-License-Identifier: Apache-2.0
# What the drivers in bench/ share; sourced, not run. Real data comes from archives in $VITRINE_DATA
# (default: ../shared/data beside the checkout) and is unpacked, like everything a benchmark makes,
# below $VITRINE_CACHE (default: build/bench).
root=$(cd "$(dirname "$0")/.." && pwd)
data=${VITRINE_DATA:-$root/../shared/data}
cache=${VITRINE_CACHE:-$root/build/bench}
vitrine=$root/build/src/cli/vitrine
mkdir -p "$cache"
. "$root/tools/peers.sh"

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
# field NAME: the values of "NAME": in the lines of JSON on standard input, one each.
field() { sed -n "s/.*\"$1\": *\"\{0,1\}\([^,\"}]*\).*/\1/p"; }

# median: of the numbers on standard input, one a line.
median() {
    sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# from_npm FOLDER PACKAGE: a peer, below the cache.
from_npm() { npm_into "$cache/$1" "$2" || fail "npm cannot install $2"; }

# need_ort: $ort becomes a folder whose node_modules holds ONNX Runtime: $VITRINE_ORT, or one below
# the cache.
need_ort() {
    [ -n "${VITRINE_ORT:-}" ] || from_npm ort onnxruntime-node
    find_ort "$cache/ort"
    [ -n "$ort" ] || fail "there is no onnxruntime-node in ${VITRINE_ORT:-$cache/ort}, or no node"
}

# up_to_date FILE SOURCE...: it is there, and none of these is newer.
up_to_date() {
    file=$1
    shift
    [ -f "$file" ] && [ -z "$(find "$@" -newer "$file")" ]
}

# need_model NAME: $model becomes the network's file, made by make_models.py when it is not there yet.
# light_* come from the conformance archive, their batch made free.
need_model() {
    model=$cache/models/$1.onnx
    up_to_date "$model" "$root/bench/make_models.py" "$root/tests/support/onnx_graph.py" \
        "$root/tests/support/onnx_networks.py" && return 0
    find_python
    [ -n "$python" ] || fail "no python3 has the module onnx (Debian: python3-onnx); PYTHON may name one"
    mkdir -p "$cache/models"
    case $1 in
    light_*)
        unpack onnx-conformance
        "$python" -B "$root/bench/make_models.py" free "$cache/onnx-conformance/light/$1.onnx" "$model.new"
        ;;
    *) "$python" -B "$root/bench/make_models.py" "$1" "$model.new" ;;
    esac || fail "$1 cannot be made"
    mv "$model.new" "$model"
}
