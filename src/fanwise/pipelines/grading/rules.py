"""Grades by counting words: what ``builtin/rules`` and the simulated provider answer.

They read the prompt, as a model would, and nothing else. They know no meaning: an answer earns
what it shares with the reference in content words, and loses it where it turns the sense around.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

import fanwise as fw
from fanwise.pipelines.fences import read_back
from fanwise.pipelines.grading.normal import answer_key
from fanwise.pipelines.grading.numbers import Quantity, quantities, tidy
from fanwise.pipelines.grading.records import rating_for

_OPPOSITE_WORDS = """
increase rise grow more higher larger greater faster/decrease fall less lower smaller slower
before earlier first/after later last
hot hotter warm warmer heat heats/cold colder cool cooler cools
absorb absorbs take takes/release releases emit emits give gives
positive positively/negative negatively
inside inner internal/outside outer external
true always/false never
buy buys/sell sells
attract attracts/repel repels
expand expands expansion/contract contracts contraction
north/south
east/west
mutable/immutable
same equal/different opposite
"""
_IDLE_WORDS = """
a an the this that these those of in on at to for from by with as and or but so than then it its
is are was were be been being do does did has have had will would can could may might shall
should must i you he she we they them their his her our your my me us there here which who whom
whose what when where why how if because since into onto over under about between each every
some any all both very much many more most also just only such own same other one up out off
down again further while during before after above below not no nor never without n't don't
doesn't isn't aren't wasn't weren't can't cannot won't called known
"""
_NEGATION_WORDS = """
not no never without neither nor cannot can't don't doesn't didn't isn't aren't wasn't weren't
won't wouldn't hasn't haven't nobody nothing none
"""
RULES_VERSION = "grading-rules-1"
"""Changes with every change to what the rules answer; part of each call's identity."""

_CORRECT = 0.6
_HEDGE_WORDS = 12
_OR = re.compile(r"\s*,?\s+or\s+", re.IGNORECASE)
_PARTIAL = 0.25
_ECHO_WORTH = 0.25  # of a word that the question itself holds
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?|\d+(?:[.,]\d+)*")
_IDLE = frozenset(_IDLE_WORDS.split())
_NEGATIONS = frozenset(_NEGATION_WORDS.split())
_OPPOSITES = tuple(
    (frozenset(one.split()), frozenset(other.split()))
    for one, _, other in (line.partition("/") for line in _OPPOSITE_WORDS.strip().splitlines())
)
_ORDERS = re.compile(
    r"\b(?:ignore|disregard|forget)\b.{0,40}\b(?:instruction|prompt|rubric|above|previous|rule)"
    r"|\b(?:mark|grade|score|rate|give)\s+(?:this|it|me|my)\b.{0,40}"
    r"\b(?:correct|right|full|10|100|1\.0|1|maximum|perfect|points?|credit|marks?)\b"
    r"|\b(?:system|assistant|grader|examiner|teacher)\s*(?:note|message|prompt|override)?\s*:"
    r"|\b(?:this|the|my)\s+answer\s+(?:is|should be|must be)\s+"
    r"(?:marked|graded|considered|accepted)"
    r"|[\"']?(?:is_correct|verdict)[\"']?\s*[:=]"
    r"|\byou (?:must|should|have to|are) (?:now )?(?:mark|grade|give|accept|award)",
    re.IGNORECASE | re.DOTALL,
)
_SENTENCES = re.compile(r"(?<=[.!?;])\s+|\n+")
_POINTS = re.compile(r"(?:^|\n)\s*(?:[-*•]|\d+[.)])\s+")


def rules(request: fw.Request) -> dict[str, Any]:
    """The grade, or the grades, for a request made by this pipeline, in the shape of its schema.

    Args:
        request: Messages with fenced data; other requests get no judgement.
    """
    data = read_back(request)
    several: object = data.get("answers")
    if isinstance(several, list):
        shown = cast("list[Mapping[str, Any]]", several)
        return {"grades": [{"id": str(one.get("id", "")), **judged(one)} for one in shown]}
    return judged(data)


def judged(shown: Mapping[str, Any]) -> dict[str, Any]:
    """The judgement of one answer, as JSON.

    Args:
        shown: ``question``, ``answer``, and what there is of ``expected``, ``rubric``, ``options``.
    """
    question, written = str(shown.get("question", "")), str(shown.get("answer", ""))
    orders = [part for part in _SENTENCES.split(written) if _ORDERS.search(part)]
    answer = written
    for part in orders:
        answer = answer.replace(part, " ")
    points = _points(str(shown.get("rubric", ""))) or _alternatives(str(shown.get("expected", "")))
    if not points:
        return _verdict("cannot_judge", 0.0, "There is no reference to compare it with.", orders)
    expected = str(shown.get("expected", ""))
    if expected and answer_key(answer) == answer_key(expected):
        return _verdict("correct", 1.0, "This is the expected answer.", orders)
    if str(shown.get("rubric", "")).strip():
        scores = [_shared(point, answer, question) for point in points]
        score = sum(scores) / len(scores)
        if expected:
            score = max(score, _shared(expected, answer, question))
        missing = [point for point, got in zip(points, scores, strict=True) if got < _CORRECT]
    else:
        hedges = [answer] if any(map(_OR.search, points)) else _hedged(answer)
        score = min(max(_shared(point, one, question) for point in points) for one in hedges)
        missing = [] if score >= _CORRECT else points[:1]
    return _of_score(score, missing, orders)


def _of_score(score: float, missing: Sequence[str], orders: Sequence[str]) -> dict[str, Any]:
    if score >= _CORRECT:
        credit = round(0.7 + 0.3 * (score - _CORRECT) / (1 - _CORRECT), 2)
        feedback = "The answer shares what counts with the reference."
        return _verdict("correct", min(1.0, credit), feedback, orders, missing)
    if score >= _PARTIAL:
        feedback = "A part of what was expected is there."
        return _verdict("partial", round(score, 2), feedback, orders, missing)
    feedback = "The answer shares next to nothing with the reference."
    return _verdict("incorrect", round(min(score, 0.2), 2), feedback, orders, missing)


def _verdict(
    verdict: str,
    score: float,
    feedback: str,
    orders: Sequence[str],
    missing: Sequence[str] = (),
) -> dict[str, Any]:
    return {
        "missing": [point[:300] for point in missing][:10],
        "verdict": verdict,
        "score": score,
        "feedback": f"{feedback} (Graded by counting words.)",
        "suggested_rating": rating_for(score, is_correct=verdict == "correct"),
        "instructs_grader": bool(orders),
    }


def _points(rubric: str) -> list[str]:
    """The points of a rubric: its list entries, else its sentences."""
    if not rubric.strip():
        return []
    split = _POINTS.split(rubric) if _POINTS.search(rubric) else _SENTENCES.split(rubric)
    return [part.strip() for part in split if _content(part)]


def _alternatives(expected: str) -> list[str]:
    """What is expected; several where a bar separates them."""
    return [part.strip() for part in re.split(r"\s+\|\|?\s+|\s+/\s+", expected) if part.strip()]


def _content(text: str) -> list[str]:
    words = [match.group().lower().replace("’", "'") for match in _WORD.finditer(text)]
    kept = [word for word in words if word not in _IDLE]
    return kept or words


def _shared(point: str, answer: str, question: str) -> float:
    """How much of a point an answer makes, 0 to 1."""
    wanted = list(dict.fromkeys(_content(point)))
    given = set(_content(answer))
    asked = set(_content(question))
    if not wanted or not given:
        return 0.0
    worth = {word: _ECHO_WORTH if _among(word, asked) else 1.0 for word in wanted}
    got = sum(worth[word] for word in wanted if _among(word, given))
    share = got / sum(worth.values())
    if not _numbers_agree(point, answer):
        return min(share, 0.2)
    if _turned_around(point, answer):
        return min(share * 0.3, 0.2)
    return share


def _among(word: str, words: set[str]) -> bool:
    """Whether a word is there, in another form or with a slip of the pen too."""
    if word in words:
        return True
    if word[:1].isdigit() or len(word) < 4:
        return _stem(word) in words or any(_stem(other) == word for other in words)
    from rapidfuzz.distance import OSA

    stem = _stem(word)
    for other in words:
        if _stem(other) == stem or (len(stem) >= 5 and other.startswith(stem[:-1])):
            return True
        slips = 1 if len(word) < 8 else 2
        alike = len(word) >= 5 and other[0] == word[0]
        if alike and OSA.distance(word, other, score_cutoff=slips) <= slips:
            return True
    return False


_ENDING_WORDS = """
ations ation ingly ities ings ness ies ing ion ions edly ity ers ed er es ly al s e y
"""
_ENDINGS = tuple(_ENDING_WORDS.split())


def _stem(word: str) -> str:
    """A word without its commonest English endings."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def _numbers_agree(point: str, answer: str) -> bool:
    """Whether every number of the point stands in the answer, where the point has any."""
    wanted, given = quantities(tidy(point)), quantities(tidy(answer), words=True)
    return all(any(_same(one, other) for other in given) for one in wanted)


def _same(one: Quantity, other: Quantity) -> bool:
    return one.value == other.value


def _turned_around(point: str, answer: str) -> bool:
    """Whether one of them says no, or the opposite, where the other one does not.

    In a comparison that is the other way round, the opposite word says the same: a is more than b,
    b is less than a.
    """
    wanted, given = _words(point), _words(answer)
    if bool(wanted & _NEGATIONS) != bool(given & _NEGATIONS):
        return True
    return _opposite(wanted, given) != _swapped(point, answer)


def _words(text: str) -> set[str]:
    return {match.group().lower().replace("’", "'") for match in _WORD.finditer(text)}


def _opposite(wanted: set[str], given: set[str]) -> bool:
    return any(
        wanted & these and given & those and not wanted & those and not given & these
        for one, other in _OPPOSITES
        for these, those in ((one, other), (other, one))
    )


def _swapped(point: str, answer: str) -> bool:
    """Whether both compare the same two things, with their places exchanged."""
    sides: list[tuple[set[str], set[str]]] = []
    for text in (point, answer):
        before, than, after = text.lower().partition(" than ")
        if not than:
            return False
        left, right = set(_content(before)), set(_content(after))
        sides.append((left - right, right - left))
    (left, right), (other_left, other_right) = sides
    return bool(left & other_right and right & other_left) and not right & other_right


def _hedged(answer: str) -> list[str]:
    """The alternatives of a short answer that names several: each of them has to be right."""
    parts = _OR.split(answer)
    return parts if len(_WORD.findall(answer)) <= _HEDGE_WORDS else [answer]
