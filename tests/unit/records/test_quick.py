"""Records that are made quickly are the records they would otherwise be."""

from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, replace

import orjson
import pytest

from fanwise.records import Attempt, CallKey, CallRecord, Outcome, Request, Usage
from fanwise.records.quick import quick


@dataclass(frozen=True, slots=True)
class Plain:
    """As a dataclass makes it."""

    first: str
    second: int = 2
    third: list[int] | None = field(default=None, repr=False, kw_only=True)


@quick
@dataclass(frozen=True, slots=True)
class Quick:
    """The same, made quickly."""

    first: str
    second: int = 2
    third: list[int] | None = field(default=None, repr=False, kw_only=True)


def test_a_quick_record_takes_the_arguments_of_the_dataclass() -> None:
    assert inspect.signature(Quick) == inspect.signature(Plain)
    made = Quick("a", third=[1])
    assert (made.first, made.second, made.third) == ("a", 2, [1])
    assert repr(made) == "Quick(first='a', second=2)"
    with pytest.raises(TypeError, match="first"):
        Quick()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="fourth"):
        Quick("a", fourth=1)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "record",
    [
        Quick("a"),
        CallKey("item", "key"),
        Usage(input_tokens=1),
        Request(model="a/b"),
        CallRecord(key=CallKey("item", "key"), state="served", model="a/b"),
        Attempt(number=1, verdict="served", queued_s=0.0, started_at=1.0, ended_at=2.0),
        Outcome(item_id="a", ok=True, value=1),
        Outcome[int](item_id="a", ok=True, value=1),
    ],
)
def test_a_quick_record_is_of_its_class_and_frozen(record: object) -> None:
    name = next(iter(record.__slots__))  # type: ignore[attr-defined]
    with pytest.raises(FrozenInstanceError):
        setattr(record, name, "other")
    with pytest.raises(FrozenInstanceError):
        delattr(record, name)
    assert not hasattr(record, "__dict__")
    assert type(record).__name__ in repr(record)
    for twin in (copy.copy(record), pickle.loads(pickle.dumps(record)), replace(record)):  # type: ignore[type-var]
        assert twin == record
        assert type(twin) is type(record)


def test_a_quick_record_with_hashable_fields_is_a_key() -> None:
    assert {CallKey("a", "b"): 1}[CallKey("a", "b", 0)] == 1
    assert CallKey("a", "b") != CallKey("a", "b", 1)


def test_a_quick_record_is_written_as_json_like_any_dataclass() -> None:
    assert orjson.loads(orjson.dumps(Usage(input_tokens=3)))["input_tokens"] == 3


def test_a_record_that_makes_its_defaults_is_not_for_this() -> None:
    with pytest.raises(AssertionError):

        @quick
        @dataclass(frozen=True, slots=True)
        class Listed:  # pyright: ignore[reportUnusedClass]
            values: list[int] = field(default_factory=list[int])
