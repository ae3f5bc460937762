"""The hostile benchmark: its figures hold on a small run, and each of them can be missed."""

from __future__ import annotations

import copy
import importlib.util
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import fanwise as fw
from fanwise.records import Attempt, CallKey, CallRecord, Usage
from support.answers import value_of

_FILE = Path(__file__).parent.parent.parent / "benchmarks" / "hostile.py"


@pytest.fixture(scope="module")
def hostile() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hostile", _FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_a_small_run_among_all_faults_meets_every_figure(hostile):
    found = hostile.measure(hostile.parsed(["--items", "60", "--huge", "0", "--seed", "4"]))
    assert found.missed() == []
    assert found.ended == found.right == 60
    assert sum(found.faults.values()) >= 8


def a_send(outcome: str, *, at: float, not_before: float | None = None) -> dict[str, Any]:
    return {
        "prompt": "one",
        "outcome": outcome,
        "arrived_wall": at,
        "not_before_wall": not_before,
        "form": "seconds",
    }


def attempts(*kinds: Any) -> tuple[Attempt, ...]:
    return tuple(
        Attempt(number=n, verdict=kind, queued_s=0.0, cause=None, started_at=0.0, ended_at=1.0)
        for n, kind in enumerate(kinds, 1)
    )


CALL = CallRecord(
    key=CallKey("i0", "k", 0),
    state="served",
    model="openai/one",
    usage=Usage(input_tokens=3, output_tokens=1),
    attempts=attempts("rate", "served"),
)
LEDGER = [a_send("429", at=1.0, not_before=2.0), a_send("served", at=2.5)]


def judged(
    hostile: ModuleType,
    *,
    value: object = None,
    call: CallRecord | None = CALL,
    ledger: list[dict[str, Any]] = LEDGER,
    ended: bool = True,
) -> Any:
    right = value_of("one", "one") if value is None else value
    outcome = fw.Outcome(item_id="i0", ok=True, value=right, item=None)
    return hostile.figures(
        [{"id": "i0", "text": "one"}],
        {"i0": outcome} if ended else {},
        {} if call is None else {"i0": call},
        copy.deepcopy(ledger),
        wall_s=1.0,
    )


def test_a_run_in_which_all_is_well_misses_nothing_but_the_sends_of_a_single_item(hostile):
    found = judged(hostile)
    assert found.missed() == ["too many sends"]
    assert found.faults == Counter({"429": 1})


@pytest.mark.parametrize(
    ("what", "changed"),
    [
        ("an item did not end", {"ended": False}),
        ("too few are right", {"value": {"length": 3}}),
        ("a wait was undercut", {"ledger": [LEDGER[0], a_send("served", at=1.99)]}),
        (
            "a wait was undercut",
            {"ledger": [a_send("429", at=1.0) | {"form": "huge"}, a_send("served", at=9.0)]},
        ),
        ("journal and server disagree", {"call": None}),
        ("journal and server disagree", {"ledger": LEDGER[1:]}),
        ("journal and server disagree", {"ledger": [a_send("500", at=1.0), LEDGER[1]]}),
    ],
)
def test_each_figure_is_missed_where_it_should_be(hostile, what, changed):
    assert what in judged(hostile, **changed).missed()
