# SPDX-License-Identifier: Apache-2.0
"""
Building ONNX files in the forms that exporters write: a thin layer over python3-onnx that names
values, keeps seeded random weights, and knows how PyTorch spells the operations that ONNX lacks.

Source of the forms: PyTorch's TorchScript exporter (torch/onnx/symbolic_opset*.py), opsets 13 to 17.
"""
import math

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Graph:
    """One graph under construction. Values are their names; methods return the name they make."""

    def __init__(self, name, opset, seed):
        self.name = name
        self.opset = opset
        self.random = np.random.default_rng(seed)
        self.nodes, self.weights, self.inputs, self.outputs = [], [], [], []
        self.known = {}  # constants that were made already
        self.count = 0

    # ---- the frame ----

    def input(self, name, shape, kind=TensorProto.FLOAT):
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, value, name, shape):
        self.nodes.append(helper.make_node('Identity', [value], [name]))
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def model(self):
        """The checked model. Trailing Identity nodes become the names of what they pass on."""
        for info in self.outputs:
            last = next(n for n in self.nodes if info.name in n.output)
            source = last.input[0]
            made = next((n for n in self.nodes if source in n.output), None)
            users = [n for n in self.nodes if source in n.input]
            if made is not None and len(users) == 1:
                self.nodes.remove(last)
                made.output[list(made.output).index(source)] = info.name
        graph = helper.make_graph(self.nodes, self.name, self.inputs, self.outputs, self.weights)
        model = helper.make_model(graph, producer_name='vitrine tests',
                                  opset_imports=[helper.make_opsetid('', self.opset)])
        model.ir_version = 8 if self.opset >= 15 else 7
        onnx.checker.check_model(model, full_check=True)
        return model

    # ---- values ----

    def fresh(self, stem):
        self.count += 1
        return f'{stem}_{self.count}'

    def op(self, kind, *inputs, count=1, **attributes):
        names = [self.fresh(f'/{kind}_output') for _ in range(count)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, name=self.fresh(f'/{kind}'),
                                           **attributes))
        return names[0] if count == 1 else names

    def weight(self, array, stem='onnx::weight'):
        name = self.fresh(stem)
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def normal(self, *shape, std):
        return (self.random.standard_normal(shape, dtype=np.float32) * np.float32(std))

    def constant(self, value, kind=np.float32):
        """A Constant node, as tracing leaves them; each value once."""
        array = np.asarray(value, dtype=kind)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self.known:
            self.known[key] = self.op('Constant', value=numpy_helper.from_array(array))
        return self.known[key]

    def integers(self, *values):
        return self.constant(list(values), np.int64)

    # ---- shapes at run time ----

    def size(self, value, axis):
        """The one-element list [size of this axis], as torch traces `x.size(axis)`."""
        at = self.op('Gather', self.op('Shape', value), self.constant(axis, np.int64), axis=0)
        return self.op('Unsqueeze', at, self.integers(0))

    def reshape(self, value, *dims):
        """dims: numbers and values as `size` gives; constant when all are numbers."""
        if all(isinstance(d, int) for d in dims):
            return self.op('Reshape', value, self.integers(*dims))
        parts = [self.integers(d) if isinstance(d, int) else d for d in dims]
        return self.op('Reshape', value, self.op('Concat', *parts, axis=0))

    def transpose(self, value, *order):
        return self.op('Transpose', value, perm=order)

    def expand(self, value, *dims):
        """`value.expand(dims)` as traced: -1 is replaced by 1 through Equal and Where."""
        parts = [self.integers(d) if isinstance(d, int) else d for d in dims]
        shape = self.op('Reshape', self.op('Concat', *parts, axis=0), self.integers(-1))
        one = numpy_helper.from_array(np.array([1], dtype=np.int64))
        ones = self.op('ConstantOfShape', self.op('Shape', shape), value=one)
        minus = self.op('Mul', ones, self.constant(-1, np.int64))
        wanted = self.op('Where', self.op('Equal', shape, minus), ones, shape)
        return self.op('Expand', value, wanted)

    def pick(self, value, index, axis):
        return self.op('Gather', value, self.constant(index, np.int64), axis=axis)

    # ---- layers ----

    def linear(self, value, inputs, outputs, bias=True, std=None):
        """nn.Linear on three or more axes: MatMul by the transposed weight, then Add."""
        product = self.op('MatMul', value,
                          self.weight(self.normal(inputs, outputs, std=std or inputs ** -0.5)))
        if not bias:
            return product
        return self.op('Add', self.weight(self.normal(outputs, std=0.1)), product)

    def gemm(self, value, inputs, outputs):
        """nn.Linear on two axes."""
        return self.op('Gemm', value, self.weight(self.normal(outputs, inputs, std=inputs ** -0.5)),
                       self.weight(self.normal(outputs, std=0.1)), alpha=1.0, beta=1.0, transB=1)

    def conv(self, value, inputs, outputs, kernel, stride=1, groups=1, gain=2.0, padding=None):
        """Convolution with the batch normalisation folded in, hence always a bias; He weights."""
        padding = kernel // 2 if padding is None else padding
        weights = self.normal(outputs, inputs // groups, kernel, kernel,
                              std=math.sqrt(gain / (inputs // groups * kernel * kernel)))
        return self.op('Conv', value, self.weight(weights),
                       self.weight(self.normal(outputs, std=0.02)), dilations=[1, 1], group=groups,
                       kernel_shape=[kernel, kernel], pads=[padding] * 4, strides=[stride, stride])

    def layer_norm(self, value, size, epsilon=1e-6):
        """The operator from opset 17 on, before it the nine nodes of the exporter."""
        scale = self.weight(1.0 + self.normal(size, std=0.1))
        bias = self.weight(self.normal(size, std=0.1))
        if self.opset >= 17:
            return self.op('LayerNormalization', value, scale, bias, axis=-1, epsilon=epsilon)
        centred = self.op('Sub', value, self.op('ReduceMean', value, axes=[-1]))
        square = self.op('Pow', centred, self.constant(2.0))
        variance = self.op('ReduceMean', square, axes=[-1])
        deviation = self.op('Sqrt', self.op('Add', variance, self.constant(epsilon)))
        normal = self.op('Div', centred, deviation)
        return self.op('Add', self.op('Mul', normal, scale), bias)

    # ---- activations, exploded as they are exported ----

    def gelu(self, value):
        half = self.op('Erf', self.op('Div', value, self.constant(math.sqrt(2.0))))
        shifted = self.op('Add', half, self.constant(1.0))
        return self.op('Mul', self.op('Mul', value, shifted), self.constant(0.5))

    def gelu_tanh(self, value):
        cube = self.op('Mul', self.op('Pow', value, self.constant(3.0)), self.constant(0.044715))
        inner = self.op('Mul', self.op('Add', value, cube),
                        self.constant(math.sqrt(2.0 / math.pi)))
        shifted = self.op('Add', self.op('Tanh', inner), self.constant(1.0))
        return self.op('Mul', self.op('Mul', value, self.constant(0.5)), shifted)

    def gelu_quick(self, value):
        gate = self.op('Sigmoid', self.op('Mul', value, self.constant(1.702)))
        return self.op('Mul', value, gate)

    def silu(self, value):
        return self.op('Mul', value, self.op('Sigmoid', value))

    def hard_swish(self, value, exploded):
        if not exploded:
            return self.op('HardSwish', value)
        shifted = self.op('Add', value, self.constant(3.0))
        bounded = self.op('Clip', shifted, self.constant(0.0), self.constant(6.0))
        return self.op('Mul', value, self.op('Div', bounded, self.constant(6.0)))

    def unit(self, value, clipped):
        """Length 1: `x / x.norm()`, or with `clipped` F.normalize."""
        length = self.op('ReduceL2', value, axes=[-1], keepdims=1)
        if clipped:
            bounded = self.op('Clip', length, self.constant(1e-12), '')
            length = self.op('Expand', bounded, self.op('Shape', value))
        return self.op('Div', value, length)
