"""Ids of items, and what of them is written down."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import pytest
from pydantic import BaseModel

from fanwise.engine.identity import Namer, jsonable
from fanwise.errors import ConfigError


def test_an_items_own_id_is_its_id() -> None:
    namer = Namer()
    assert namer.name({"id": 7, "text": "a"}) == "7"
    assert namer.name({"id": "x", "text": "a"}) == "x"


def test_an_id_by_content_does_not_depend_on_position() -> None:
    rows = [{"text": "a"}, {"text": "b"}, {"text": "c"}]
    first, second = Namer(), Namer()
    forwards = {row["text"]: first.name(row) for row in rows}
    backwards = {row["text"]: second.name(row) for row in reversed(rows)}
    assert forwards == backwards
    assert len(set(forwards.values())) == 3


def test_key_order_makes_no_difference() -> None:
    assert Namer().name({"a": 1, "b": 2}) == Namer().name({"b": 2, "a": 1})


def test_equal_items_are_told_apart_by_their_occurrence() -> None:
    namer = Namer()
    ids = [namer.name("same") for _ in range(4)]
    assert len(set(ids)) == 4
    assert ids == [ids[0], f"{ids[0]}-2", f"{ids[0]}-3", f"{ids[0]}-4"]


def test_a_given_id_may_occur_once() -> None:
    namer = Namer(item_id=lambda item: item["name"])
    namer.name({"name": "a"})
    with pytest.raises(ConfigError, match="two items have the id 'a'"):
        namer.name({"name": "a"})


def test_an_item_without_a_json_form_needs_an_id_of_its_own() -> None:
    with pytest.raises(ConfigError, match="item_id="):
        Namer().name(object())
    assert Namer(item_id=lambda _: "me").name(object()) == "me"


def test_many_ids_are_all_told_apart() -> None:
    namer = Namer()
    assert len({namer.name(number) for number in range(30_000)}) == 30_000


@dataclass
class Point:
    x: int
    y: float


class Score(BaseModel):
    points: list[Point]


def test_values_are_written_down_as_plain_json() -> None:
    assert jsonable(Score(points=[Point(1, 2.5)])) == {"points": [{"x": 1, "y": 2.5}]}
    assert jsonable((1, {2: "two"}, {3})) == [1, {"2": "two"}, [3]]
    assert jsonable(Decimal("1.50")) == "1.50"
    with pytest.raises(TypeError, match="no JSON form"):
        jsonable(object())
