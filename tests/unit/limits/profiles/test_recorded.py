"""Every recorded answer is read as its file says, by its provider's profile and the classifier."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fanwise.limits.profiles.known import PROFILES
from fanwise.limits.profiles.stated import StatedReader
from fanwise.records import Failure, StatedLimit
from fanwise.retry.classify import classify

_WALL_S = 1_795_330_800.0  # 22 November 2026, 07:00:00 UTC
_FILES = sorted(Path(__file__).parent.joinpath("recorded").glob("*.json"))


def _read() -> Iterator[Any]:
    for path in _FILES:
        for case in json.loads(path.read_text(encoding="utf-8")):
            yield pytest.param(path.stem, case, id=f"{path.stem}: {case['name']}")


_CASES = list(_read())


def _body(case: dict[str, Any]) -> str:
    return json.dumps(case["body"]) if "body" in case else ""


def test_every_profile_has_recorded_answers() -> None:
    assert {path.stem for path in _FILES} == set(PROFILES)


@pytest.mark.parametrize(("provider", "case"), _CASES)
def test_a_recorded_answer_states_the_limits_its_file_names(
    provider: str, case: dict[str, Any]
) -> None:
    reader = StatedReader(PROFILES[provider])
    found = reader.read(case["headers"], wall_s=_WALL_S, body=_body(case))
    expected = [
        StatedLimit(
            dimension=dimension,
            period_s=period_s,
            limit=limit,
            remaining=remaining,
            reset_s=None if reset_s is None else pytest.approx(reset_s),
        )
        for dimension, period_s, limit, remaining, reset_s in case["stated"]
    ]
    assert list(found) == expected


@pytest.mark.parametrize(("provider", "case"), _CASES)
def test_a_recorded_refusal_is_classified_as_its_file_says(
    provider: str, case: dict[str, Any]
) -> None:
    if case["status"] == 200:
        assert case["verdict"] == "served"
        return
    failure = Failure(
        kind="status",
        message=provider,
        status=case["status"],
        headers=case["headers"],
        body=_body(case),
    )
    verdict = classify(failure, wall_s=_WALL_S)
    assert verdict.kind == case["verdict"], verdict.reason
    if "retry_after_s" in case:
        assert verdict.retry_after_s == pytest.approx(case["retry_after_s"])


@pytest.mark.parametrize(("provider", "case"), _CASES)
def test_the_generic_profile_reads_every_recorded_answer_without_harm(
    provider: str, case: dict[str, Any]
) -> None:
    found = StatedReader(PROFILES["generic"]).read(
        case["headers"], wall_s=_WALL_S, body=_body(case)
    )
    own = {row[0] for row in case["stated"]}
    assert {limit.dimension for limit in found} == own, provider
    for limit in found:
        assert limit.limit is None or limit.limit > 0
        assert limit.period_s > 0
