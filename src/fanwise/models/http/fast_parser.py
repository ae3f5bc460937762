"""One HTTP/1.1 answer out of bytes, by llhttp. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from fanwise.models.http.fast_decode import UndecodableError, coding_of, decode
from fanwise.records import NOTHING

# Servers send some dozens of header names; a hostile one that invents names fills no memory.
_MOST_NAMES = 1024


class UnusableAnswer(Exception):
    """What came is no answer, or is beyond a limit. The message completes "the answer of X …"."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Most that an answer may come to, in bytes.

    Args:
        head_bytes: Status line and headers.
        body_bytes: Body, both as it travels and decompressed.
    """

    head_bytes: int = 64 * 1024
    body_bytes: int = 64 * 1024 * 1024


class AnswerParser:
    """Parses answer after answer of one connection; :meth:`reset` stands between two.

    Args:
        bounds: Limits of size.
        names: Header names seen so far, in lower case; shared between parsers, filled here.

    Attributes:
        status: Status of the final answer; 0 before its head is complete.
        headers: Its headers, names in lower case.
        head_done: Whether the head is complete.
        complete: Whether body and all have come.
        keep_alive: Once complete: whether the connection may serve another request.
        parts: Pieces of the body as they travelled, not yet taken.
    """

    __slots__ = (
        "_bounds",
        "_dry_bytes",
        "_fault",
        "_names",
        "_parser",
        "_raw",
        "_until_close",
        "_wire_bytes",
        "complete",
        "head_done",
        "headers",
        "keep_alive",
        "on_body",
        "parts",
        "status",
    )

    def __init__(self, *, bounds: Bounds, names: dict[bytes, str]) -> None:
        self._bounds = bounds
        self._names = names
        self._raw: list[tuple[bytes, bytes]] = []
        self.parts: list[bytes] = []
        # The pieces go straight into the list, without a Python frame for each.
        self.on_body = self.parts.append
        self.reset()
        self._parser = HttpResponseParser(self)

    def reset(self) -> None:
        """Makes ready for the next answer."""
        self.status = 0
        self.headers: Mapping[str, str] = NOTHING
        self.head_done = False
        self.complete = False
        self.keep_alive = False
        self._until_close = False
        self._fault: UnusableAnswer | None = None
        self._wire_bytes = 0
        self._dry_bytes = 0
        self._raw.clear()
        self.parts.clear()

    def feed(self, data: memoryview) -> None:
        """Takes the next bytes.

        Bytes behind a complete answer do not harm it; they only end the connection's use.

        Raises:
            UnusableAnswer: The connection is then of no further use either.
        """
        before = len(self.parts)
        self._wire_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            raise UnusableAnswer("switches to another protocol, which was not asked for") from None
        except HttpParserError as error:
            if not self.complete:
                raise self._fault or self._not_http(data, error) from None
            self.keep_alive = False
        if not self.complete:
            self._check_growth(len(data), dry=len(self.parts) == before)

    def end(self) -> bool:
        """Says that the server has ended its side in good order; whether the answer is whole."""
        if self.head_done and self._until_close:
            self.complete = True
        return self.complete

    def take(self) -> bytes:
        """The pieces that have come since the last time, joined, still encoded."""
        data = self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)
        self.parts.clear()
        return data

    @property
    def encoding(self) -> str | None:
        """The body's content coding; ``None`` for none."""
        value = self.headers.get("content-encoding")
        return None if value is None else coding_of(value)

    def body(self) -> bytes:
        """The whole body, decompressed.

        Raises:
            UnusableAnswer: Where it cannot be decompressed, or grows beyond the limit.
        """
        data = self.take()
        most = self._bounds.body_bytes
        if len(data) > most:
            raise too_large(most)
        encoding = self.encoding
        if encoding is None:
            return data
        try:
            return decode(data, encoding=encoding, max_bytes=most)
        except UndecodableError as error:
            raise UnusableAnswer(f"cannot be used: {error}") from None

    def _check_growth(self, received: int, *, dry: bool) -> None:
        most = self._bounds.head_bytes
        if not self.head_done:
            if self._wire_bytes > most:
                raise head_too_large(most)
            return
        # Bytes that are no body: chunk extensions, trailers. They get a head's allowance.
        self._dry_bytes = self._dry_bytes + received if dry else 0
        if self._dry_bytes > most:
            raise UnusableAnswer(f"holds more than {most} bytes of framing in a row")
        if self._wire_bytes > most + self._bounds.body_bytes:
            raise too_large(self._bounds.body_bytes)

    # ── what llhttp calls ──

    def on_message_begin(self) -> None:
        if self.complete:
            raise UnusableAnswer("is followed by another one that nobody asked for")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._raw.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            self._raw.clear()
            return
        bounds = self._bounds
        if self._wire_bytes > bounds.head_bytes:
            size = sum(len(name) + len(value) + 4 for name, value in self._raw)
            if size > bounds.head_bytes:
                self._give_up(head_too_large(bounds.head_bytes))
        self.status = status
        self.headers = headers = self._mapping()
        self.head_done = True
        length = headers.get("content-length")
        if length is not None:
            if int(length) > bounds.body_bytes:
                self._give_up(too_large(bounds.body_bytes))
            return
        coding = headers.get("transfer-encoding")
        if coding is not None and coding.strip().lower() != "chunked":
            self._give_up(UnusableAnswer(f"has the transfer coding {coding!r}, which is unknown"))
        self._until_close = coding is None and status not in {204, 304}

    def on_message_complete(self) -> None:
        if self.head_done:
            self.complete = True
            self.keep_alive = self._parser.should_keep_alive()

    def _mapping(self) -> Mapping[str, str]:
        names = self._names
        headers: dict[str, str] = {}
        for raw_name, raw_value in self._raw:
            name = names.get(raw_name)
            if name is None:
                name = raw_name.decode("latin-1").lower()
                if len(names) < _MOST_NAMES:
                    names[raw_name] = name
            value = raw_value.decode("latin-1")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        self._raw.clear()
        return headers

    def _give_up(self, fault: UnusableAnswer) -> None:
        self._fault = fault
        raise fault

    def _not_http(self, data: memoryview, error: HttpParserError) -> UnusableAnswer:
        if self.head_done or self._wire_bytes > len(data):
            return UnusableAnswer(f"is malformed: {error}")
        start = bytes(data[:40])
        if start[:1] in {b"\x15", b"\x16"}:
            return UnusableAnswer("is TLS, not HTTP", hint="write the base URL with https://")
        return UnusableAnswer(
            f"is not HTTP/1.1: it begins with {start!r} ({error})",
            hint="does the base URL lead to an HTTP server?",
        )


def too_large(most: int) -> UnusableAnswer:
    """The error for a body of more than ``most`` bytes."""
    return UnusableAnswer(
        f"has a body of more than {most} bytes", hint="ask for less at once, or raise body_bytes"
    )


def head_too_large(most: int) -> UnusableAnswer:
    """The error for a head of more than ``most`` bytes."""
    return UnusableAnswer(f"has more than {most} bytes of headers")
