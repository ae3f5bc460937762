"""Grades by rule, without a model: blanks, multiple choice, numbers, the reference itself."""

from __future__ import annotations

from fanwise.pipelines.grading.choices import LETTERS, chosen, plain_options
from fanwise.pipelines.grading.compare import equal, same_number
from fanwise.pipelines.grading.final import Final, final_answer
from fanwise.pipelines.grading.normal import answer_key
from fanwise.pipelines.grading.numbers import Quantity, quantities, tidy
from fanwise.pipelines.grading.records import Grade, Kind, Question, rating_for

_SHORT_CHARS = 40


def mark(question: Question, answer: str) -> Grade | None:
    """The grade of an answer, where a rule can tell it.

    Args:
        question: What was asked, with what is expected.
        answer: What was answered.

    Returns:
        The grade; ``None`` where a model has to be asked: for answers in words that are neither
        empty nor the reference itself.
    """
    if not answer.strip():
        return _wrong("No answer was given.")
    if question.kind == "multiple_choice":
        return _mark_choice(question, answer)
    if question.kind == "numeric":
        return _mark_number(question, answer)
    if question.expected.strip() and answer_key(answer) == answer_key(question.expected):
        return _right("This is the expected answer.")
    return None


def needs_model(question: Question, answer: str) -> bool:
    """Whether an answer can be graded by a model only."""
    return mark(question, answer) is None


def kind_of(expected: str, options: tuple[str, ...] | list[str]) -> Kind:
    """The kind of a question that nobody has named.

    Options make multiple choice. A final answer that is marked as such and is a number, or an
    expected answer that is nothing but a number with its unit, makes a numeric question; all
    else is a short answer.
    """
    if options:
        return "multiple_choice"
    final = final_answer(expected)
    if final.candidates and final.marked:
        return "numeric"
    return "numeric" if _nothing_but_a_number(expected) else "short_answer"


def _nothing_but_a_number(text: str) -> bool:
    plain = tidy(text).strip().rstrip(".")
    found = quantities(plain) if len(plain) <= _SHORT_CHARS else []
    return len(found) == 1 and found[0].start == 0 and found[0].end >= len(plain)


def expected_final(question: Question) -> Final:
    """The quantity that a numeric question expects; no candidates where there is none."""
    return final_answer(question.expected)


def expected_places(question: Question) -> frozenset[int]:
    """The options that are right; empty where what is expected names none."""
    return chosen(question.expected, plain_options(question.options)).places


def _right(feedback: str) -> Grade:
    return Grade(
        is_correct=True,
        score=1.0,
        feedback=feedback,
        suggested_rating=rating_for(1.0, is_correct=True),
    )


def _wrong(feedback: str, *, score: float = 0.0) -> Grade:
    return Grade(
        is_correct=False,
        score=score,
        feedback=feedback,
        suggested_rating=rating_for(score, is_correct=False),
    )


def _mark_choice(question: Question, answer: str) -> Grade:
    options = plain_options(question.options)
    right = expected_places(question)
    expected = ", ".join(f"{LETTERS[place]}) {options[place]}" for place in sorted(right))
    found = chosen(answer, options)
    if found.contradiction:
        return _wrong(f"Not clear which option is meant: {found.contradiction}. Right: {expected}.")
    if not found.places:
        return _wrong(f"The answer names none of the options. Right: {expected}.")
    if found.places == right:
        return _right(f"{expected} is right.")
    named = ", ".join(LETTERS[place] for place in sorted(found.places))
    if len(right) == 1:
        return _wrong(f"{named} is not right. Right: {expected}.")
    hits, misses = len(found.places & right), len(found.places - right)
    score = round(max(0.0, (hits - misses) / len(right)), 2)
    return _wrong(f"{named}: {hits} of {len(right)} right. Right: {expected}.", score=score)


def _mark_number(question: Question, answer: str) -> Grade:
    target = expected_final(question).candidates[0]
    measures = None if target.unit is None else target.unit.quantity
    found = final_answer(answer, measures=measures).candidates
    if not found:
        return _wrong(f"The answer comes to no number. Expected: {target}.")
    matching = [one for one in found if _equal(one, target, question)]
    one_and_the_same = all(_equal(one, found[0], question) for one in found[1:])
    if len(matching) == len(found) or (matching and one_and_the_same):
        return _right(f"{found[0]} is the expected {target}.")
    if len(found) > 1:
        told = ", ".join(str(one) for one in found)
        return _wrong(f"The answer names several numbers ({told}). Expected: {target}.")
    if same_number(found[0], target):
        return _wrong(f"The number is right, the unit is not: {found[0]}, not {target}.", score=0.5)
    return _wrong(f"{found[0]} is not the expected {target}.")


def _equal(one: Quantity, target: Quantity, question: Question) -> bool:
    return equal(one, target, question=question.text, tolerance=question.tolerance)
