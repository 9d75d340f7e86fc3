# SPDX-License-Identifier: Apache-2.0
"""
The networks that the benchmarks run, with a free batch. Needs python3-onnx (Debian's).

    make_models.py free FROM.onnx TO.onnx     an existing network: its inputs' first dimension becomes
                                              "N", and so does a batch written into a Reshape
    make_models.py vit_s16 TO.onnx            ViT-S/16, 224 px, 12 layers of 384 with 6 heads, 1000
                                              classes, opset 17, random weights
    make_models.py resnet50 TO.onnx           ResNet-50, normalisation folded, random He weights
    make_models.py resnet50_vectors TO.onnx   the same without its classifier: 2048 values

Random weights are seeded: every call writes the same file.
"""
import os
import sys

import numpy as np
import onnx
from onnx import numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tests', 'support'))
import onnx_networks as networks  # noqa: E402


def reached_from(graph, names):
    """All values that depend on these; an exporter's nodes are in order."""
    reached = set(names)
    for node in graph.node:
        if reached.intersection(node.input):
            reached.update(node.output)
    return reached


def free_shape(shape, batch):
    """A Reshape's target with the batch left open: taken over from the input (0), or inferred (-1)
    where the input's first axis need not be the batch; None: the batch is not its first entry."""
    dims = shape.tolist()
    if not dims or dims[0] != batch:
        return None
    return np.array([0 if -1 in dims else -1] + dims[1:], dtype=np.int64)


def free_batch(model):
    graph = model.graph
    weights = {w.name: w for w in graph.initializer}
    data = [i for i in graph.input if i.name not in weights]
    batch = data[0].type.tensor_type.shape.dim[0].dim_value
    reached = reached_from(graph, [i.name for i in data])
    for node in graph.node:
        if node.op_type != 'Reshape' or node.input[0] not in reached or node.input[1] not in weights:
            continue
        old = weights[node.input[1]]
        shape = free_shape(numpy_helper.to_array(old), batch)
        if shape is None:
            continue
        # A tensor of its own: others may read the old one.
        name = f'{node.output[0]}_free_shape'
        graph.initializer.append(numpy_helper.from_array(shape, name))
        if any(i.name == old.name for i in graph.input):  # as files before IR version 4 want it
            graph.input.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.INT64,
                                                                  list(shape.shape)))
        node.input[1] = name
    for value in data + list(graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = 'N'
    del graph.value_info[:]  # may have the old batch in them
    onnx.checker.check_model(model)
    return model


MAKERS = {
    'vit_s16': lambda: networks.vit(17, 'timm', dim=384, depth=12, heads=6, side=224, patch=16,
                                    classes=1000),
    'resnet50': networks.resnet,
    'resnet50_vectors': lambda: networks.resnet(vectors=True),
}

if __name__ == '__main__':
    if len(sys.argv) == 4 and sys.argv[1] == 'free':
        onnx.save(free_batch(onnx.load(sys.argv[2])), sys.argv[3])
    elif len(sys.argv) == 3 and sys.argv[1] in MAKERS:
        onnx.save(MAKERS[sys.argv[1]](), sys.argv[2])
    else:
        sys.exit(__doc__)
