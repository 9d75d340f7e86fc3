#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Files that `vitrine model quantize` writes, before the format's own checker (python3-onnx) and before
# ONNX Runtime (onnxruntime-node, in the node_modules of the folder that $VITRINE_ORT names), which must
# compute from them what vitrine computes: cosine above 0.999.
#
#     tests/nn/test_quantize_peers.sh VITRINE SOURCE_ROOT
#
# The networks are what python3-onnx makes, the pictures what `vitrine sample` renders. Without
# python3-onnx there is nothing to do (77); without ONNX Runtime that part is skipped with a line.
set -u
LC_ALL=C
export LC_ALL
vitrine=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
here=$(cd "$2" && pwd)/tests/nn
work=$(mktemp -d /tmp/vt-quantize-XXXXXX) || exit 1
trap 'rm -rf "$work"' EXIT
mkdir "$work/made" "$work/out"

. "$here/../../tools/peers.sh"
find_python
find_ort "${VITRINE_ORT:-}"
if [ -z "$python" ]; then
    echo 'skipped: no python3-onnx and so no network to quantise'
    exit 77
fi
"$python" -B "$here/quantize_peers.py" make "$work/made" || exit 1
"$vitrine" sample "$work/goods" --products 8 --views 2 --size 96 >/dev/null || exit 1

failures=0
: >"$work/list"
for network in "$work/made"/*.onnx; do
    name=$(basename "$network" .onnx)
    for method in percentile entropy max; do
        quantized=$work/out/$name-$method.onnx
        if ! "$vitrine" model quantize "$network" "$quantized" --calibrate "$work/goods" --preset none \
            --method "$method" --min-cosine 0.9 >"$work/said" 2>&1; then
            echo "[  FAILED  ] $name, $method: $(cat "$work/said")"
            failures=$((failures + 1))
            continue
        fi
        mkdir -p "$work/ran/$name-$method"
        "$vitrine" model run "$quantized" --in "$work/made/$name.npy" --out "$work/ran/$name-$method" \
            >/dev/null || failures=$((failures + 1))
        printf '%s\t%s\t%s\n' "$quantized" "$work/made/$name.npy" "$work/ran/$name-$method/output_0.npy" \
            >>"$work/list"
    done
done

"$python" -B "$here/quantize_peers.py" check "$work/out"/*.onnx || failures=$((failures + 1))
if [ -n "$ort" ]; then
    node "$here/quantize_peers.js" "$work/list" || failures=$((failures + 1))
else
    echo 'skipped: ONNX Runtime, no node or no onnxruntime-node in $VITRINE_ORT'
fi
exit $((failures > 0))
