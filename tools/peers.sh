# SPDX-License-Identifier: Apache-2.0
# The programs that tests and benchmarks hold vitrine against; sourced, not run.
#
#     find_python                    $python becomes a python3 with the modules onnx and numpy: $PYTHON, the
#                                    first of the path, or Debian's; empty: there is none
#     npm_into FOLDER PACKAGE        the package is in the folder's node_modules, installed if need be
#     find_ort FOLDER                $ort becomes a folder whose node_modules holds ONNX Runtime for node:
#                                    $VITRINE_ORT, or else this one; empty: there is none, or no node
#
# No install scripts are run: what is wanted comes prebuilt in the packages themselves.

find_python() {
    for python in "${PYTHON:-python3}" /usr/bin/python3; do
        "$python" -B -c 'import onnx, numpy' 2>/dev/null && return 0
    done
    python=
    return 0
}

npm_into() {
    [ -d "$1/node_modules/$2" ] && return 0
    command -v npm >/dev/null || return 1
    mkdir -p "$1"
    (cd "$1" && npm install --ignore-scripts --no-audit --no-fund --silent "$2" >&2)
}

find_ort() {
    ort=${VITRINE_ORT:-$1}
    [ -d "$ort/node_modules/onnxruntime-node" ] && command -v node >/dev/null && return 0
    ort=
    return 0
}
