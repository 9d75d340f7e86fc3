#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Training beside PyTorch (Debian's python3-torch): outputs, losses, every gradient and ten steps of gradient
# descent on networks of many kinds, which PyTorch exports. Skipped (77) where it is absent.
#
#     tests/nn/test_training_peers.sh STEPS_PROGRAM SOURCE_ROOT
set -u
LC_ALL=C
export LC_ALL
work=$(mktemp -d /tmp/vt-training-XXXXXX) || exit 1
trap 'rm -rf "$work"' EXIT
for python in "${VITRINE_PYTHON:-}" python3 /usr/bin/python3; do
    [ -n "$python" ] && "$python" -c 'import torch' 2>/dev/null && break
    python=
done
if [ -z "$python" ]; then
    echo 'skipped: PyTorch, no python3-torch'
    exit 77
fi
"$python" -B "$2/tests/nn/training_peers.py" "$1" "$work"
