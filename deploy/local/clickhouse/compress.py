"""HTTP content encodings, both ways: gzip, deflate, zstd, lz4 (frames) and br.

Bodies are decompressed up to a limit, so that a small request can't fill the memory; answers are compressed piece by
piece, so that a stream stays a stream.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from typing import Any

import brotli
import lz4.frame

from .errors import ChError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

STEP = 1 << 20


def _brotli_decompressor() -> Any:
    return brotli.Decompressor()


# encoding -> a fresh streaming decompressor
DECOMPRESSORS: dict[str, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(31),
    "deflate": lambda: zlib.decompressobj(15),
    "zstd": zstd.ZstdDecompressor,
    "lz4": lz4.frame.LZ4FrameDecompressor,
    "br": _brotli_decompressor,
}
ENCODINGS = frozenset(DECOMPRESSORS)


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """The body without its Content-Encoding. Raises `ChError`: 48 unknown encoding, 354 damaged, 412 beyond `limit`."""
    if encoding not in DECOMPRESSORS:
        raise ChError(
            48, f"Unknown compression method {encoding}; use one of {', '.join(sorted(ENCODINGS))}", "NOT_IMPLEMENTED"
        )
    out = bytearray()
    rest = body
    try:
        while rest:  # several frames or members in a row are one body
            stream = DECOMPRESSORS[encoding]()
            rest = _decompress_member(stream, rest, encoding, out, limit)
    except ChError:
        raise
    except Exception as error:  # noqa: BLE001 - each library has its own exception
        raise ChError(354, f"inflate failed: the {encoding} body is damaged: {error}", "ZLIB_INFLATE_FAILED") from error
    return bytes(out)


def _decompress_member(stream: Any, body: bytes, encoding: str, out: bytearray, limit: int) -> bytes:
    """Appends one member to `out`; returns what follows it."""
    for start in range(0, len(body), STEP):
        piece = body[start : start + STEP]
        if encoding == "br":
            out += stream.process(piece)
        else:
            out += stream.decompress(piece)
        if len(out) > limit:
            raise ChError(412, f"Request body is larger than {limit} bytes once decompressed", "QUERY_IS_TOO_LARGE")
        if encoding == "br":
            if stream.is_finished():
                return b""
        elif stream.eof:
            return bytes(stream.unused_data or b"") + body[start + STEP :]
    raise ValueError("it ends too early")


class Compressor:
    """Compresses an answer piece by piece: `feed` each piece, then `end`. Encoding None passes bytes through."""

    def __init__(self, encoding: str | None) -> None:
        self._begin = b""
        if encoding in ("gzip", "deflate"):
            zlib_stream = zlib.compressobj(3, zlib.DEFLATED, 31 if encoding == "gzip" else 15)
            self._feed, self._end = zlib_stream.compress, zlib_stream.flush
        elif encoding == "zstd":
            zstd_stream = zstd.ZstdCompressor(level=1)
            self._feed, self._end = zstd_stream.compress, zstd_stream.flush
        elif encoding == "lz4":
            lz4_stream = lz4.frame.LZ4FrameCompressor()
            self._begin = lz4_stream.begin()
            self._feed, self._end = lz4_stream.compress, lz4_stream.flush
        elif encoding == "br":
            brotli_stream = brotli.Compressor(quality=1)
            self._feed, self._end = brotli_stream.process, brotli_stream.finish
        else:
            self._feed, self._end = bytes, bytes

    def feed(self, data: bytes) -> bytes:
        begin, self._begin = self._begin, b""
        return begin + self._feed(data)

    def end(self) -> bytes:
        begin, self._begin = self._begin, b""
        return begin + self._end()


def choose(accept: str) -> str | None:
    """The client's first acceptable encoding that we know, from its Accept-Encoding."""
    for entry in accept.split(","):
        name, _, weight = entry.strip().partition(";")
        refused = weight.replace(" ", "") in ("q=0", "q=0.0")
        if name.strip().lower() in ENCODINGS and not refused:
            return name.strip().lower()
    return None
