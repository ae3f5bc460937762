"""Whether two quantities are the same."""

from __future__ import annotations

import re
from fractions import Fraction

from fanwise.pipelines.grading.numbers import Quantity

_NOISE = Fraction(1, 10**6)
_ASKS_PERCENT = re.compile(r"%|\bper\s?cent|\bpercent", re.IGNORECASE)
# Names that stand for units of several quantities.
_AMBIGUOUS = {
    "pound": {"mass", "pound_sterling"},
    "pounds": {"mass", "pound_sterling"},
    "degree": {"angle", "celsius", "fahrenheit", "temperature"},
    "degrees": {"angle", "celsius", "fahrenheit", "temperature"},
    "pence": {"pound_sterling", "money"},
}


def equal(answer: Quantity, expected: Quantity, *, question: str = "", tolerance: str = "") -> bool:
    """Whether an answer is the expected quantity.

    Units of the same measure are converted; a unit that only one of them has is passed over. A
    percentage is its hundredth part; where one of the two is a bare number it may also be the
    number before the sign, if the question asks for per cent or the expected answer has the sign.
    Decimals may approach a fraction, or be rounded, from two decimals on; computed decimals may be
    off by a millionth.

    Args:
        answer: What was answered.
        expected: What is right.
        question: The question, for whether it asks for per cent.
        tolerance: How far off counts as right: ``0.5``, or ``2%`` of what is expected.
    """
    return any(
        _close(one, other, answer, expected, tolerance)
        for one, other in _readings(answer, expected, question)
    )


def same_number(answer: Quantity, expected: Quantity) -> bool:
    """Whether the numbers are equal whatever their units say."""
    return not equal(answer, expected) and answer.value == expected.value


def _readings(
    answer: Quantity, expected: Quantity, question: str
) -> list[tuple[Fraction, Fraction]]:
    """Pairs of values of which one has to be equal."""
    if answer.percent != expected.percent:
        readings = [(answer.value, expected.value)]
        if expected.percent and answer.unit is None:
            readings.append((answer.value, expected.value * 100))
        elif answer.percent and _ASKS_PERCENT.search(question):
            readings.append((answer.value * 100, expected.value))
        return readings
    one, other = answer.unit, expected.unit
    if one is None or other is None or one.quantity == other.quantity:
        if one is None or other is None:
            return [(answer.value, expected.value)]
        return [(answer.value * one.size / other.size, expected.value)]
    shared = _AMBIGUOUS.get(one.name, {one.quantity}) & _AMBIGUOUS.get(other.name, {other.quantity})
    return [(answer.value, expected.value)] if shared else []


def _close(
    one: Fraction, other: Fraction, answer: Quantity, expected: Quantity, tolerance: str
) -> bool:
    apart = abs(one - other)
    if apart == 0:
        return True
    if tolerance:
        return apart <= allowed(tolerance, other)
    long = max(answer.decimals, expected.decimals) >= 6
    if long and apart <= _NOISE * max(Fraction(1), abs(other)):
        return True
    return _rounded(one, answer.decimals, other, expected) or _rounded(
        other, expected.decimals, one, answer
    )


def _rounded(short: Fraction, decimals: int, exact: Fraction, source: Quantity) -> bool:
    """Whether a number of two decimals or more is what the longer one or the fraction rounds to."""
    if decimals < 2 or not (source.fraction or source.decimals >= decimals + 2):
        return False
    return abs(short - exact) * 10**decimals <= Fraction(1, 2)


def allowed(tolerance: str, expected: Fraction) -> Fraction:
    """How far off an answer may be.

    Raises:
        ValueError: The tolerance is no number of 0 or more.
    """
    text = tolerance.strip()
    share = text.endswith("%")
    value = Fraction(text.removesuffix("%").strip())
    if value < 0:
        raise ValueError(f"{tolerance} is below 0")
    return value / 100 * abs(expected) if share else value
