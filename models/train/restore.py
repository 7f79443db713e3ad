"""Going on from weights that were shipped: the network again from int8 ONNX and the heads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from models.train.network import Network
from models.train.smooth import EVEN


def restore(network: Network, folder: Path) -> None:
    """Load a folder of weights in place; what int8 has rounded away stays lost.

    The embeddings stay as they are in `network`: training never moves them, so the base's are the exact ones.
    """
    with np.load(folder / "heads.npz") as stored:
        found = {name: stored[name].astype(np.float32) for name in stored.files}
    graph = onnx.load(folder / "encoder.onnx").graph
    plain = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    found |= {name: value for name, value in plain.items() if ".layer." in name}  # biases and norms keep their names
    evened = {node.output[0]: plain[node.input[1]] for node in graph.node if node.name.endswith(EVEN)}
    rounded = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "DynamicQuantizeLinear"}
    for node in graph.node:
        if node.op_type == "MatMulInteger":
            name = node.input[1].removesuffix("_quantized")
            scale, zero = plain[f"{name}_scale"], plain[f"{name}_zero_point"].astype(np.float32)
            weight = (plain[node.input[1]].astype(np.float32) - zero) * scale
            weight *= evened.get(rounded[node.input[0]], np.ones(len(weight), np.float32))[:, None]
            path = node.name.strip("/").removesuffix("/MatMul_quant").replace("/", ".")
            found[f"{path}.weight"] = weight.T
    lost = network.load_state_dict({k: torch.tensor(v) for k, v in found.items()}, strict=False)
    missing = [name for name in lost.missing_keys if not name.startswith("encoder.embeddings.")]
    if missing or lost.unexpected_keys:
        wrong = ", ".join([*missing, *lost.unexpected_keys][:3])
        raise ValueError(f"{folder} is not of this shape ({wrong}, ...): give the base and --layers it was made with")
