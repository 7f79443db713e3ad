"""The transformer at run time: ONNX Runtime on a folder of weights, one pass per window of text.

A folder of weights holds the files named in FILES. One window at a time is as fast on a processor as several, and
answers alike whatever else is read: int8 scales its activations over a whole batch. On a GPU larger batches pay.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as _state

from models.tokens import Encoded, Tokens

SHIPPED = Path(__file__).with_name("weights")
FILES = ("encoder.onnx", "heads.npz", "ngrams.npz", "tokenizer.json", "config.json", "model.json")
# ONNX Runtime's errors share no base class of their own.
_ONNX_ERRORS: tuple[type[Exception], ...] = (
    RuntimeError,
    ValueError,
    *(v for v in vars(_state).values() if isinstance(v, type) and issubclass(v, Exception)),
)


class ModelError(ValueError):
    """Weights that can't be used; the text names the folder and the remedy."""


def weights_folder(path: str) -> Path:
    """The folder of weights that a setting names; empty means the shipped one. Raises `ModelError`."""
    folder = Path(path) if path else SHIPPED
    if not folder.is_dir():
        raise ModelError(f"model {path!r} is not a folder: name one, or leave model.path empty for the shipped weights")
    missing = [name for name in FILES if not (folder / name).is_file()]
    if "config.json" not in missing and "heads.npz" in missing:
        raise ModelError(
            f"model {folder} is a checkpoint without our heads: make weights of it with `python -m models.train --base "
            f"{folder} --data DIR --out OUT`, then use OUT/weights (needs PyTorch: the extra `train`)"
        )
    if missing:
        raise ModelError(f"model {folder} lacks {', '.join(missing)}: leave model.path empty for the shipped weights")
    return folder


class Encoder:
    """Token states of windows. `states` may be called from several threads."""

    def __init__(
        self, folder: Path, *, threads: int = 0, device: Literal["cpu", "cuda"] = "cpu", batch_size: int = 1
    ) -> None:
        self.tokens = Tokens(folder)
        self.batch_size = batch_size
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or len(os.sched_getaffinity(0))
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # leave the processors to others
        providers = ["CPUExecutionProvider"]
        if device == "cuda":
            if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
                raise ModelError(
                    "model.device is cuda, but ONNX Runtime has no CUDA here: install onnxruntime-gpu, or set it to cpu"
                )
            providers.insert(0, "CUDAExecutionProvider")
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(folder / "encoder.onnx"), options, providers=providers
            )
        except _ONNX_ERRORS as error:
            raise ModelError(f"model {folder / 'encoder.onnx'} can't be loaded: {error}") from error

    def states(self, windows: Sequence[Encoded]) -> Iterator[tuple[int, np.ndarray]]:
        """(index, states (T, D) float32) of each window, batch by batch in order of length."""
        order = sorted(range(len(windows)), key=lambda i: len(windows[i][0]))
        for at in range(0, len(order), self.batch_size):
            batch = order[at : at + self.batch_size]
            length = len(windows[batch[-1]][0])
            ids = np.full((len(batch), length), self.tokens.pad, dtype=np.int64)
            mask = np.zeros((len(batch), length), dtype=np.int64)
            for row, i in enumerate(batch):
                n = len(windows[i][0])
                ids[row, :n] = windows[i][0]
                mask[row, :n] = 1
            (hidden,) = self._session.run(None, {"input_ids": ids, "attention_mask": mask})
            for row, i in enumerate(batch):
                yield i, hidden[row, : len(windows[i][0])]
