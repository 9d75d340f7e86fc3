#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Networks in the forms that exporters write them, with random weights, on both executors and on ONNX
# Runtime: all three agree. make_networks.py says which networks, which inputs and how closely.
#
#     tests/nn/test_networks_peers.sh VITRINE
#
# Skipped without python3-onnx (environment: PYTHON, the interpreter that has it) and without ONNX
# Runtime for node (VITRINE_ORT: the folder that holds its node_modules); see tools/peers.sh.
set -eu
skipped=77 # meson's exit code for it
here=$(cd "$(dirname "$0")" && pwd)
vitrine=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")

skip() {
    echo "test_networks_peers: skipped: $*"
    exit $skipped
}

. "$here/../../tools/peers.sh"
find_python
[ -n "$python" ] || skip "no python3 has the module onnx (Debian: python3-onnx)"
find_ort "${VITRINE_ORT:-}"
[ -n "$ort" ] || skip "no node, or VITRINE_ORT does not name a folder with onnxruntime-node"

work=$(mktemp -d /tmp/vt-networks-XXXXXX)
trap 'rm -rf "$work"' EXIT
"$python" -B "$here/make_networks.py" write "$work"
node "$here/networks_peer.mjs" "$ort" "$work" peer

failures=0
# run OUT OPTION...: every case by vitrine with this option
run() {
    results=$1
    shift
    mkdir "$work/$results"
    while read -r network name inputs; do
        files=
        for input in $inputs; do
            files="$files $work/$input"
        done
        # shellcheck disable=SC2086 # one word per input, none has a space in it
        "$vitrine" model run "$work/$network.onnx" "$@" --out "$work/$results/$network.$name" --in \
            $files >"$work/log" 2>&1 || sed "s/^/$network.$name: /" "$work/log"
    done <"$work/cases.txt"
    "$python" -B "$here/make_networks.py" compare "$work" "$results" peer || failures=1
}
run onednn
run reference --reference
exit $failures
