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


class _BrotliDecompressor:
    """Brotli with the interface of the others."""

    unused_data = b""

    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    def decompress(self, data: bytes, limit: int) -> bytes:
        return bytes(self._stream.process(data, output_buffer_limit=limit))

    @property
    def eof(self) -> bool:
        return bool(self._stream.is_finished())


# encoding -> a fresh decompressor
DECOMPRESSORS: dict[str, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(31),
    "deflate": lambda: zlib.decompressobj(15),
    "zstd": zstd.ZstdDecompressor,
    "lz4": lz4.frame.LZ4FrameDecompressor,
    "br": _BrotliDecompressor,
}
ENCODINGS = frozenset(DECOMPRESSORS)


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """The body without its Content-Encoding. Raises `ChError`: 48 unknown encoding, 354 damaged, 412 beyond `limit`."""
    if encoding not in DECOMPRESSORS:
        reason = f"Unknown compression method {encoding}; use one of {', '.join(sorted(ENCODINGS))}"
        raise ChError(48, reason, "NOT_IMPLEMENTED")
    parts, room, rest = [], limit, body
    while rest:  # several frames or members in a row are one body
        stream = DECOMPRESSORS[encoding]()
        try:
            part = stream.decompress(rest, room + 1)
        except Exception as error:
            reason = f"inflate failed: the {encoding} body is damaged: {error}"
            raise ChError(354, reason, "ZLIB_INFLATE_FAILED") from error
        room -= len(part)
        if room < 0:
            raise ChError(412, f"Request body is larger than {limit} bytes once decompressed", "QUERY_IS_TOO_LARGE")
        if not stream.eof:
            raise ChError(354, f"inflate failed: the {encoding} body ends too early", "ZLIB_INFLATE_FAILED")
        parts.append(part)
        rest = stream.unused_data or b""
    return b"".join(parts)


class Compressor:
    """Compresses an answer piece by piece: `feed` each piece, then `end`. Encoding None passes bytes through."""

    def __init__(self, encoding: str | None) -> None:
        self._begin = b""
        self._feed: Callable[[bytes], bytes] = bytes
        self._end: Callable[[], bytes] = bytes
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
