"""Content encodings, both ways."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.local.clickhouse.compress import ENCODINGS, Compressor, choose, decompress
from deploy.local.clickhouse.errors import ChError

LIMIT = 1 << 20


def compressed(pieces: list[bytes], encoding: str) -> bytes:
    compressor = Compressor(encoding)
    return b"".join(map(compressor.feed, pieces)) + compressor.end()


@pytest.mark.parametrize("encoding", sorted(ENCODINGS))
@given(pieces=st.lists(st.binary(max_size=2000), max_size=5))
def test_round_trip(encoding: str, pieces: list[bytes]) -> None:
    assert decompress(compressed(pieces, encoding), encoding, LIMIT) == b"".join(pieces)


@pytest.mark.parametrize("encoding", sorted(ENCODINGS))
def test_damaged_bodies(encoding: str) -> None:
    body = compressed([bytes(range(256)) * 40], encoding)
    for damaged in (body[: len(body) // 2], b"\x07nothing of the kind" + body):
        with pytest.raises(ChError) as failure:
            decompress(damaged, encoding, LIMIT)
        assert failure.value.code == 354


@pytest.mark.parametrize("encoding", sorted(ENCODINGS))
def test_a_small_body_can_not_fill_the_memory(encoding: str) -> None:
    bomb = compressed([bytes(LIMIT)] * 64, encoding)
    with pytest.raises(ChError) as failure:
        decompress(bomb, encoding, LIMIT)
    assert failure.value.code == 412


def test_several_frames_are_one_body() -> None:
    assert decompress(compressed([b"a"], "zstd") + compressed([b"b"], "zstd"), "zstd", LIMIT) == b"ab"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", None),
        ("identity", None),
        ("gzip", "gzip"),
        ("snappy, zstd;q=0.5, gzip", "zstd"),
        ("br;q=0, lz4", "lz4"),
        ("BR", "br"),
    ],
)
def test_choice(accept: str, chosen: str | None) -> None:
    assert choose(accept) == chosen


def test_unknown_encoding() -> None:
    with pytest.raises(ChError, match="Unknown compression method snappy") as failure:
        decompress(b"x", "snappy", LIMIT)
    assert failure.value.status == 501
