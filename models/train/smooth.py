"""Evening out what int8 has to hold: a few channels that are far larger than the others move into the weights.

int8 scales a whole matrix of states by its largest value, so that one channel thirty times as large as the rest leaves
the rest a few steps. Each channel is divided by its size on real texts before a product with weights, and the weights'
row is multiplied by it: the same product, but both sides fit (Xiao et al., SmoothQuant, 2022).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

EVEN = "_even"  # ends the names of what is inserted
SHARE = 0.7  # how much of a channel's size moves into the weights: of 0.3 to 0.8 the closest to float32


def _sizes(model: onnx.ModelProto, names: Sequence[str], texts: Sequence[Sequence[int]]) -> dict[str, np.ndarray]:
    """The largest absolute value of each channel of the named states, over texts (token ids)."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    probe.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    session = onnxruntime.InferenceSession(probe.SerializeToString(), providers=["CPUExecutionProvider"])
    largest: dict[str, np.ndarray] = {}
    for text in texts:
        ids = np.array([text], dtype=np.int64)
        found = session.run(list(names), {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        for name, value in zip(names, found, strict=True):
            size = np.abs(value).reshape(-1, value.shape[-1]).max(0)
            largest[name] = np.maximum(largest.get(name, size), size)
    return largest


def smooth(path: Path, texts: Sequence[Sequence[int]]) -> None:
    """Rewrite a float32 ONNX encoder in place; `texts` are token ids of real texts, some hundred of them.

    Raises `ValueError` without texts. Weights that several matrices of states meet (tied layers) stay as they are.
    """
    if not texts:
        raise ValueError("no texts to size the states by")
    model = onnx.load(path)
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    products: dict[str, list[str]] = {}  # the weights that each matrix of states is multiplied by
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in weights:
            products.setdefault(node.input[0], []).append(node.input[1])
    met = Counter(weight for found in products.values() for weight in found)
    products = {name: found for name, found in products.items() if all(met[weight] == 1 for weight in found)}
    first: dict[str, onnx.NodeProto] = {}
    for name, size in _sizes(model, list(products), texts).items():
        matrices = {weight: numpy_helper.to_array(weights[weight]) for weight in products[name]}
        rows = np.max([np.abs(matrix).max(1) for matrix in matrices.values()], 0)
        scale = size.clip(1e-3) ** SHARE / rows.clip(1e-4) ** (1 - SHARE)
        scale = (scale / np.exp(np.log(scale).mean())).astype(np.float32)
        for weight, matrix in matrices.items():
            weights[weight].CopyFrom(numpy_helper.from_array(matrix * scale[:, None], weight))
        inverse, even = f"{name}_inverse", name + EVEN
        graph.initializer.append(numpy_helper.from_array(1 / scale, inverse))
        first[name] = helper.make_node("Mul", [name, inverse], [even], name=even)
    nodes = []
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in weights and node.input[0] in products:
            name = node.input[0]
            if name in first:
                nodes.append(first.pop(name))
            node.input[0] = name + EVEN
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.save(model, path)
