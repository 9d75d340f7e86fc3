# SPDX-License-Identifier: Apache-2.0
"""
Writes small networks as exporters spell them, and inputs for them, and compares what two engines
made of them. Needs python3-onnx (Debian's 1.12 or newer); test_networks_peers.sh runs it.

    make_networks.py write FOLDER      FOLDER/<network>.onnx, FOLDER/<network>.<case>.<n>.npy, and
                                       FOLDER/cases.txt: a line per case, network, case and inputs
    make_networks.py compare FOLDER A B     results FOLDER/A/<network>.<case>/output_<n>.npy against
                                       those of B: |a - b| <= 1e-4 + 1e-4 |b|, else exit 1
"""
import os
import sys

import numpy as np
import onnx

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import onnx_networks as networks  # noqa: E402

TOLERANCE = 1e-4
SIDE = 64


def all_networks():
    vit, clip = networks.vit, networks.clip
    yield 'vit_timm_17', vit(17, 'timm')
    yield 'vit_timm_14', vit(14, 'timm')
    yield 'vit_gather_13', vit(13, 'gather', classes=10)
    yield 'vit_sdpa_17', vit(17, 'sdpa')
    yield 'vit_sdpa_16', vit(16, 'sdpa', classes=10)
    yield 'clip_picture', clip(14, 'picture')
    yield 'clip_words_gathernd', clip(14, 'words', 'gathernd')
    yield 'clip_words_gather', clip(17, 'words', 'gather')
    yield 'clip_both', clip(16, 'both', 'gathernd')
    yield 'siglip_17', networks.siglip(17)
    yield 'siglip_14', networks.siglip(14)
    yield 'resnet', networks.resnet(13, (1, 1), 8, 10)
    yield 'convnext_16', networks.convnext(16)
    yield 'convnext_17', networks.convnext(17)
    yield 'mobilenet_v3_op', networks.mobilenet_v3(14, exploded=False)
    yield 'mobilenet_v3_exploded', networks.mobilenet_v3(13, exploded=True)
    yield 'efficientnet', networks.efficientnet(13)


def make_input(info, batch, sides, random):
    kind = info.type.tensor_type
    dims = [d.dim_value for d in kind.shape.dim]
    free = [batch, 0, *sides]
    shape = [free[i] if d == 0 else d for i, d in enumerate(dims)]
    if kind.elem_type == onnx.TensorProto.FLOAT:
        return random.standard_normal(shape, dtype=np.float32)
    # Token numbers: the end, the largest, stands at another place in every row.
    ids = random.integers(1, 98, shape)
    for row in range(batch):
        ids[row, (4 + 3 * row) % shape[1]] = 98
    return ids


def write(folder):
    os.makedirs(folder, exist_ok=True)
    random = np.random.default_rng(20)
    with open(os.path.join(folder, 'cases.txt'), 'w', encoding='ascii') as cases:
        for name, model in all_networks():
            onnx.save(model, os.path.join(folder, name + '.onnx'))
            runs = [('1', 1, (SIDE, SIDE)), ('3', 3, (SIDE, SIDE))]
            if any(d.dim_param == 'height' for d in model.graph.input[0].type.tensor_type.shape.dim):
                runs.append(('2x', 2, (SIDE + 32, SIDE + 7)))
            for case, batch, sides in runs:
                files = []
                for n, info in enumerate(model.graph.input):
                    files.append(f'{name}.{case}.{n}.npy')
                    np.save(os.path.join(folder, files[-1]), make_input(info, batch, sides, random))
                print(name, case, *files, file=cases)


def compare_case(have, want):
    """What is wrong, or None; and the largest difference."""
    outputs = sorted(f for f in os.listdir(want) if f.endswith('.npy')) if os.path.isdir(want) else []
    if not outputs:
        return 'the peer gave no outputs', 0.0
    worst = 0.0
    for name in outputs:
        path = os.path.join(have, name)
        if not os.path.isfile(path):
            return f'{name} is missing', worst
        a, b = np.load(path), np.load(os.path.join(want, name))
        if a.shape != b.shape or a.dtype != b.dtype:
            return f'{name} is {a.dtype}{a.shape}, not {b.dtype}{b.shape}', worst
        if not np.isfinite(b).all() or (b.size > 1 and float(np.std(b)) < 1e-3):
            return f'{name} of the peer says nothing: not finite, or all alike', worst
        difference = np.abs(a.astype(np.float64) - b)
        worst = max(worst, float(np.max(difference)))
        if not (difference <= TOLERANCE + TOLERANCE * np.abs(b)).all():
            return f'{name} differs by up to {worst:.2e}', worst
    return None, worst


def compare(folder, a, b):
    failed = 0
    with open(os.path.join(folder, 'cases.txt'), encoding='ascii') as cases:
        for line in cases:
            case = '.'.join(line.split()[:2])
            wrong, worst = compare_case(os.path.join(folder, a, case), os.path.join(folder, b, case))
            failed += wrong is not None
            if wrong:
                print(f'[  FAILED  ] {case} ({a} against {b}): {wrong}')
            else:
                print(f'[       OK ] {case} ({a} against {b}): within {worst:.1e}')
    return 1 if failed else 0


if __name__ == '__main__':
    if len(sys.argv) == 3 and sys.argv[1] == 'write':
        write(sys.argv[2])
    elif len(sys.argv) == 5 and sys.argv[1] == 'compare':
        sys.exit(compare(*sys.argv[2:]))
    else:
        sys.exit(__doc__)
