# SPDX-License-Identifier: Apache-2.0
"""What test_quantize_peers.sh asks of python3-onnx.

    quantize_peers.py make DIR       writes encoders (name.onnx) and inputs for them (name.npy) to DIR
    quantize_peers.py check FILE...  holds files to the ONNX checker, full check
"""
import os
import sys

import numpy
import onnx
import onnx.checker
from onnx import TensorProto, helper, numpy_helper

SIDE = 32
random = numpy.random.default_rng(7)


class Net:
    def __init__(self):
        self.nodes, self.weights = [], []

    def weight(self, array, kind=numpy.float32):
        name = "w%d" % len(self.weights)
        self.weights.append(numpy_helper.from_array(numpy.asarray(array, dtype=kind), name))
        return name

    def op(self, kind, *inputs, **attributes):
        name = "%s_%d" % (kind.lower(), len(self.nodes))
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def conv(self, x, cin, cout, size=3, **attributes):
        groups = attributes.get("group", 1)
        spread = (2.0 / (cin // groups * size * size)) ** 0.5
        w = self.weight(random.standard_normal((cout, cin // groups, size, size)) * spread)
        return self.op("Conv", x, w, self.weight(random.standard_normal(cout) * 0.1),
                       pads=[size // 2] * 4, **attributes)

    def norm(self, x, channels):
        return self.op("BatchNormalization", x, *[self.weight(random.uniform(0.5, 1.5, channels))
                                                  for _ in range(4)])

    def save(self, directory, name, opset, y, dims):
        graph = helper.make_graph(
            self.nodes, name,
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
            [helper.make_tensor_value_info(y, TensorProto.FLOAT, dims)], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
        model.ir_version = 7
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, os.path.join(directory, name + ".onnx"))
        # In the range of preset none: pixels from 0 to 255, smooth as pictures are.
        grid = numpy.linspace(0, 3, SIDE)
        waves = [numpy.sin(grid[:, None] * (i + 1) + i) * numpy.cos(grid[None, :] * 2 - i) for i in range(6)]
        x = (numpy.stack(waves).reshape(2, 3, SIDE, SIDE) * 120 + 128).astype(numpy.float32)
        numpy.save(os.path.join(directory, name + ".npy"), x)


def residual(directory, name, opset):
    n = Net()
    x = n.op("Mul", "x", n.weight([1 / 255]))
    stem = n.op("Relu", n.norm(n.conv(x, 3, 16, strides=[2, 2]), 16))
    pooled = n.op("MaxPool", stem, kernel_shape=[2, 2], strides=[2, 2])
    branch = n.op("Relu", n.conv(pooled, 16, 16, group=16))
    branch = n.norm(n.conv(branch, 16, 16, size=1), 16)
    joined = n.op("Relu", n.op("Add", branch, pooled))
    low, high = n.weight(0), n.weight(6)
    wide = n.op("Clip", n.conv(joined, 16, 24), low, high)
    both = n.op("Concat", wide, joined, axis=1)
    both = n.op("AveragePool", both, kernel_shape=[2, 2], strides=[2, 2])
    last = n.op("Relu", n.conv(both, 40, 32))
    flat = n.op("Flatten", n.op("GlobalAveragePool", last))
    y = n.op("Gemm", flat, n.weight(random.standard_normal((24, 32)) * 0.2),
             n.weight(random.standard_normal(24)), transB=1)
    n.save(directory, name, opset, y, ["n", 24])


def tokens(directory, name, opset):
    n = Net()
    x = n.op("Mul", "x", n.weight([1 / 255]))
    patches = n.op("Conv", x, n.weight(random.standard_normal((32, 3, 8, 8)) * 0.1), strides=[8, 8])
    t = n.op("Transpose", n.op("Reshape", patches, n.weight([0, 32, 16], numpy.int64)), perm=[0, 2, 1])
    for _ in range(2):
        mean = n.op("ReduceMean", t, axes=[2])
        d = n.op("Sub", t, mean)
        deviation = n.op("Sqrt", n.op("ReduceMean", n.op("Mul", d, d), axes=[2]))
        z = n.op("Div", d, n.op("Add", deviation, n.weight([1e-5])))
        q, k, v = [n.op("Add", n.op("MatMul", z, n.weight(random.standard_normal((32, 32)) * 0.2)),
                        n.weight(random.standard_normal(32) * 0.1)) for _ in range(3)]
        a = n.op("Softmax", n.op("MatMul", q, n.op("Transpose", k, perm=[0, 2, 1])), axis=2)
        o = n.op("MatMul", n.op("MatMul", a, v), n.weight(random.standard_normal((32, 32)) * 0.2))
        t = n.op("Add", t, o)
    n.save(directory, name, opset, n.op("ReduceMean", t, axes=[1], keepdims=0), ["n", 32])


def main():
    if sys.argv[1] == "make":
        residual(sys.argv[2], "residual", 13)
        residual(sys.argv[2], "older", 11)
        tokens(sys.argv[2], "tokens", 14)
        return 0
    for path in sys.argv[2:]:
        onnx.checker.check_model(onnx.load(path), full_check=True)
        print("checked:", os.path.basename(path))
    return 0


sys.exit(main())
