"""Packs: ids checked, the missing asked alone, failures split."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from fanwise.engine.modes.entries import Entry
from fanwise.engine.modes.packs import Packer
from fanwise.errors import InvalidOutput, Overloaded, RateLimited, UsageError
from fanwise.records import Outcome


class Asked:
    """Answers packs by a script, and notes which were asked."""

    def __init__(self, script: Callable[[Mapping[str, Any]], Any]) -> None:
        self.script = script
        self.packs: list[list[str]] = []
        self.served: list[int] = []

    async def ask(self, entries: Sequence[Entry], items: Mapping[str, Any]) -> Outcome:
        assert [entry.value for entry in entries] == list(items.values())
        self.packs.append(list(items))
        fields: dict[str, Any] = {"item_id": "p", "attempts": 1, "service_s": 6.0}
        try:
            return Outcome(ok=True, value=self.script(items), **fields)
        except Exception as error:  # noqa: BLE001
            return Outcome(ok=False, error=error, **fields)


def answer(asked: Asked, ids: Sequence[str]) -> tuple[list[Outcome], Packer]:
    packer = Packer(asked.ask, served=lambda items, _: asked.served.append(items))
    entries = [Entry(name, place, f"item {name}") for place, name in enumerate(ids)]
    return asyncio.run(packer.answer(entries)), packer


def test_every_item_gets_the_value_of_its_id() -> None:
    asked = Asked(lambda items: {key: key.upper() for key in reversed(items)})
    outcomes, packer = answer(asked, "abc")
    assert [outcome.value for outcome in outcomes] == ["A", "B", "C"]
    assert [outcome.service_s for outcome in outcomes] == [2.0, 2.0, 2.0]
    assert (packer.count.requests, packer.count.items) == (1, 3)
    assert asked.served == [3]


def test_missing_ids_are_asked_again_alone() -> None:
    asked = Asked(lambda items: {key: 1 for key in items if key != "b" or len(items) == 1})
    outcomes, packer = answer(asked, "abc")
    assert all(outcome.ok for outcome in outcomes)
    assert asked.packs == [["a", "b", "c"], ["b"]]
    assert (packer.count.missing, packer.count.singles) == (1, 1)
    assert outcomes[1].item_id == "b"


def test_an_id_that_stays_missing_is_a_failure_of_that_item() -> None:
    asked = Asked(lambda items: {key: 1 for key in items if key != "b"})
    outcomes, _ = answer(asked, "abc")
    assert [outcome.ok for outcome in outcomes] == [True, False, True]
    assert isinstance(outcomes[1].error, InvalidOutput)
    assert "'b'" in str(outcomes[1].error)


def test_ids_that_nobody_asked_for_are_counted_and_dropped() -> None:
    asked = Asked(lambda items: {**dict.fromkeys(items, 1), "x": 2, "y": 3})
    outcomes, packer = answer(asked, "ab")
    assert [outcome.value for outcome in outcomes] == [1, 1]
    assert packer.count.surplus == 2


def test_a_failing_pack_is_split_down_to_the_one_at_fault() -> None:
    def poisoned(items: Mapping[str, Any]) -> Any:
        if "f" in items:
            raise ValueError("cannot digest f")
        return dict.fromkeys(items, 1)

    asked = Asked(poisoned)
    outcomes, packer = answer(asked, "abcdefgh")
    assert [outcome.item_id for outcome in outcomes if not outcome.ok] == ["f"]
    assert isinstance(outcomes[5].error, ValueError)
    assert packer.count.splits == 3
    assert packer.count.requests == 7
    assert asked.packs[-1] == ["g", "h"]


@pytest.mark.parametrize("error", [UsageError("no"), RateLimited("no"), Overloaded("no")])
def test_a_pack_is_not_split_where_its_items_are_not_the_cause(error: Exception) -> None:
    def refuse(items: Mapping[str, Any]) -> Any:
        raise error

    outcomes, packer = answer(Asked(refuse), "abcd")
    assert all(outcome.error is error for outcome in outcomes)
    assert packer.count.requests == 1


def test_an_exception_as_a_value_fails_that_item_alone() -> None:
    asked = Asked(lambda items: {"a": 1, "b": ValueError("b is empty")})
    outcomes, packer = answer(asked, "ab")
    assert [outcome.ok for outcome in outcomes] == [True, False]
    assert packer.count.requests == 1


def test_an_answer_that_is_no_mapping_counts_as_a_failing_pack() -> None:
    asked = Asked(lambda items: [1, 2] if len(items) > 1 else dict.fromkeys(items, 1))
    outcomes, packer = answer(asked, "ab")
    assert all(outcome.ok for outcome in outcomes)
    assert packer.count.splits == 1


def test_items_of_one_id_are_told_apart() -> None:
    asked = Asked(lambda items: {key: key for key in items})
    outcomes, _ = answer(asked, ["a", "a", "a"])
    assert len({outcome.value for outcome in outcomes}) == 3
