"""Files that may be compressed with gzip, read as a stream."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from sneaker_assets.sources.saved.records import BrokenFileError, Readable

_GZIP = b"\x1f\x8b"
_CHUNK = 65536
_WRAPPED = 16 + zlib.MAX_WBITS
"""Argument of ``zlib.decompressobj`` for data with the header and the checksum of gzip."""

_MAX_RATIO = 200
"""Maximum growth of a gzip file: pages shrink to a fifth or a twentieth of their size."""

_MIN_LIMIT = 100_000_000
"""Number of decompressed bytes that any file may have."""


@contextmanager
def open_decompressed(path: Path) -> Iterator[Readable]:
    """Content of a file, decompressed if it is a gzip file.

    Args:
        path: The file.

    Yields:
        Stream whose ``read`` raises :class:`BrokenFileError` where the file is cut off, damaged or a decompression
        bomb, after it has returned everything before that place.
    """
    with path.open("rb") as file:
        compressed = file.read(len(_GZIP)) == _GZIP
        file.seek(0)
        yield _Gunzip(file, max(_MIN_LIMIT, _MAX_RATIO * path.stat().st_size)) if compressed else file


class _Gunzip:
    """Decompressed content of a gzip file, which may have several members."""

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self._file, self._limit = file, limit
        self._decompressor = zlib.decompressobj(_WRAPPED)
        self._input = b""
        self._n_bytes = 0

    def read(self, size: int, /) -> bytes:
        while size > 0:
            if self._decompressor.eof:
                self._input = (self._decompressor.unused_data or self._file.read(_CHUNK)).lstrip(b"\0")
                if not self._input:
                    return b""
                self._decompressor = zlib.decompressobj(_WRAPPED)
            if not self._input:
                self._input = self._file.read(_CHUNK)
            if data := self._decompress(size):
                return data
        return b""

    def _decompress(self, size: int) -> bytes:
        if not self._input and not self._decompressor.eof:
            raise BrokenFileError("the gzip file is cut off")
        try:
            data = self._decompressor.decompress(self._input, size)
        except zlib.error as error:
            raise BrokenFileError(f"the gzip data are damaged: {error}") from None
        self._input = self._decompressor.unconsumed_tail
        self._n_bytes += len(data)
        if self._n_bytes > self._limit:
            raise BrokenFileError(
                f"decompresses to more than {self._limit:,} bytes, over {_MAX_RATIO} times its size: no page does"
            )
        return data


class Metered:
    """Stream that refuses to be read once it has delivered a number of bytes, until it is renewed.

    It bounds the memory of a library that reads a whole item, such as a line or a JSON object, before it returns it.

    Args:
        stream: The stream.
        what: What is too large otherwise, for the error message.
    """

    def __init__(self, stream: Readable, what: str) -> None:
        self._stream, self._what, self._left = stream, what, 0

    def renew(self, n_bytes: int) -> None:
        """Allow the next ``n_bytes`` bytes."""
        self._left = n_bytes

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes.

        Raises:
            BrokenFileError: As many bytes as are allowed were read.
        """
        if size > 0 >= self._left:
            raise BrokenFileError(f"{self._what} is too large")
        data = self._stream.read(size)
        self._left -= len(data)
        return data


def decoded(body: bytes, encoding: str, limit: int) -> bytes | None:
    """Body without its content encoding, at most ``limit`` bytes; None if the encoding is not supported.

    Args:
        body: Encoded body.
        encoding: Value of the header Content-Encoding.
        limit: Number of bytes after which the decoded body is cut.

    Raises:
        BrokenFileError: The body is damaged.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body[:limit]
    if encoding in ("gzip", "x-gzip"):
        return _inflated(body, _WRAPPED, limit) if body.startswith(_GZIP) else body[:limit]
    if encoding == "deflate":
        try:
            return _inflated(body, zlib.MAX_WBITS, limit)
        except BrokenFileError:
            return _inflated(body, -zlib.MAX_WBITS, limit)  # without the header, as some servers send it
    return None


def _inflated(body: bytes, window: int, limit: int) -> bytes:
    decompressor = zlib.decompressobj(window)
    try:
        data = decompressor.decompress(body, limit)
    except zlib.error as error:
        raise BrokenFileError(f"the body is damaged: {error}") from None
    if not decompressor.eof and len(data) < limit:
        raise BrokenFileError("the body is cut off")
    return data
