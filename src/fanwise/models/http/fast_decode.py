"""Bodies out of their content codings (RFC 9110, 8.4), never beyond a size. No I/O."""

from __future__ import annotations

import zlib
from typing import Protocol

_GZIP = zlib.MAX_WBITS | 16
_ZLIB = zlib.MAX_WBITS
_RAW_DEFLATE = -zlib.MAX_WBITS


class _Inflate(Protocol):
    """What :func:`zlib.decompressobj` returns."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


class UndecodableError(Exception):
    """The body is not what its ``Content-Encoding`` says, or grows beyond the limit."""


class Decoder:
    """Decompresses one body, piece by piece.

    Args:
        encoding: ``gzip``, ``x-gzip`` or ``deflate`` (with or without zlib's frame: servers
            disagree about it).
        max_bytes: Most that the whole body may come to.

    Raises:
        UndecodableError: For any other encoding; here or while decoding.
    """

    __slots__ = ("_encoding", "_held", "_inflate", "_left", "_most")

    def __init__(self, encoding: str, *, max_bytes: int) -> None:
        if encoding not in {"gzip", "x-gzip", "deflate"}:
            raise UndecodableError(f"it is encoded as {encoding!r}, which was not asked for")
        self._encoding = encoding
        self._inflate: _Inflate | None = None
        self._held = b""
        self._left = self._most = max_bytes

    def feed(self, data: bytes) -> bytes:
        """The next piece, decompressed; may be empty."""
        if self._inflate is None:
            data, self._held = self._held + data, b""
            if len(data) < 2:
                self._held = data
                return b""
            frame = _deflate_frame(data) if self._encoding == "deflate" else _GZIP
            self._inflate = zlib.decompressobj(frame)
        pieces: list[bytes] = []
        inflate = self._inflate
        while data:
            if inflate.eof:
                if self._encoding == "deflate" or data[0] != 0x1F:
                    break  # padding behind the end, which others ignore too
                # A gzip body may be several members in a row (RFC 1952, 2.2).
                inflate = self._inflate = zlib.decompressobj(_GZIP)
            try:
                # One byte above what is left tells "exactly full" from "too much".
                piece = inflate.decompress(data, self._left + 1)
            except zlib.error as error:
                raise UndecodableError(f"its {self._encoding} data is broken: {error}") from error
            self._left -= len(piece)
            if self._left < 0:
                raise UndecodableError(f"it is more than {self._most} bytes once decompressed")
            pieces.append(piece)
            data = inflate.unused_data or inflate.unconsumed_tail
        return b"".join(pieces)

    def finish(self) -> None:
        """Says that the body has ended; a compressed stream that has not is an error.

        A body without any byte is whole: answers without a body carry the header too.
        """
        if self._held or (self._inflate is not None and not self._inflate.eof):
            raise UndecodableError(f"its {self._encoding} data ends too early")


def _deflate_frame(start: bytes) -> int:
    """Window bits for data that begins so: zlib's frame is known by its header (RFC 1950, 2.2)."""
    framed = start[0] & 0x0F == 8 and (start[0] << 8 | start[1]) % 31 == 0
    return _ZLIB if framed else _RAW_DEFLATE


def coding_of(value: str) -> str | None:
    """The coding a ``Content-Encoding`` header names; ``None`` for none at all."""
    name = value.strip().lower()
    return None if name in {"", "identity"} else name


def decode(body: bytes, *, encoding: str, max_bytes: int) -> bytes:
    """A whole body, decompressed. An empty one stays empty, whatever its header says."""
    if not body:
        return body
    decoder = Decoder(encoding, max_bytes=max_bytes)
    decoded = decoder.feed(body)
    decoder.finish()
    return decoded
