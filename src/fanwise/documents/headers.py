"""The head of a message or of one of its parts: fields, encoded words, addresses, dates."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses, mktime_tz, parsedate_tz

from fanwise.documents.charsets import decoded_text

MAX_HEAD_BYTES = 256 * 1024
_MAX_FIELDS = 1000
_MAX_FOLDED_BYTES = 64 * 1024
_MAX_FIELD_BYTES = 8192  # of one field; References of a long thread take the most
_MAX_ADDRESSES = 100

_FIELD = re.compile(rb"([!-9;-~]{1,100})[ \t]*+:([^\r\n]*+(?:\r?\n[ \t][^\r\n]*+)*+)\r?(?:\n|\Z)")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_MESSAGE_ID = re.compile(r"<([^<>\s]{1,500})>")


@dataclass(frozen=True, slots=True)
class Head:
    """Fields in their order, names in lower case, values unfolded but not decoded."""

    fields: Sequence[tuple[str, bytes]]
    body_start: int
    damaged: bool = False

    def raw(self, name: str) -> bytes:
        """The first field of a name; empty where there is none."""
        for field, value in self.fields:
            if field == name:
                return value
        return b""

    def text(self, name: str, *, most: int = 4000) -> str:
        """The first field of a name, decoded, on one line."""
        return decoded_words(self.raw(name)[:most])

    def all(self, name: str) -> list[bytes]:
        """Every field of a name."""
        return [value for field, value in self.fields if field == name]


def read_head(data: bytes, *, start: int = 0, end: int | None = None) -> Head:
    """The fields from ``start`` to the first empty line, and where the body begins.

    A line that is no field is passed over and makes the head ``damaged``, as do more than 1000
    fields or 256 KB of them. Text that does not begin with a field has no head at all.
    """
    end = len(data) if end is None else end
    fields: list[tuple[str, bytes]] = []
    damaged = False
    at = start
    stop = min(end, start + MAX_HEAD_BYTES)
    while at < stop:
        if data[at : at + 1] == b"\n" or data[at : at + 2] == b"\r\n":
            return Head(fields, at + (1 if data[at : at + 1] == b"\n" else 2), damaged)
        found = _FIELD.match(data, at, min(end, at + _MAX_FOLDED_BYTES))
        if found is not None and len(fields) < _MAX_FIELDS:
            value = _FOLD.sub(b" ", found[2][:_MAX_FIELD_BYTES]).strip()
            fields.append((found[1].decode("ascii").lower(), value))
            at = found.end()
            continue
        if not fields:
            return Head((), start, damaged=True)
        damaged = True
        line_end = data.find(b"\n", at, end)
        at = end if line_end < 0 else line_end + 1
    return Head(fields, min(at, end), damaged or at < end)


def decoded_words(value: bytes) -> str:
    """A field's text with RFC 2047 encoded words decoded; damaged ones stay as they are."""
    text = decoded_text(value, charset=None).text
    if "=?" in text:
        try:
            pieces = decode_header(text)
        except (HeaderParseError, ValueError, LookupError):
            pieces = []
        if pieces:
            text = "".join(
                piece if isinstance(piece, str) else decoded_text(piece, charset=charset).text
                for piece, charset in pieces
            )
    return " ".join(text.split())


def addresses(values: Sequence[bytes]) -> list[tuple[str, str]]:
    """Names and addresses (in lower case) of address fields, at most 100."""
    found: list[tuple[str, str]] = []
    for value in values[:20]:
        text = decoded_text(value[:_MAX_FIELD_BYTES], charset=None).text
        try:
            pairs = getaddresses([text])
        except (RecursionError, ValueError, IndexError):  # nested comments, broken quoting
            continue
        for name, address in pairs:
            if address:
                found.append((decoded_words(name.encode()), address.strip().lower()))
        if len(found) >= _MAX_ADDRESSES:
            break
    return found[:_MAX_ADDRESSES]


def message_ids(value: bytes) -> list[str]:
    """The ids of a ``References`` or ``In-Reply-To`` field, without brackets, oldest first."""
    return _MESSAGE_ID.findall(value.decode("utf-8", errors="replace"))


def own_id(value: bytes) -> str:
    """The id of a ``Message-ID`` field; empty where it is missing."""
    ids = message_ids(value)
    if ids:
        return ids[0]
    return value.decode("utf-8", errors="replace").strip("<> \t")[:500]


def instant(head: Head) -> float | None:
    """Epoch seconds of the ``Date`` field, else of the newest ``Received`` field, else ``None``."""
    candidates = [head.raw("date"), *(b.rpartition(b";")[2] for b in head.all("received")[:1])]
    for value in candidates:
        try:
            parsed = parsedate_tz(value[:200].decode("ascii", errors="replace").strip())
            if parsed is not None:
                seconds = float(mktime_tz(parsed))
                if 0 <= seconds < 253402300800:  # the year 10000
                    return seconds
        except (ValueError, OverflowError, TypeError, IndexError):
            continue
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What the content fields say of a part."""

    kind: str
    charset: str | None
    boundary: bytes
    filename: str
    attached: bool
    encoding: str
    flowed: bool
    delsp: bool


def content_of(head: Head, *, default: str = "text/plain") -> Content:
    """The content fields of a part, with parameters as in RFC 2231."""
    fields = Message()
    for name in ("content-type", "content-disposition"):
        value = head.raw(name)
        if value:
            fields[name] = value[:2000].decode("utf-8", errors="replace")
    fields.set_default_type(default)
    kind = fields.get_content_type()
    encoding = head.raw("content-transfer-encoding")[:40].decode("ascii", errors="replace")
    return Content(
        kind=kind,
        charset=_parameter(fields, "charset") or None,
        boundary=_parameter(fields, "boundary").rstrip().encode("utf-8", errors="replace")[:200],
        filename=_filename(fields),
        attached=fields.get_content_disposition() == "attachment",
        encoding=encoding.strip().lower(),
        flowed=_parameter(fields, "format").lower() == "flowed",
        delsp=_parameter(fields, "delsp").lower() == "yes",
    )


def _parameter(fields: Message, name: str) -> str:
    try:
        value = fields.get_param(name, failobj="")
    except (ValueError, LookupError, TypeError):  # damaged RFC 2231 continuations
        return ""
    if isinstance(value, tuple):
        return _of_rfc2231(value)
    return str(value).strip()


def _of_rfc2231(value: tuple[str | None, str | None, str]) -> str:
    charset, _, text = value
    return decoded_text(text.encode("latin-1", errors="replace"), charset=charset).text.strip()


def _filename(fields: Message) -> str:
    try:
        name = fields.get_filename(failobj="") or ""
    except (ValueError, LookupError, TypeError):
        return ""
    text = decoded_words(str(name).encode("utf-8", errors="replace")[:1000])
    return text.replace("\\", "/").rpartition("/")[2][:200]
