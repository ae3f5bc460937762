"""The text and the attachments of a message (RFC 2045 and following), in bounded time.

Parts are places in the message's bytes, never copies of them, so that neither a deep nesting nor a
thousand empty parts takes more memory than the message itself.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from quopri import decodestring
from typing import Literal

from fanwise.documents.charsets import decoded_text, visible
from fanwise.documents.headers import Content, Head, content_of, read_head
from fanwise.documents.html import MAX_HTML_CHARS, html_text

MAX_PARTS = 500
MAX_DEPTH = 20
MAX_TEXT_CHARS = 2 * 1024 * 1024

FORWARD_LINE = "---------- Forwarded message ----------"

_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
_ENOUGH_TEXT = 200  # a plain part of this many characters is more than a pointer to the HTML one


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A part that is no text of the message: its name, its type, and its size once decoded."""

    name: str
    content_type: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What a message holds: its text, its attachments, and what is wrong with it."""

    text: str
    attachments: Sequence[Attachment]
    problems: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Piece:
    kind: Literal["plain", "html", "none"]
    text: str


_NOTHING = _Piece("none", "")
_PLAIN = content_of(Head((), 0))


@dataclass(slots=True)
class _Reading:
    """What is gathered on the way through the parts."""

    data: bytes
    parts: int = 0
    html_chars: int = 0
    attachments: list[Attachment] = field(default_factory=list[Attachment])
    problems: list[str] = field(default_factory=list[str])

    def wrong(self, problem: str) -> None:
        if problem and problem not in self.problems and len(self.problems) < 10:
            self.problems.append(problem)


def read_body(data: bytes, head: Head) -> Body:
    """The text and attachments of a whole message.

    Plain text is preferred to HTML where it says enough (200 characters, or a third of what the
    HTML part says); inline parts are joined, forwarded messages included. At most 500 parts, 20
    levels and 2 MB of text are read; what lies beyond is named in the problems.

    Args:
        data: The message.
        head: Its head, read from the same bytes.
    """
    reading = _Reading(data)
    text = _entity(reading, head, len(data), 0).text
    if len(text) > MAX_TEXT_CHARS:
        text = text[:MAX_TEXT_CHARS]
        reading.wrong("the text is longer than 2 MB and was cut there")
    return Body(text=text, attachments=reading.attachments, problems=reading.problems)


def _entity(
    reading: _Reading, head: Head, end: int, depth: int, default: str = "text/plain"
) -> _Piece:
    content = content_of(head, default=default)
    if depth > MAX_DEPTH:
        reading.wrong(f"parts are nested deeper than {MAX_DEPTH} levels")
        return _NOTHING
    if content.kind.startswith("multipart/"):
        return _multipart(reading, content, head.body_start, end, depth)
    if content.kind == "message/rfc822":
        return _forwarded(reading, head.body_start, end, depth)
    is_text = content.kind in {"text/plain", "text/html", "text/enriched", "text/markdown"}
    if content.attached or not is_text or (content.filename and content.kind != "text/html"):
        reading.attachments.append(_attachment(reading, content, head.body_start, end))
        return _NOTHING
    return _text(reading, content, head.body_start, end)


def _multipart(reading: _Reading, content: Content, start: int, end: int, depth: int) -> _Piece:
    spans = _spans(reading, content.boundary, start, end)
    if not spans:
        reading.wrong("a multipart without its boundary")
        return _text(reading, _PLAIN, start, end)
    default = "message/rfc822" if content.kind == "multipart/digest" else "text/plain"
    pieces: list[_Piece] = []
    for number, (from_, to) in enumerate(spans):
        reading.parts += 1
        if reading.parts > MAX_PARTS:
            reading.wrong(f"more than {MAX_PARTS} parts")
            break
        head = read_head(reading.data, start=from_, end=to)
        if content.kind == "multipart/report" and number > 0:
            kind = content_of(head).kind  # what a bounce returns is no text of its sender
            if kind in {"message/rfc822", "text/rfc822-headers"}:
                reading.attachments.append(
                    Attachment(name="", content_type=kind, size=to - head.body_start)
                )
                continue
        pieces.append(_entity(reading, head, to, depth + 1, default))
    if content.kind == "multipart/alternative":
        return _better(pieces)
    kept = [piece for piece in pieces if piece.text.strip()]
    if not kept:
        return _NOTHING
    kind = "html" if any(piece.kind == "html" for piece in kept) else "plain"
    return _Piece(kind, "\n\n".join(piece.text.strip("\n") for piece in kept))


def _better(pieces: Sequence[_Piece]) -> _Piece:
    plain = next((p for p in pieces if p.kind == "plain" and p.text.strip()), _NOTHING)
    html = next((p for p in reversed(pieces) if p.kind == "html" and p.text.strip()), _NOTHING)
    if plain is _NOTHING or html is _NOTHING:
        return plain if html is _NOTHING else html
    said = len(plain.text.strip())
    return plain if said >= min(_ENOUGH_TEXT, len(html.text) / 3) else html


def _spans(reading: _Reading, boundary: bytes, start: int, end: int) -> list[tuple[int, int]]:
    """The places between the boundary lines."""
    spans: list[tuple[int, int]] = []
    opened: int | None = None
    for at, after, is_last in _boundaries(reading.data, boundary, start, end):
        if opened is not None:
            spans.append((opened, max(opened, at)))
        opened = None if is_last else after
        if is_last or len(spans) > MAX_PARTS:
            break
    if opened is not None and len(spans) <= MAX_PARTS:
        spans.append((opened, end))
        reading.wrong("a multipart is cut off: its last boundary is missing")
    return spans


def _boundaries(
    data: bytes, boundary: bytes, start: int, end: int
) -> Iterator[tuple[int, int, bool]]:
    """Boundary lines: where the part before ends, where the next begins, and whether it is last."""
    mark = b"--" + boundary
    at = data.find(mark, start, end) if boundary else -1
    while at >= 0:
        after = at + len(mark)
        if at == start or data[at - 1 : at] == b"\n":
            line_end = data.find(b"\n", after, end)
            line_end = end if line_end < 0 else line_end
            rest = data[after : min(line_end, after + 100)].strip()
            if rest in {b"", b"--"}:
                before = at - (2 if data[at - 2 : at] == b"\r\n" else 1)
                yield before, min(line_end + 1, end), rest == b"--"
                after = line_end
        at = data.find(mark, after, end)


def _forwarded(reading: _Reading, start: int, end: int, depth: int) -> _Piece:
    head = read_head(reading.data, start=start, end=end)
    if not head.fields:
        return _text(reading, _PLAIN, start, end)
    piece = _entity(reading, head, end, depth + 1)
    shown = [
        f"{name.title()}: {head.text(name)}"
        for name in ("from", "date", "subject")
        if head.raw(name)
    ]
    return _Piece("plain", "\n".join([FORWARD_LINE, *shown, "", piece.text.strip("\n")]))


def _attachment(reading: _Reading, content: Content, start: int, end: int) -> Attachment:
    size = max(0, end - start)
    if content.encoding == "base64":
        lines = reading.data.count(b"\n", start, end)
        size = max(0, (size - 2 * lines) * 3 // 4)
    return Attachment(name=content.filename, content_type=content.kind, size=size)


def _text(reading: _Reading, content: Content, start: int, end: int) -> _Piece:
    raw = _decoded(reading, content.encoding, reading.data[start:end])
    is_html = content.kind == "text/html"
    decoded = decoded_text(raw, charset=content.charset)
    reading.wrong(decoded.problem)
    if not is_html:
        text = visible(decoded.text[: MAX_TEXT_CHARS + 1])
        return _Piece("plain", _unflowed(text, content) if content.flowed else text)
    text = html_text(decoded.text, before=reading.html_chars)
    reading.html_chars += len(decoded.text)
    if reading.html_chars > MAX_HTML_CHARS:
        reading.wrong("the HTML is longer than 4 MB and was cut there")
    return _Piece("html", visible(text))


def _decoded(reading: _Reading, encoding: str, raw: bytes) -> bytes:
    if encoding == "base64":
        return _of_base64(reading, raw)
    if encoding == "quoted-printable":
        return decodestring(raw)
    if encoding not in {"", "7bit", "8bit", "binary", "7-bit", "8-bit"}:
        reading.wrong(f"unknown transfer encoding {encoding!r}")
    return raw


def _of_base64(reading: _Reading, raw: bytes) -> bytes:
    """What can be decoded: everything before the first character that is not base64."""
    packed = raw.translate(None, b" \t\r\n").rstrip(b"=")
    stop = _NOT_BASE64.search(packed)
    if stop is not None:
        reading.wrong("bad base64")
        packed = packed[: stop.start()]
    if len(packed) % 4 == 1:
        reading.wrong("bad base64")
        packed = packed[:-1]
    try:
        return binascii.a2b_base64(packed + b"=" * (-len(packed) % 4))
    except binascii.Error:
        reading.wrong("bad base64")
        return b""


def _unflowed(text: str, content: Content) -> str:
    """Text of ``format=flowed`` (RFC 3676) with its soft line breaks undone."""
    lines: list[str] = []
    open_line = False
    for line in text.split("\n"):
        flows = line.endswith(" ") and line != "-- " and not line.startswith(">")
        body = line.removeprefix(" ") if not line.startswith(">") else line
        piece = body[:-1] if flows and content.delsp else body
        if open_line and not line.startswith(">"):
            lines[-1] += piece
        else:
            lines.append(piece)
        open_line = flows
    return "\n".join(lines)
