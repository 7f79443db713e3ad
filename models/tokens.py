"""Text to token ids with offsets, the same in training and at run time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

LIMIT = 160  # tokens of a window; windows are cut by characters to stay below it

Encoded = tuple[list[int], "np.ndarray[tuple[int, int], np.dtype[np.int32]]"]


class Tokens:
    """A Hugging Face fast tokenizer. `encode` is thread-safe."""

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(limit)
        pads = (self._tokenizer.token_to_id(t) for t in ("<pad>", "[PAD]"))
        self.pad = next((p for p in pads if p is not None), 0)

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """(ids, offsets (T,2) into the text; empty for special tokens) of each text."""
        batch = self._tokenizer.encode_batch(list(texts))
        return [(e.ids, np.asarray(e.offsets, dtype=np.int32).reshape(-1, 2)) for e in batch]


def token_weights(offsets: np.ndarray, spans: Sequence[tuple[int, int]]) -> list[int]:
    """Tokens that touch any of the spans."""
    hit = np.zeros(len(offsets), dtype=bool)
    for start, end in spans:
        hit |= (offsets[:, 0] < end) & (offsets[:, 1] > start)
    return [int(i) for i in np.flatnonzero(hit)]
