"""Finds carriers and labels in a text, with their places, in one pass over its words."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from fanwise.pipelines.scan.tracking import carriers, labels

Kind = Literal["carrier", "tracking", "shipping", "other"]


@dataclass(frozen=True, slots=True)
class Hit:
    """A known word or phrase. ``names`` are the carriers it can stand for."""

    start: int
    end: int
    kind: Kind
    names: tuple[str, ...] = ()


_Entry = tuple[tuple[str, ...], Kind, tuple[str, ...]]
_WORD = re.compile(r"[^\W\d_]+")
_GAP = re.compile(r"[\W_]{0,3}")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")

# "ups" is also the end of "follow-ups"; "an post" and "die post" need their capital.
_BEFORE_UPS_WORDS = "follow start pop push sign set check clean back grown mock round"
_BEFORE_UPS = frozenset(_BEFORE_UPS_WORDS.split())
_PROPER = frozenset({("an", "post"), ("die", "post"), ("landmark",), ("hermes",), ("us", "mail")})


@cache
def _index() -> dict[str, tuple[_Entry, ...]]:
    found: dict[str, list[_Entry]] = {}

    def add(phrase: str, kind: Kind, names: tuple[str, ...] = ()) -> None:
        first, *rest = phrase.split(" ")
        found.setdefault(first, []).append((tuple(rest), kind, names))

    for phrase, names in carriers.words().items():
        add(phrase, "carrier", names)
    blocks: dict[Kind, str] = {
        "tracking": labels.TRACKING,
        "shipping": labels.SHIPPING,
        "other": labels.OTHER,
    }
    for kind, block in blocks.items():
        for phrase in labels.phrases(block):
            add(phrase, kind)
    return {
        first: tuple(sorted(entries, key=lambda entry: -len(entry[0])))
        for first, entries in found.items()
    }


@cache
def _cjk() -> re.Pattern[str]:
    names = "|".join(word for word in carriers.words() if _CJK.search(word))
    return re.compile(
        f"(?P<carrier>{names})|(?P<tracking>{labels.TRACKING_CJK})"
        f"|(?P<shipping>{labels.SHIPPING_CJK})|(?P<other>{labels.OTHER_CJK})"
    )


def _phrase_end(text: str, at: int, rest: tuple[str, ...]) -> int:
    """Where a phrase ends whose first word ends at ``at``; -1 where the text goes on otherwise."""
    for word in rest:
        gap = _GAP.match(text, at)
        at = gap.end() if gap else at
        following = _WORD.match(text, at)
        if following is None or following.group().lower() != word:
            return -1
        at = following.end()
    return at


def _is_meant(text: str, start: int, end: int, words: tuple[str, ...]) -> bool:
    """Whether a word that also has an everyday meaning is the carrier here."""
    if words == ("ups",) and text[start:end] != "UPS":
        before = text[max(0, start - 12) : start].lower()
        return not (before.endswith("-") or before.rstrip(" ").rpartition(" ")[2] in _BEFORE_UPS)
    return words not in _PROPER or text[start].isupper()


def words_of(text: str, start: int, end: int) -> list[Hit]:
    """The carriers and labels of one part of a text, in order. Linear in its length.

    Args:
        text: Any text; letters of any case.
        start: Where the part to look at begins.
        end: Where it ends. Places in the result count from the text's beginning.
    """
    index = _index()
    found: list[Hit] = []
    past = 0
    for match in _WORD.finditer(text, start, end):
        first = match.group().lower()
        entries = index.get(first)
        if entries is None or match.start() < past:
            continue
        for rest, kind, names in entries:
            stop = _phrase_end(text, match.end(), rest) if rest else match.end()
            if stop < 0:
                continue
            if kind == "carrier" and not _is_meant(text, match.start(), stop, (first, *rest)):
                continue
            found.append(Hit(match.start(), stop, kind, names))
            past = stop
            break
    if not text.isascii() and _CJK.search(text, start, end):
        for match in _cjk().finditer(text, start, end):
            kind: Kind = match.lastgroup  # type: ignore[assignment]
            names = carriers.words().get(match.group(), ())
            found.append(Hit(match.start(), match.end(), kind, names))
        found.sort(key=lambda hit: hit.start)
    return found


def is_other_label(letters: str) -> bool:
    """Whether the letters before digits say what the number is, and it is no tracking number.

    ``INV202600417`` is an invoice, ``HRB 104 428 837`` an entry in a register.
    """
    entries = _index().get(letters.lower(), ())
    return any(kind == "other" and not rest for rest, kind, _ in entries)


def carriers_in(text: str) -> frozenset[str]:
    """The names of all carriers that a text mentions anywhere. Linear in its length."""
    lower = text.lower()
    present = set(_WORD.findall(lower))
    names: set[str] = set()
    for first in present & _first_words_of_carriers():
        at = lower.find(first)
        while at >= 0 and len(lower) == len(text):
            hits = words_of(text, at, at + len(first)) if _begins_word(lower, at) else ()
            named = next((hit.names for hit in hits if hit.kind == "carrier"), None)
            if named is not None:
                names.update(named)
                break
            at = lower.find(first, at + 1)
    if not text.isascii() and _CJK.search(text):
        for match in _cjk().finditer(text):
            names.update(carriers.words().get(match.group(), ()))
    return frozenset(names)


def _begins_word(text: str, at: int) -> bool:
    return at == 0 or not text[at - 1].isalpha()


@cache
def _first_words_of_carriers() -> frozenset[str]:
    return frozenset(phrase.split(" ")[0] for phrase in carriers.words())


def within(hits: Sequence[Hit], start: int, end: int) -> Sequence[Hit]:
    """The hits that begin at or after ``start`` and before ``end``."""
    first = bisect_left(hits, start, key=lambda hit: hit.start)
    last = bisect_left(hits, end, key=lambda hit: hit.start)
    return hits[first:last]
