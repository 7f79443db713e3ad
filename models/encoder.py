"""The transformer at run time: ONNX Runtime on a folder of weights, one pass per window of text.

A folder of weights holds the files named in FILES. One window at a time is as fast on a processor as several, and
answers alike whatever else is read: int8 scales its activations over a whole batch. On a GPU larger batches pay.

Windows are too small to be divided: two threads on one window gain a tenth. So each thread reads a window of its own.
"""

from __future__ import annotations

import json
import os
import re
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as _state
from threadpoolctl import threadpool_limits

from models.tokens import Encoded, Tokens

SHIPPED = Path(__file__).with_name("weights")
FILES = ("encoder.onnx", "heads.npz", "ngrams.npz", "memory.npz", "tokenizer.json", "config.json", "model.json")
REMEDY = "make the weights again (`python -m models.train`), or leave model.path empty for the shipped ones"
_NAME = re.compile(r"[\w-][\w.-]*(/[\w.-]+)?")  # as bert-base-chinese or hfl/rbt3
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
        first = (
            "; of a Hugging Face checkpoint, weights are made first with `python -m models.train --base FOLDER`"
            if _NAME.fullmatch(path)
            else ""
        )
        raise ModelError(
            f"model {path!r} is not a folder: name one, or leave model.path empty for the shipped weights{first}"
        )
    missing = [name for name in FILES if not (folder / name).is_file()]
    if "config.json" not in missing and "heads.npz" in missing:
        raise ModelError(
            f"model {folder} is a checkpoint without our heads: make weights of it with `python -m models.train --base "
            f"{folder} --data DIR --out OUT`, then use OUT/weights (needs PyTorch: the extra `train`)"
        )
    if missing:
        raise ModelError(f"model {folder} lacks {', '.join(missing)}: {REMEDY}")
    return folder


def described(folder: Path, name: str, *keys: str) -> dict[str, Any]:
    """What a JSON file of a folder of weights holds, `keys` among it. Raises `ModelError`."""
    try:
        found = json.loads((folder / name).read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("it holds no names with values")
        if lacking := [key for key in keys if key not in found]:
            raise ValueError(f"it lacks {', '.join(lacking)}")
    except (OSError, ValueError) as error:
        raise ModelError(f"model {folder / name} can't be read ({error}): {REMEDY}") from error
    return found


class Encoder:
    """Token states of windows. `states` may be called from several threads.

    threads: windows read at once, 0 for all processors; a GPU takes one batch at a time. From here on numpy counts in
    one thread, in the whole process: the matrices of the heads are small, and its idle threads would spin on the
    processors that the encoder needs.
    """

    def __init__(
        self, folder: Path, *, threads: int = 0, device: Literal["cpu", "cuda"] = "cpu", batch_size: int = 1
    ) -> None:
        try:
            self.tokens = Tokens(folder)
        except Exception as error:  # the tokenizer's errors have no class of their own
            raise ModelError(f"model {folder / 'tokenizer.json'} can't be read ({error}): {REMEDY}") from error
        self.batch_size = batch_size
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        providers = ["CPUExecutionProvider"]
        slower = ["SkipLayerNormFusion"]  # on a processor, an addition and a norm are faster apart
        if device == "cuda":
            if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
                raise ModelError(
                    "model.device is cuda, but ONNX Runtime has no CUDA here: install onnxruntime-gpu, or set it to cpu"
                )
            providers.insert(0, "CUDAExecutionProvider")
            slower, threads = [], 1  # a batch at a time: side by side they would only take memory
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(folder / "encoder.onnx"),
                options,
                providers=providers,
                disabled_optimizers=slower,
            )
        except _ONNX_ERRORS as error:
            raise ModelError(f"model {folder / 'encoder.onnx'} can't be loaded: {error}") from error
        self._pool = ThreadPoolExecutor(threads or len(os.sched_getaffinity(0)), thread_name_prefix="encoder")
        threadpool_limits(1, user_api="blas")

    def states(self, windows: Sequence[Encoded]) -> Generator[tuple[int, np.ndarray], None, None]:
        """(index, states (T, D) float32) of each window, batch by batch, the longest first, so that none ends alone.

        Reading begins at once, and goes on while the caller does something else, until it closes the generator.
        """
        order = sorted(range(len(windows)), key=lambda i: len(windows[i][0]), reverse=True)
        batches = [order[at : at + self.batch_size] for at in range(0, len(order), self.batch_size)]
        found = self._found(windows, batches)
        next(found)
        return found

    def _found(
        self, windows: Sequence[Encoded], batches: Sequence[Sequence[int]]
    ) -> Generator[tuple[int, np.ndarray], None, None]:
        """Hands the batches out before its first item, which is nothing; what is told is let go."""
        reading = deque(self._pool.submit(self._run, [windows[i] for i in batch]) for batch in batches)
        try:
            yield 0, np.zeros(0)
            for batch in batches:
                hidden = reading.popleft().result()
                for row, i in enumerate(batch):
                    yield i, hidden[row, : len(windows[i][0])]
        finally:
            for future in reading:
                future.cancel()

    def _run(self, windows: Sequence[Encoded]) -> np.ndarray:
        """States (B, T, D) of a batch, padded to its longest window."""
        length = max(len(ids) for ids, _ in windows)
        ids = np.full((len(windows), length), self.tokens.pad, dtype=np.int64)
        mask = np.zeros((len(windows), length), dtype=np.int64)
        for row, (tokens, _) in enumerate(windows):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        (hidden,) = self._session.run(None, {"input_ids": ids, "attention_mask": mask})
        return np.asarray(hidden)
