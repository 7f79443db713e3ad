"""The vote of the labelled texts most like a text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.memory import FLOOR, NEIGHBOURS, ROWS, UNKNOWN, Memory


def memory(path: Path, vectors: np.ndarray, themes: np.ndarray, tones: np.ndarray) -> Memory:
    width = vectors.shape[1]
    np.savez(
        path, centre=np.full(width, 0.5), project=np.eye(width), vectors=np.round(127 * vectors).astype(np.int8),
        themes=themes, tones=tones.astype(np.int8),
    )  # fmt: skip
    return Memory(path)


@pytest.fixture
def groups(tmp_path: Path) -> Memory:
    """Three directions with twenty texts each: of theme 0 and positive, of theme 1 and without a tone, of none."""
    vectors = np.repeat(np.eye(3, 4), 20, axis=0)
    themes = np.repeat(np.array([[1, 0], [0, 1], [0, 0]], bool), 20, axis=0)
    return memory(tmp_path / "memory.npz", vectors, themes, np.repeat([2, UNKNOWN, 0], 20))


def test_the_nearest_say_what_they_were_labelled(groups: Memory) -> None:
    first, second, third = groups.votes([np.full(4, 0.5) + 0.3 * np.eye(4)[i] for i in range(3)])
    assert first.themes == pytest.approx([1, 0]) and second.themes == pytest.approx([0, 1])
    assert third.themes == pytest.approx([0, 0])
    assert np.exp(first.tone) == pytest.approx([FLOOR, FLOOR, 1 + FLOOR])
    assert np.ptp(second.tone) == 0  # nothing is known of its neighbours' tone
    assert third.tone.argmax() == 0


def test_the_nearer_weigh_more(tmp_path: Path) -> None:
    near, far = np.array([1.0, 0, 0]), np.array([0.6, 0.8, 0])
    vectors = np.stack([near] * 4 + [far] * 12)
    themes = np.array([[True]] * 4 + [[False]] * 12)
    (vote,) = memory(tmp_path / "memory.npz", vectors, themes, np.full(16, UNKNOWN)).votes([0.5 + near])
    assert 0.9 < vote.themes[0] < 1
    assert len(vectors) == NEIGHBOURS


def test_many_texts_are_answered_as_one_by_one(groups: Memory) -> None:
    texts = list(np.random.default_rng(0).normal(size=(2 * ROWS + 3, 4)))
    together, alone = groups.votes(texts), [groups.votes([text])[0] for text in texts]
    assert np.stack([v.themes for v in together]) == pytest.approx(np.stack([v.themes for v in alone]), abs=1e-5)
    assert np.stack([v.tone for v in together]) == pytest.approx(np.stack([v.tone for v in alone]), abs=1e-5)


def test_an_empty_memory_and_no_texts_say_nothing(groups: Memory, tmp_path: Path) -> None:
    assert groups.votes([]) == []
    empty = memory(tmp_path / "empty.npz", np.zeros((0, 4)), np.zeros((0, 2), bool), np.zeros(0))
    (vote,) = empty.votes([np.ones(4)])
    assert not vote.themes.any() and np.ptp(vote.tone) == 0
    (still,) = groups.votes([np.full(4, 0.5)])  # the centre itself: no direction
    assert np.isfinite(still.themes).all() and np.isfinite(still.tone).all()


def test_arrays_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="lengths"):
        memory(tmp_path / "memory.npz", np.eye(3), np.zeros((2, 2), bool), np.zeros(3))
