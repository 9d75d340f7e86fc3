#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Every architecture as a file: the ONNX checker takes it, and ONNX Runtime computes what vitrine does.
#
#     tests/encoder/test_architectures_peers.sh VITRINE ARCHITECTURES
#
# ARCHITECTURES: the program made of architectures.c. Skipped without python3-onnx (environment: PYTHON)
# and without ONNX Runtime for node (VITRINE_ORT); see tools/peers.sh.
set -eu
skipped=77 # meson's exit code for it
here=$(cd "$(dirname "$0")" && pwd)
vitrine=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
architectures=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")

skip() {
    echo "test_architectures_peers: skipped: $*"
    exit $skipped
}

. "$here/../../tools/peers.sh"
find_python
[ -n "$python" ] || skip "no python3 has the module onnx (Debian: python3-onnx)"
find_ort "${VITRINE_ORT:-}"
[ -n "$ort" ] || skip "no node, or VITRINE_ORT does not name a folder with onnxruntime-node"

work=$(mktemp -d /tmp/vt-architectures-XXXXXX)
trap 'rm -rf "$work"' EXIT
"$architectures" "$work"
"$python" -B -c 'import sys, onnx
for path in sys.argv[1:]:
    onnx.checker.check_model(path, full_check=True)' "$work"/*.onnx
node "$here/../nn/networks_peer.mjs" "$ort" "$work" peer
mkdir "$work/onednn"
while read -r network name input; do
    "$vitrine" model run "$work/$network.onnx" --out "$work/onednn/$network.$name" --in "$work/$input" \
        >"$work/log" 2>&1 || sed "s/^/$network: /" "$work/log"
done <"$work/cases.txt"
"$python" -B "$here/../nn/make_networks.py" compare "$work" onednn peer
