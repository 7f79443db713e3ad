"""Tokens, the encoder and the heads."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from models.blend import Blend, Blends
from models.encoder import SHIPPED, Encoder, ModelError
from models.heads import Heads, gelu, sigmoid, softmax
from models.ngrams import SIZE, Ngrams, around, features
from models.tokens import LIMIT, Encoded, Tokens, token_weights


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


def test_windows_read_at_once_answer_as_windows_read_one_by_one(encoder: Encoder) -> None:
    encoded = encoder.tokens.encode([f"第{n}条消息：净利润增长{'，公司公告' * n}" for n in range(12)])
    at_once, in_turn = dict(Encoder(SHIPPED, threads=4).states(encoded)), dict(encoder.states(encoded))
    assert sorted(at_once) == list(range(12))
    assert all(np.array_equal(at_once[i], in_turn[i]) for i in range(12))


def test_closing_ends_what_was_handed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, begun, gate = Encoder(SHIPPED, threads=1), [], threading.Event()

    def run(windows: Sequence[Encoded]) -> np.ndarray:
        begun.append(len(windows))
        gate.wait(30)
        return np.zeros((len(windows), 9, 1))

    monkeypatch.setattr(encoder, "_run", run)
    encoder.states(encoder.tokens.encode(["业绩"] * 20)).close()
    gate.set()
    assert list(encoder.states([])) == []
    encoder._pool.shutdown()
    assert len(begun) <= 1


def test_numpy_leaves_the_processors_to_the_encoder(encoder: Encoder) -> None:
    blas = [library for library in threadpool_info() if library["user_api"] == "blas"]
    assert blas and all(library["num_threads"] == 1 for library in blas)


def test_heads_give_probabilities(encoder: Encoder, heads: Heads) -> None:
    encoded = encoder.tokens.encode(["三七互娱净利润增长，吉比特下滑"])
    ((_, states),) = encoder.states(encoded)
    found = heads.score(states, [([1, 2], [1, 2, 3]), ([5], [4, 5, 6])])
    assert np.allclose(np.exp(found.tone).sum(1), 1, atol=1e-4)
    assert found.style.sum() == pytest.approx(1, abs=1e-5)
    assert found.target.shape == (2, 3) and np.allclose(np.exp(found.target).sum(1), 1, atol=1e-4)
    assert np.allclose(found.attention.sum(0), 1, atol=1e-4)
    assert np.linalg.norm(found.embedding) == pytest.approx(1, abs=1e-5)
    assert ((found.company >= 0) & (found.company <= 1)).all()
    assert heads.score(states).target.shape == (0, 3)


def test_a_blend_adds_up_both_parts() -> None:
    log_p = np.log(np.array([0.1, 0.2, 0.7]))
    assert Blend()(log_p, np.array([5.0, 0, 0])) == pytest.approx([0.1, 0.2, 0.7])
    assert Blend(wide=1.0)(log_p, np.array([5.0, 0, 0])).argmax() == 0
    assert Blend(deep=0.3)(log_p, np.zeros(3)).max() < 0.7
    assert Blend(memory=2.0)(log_p, np.zeros(3), np.array([0.0, -4.0, -4.0])).argmax() == 0
    blends = Blends.of({"news": {"deep": 2, "wide": 1, "bias": [0, 1, 0], "memory": 0.5}})
    assert blends.news == Blend(2, 1, (0, 1, 0), 0.5) and blends.post == Blend()


def test_ngrams_tell_the_title_apart_and_hide_the_name() -> None:
    at, values = features("净利润增长", "增长")
    assert len(at) == len(set(at.tolist())) and np.linalg.norm(values) == pytest.approx(1, abs=1e-5)
    assert set(features("增长")[0].tolist()) < set(features("增长", "增长")[0].tolist())
    assert [len(part) for part in features("")] == [0, 0]
    near, close = around("甲公司大涨，乙公司下跌", [(0, 3)])
    assert near == "§大涨，乙公司下跌" and "甲公司" not in near + close


def test_ngrams_keep_the_buckets_that_weights_were_fitted_to() -> None:
    text, title = "AI大模型，大模型\ud800", "大模型"
    grams = [text.lower()[i : i + n] for n in (1, 2, 3) for i in range(len(text) - n + 1)]
    grams += [f"^{title[i : i + n]}" for n in (1, 2, 3) for i in range(len(title) - n + 1)]
    counts = Counter(crc32(gram.encode("utf-8", "replace")) % SIZE for gram in grams)
    at, values = features(text, title)
    assert at.tolist() == sorted(counts)
    expected = np.array([1 + np.log(counts[bucket]) for bucket in at.tolist()])
    assert values == pytest.approx(expected / np.linalg.norm(expected), abs=1e-6)


def test_ngram_heads_answer_any_text() -> None:
    ngrams = Ngrams(SHIPPED / "ngrams.npz")
    found = ngrams.score(ngrams.read("游戏版号下发\ud800", ""), ("themes", "news", "post", "toward"))
    assert [len(found[name]) for name in ("themes", "news", "post", "toward")] == [11, 3, 3, 3]
    assert all(np.isfinite(value).all() for value in found.values())


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


def test_a_tokenizer_that_was_cut_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes((SHIPPED / "tokenizer.json").read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"tokenizer\.json can't be read"):
        Encoder(tmp_path)


def test_cuda_without_cuda_says_what_to_do() -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        assert Encoder(SHIPPED, device="cuda").tokens.pad >= 0
    else:
        with pytest.raises(ModelError, match="onnxruntime-gpu"):
            Encoder(SHIPPED, device="cuda")
