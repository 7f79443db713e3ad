"""From a fitted network to a folder of weights: ONNX in int8, heads, tokenizer, config."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn

from models.train.network import Network
from models.train.smooth import smooth


class States(nn.Module):
    """The encoder alone, from ids to token states."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


def export_encoder(encoder: nn.Module, path: Path, texts: Sequence[Sequence[int]]) -> None:
    """Write the encoder as int8 ONNX (dynamic activations, weights per channel), evened out on `texts` (token ids)."""
    encoder.eval()
    encoder.config._attn_implementation = "eager"
    ids = torch.randint(5, 1000, (2, 16))
    mask = torch.ones_like(ids)
    mask[1, 10:] = 0
    axes = {0: "batch", 1: "tokens"}
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.onnx"
        torch.onnx.export(
            States(encoder).eval(), (ids, mask), str(plain), input_names=["input_ids", "attention_mask"],
            output_names=["states"], dynamic_axes={"input_ids": axes, "attention_mask": axes, "states": axes},
            opset_version=17, dynamo=False,
        )  # fmt: skip
        smooth(plain, texts)
        quantize_dynamic(
            plain, path, weight_type=QuantType.QInt8, per_channel=True, extra_options={"MatMulConstBOnly": True}
        )


def export(network: Network, base: Path, out: Path, texts: Sequence[Sequence[int]], extra: dict[str, Any]) -> None:
    """Write the folder of weights, in which `ngrams.npz` (`wide.fit_wide`) lies already.

    `texts`: token ids of some hundred real texts. `extra` goes into `model.json`: what it was trained on. The version
    comes with the calibration.
    """
    out.mkdir(parents=True, exist_ok=True)
    export_encoder(network.encoder, out / "encoder.onnx", texts)
    heads = {n: p.detach().numpy() for n, p in network.named_parameters() if not n.startswith("encoder.")}
    np.savez(out / "heads.npz", **{name: value.astype(np.float16) for name, value in heads.items()})
    shutil.copyfile(base / "tokenizer.json", out / "tokenizer.json")
    config = {
        k: v for k, v in network.encoder.config.to_dict().items() if k != "_name_or_path"
    }  # a path of this machine
    (out / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    (out / "model.json").write_text(json.dumps(extra, indent=2, ensure_ascii=False) + "\n")
