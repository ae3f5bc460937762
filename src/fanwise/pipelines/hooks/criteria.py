"""What a judge scores, and how much each part counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType

CRITERIA: Mapping[str, Fraction] = MappingProxyType(
    {
        "attention": Fraction(25, 100),
        "emotion": Fraction(20, 100),
        "social_proof": Fraction(15, 100),
        "clarity": Fraction(15, 100),
        "relevance": Fraction(15, 100),
        "actionability": Fraction(10, 100),
    }
)
"""The judge's criteria with their plain weights, which sum to exactly 1."""

MOST_FOCUS = 3
_FOCUS_SHARE = Fraction(60, 100)


def weights_of(focus_skills: Sequence[str] = ()) -> Mapping[str, Fraction]:
    """The weight of each criterion; they sum to exactly 1.

    Args:
        focus_skills: At most 3 different criteria. Where there are any, they share 60 % of the
            weight in equal parts, and all others share the remaining 40 %.

    Returns:
        Exact fractions, so that nothing is lost to rounding.
    """
    if not focus_skills:
        return CRITERIA
    focused = _FOCUS_SHARE / len(focus_skills)
    other = (1 - _FOCUS_SHARE) / (len(CRITERIA) - len(focus_skills))
    return {name: focused if name in focus_skills else other for name in CRITERIA}


def overall_of(scores: Mapping[str, float], weights: Mapping[str, Fraction]) -> float:
    """The weighted mean of a judgement's scores, rounded to two decimals.

    Args:
        scores: A score for each criterion.
        weights: As :func:`weights_of` gives them.
    """
    exact = sum((Fraction(scores[name]) * weight for name, weight in weights.items()), Fraction(0))
    return float(round(exact, 2))
