"""Tokens, the encoder and the heads."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from models.encoder import SHIPPED, Encoder, ModelError
from models.heads import Heads, gelu, sigmoid, softmax
from models.tokens import LIMIT, Tokens, token_weights


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(SHIPPED, threads=1)


@pytest.fixture(scope="module")
def heads() -> Heads:
    return Heads(SHIPPED / "heads.npz")


def test_offsets_point_into_the_text() -> None:
    text = "三七互娱：上半年净利润10.5亿元"
    ((ids, offsets),) = Tokens(SHIPPED).encode([text])
    assert len(ids) == len(offsets) <= LIMIT
    at = token_weights(offsets, [(0, 4)])
    assert at
    covered = text[offsets[at[0]][0] : offsets[at[-1]][1]]
    assert "三七互娱" in covered and len(covered) < 8


def test_long_texts_are_cut() -> None:
    ((ids, _),) = Tokens(SHIPPED).encode(["长" * 5000])
    assert len(ids) == LIMIT


def test_a_window_reads_nearly_the_same_alone_and_in_a_batch(encoder: Encoder) -> None:
    encoded = encoder.tokens.encode(["短讯", "一条长得多的消息，" * 8, "公司公告，上半年净利润增长"])
    together = dict(encoder.states(encoded))
    for i, one in enumerate(encoded):
        ((_, alone),) = encoder.states([one])
        assert alone.shape == together[i].shape
        a, b = alone.mean(0), together[i].mean(0)
        assert a @ b / np.linalg.norm(a) / np.linalg.norm(b) > 0.98  # int8 activations depend on the batch


def test_threads_share_an_encoder(encoder: Encoder) -> None:
    encoded = encoder.tokens.encode(["同一条消息，净利润增长"])
    ((_, alone),) = encoder.states(encoded)
    found: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: found.append(next(iter(encoder.states(encoded)))[1])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(np.array_equal(states, alone) for states in found)


def test_heads_give_probabilities(encoder: Encoder, heads: Heads) -> None:
    encoded = encoder.tokens.encode(["三七互娱净利润增长，吉比特下滑"])
    ((_, states),) = encoder.states(encoded)
    found = heads.score(states, [([1, 2], [1, 2, 3]), ([5], [4, 5, 6])])
    assert found.tone.sum() == pytest.approx(1, abs=1e-5)
    assert found.style.sum() == pytest.approx(1, abs=1e-5)
    assert found.target.shape == (2, 3) and np.allclose(found.target.sum(1), 1, atol=1e-5)
    assert np.allclose(found.attention.sum(0), 1, atol=1e-4)
    assert np.linalg.norm(found.embedding) == pytest.approx(1, abs=1e-5)
    assert ((found.company >= 0) & (found.company <= 1)).all()
    assert heads.score(states).target.shape == (0, 3)


def test_a_higher_temperature_is_less_sure(encoder: Encoder) -> None:
    ((_, states),) = encoder.states(encoder.tokens.encode(["净利润同比增长80%"]))
    sure = Heads(SHIPPED / "heads.npz").score(states).tone.max()
    calm = Heads(SHIPPED / "heads.npz", {"news": 5.0, "post": 5.0}).score(states).tone.max()
    assert calm < sure


def test_activations() -> None:
    x = np.array([-800.0, -1.0, 0.0, 1.0, 800.0])
    assert sigmoid(x) == pytest.approx([0, 0.268941, 0.5, 0.731059, 1], abs=1e-5)
    assert gelu(x[1:4]) == pytest.approx([-0.158655, 0, 0.841345], abs=1e-5)
    assert softmax(np.array([800.0, 800.0])) == pytest.approx([0.5, 0.5])


def test_broken_weights_are_named(tmp_path: Path) -> None:
    for name in ("tokenizer.json", "config.json"):
        (tmp_path / name).write_bytes((SHIPPED / name).read_bytes())
    (tmp_path / "encoder.onnx").write_bytes(b"not a graph")
    with pytest.raises(ModelError, match=r"encoder\.onnx"):
        Encoder(tmp_path)


def test_cuda_without_cuda_says_what_to_do() -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        assert Encoder(SHIPPED, device="cuda").tokens.pad >= 0
    else:
        with pytest.raises(ModelError, match="onnxruntime-gpu"):
            Encoder(SHIPPED, device="cuda")
