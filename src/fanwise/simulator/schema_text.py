"""Texts that satisfy a JSON Schema's ``format`` or ``pattern``."""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from uuid import UUID

from fanwise.errors import PlanError

Pick = Callable[[int, str], int]
"""``pick(n, place)``: a whole number from 0 to n - 1, always the same at one place."""

_EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
_DIGITS = string.digits
_WORD = string.ascii_lowercase + string.digits
_ANY = string.ascii_letters + string.digits + " .,-"


def formatted(name: str, number: int) -> str | None:
    """A text of the named format chosen by ``number``; ``None`` for a format that is not known."""
    moment = _EPOCH + timedelta(seconds=number % (3 * 365 * 86_400))
    forms: dict[str, Callable[[], str]] = {
        "date-time": lambda: moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "date": lambda: moment.strftime("%Y-%m-%d"),
        "time": lambda: moment.strftime("%H:%M:%SZ"),
        "duration": lambda: f"P{number % 30 + 1}D",
        "email": lambda: f"person{number % 10_000}@example.com",
        "idn-email": lambda: f"person{number % 10_000}@example.com",
        "hostname": lambda: f"host{number % 10_000}.example.com",
        "idn-hostname": lambda: f"host{number % 10_000}.example.com",
        "ipv4": lambda: str(IPv4Address(0xCB007100 + number % 256)),
        "ipv6": lambda: str(IPv6Address((0x20010DB8 << 96) + number % 65_536)),
        "uuid": lambda: str(UUID(int=number * 0x9E3779B97F4A7C15 % 2**128, version=4)),
        "uri": lambda: f"https://example.com/{number % 100_000}",
        "uri-reference": lambda: f"/{number % 100_000}",
        "iri": lambda: f"https://example.com/{number % 100_000}",
        "json-pointer": lambda: f"/{number % 1000}",
        "regex": lambda: "^[a-z]+$",
    }
    form = forms.get(name)
    return None if form is None else form()


def matching(pattern: str, pick: Pick, *, low: int = 0) -> str:
    """A text in which a regular expression is found.

    Groups, alternatives, classes, repetitions, anchors and the usual escapes are understood.

    Args:
        pattern: The expression.
        pick: Where choices come from.
        low: Shortest length, in characters; reached by repeating more where the pattern lets it.

    Raises:
        PlanError: The pattern uses look-around or back-references, or is no pattern.
    """
    node = _Parser(pattern).whole()
    found = ""
    for extra in (0, 2, low, low * 2 + 8):
        found = node(_Writer(pick=pick, extra=extra))
        if len(found) >= low:
            break
    return found


@dataclass(slots=True, kw_only=True)
class _Writer:
    pick: Pick
    extra: int
    turn: int = 0

    def choose(self, bound: int) -> int:
        self.turn += 1
        return self.pick(bound, str(self.turn))


_Node = Callable[[_Writer], str]


class _Parser:
    """Reads a pattern into functions that write a text for it; by recursive descent."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0

    def whole(self) -> _Node:
        node = self._alternatives()
        if self._at < len(self._pattern):
            raise self._error("an unmatched )")
        return node

    def _error(self, what: str) -> PlanError:
        return PlanError(f"the schema's pattern {self._pattern!r} has {what}")

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _take(self) -> str:
        letter = self._peek()
        if not letter:
            raise self._error("no end")
        self._at += 1
        return letter

    def _alternatives(self) -> _Node:
        choices = [self._sequence()]
        while self._peek() == "|":
            self._at += 1
            choices.append(self._sequence())
        if len(choices) == 1:
            return choices[0]
        return lambda writer: choices[writer.choose(len(choices))](writer)

    def _sequence(self) -> _Node:
        parts: list[_Node] = []
        while self._peek() not in {"", "|", ")"}:
            parts.append(self._repeated(self._atom()))
        return lambda writer: "".join(part(writer) for part in parts)

    def _atom(self) -> _Node:
        letter = self._take()
        if letter == "(":
            return self._group()
        if letter == "[":
            return _one_of(self._class())
        if letter == "\\":
            return self._escape()
        if letter in "^$":
            return _nothing
        return _one_of(_ANY) if letter == "." else _one_of(letter)

    def _group(self) -> _Node:
        if self._peek() == "?":
            self._at += 1
            mark = self._take()
            if mark == "P" or (mark == "<" and self._peek() not in {"=", "!"}):
                while self._take() != ">":
                    pass
            elif mark != ":":
                raise self._error("look-around, which is not understood here")
        node = self._alternatives()
        if self._take() != ")":
            raise self._error("an unmatched (")
        return node

    def _escape(self) -> _Node:
        letter = self._take()
        if letter in "bB":
            return _nothing
        if letter.isdigit() and letter != "0":
            raise self._error("a back-reference, which is not understood here")
        return _one_of(self._escaped(letter))

    def _escaped(self, letter: str) -> str:
        known = {
            "d": _DIGITS,
            "w": _WORD,
            "s": " ",
            "D": string.ascii_lowercase,
            "W": "-",
            "S": _WORD,
        }
        known |= {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v"}
        if letter in known:
            return known[letter]
        if letter in "xu":
            size = 2 if letter == "x" else 4
            code = "".join(self._take() for _ in range(size))
            try:
                return chr(int(code, 16))
            except ValueError:
                raise self._error(f"the escape \\{letter}{code}") from None
        if letter in "pP":
            raise self._error("a Unicode property, which is not understood here")
        return letter

    def _class(self) -> str:
        refused = self._peek() == "^"
        self._at += refused
        letters: list[str] = []
        first = True
        while first or self._peek() != "]":
            first = False
            letter = self._take()
            found = self._escaped(self._take()) if letter == "\\" else letter
            if self._peek() == "-" and self._pattern[self._at + 1 : self._at + 2] not in {"]", ""}:
                self._at += 1
                last = self._take()
                last = self._escaped(self._take()) if last == "\\" else last
                found = _span(found, last)
            letters.append(found)
        self._at += 1
        held = "".join(letters)
        if refused:
            held = "".join(letter for letter in _ANY if letter not in held)
        if not held:
            raise self._error("a class that holds nothing")
        return held

    def _repeated(self, node: _Node) -> _Node:
        counts = self._counts()
        if counts is None:
            return node
        low, high = counts
        if self._peek() in {"?", "+"}:
            self._at += 1
        if high is not None and high < low:
            raise self._error("a repetition whose bounds are crossed")

        def write(writer: _Writer) -> str:
            most = low + 2 + writer.extra if high is None else min(high, low + 2 + writer.extra)
            least = min(most, low + writer.extra)
            count = least + writer.choose(most - least + 1)
            return "".join(node(writer) for _ in range(count))

        return write

    def _counts(self) -> tuple[int, int | None] | None:
        simple: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        letter = self._peek()
        if letter in simple and letter:
            self._at += 1
            return simple[letter]
        if letter != "{":
            return None
        text, closed, _ = self._pattern[self._at + 1 :].partition("}")
        first, comma, last = text.partition(",")
        if not closed or not first.isdigit() or not (last.isdigit() or not last):
            # Without numbers a brace stands for itself.
            return None
        self._at += len(text) + 2
        if not comma:
            return int(first), int(first)
        return int(first), int(last) if last else None


def _nothing(_: _Writer) -> str:
    return ""


def _one_of(letters: Sequence[str]) -> _Node:
    if len(letters) == 1:
        return lambda _: letters[0]
    return lambda writer: letters[writer.choose(len(letters))]


def _span(first: str, last: str) -> str:
    # A class of thousands of characters needs no more than a few of them to choose from.
    begin, end = ord(first[0]), ord(last[0])
    return "".join(chr(code) for code in range(begin, min(end, begin + 128) + 1)) or first
