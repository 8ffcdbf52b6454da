"""Writing an ONNX graph node by node, with weights as float32 or 8-bit numbers."""

import os
from typing import Any, Dict, List, Optional, Sequence, Union

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

OPSET = 17
_IR_VERSION = 8  # of that opset's time, for runtimes as old
_MOST_IN_ONE_FILE = 1_900_000_000  # bytes; a message of protocol buffers holds 2 GB
_LARGEST = 127  # 8-bit number, with a sign


class Table:
    """A matrix [rows, C] that is read row by row, and multiplied with when it is the output layer too."""

    def __init__(self, graph: "Graph", weight: Tensor):
        self.graph = graph
        self.scale = None
        values = array(weight)
        if graph.eight_bits:
            values, scale = quantized(values)
            self.scale = graph.constant(scale[:, None])
        self.weight = graph.constant(values)

    def rows(self, ids: str) -> str:
        """ids [...] -> [..., C]."""
        found = self.graph.op("Gather", [self.weight, ids])
        if self.scale is None:
            return found
        return self.graph.op("Mul", [self.graph.cast(found), self.graph.op("Gather", [self.scale, ids])])


class Graph:
    """A graph in the making; names of values are made up as nodes are added.

    Args:
        eight_bits: keep matrices as 8-bit numbers, a scale a row; what is multiplied with them is made 8-bit numbers
            as it comes.
    """

    def __init__(self, eight_bits: bool):
        self.eight_bits = eight_bits
        self.nodes: List[onnx.NodeProto] = []
        self.weights: List[onnx.TensorProto] = []
        self._count = 0
        self._small: Dict[Any, str] = {}

    def op(self, kind: str, inputs: Sequence[str], outputs: Union[int, str, Sequence[str]] = 1, **attributes):
        """Add a node.

        Args:
            outputs: how many, the name of the only one, or all names.

        Returns:
            the name of its output, or all names of several.
        """
        if isinstance(outputs, int):
            names = [self._name(kind) for _ in range(outputs)]
        else:
            names = [outputs] if isinstance(outputs, str) else list(outputs)
        self.nodes.append(helper.make_node(kind, list(inputs), names, name=self._name("node"), **attributes))
        return names[0] if len(names) == 1 else names

    def rename(self, value: str, name: str) -> str:
        """Call a value of a node ``name``; it can be an output of the graph then, without a copy."""
        for node in self.nodes:
            for names in (node.input, node.output):
                names[:] = [name if one == value else one for one in names]
        return name

    def constant(self, value) -> str:
        """Add numbers: a NumPy value, or a list of int64."""
        value = np.asarray(value, dtype=np.int64 if isinstance(value, (list, int)) else None)
        key = (value.dtype.str, value.shape, value.tobytes()) if value.size < 8 else None
        if key in self._small:
            return self._small[key]
        name = self._name("weight")
        self.weights.append(numpy_helper.from_array(np.array(value, order="C"), name))
        if key is not None:
            self._small[key] = name
        return name

    def cast(self, value: str, kind: int = TensorProto.FLOAT) -> str:
        return self.op("Cast", [value], to=kind)

    def reshape(self, value: str, shape: Sequence[int]) -> str:
        return self.op("Reshape", [value, self.constant(list(shape))])

    def size(self, value: str, axis: int) -> str:
        """-> int64 [1]."""
        return self.op("Gather", [self.op("Shape", [value]), self.constant([axis])])

    def linear(self, x: str, weight: Tensor, bias: Optional[Tensor]) -> str:
        """x [..., in], weight [out, in] -> [..., out]."""
        values = array(weight)
        if self.eight_bits:
            values, scale = quantized(values)
            return self._product(x, self.constant(values.T), scale, bias)
        return self._plus(self.op("MatMul", [x, self.constant(values.T)]), bias)

    def output(self, x: str, table: Table, bias: Optional[Tensor]) -> str:
        """The product with all rows of a table that is there already: x [..., C] -> [..., rows]."""
        weight = self.op("Transpose", [table.weight], perm=[1, 0])
        if table.scale is None:
            return self._plus(self.op("MatMul", [x, weight]), bias)
        scale = self.op("Transpose", [table.scale], perm=[1, 0])
        return self._product(x, weight, scale, bias)

    def _product(self, x: str, weight: str, scale, bias: Optional[Tensor]) -> str:
        eight, x_scale, x_zero = self.op("DynamicQuantizeLinear", [x], 3)
        product = self.cast(self.op("MatMulInteger", [eight, weight, x_zero]))
        scale = scale if isinstance(scale, str) else self.constant(scale)
        return self._plus(self.op("Mul", [product, self.op("Mul", [x_scale, scale])]), bias)

    def _plus(self, value: str, bias: Optional[Tensor]) -> str:
        return value if bias is None else self.op("Add", [value, self.constant(array(bias))])

    def layer_norm(self, x: str, layer_norm) -> str:
        gain, bias = self.constant(array(layer_norm.weight)), self.constant(array(layer_norm.bias))
        return self.op("LayerNormalization", [x, gain, bias], axis=-1, epsilon=float(layer_norm.eps))

    def activation(self, x: str, name: str) -> str:
        if name == "relu":
            return self.op("Relu", [x])
        inner = self.op("Erf", [self.op("Div", [x, self.constant(np.float32(np.sqrt(2)))])])
        product = self.op("Mul", [x, self.op("Add", [inner, self.constant(np.float32(1))])])
        return self.op("Mul", [product, self.constant(np.float32(0.5))])

    def branch(self, condition: str, first: "Graph", second: "Graph", outputs: Sequence[str]) -> List[str]:
        """The values ``outputs`` of the graph ``first``, or of ``second`` where ``condition`` does not hold.

        Args:
            outputs: their names; the last nodes of both graphs give them with ``_first`` and ``_second`` behind.
        """
        graphs = []
        for name, graph in (("first", first), ("second", second)):
            given = [f"{output}_{name}" for output in outputs]
            infos = [helper.make_tensor_value_info(output, TensorProto.FLOAT, None) for output in given]
            graphs.append(helper.make_graph(graph.nodes, self._name(name), [], infos))
            self.weights += graph.weights
        return self.op("If", [condition], outputs, then_branch=graphs[0], else_branch=graphs[1])

    def inner(self) -> "Graph":
        """A graph for ``branch``, whose names are none of this one's."""
        graph = Graph(self.eight_bits)
        graph._count = self._count + 1
        self._count += 10_000
        return graph

    def save(self, path: str, inputs: List, outputs: List) -> None:
        """Write the model; weights beside it where one file cannot hold them.

        Args:
            inputs, outputs: what ``helper.make_tensor_value_info`` gives.
        """
        name = os.path.basename(path)
        graph = helper.make_graph(self.nodes, name, inputs, outputs, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="swcm_fairseq")
        model.ir_version = _IR_VERSION
        many = sum(len(weight.raw_data) for weight in self.weights) > _MOST_IN_ONE_FILE
        beside: Dict[str, Any] = {"save_as_external_data": True, "location": name + "_data"} if many else {}
        onnx.save_model(model, path, **beside)

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{kind.lower()}_{self._count}"


def array(tensor: Tensor) -> np.ndarray:
    """float32 copy."""
    return np.array(tensor.detach().float().numpy())


def quantized(values: np.ndarray):
    """[out, in] -> the same as int8, and a scale a row [out].

    With a sign, because the instructions that multiply 8-bit numbers (VNNI) take one unsigned side, what comes, and one
    signed. Processors without them add two such products in 16 bits, which can overflow; onnxruntime has a setting,
    ``session.x64quantprecision``, that avoids it there.
    """
    largest = np.abs(values).max(axis=1)
    scale = (np.where(largest == 0, 1, largest) / _LARGEST).astype(np.float32)
    return np.rint(values / scale[:, None]).astype(np.int8), scale
