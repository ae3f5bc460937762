"""Records that are made quickly are the records that their class makes."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, field, replace
from typing import Any

import orjson
import pytest

from fanwise.records import Attempt, CallKey, CallRecord, Outcome, Request, Usage
from fanwise.records.quick import maker

ATTEMPT = {"number": 1, "verdict": "rate", "queued_s": 0.0, "started_at": 1.0, "ended_at": 2.0}


@dataclass(frozen=True, slots=True)
class Frozen:
    """A record."""

    first: str
    second: int = 2
    third: list[int] | None = field(default=None, repr=False, kw_only=True)


@dataclass(slots=True)
class Open:
    """What changes while it is used."""

    first: str
    values: list[int] = field(default_factory=list[int])


def test_a_maker_takes_the_arguments_of_the_class() -> None:
    make: Callable[..., Frozen] = maker(Frozen)
    assert make("a", third=[1]) == Frozen("a", third=[1])
    assert repr(make("a", 3)) == repr(Frozen("a", 3))
    with pytest.raises(TypeError, match="first"):
        make()
    with pytest.raises(TypeError, match="fourth"):
        make("a", fourth=1)
    with pytest.raises(TypeError, match="positional"):
        make("a", 1, [1])


@pytest.mark.parametrize(
    ("cls", "given"),
    [
        (Frozen, {"first": "a"}),
        (CallKey, {"item_id": "item", "content_key": "key"}),
        (Usage, {"input_tokens": 1}),
        (Request, {"model": "a/b"}),
        (CallRecord, {"key": CallKey("item", "key"), "state": "served", "model": "a/b"}),
        (Attempt, ATTEMPT),
        (Outcome, {"item_id": "a", "ok": True, "value": 1}),
    ],
)
def test_what_a_maker_makes_is_of_its_class_and_frozen(
    cls: type[Any], given: dict[str, Any]
) -> None:
    record = maker(cls)(**given)
    assert record == cls(**given)
    assert type(record) is cls
    name = next(iter(given))
    with pytest.raises(FrozenInstanceError):
        setattr(record, name, "other")
    with pytest.raises(FrozenInstanceError):
        delattr(record, name)
    assert not hasattr(record, "__dict__")
    for twin in (copy.copy(record), pickle.loads(pickle.dumps(record)), replace(record)):
        assert twin == record
        assert type(twin) is cls
    assert orjson.dumps(record, default=repr) == orjson.dumps(cls(**given), default=repr)


def test_each_record_has_defaults_of_its_own() -> None:
    make = maker(Open)
    one, other = make("a"), make("b")
    one.values.append(1)
    assert (one.values, other.values) == ([1], [])
    one.first = "c"
    assert one == Open("c", [1])


def test_a_record_that_checks_itself_is_not_for_this() -> None:
    @dataclass(frozen=True, slots=True)
    class Checked:
        value: int

        def __post_init__(self) -> None:
            raise ValueError

    with pytest.raises(AssertionError):
        maker(Checked)
