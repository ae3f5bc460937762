"""Bytes of mail to text, whatever their label says."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

# What a label means in practice (WHATWG, and mailers that write their own names).
_ALIASES = {
    "iso-8859-1": "cp1252",
    "latin-1": "cp1252",
    "latin1": "cp1252",
    "us-ascii": "cp1252",
    "ascii": "cp1252",
    "ansi_x3.4-1968": "cp1252",
    "iso-8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "shift_jis": "cp932",
    "x-sjis": "cp932",
    "iso-8859-8-i": "iso-8859-8",
    "utf8mb4": "utf-8",
    "unicode-1-1-utf-8": "utf-8",
    "x-mac-roman": "mac-roman",
    "x-unknown": "",
    "unknown": "",
    "unknown-8bit": "",
    "8bit": "",
    "binary": "",
    "default": "",
}
# Codecs of Python that are no charsets of mail; two of them take time with the square of the size.
_REFUSED = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined"})
_INVISIBLE = {
    **dict.fromkeys((0x00AD, 0x034F, 0x200B, 0x2060, 0xFEFF)),  # hidden inside words and numbers
    **dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A))),  # turn text round
    **dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127, 160, 8239), " "),
    0x2028: "\n",
    0x2029: "\n",
}


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text, and what was wrong with its bytes; empty where nothing was."""

    text: str
    problem: str = ""


def decoded_text(data: bytes, *, charset: str | None) -> Decoded:
    """The text of some bytes; never fails.

    Without a charset: UTF-8, else Windows-1252. Under an unknown charset the same, and the
    problem says so.
    """
    label = (charset or "").strip().strip("\"'").lower()
    name = _ALIASES.get(label, label)
    if not name or name == "cp1252":
        return Decoded(_guessed(data))
    try:
        codec = codecs.lookup(name).name
    except (LookupError, ValueError):  # ValueError: the label holds a NUL
        codec = ""
    if not codec or codec.replace("-", "_") in _REFUSED:
        return Decoded(_guessed(data), f"unknown charset {label[:40]!r}")
    try:
        return Decoded(data.decode(codec))
    except LookupError:  # a codec of Python's that makes no text, such as zip
        return Decoded(_guessed(data), f"unknown charset {label[:40]!r}")
    except UnicodeError:
        try:
            text = data.decode(codec, errors="replace")
        except UnicodeError:  # some codecs know no replacement
            text = _guessed(data)
        return Decoded(text, f"bytes that are not {label[:40]}")


def visible(text: str) -> str:
    r"""Text with ``\n`` line ends, without control characters and invisible ones."""
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_INVISIBLE)


def _guessed(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")
