"""The final answer within a solution: what a text comes to in the end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from fanwise.pipelines.grading.numbers import Quantity, quantities, tidy

MOST_CHARS = 100_000

_HASHES = re.compile(r"####[ \t]*([^\n]+)")
_BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{")
_LABEL = re.compile(
    r"^[\s>*_#-]*(?:(?:the\s+)?(?:final\s+|correct\s+)?(?:answer|result)[\s*_]*[:=]|ans[\s*_]*[:=]"
    r"|(?-i:A)[\s*_]*:)[ \t*_]*"
    r"([^\n]*)",
    re.IGNORECASE | re.MULTILINE,
)
_SENTENCE = re.compile(
    r"\b(?:final\s+|correct\s+|my\s+)?answer\s+(?:(?:is|was|would be|should be|will be|comes to"
    r"|must be)\b(?!\s+not\b)(?:\s+therefore\b|\s+thus\b)?|=|:)[ \t:]*",
    re.IGNORECASE,
)
_ENDS = re.compile(r"[.;!?](?=\s|$)|\bbecause\b|\bsince\b|\bnot\b|\brather than\b|\binstead of\b")
_OR = re.compile(r"\s*,?\s*(?:\bor\b|\beither\b)\s*(?:about|maybe|possibly)?\s*", re.IGNORECASE)
_OPEN_END = re.compile(r"(?:[=+*/×÷(<]|[-]|\b(?:is|of|equals))\s*[$€£]?\s*$")
_OPERATOR_BEFORE = re.compile(r"[\d)%]\s*(?:[+*×÷x]|[-](?=\s)|/)\s*[$€£¥₹]?\s*$")
_OPERATOR_AFTER = re.compile(r"\s*(?:[+*×÷]|x(?=\s*\d)|[-](?=\s*[\d$(]))\s*[\d($]")
_SENTENCES = re.compile(r"(?<=[.!?])\s+(?=[A-Z$(\d-])|\n+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Final:
    """What a solution comes to.

    Args:
        candidates: The final quantity; several where it names alternatives ("18 or 20").
        marked: Whether the text says itself that this is its answer.
        text: The part of the text it was taken from.
    """

    candidates: Sequence[Quantity] = ()
    marked: bool = False
    text: str = ""


def final_answer(text: str, *, measures: str | None = None) -> Final:
    r"""The final answer of a solution.

    Looked for in this order, the last of each kind counting, since people correct themselves:
    after ``####``; in ``\boxed{}``; after a label at the beginning of a line ("Answer:", "A:");
    in a sentence ("the answer is …"). Without any of them it is the result of the last sentence
    that holds a number: behind its last equals sign, else the number of the expected measure,
    else its last number. An expression that was left without a result is no answer.

    Args:
        text: A solution, or nothing but an answer. What is beyond 100 000 characters counts from
            the end.
        measures: What the unit of the answer should measure, where that is known.
    """
    whole = text[-MOST_CHARS:]
    for marked in (_after_hashes, _in_a_box, _after_label, _in_a_sentence):
        for segment in marked(whole):
            found = _of_segment(tidy(segment), measures=measures)
            if found:
                return Final(candidates=found, marked=True, text=segment.strip())
            if segment.strip():
                return Final(marked=True, text=segment.strip())
    return _unmarked(tidy(whole), measures=measures)


def _after_hashes(text: str) -> list[str]:
    return [match[1] for match in _HASHES.finditer(text)][-1:]


def _in_a_box(text: str) -> list[str]:
    found: list[str] = []
    for match in _BOXED.finditer(text):
        depth = 1
        for place in range(match.end(), min(len(text), match.end() + 500)):
            depth += {"{": 1, "}": -1}.get(text[place], 0)
            if depth == 0:
                found.append(text[match.end() : place])
                break
    return found[-1:]


def _after_label(text: str) -> list[str]:
    labelled = list(_LABEL.finditer(text))[-1:]
    return [match[1].strip() or _next_line(text, match.end()) for match in labelled]


def _next_line(text: str, place: int) -> str:
    """An answer may stand on the line below its label."""
    return next((line for line in text[place:].split("\n") if line.strip()), "")


def _in_a_sentence(text: str) -> list[str]:
    ends = [match.end() for match in _SENTENCE.finditer(text)][-1:]
    return [text[end:].partition("\n")[0] for end in ends]


def _of_segment(segment: str, *, measures: str | None) -> Sequence[Quantity]:
    """The quantity that a marked segment names, or its alternatives."""
    if _OPEN_END.search(segment):
        return ()
    found = quantities(segment, words=True)
    if not found:
        return ()
    equals = segment.rfind("=")
    behind = [one for one in found if one.start > equals] if equals >= 0 else []
    first = (behind or found)[0]
    end = _ENDS.search(segment, first.end)
    inside = [one for one in behind or found if end is None or one.start < end.start()]
    alternatives = [first]
    for one in inside[1:]:
        if not _OR.fullmatch(segment, alternatives[-1].end, one.start) and not _or_between(
            segment, alternatives[-1], one
        ):
            break
        alternatives.append(one)
    if len(alternatives) > 1:
        return alternatives
    if _is_operand(segment, first):
        return ()
    if measures is not None and (first.unit is None or first.unit.quantity != measures):
        fitting = [one for one in inside if one.unit is not None and one.unit.quantity == measures]
        return fitting[-1:] or [first]
    return [first]


def _or_between(segment: str, before: Quantity, after: Quantity) -> bool:
    """18 eggs or 20 eggs; 3, 4 or 5; 1, 2, 3."""
    between = segment[before.end : after.start]
    return bool(
        re.fullmatch(r"\s?[^\W\d]*\s?,?\s*\bor\b\s*", between, re.IGNORECASE)
        or re.fullmatch(r"\s?[,/|]\s*", between)
    )


def _is_operand(text: str, one: Quantity) -> bool:
    """Whether a number is part of a sum that has no result."""
    return bool(
        _OPERATOR_BEFORE.search(text, max(0, one.start - 12), one.start)
        or _OPERATOR_AFTER.match(text, one.end)
    )


def _unmarked(text: str, *, measures: str | None) -> Final:
    parts = [part for part in _SENTENCES.split(text) if part.strip()]
    words = len(parts) == 1
    for part in reversed(parts):
        if _OPEN_END.search(part):
            return Final(text=part.strip())
        found = quantities(part, words=words)
        if found:
            return Final(candidates=_of_sentence(part, found, measures), text=part.strip())
    if parts and not words:
        found = quantities(parts[-1], words=True)
        if found:
            return Final(candidates=_of_sentence(parts[-1], found, measures), text=parts[-1])
    return Final(text=parts[-1].strip() if parts else "")


def _of_sentence(
    sentence: str, found: Sequence[Quantity], measures: str | None
) -> Sequence[Quantity]:
    equals = sentence.rfind("=")
    behind = [one for one in found if one.start > equals] if equals >= 0 else []
    if behind:
        return [] if _is_operand(sentence, behind[0]) else behind[:1]
    if len(found) > 1 and all(
        _or_between(sentence, before, after) for before, after in pairwise(found)
    ):
        return found
    if measures is not None:
        fitting = [one for one in found if one.unit is not None and one.unit.quantity == measures]
        if fitting:
            return fitting[-1:]
    return [] if _is_operand(sentence, found[-1]) else found[-1:]
