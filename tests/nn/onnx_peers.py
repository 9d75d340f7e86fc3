# SPDX-License-Identifier: Apache-2.0
"""What test_onnx_peers.sh asks of python3-onnx.

    onnx_peers.py make DIR     writes networks of many kinds to DIR, one file each
    onnx_peers.py check LIST   holds written files to the ONNX checker, full check

LIST has one line per file: ORIGINAL TAB WRITTEN. An original that the checker refuses itself (operator
sets that are newer than it, say) is not held against what was written from it.
"""
import os
import sys

import numpy
import onnx
import onnx.checker
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT


def save(directory, name, graph, opset=13, **more):
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], **more)
    model.ir_version = min(model.ir_version, 8)
    onnx.save(model, os.path.join(directory, name + ".onnx"))
    return model


def value(name, dims, kind=FLOAT):
    return helper.make_tensor_value_info(name, kind, dims)


def weight(name, *dims):
    numbers = numpy.random.default_rng(len(name)).standard_normal(dims)
    return numpy_helper.from_array(numbers.astype(numpy.float32), name)


def convolution(directory):
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], name="conv", pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"], axis=1),
        helper.make_node("Gemm", ["f", "g", "d"], ["y"], transB=1, alpha=0.5),
    ]
    weights = [weight("w", 8, 3, 3, 3), weight("b", 8), weight("g", 5, 8), weight("d", 5)]
    graph = helper.make_graph(nodes, "classifier", [value("x", ["batch", 3, 16, 16])],
                              [value("y", ["batch", 5])], weights,
                              value_info=[value("f", ["batch", 8])], doc_string="is dropped")
    model = save(directory, "convolution", graph, producer_name="peers")
    helper.set_model_props(model, {"author": "someone", "empty": ""})
    onnx.save(model, os.path.join(directory, "metadata.onnx"))
    onnx.save(model, os.path.join(directory, "outside.onnx"), save_as_external_data=True,
              all_tensors_to_one_file=True, location="outside.bin", size_threshold=0)
    save(directory, "old", graph, opset=9)


def optional_operands(directory):
    nodes = [
        helper.make_node("Clip", ["x", "", "high"], ["c"]),
        helper.make_node("Constant", [], ["axes"], value=numpy_helper.from_array(numpy.array([1]), "a")),
        helper.make_node("Unsqueeze", ["c", "axes"], ["u"]),
        helper.make_node("Dropout", ["u"], ["y"]),
    ]
    high = numpy_helper.from_array(numpy.array(0.5, numpy.float32), "high")
    graph = helper.make_graph(nodes, "optional", [value("x", [2, None])], [value("y", [2, 1, None])],
                              [high])
    save(directory, "optional", graph)


def types(directory):
    for kind in (TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.INT64, TensorProto.UINT8,
                 TensorProto.BOOL):
        name = "type_" + TensorProto.DataType.Name(kind).lower()
        array = numpy.array([[1, 0, 1]], dtype=helper.mapping.TENSOR_TYPE_TO_NP_TYPE[kind])
        listed = helper.make_tensor("k", kind, [1, 3], array.flatten().tolist())
        nothing = helper.make_tensor("n", kind, [0, 3], [])
        nodes = [
            helper.make_node("Concat", ["x", "k", "n"], ["j"], axis=0),
            helper.make_node("Cast", ["j"], ["y"], to=FLOAT),
        ]
        graph = helper.make_graph(nodes, name, [value("x", [2, 3], kind)], [value("y", [3, 3])],
                                  [listed, nothing])
        save(directory, name, graph)


def functions(directory):
    opsets = [helper.make_opsetid("", 15)]
    scale = helper.make_node("Mul", ["a", "factor"], ["scaled"])
    factor = helper.make_node("Constant", [], ["factor"])
    reference = factor.attribute.add()
    reference.name, reference.ref_attr_name, reference.type = "value_float", "by", 1
    inner = helper.make_function("local", "Scale", ["a"], ["scaled"], [factor, scale], opsets, ["by"])
    call = helper.make_node("Scale", ["t"], ["s"], domain="local")
    passed = call.attribute.add()
    passed.name, passed.ref_attr_name, passed.type = "by", "slope", 1
    outer_sets = opsets + [helper.make_opsetid("local", 1)]
    outer = helper.make_function("local", "Twice", ["t", "u"], ["r"],
                                 [call, helper.make_node("Add", ["s", "u"], ["r"])], outer_sets,
                                 ["slope"])
    nodes = [helper.make_node("Twice", ["x", "x"], ["h"], domain="local", slope=3.0),
             helper.make_node("Twice", ["h", "x"], ["y"], domain="local", slope=0.25)]
    graph = helper.make_graph(nodes, "calls", [value("x", ["n"])], [value("y", ["n"])])
    model = helper.make_model(graph, opset_imports=outer_sets, functions=[inner, outer])
    model.ir_version = 8
    onnx.save(model, os.path.join(directory, "functions.onnx"))


def fault(path):
    try:
        onnx.checker.check_model(path, full_check=True)
    except Exception as error:  # the checker has its own classes, protobuf others
        return str(error).strip().split("\n")[0] or type(error).__name__
    return None


def check(path):
    passed, failed, passed_over = 0, 0, 0
    with open(path, encoding="utf-8") as pairs:
        for line in pairs:
            original, written = line.rstrip("\n").split("\t")
            reason = fault(written)
            if reason is None:
                passed += 1
            elif fault(original) is None:
                failed += 1
                print(f"[  FAILED  ] {original}: {reason}")
            else:
                passed_over += 1
    print(f"onnx.checker {onnx.__version__}: {passed} files pass, {failed} do not, "
          f"{passed_over} are beyond it like their originals")
    return 1 if failed or not passed else 0


def main():
    if sys.argv[1] == "check":
        return check(sys.argv[2])
    for make in (convolution, optional_operands, types, functions):
        make(sys.argv[2])
    return 0


sys.exit(main())
