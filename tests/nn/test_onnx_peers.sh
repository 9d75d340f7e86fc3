#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Files that `vitrine model export` writes, before the format's own checker (python3-onnx) and before
# ONNX Runtime (onnxruntime-node, in the node_modules of the folder that $VITRINE_ORT names), which must
# compute from them what it computes from the originals.
#
#     tests/nn/test_onnx_peers.sh VITRINE SOURCE_ROOT
#
# Networks: what python3-onnx makes here, and every fourth of the archive of operator cases in
# $VITRINE_DATA, all of them with VITRINE_PEERS=all. A peer that is missing is skipped with a line; 77 when
# nothing could be done.
set -u
LC_ALL=C
export LC_ALL
vitrine=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
here=$(cd "$2" && pwd)/tests/nn
work=$(mktemp -d /tmp/vt-peers-XXXXXX) || exit 1
trap 'rm -rf "$work"' EXIT
mkdir "$work/made" "$work/cases" "$work/out"

. "$here/../../tools/peers.sh"
find_python
find_ort "${VITRINE_ORT:-}"

# ---- networks ----

if [ -n "$python" ]; then
    "$python" -B "$here/onnx_peers.py" make "$work/made" || exit 1
else
    echo 'skipped: the checker, no python3-onnx'
fi
[ -n "$ort" ] || echo 'skipped: ONNX Runtime, no node or no onnxruntime-node in $VITRINE_ORT'
archive=${VITRINE_DATA:-}/onnx-conformance.tar.xz
if [ -n "$python$ort" ] && [ -f "$archive" ]; then
    tar -xJf "$archive" -C "$work/cases" || exit 1
else
    echo 'skipped: the operator cases, no onnx-conformance.tar.xz in $VITRINE_DATA'
fi

# ---- written anew; what vitrine does not support it does not write ----

failures=0 written=0
: >"$work/list"
every=4
[ "${VITRINE_PEERS:-}" = all ] && every=1
{
    find "$work/made" -name '*.onnx' | sort
    find "$work/cases" -name '*.onnx' | sort | awk -v every="$every" 'NR % every == 0'
} >"$work/networks"
while read -r network; do
    copy=$work/out/$written.onnx
    code=0
    "$vitrine" model export "$network" "$copy" >/dev/null 2>"$work/err" || code=$?
    case $code:$network in
    0:*)
        written=$((written + 1))
        printf '%s\t%s\n' "$network" "$copy" >>"$work/list"
        ;;
    6:"$work/cases"/*) ;;
    *)
        echo "[  FAILED  ] export of $network ended with $code: $(cat "$work/err")"
        failures=$((failures + 1))
        ;;
    esac
done <"$work/networks"
echo "$written files written"
if [ "$written" -eq 0 ] && [ "$failures" -eq 0 ]; then
    echo 'skipped: no peer and so no network to write'
    exit 77
fi

# ---- the peers ----

if [ -n "$python" ]; then
    "$python" -B "$here/onnx_peers.py" check "$work/list" || failures=$((failures + 1))
fi
if [ -n "$ort" ]; then
    node "$here/onnx_peers.js" "$work/list" 2>"$work/err" || { cat "$work/err"; failures=$((failures + 1)); }
fi
exit $((failures > 0))
