"""What is wrong with a field is told in the same words by every pipeline."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from fanwise.errors import InvalidFields
from fanwise.pipelines import fields as check


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two fields, the first of which is checked."""

    times: int = 1
    name: str = ""

    def __post_init__(self) -> None:
        reasons = {"times": check.count(self.times, most=3), "name": check.text(self.name)}
        check.refuse("pair", reasons, hint="look it up")


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (check.text(3), "is 3; it is a text"),
        (check.text("half \ud800"), "lone surrogate"),
        (check.text(" ab ", least=3, most=9), "has 2 characters; it takes 3 to 9"),
        (check.text("abc", most=2), "has 3 characters; the most is 2"),
        (check.text("", least=1), "has 0 characters; the least is 1"),
        (check.choice("c", ("a", "b")), "is 'c'; it is one of a, b"),
        (check.choice([], ("a", "b")), "is []; it is one of a, b"),
        (check.count(True), "is True; it is a whole number of 1 or more"),
        (check.count(1.0), "is 1.0; it is a whole number"),
        (check.count(0), "of 1 or more"),
        (check.count(9000, most=8000), "from 1 to 8,000"),
        (check.number("1"), "is '1'; it is a number of 0 or more"),
        (check.number(False), "is False; it is a number"),
        (check.number(float("nan")), "is nan; it is a number"),
        (check.number(float("inf")), "is inf; it is a number"),
        (check.number(0, above=True), "is 0; it is a number above 0"),
        (check.number(1.5, most=1), "from 0 to 1"),
        (check.switch(1), "is 1; it is true or false"),
        (check.mapping([]), "is []; it is an object such as {'temperature': 0}"),
        (check.texts("ab"), "is 'ab'; it is a list of texts"),
        (check.texts(["a", ""]), "it is a list of texts"),
        (check.texts(["a", 1]), "it is a list of texts"),
        (check.some(["a", "c"], ("a", "b")), "names 'c'; there are a, b"),
        (check.some(["a", "a"], ("a", "b")), "names a twice"),
        (check.some([], ("a", "b"), least=1), "names 0; the least is 1, out of a, b"),
        (check.some(["a", "b"], ("a", "b"), most=1), "names 2; the most is 1"),
        (check.some("a", ("a", "b")), "it is a list of a, b"),
        (check.model("gpt-4o"), "write provider/model"),
        (check.model("openai/"), "write provider/model"),
        (check.model("openai/\ud800"), "write provider/model"),
        (check.model("openai/" + "x" * 200), "write provider/model"),
        (check.models("openai/a", most=2), "it is a list of provider/model"),
        (check.models([], most=2), "names 0 models; it takes 1 to 2"),
        (check.models(["openai/a", "b"], most=2), "is 'b'; write provider/model"),
        (check.models(["openai/a", "openai:a"], most=2), "names openai/a twice"),
        (check.optional(0, check.count), "is 0"),
    ],
)
def test_a_wrong_value_is_told_with_what_is_allowed(reason, told):
    assert told in reason


@pytest.mark.parametrize(
    "reason",
    [
        check.text("été", least=3, most=3),
        check.choice("a", ("a", "b")),
        check.count(8000, most=8000),
        check.number(0),
        check.number(0.001, above=True),
        check.switch(False),
        check.mapping({}),
        check.texts([]),
        check.texts(("a",)),
        check.some(["b", "a"], ("a", "b"), least=1, most=2),
        check.model("openai:gpt-4o"),
        check.models(["builtin/rules", "openrouter/meta/llama"], most=2),
        check.optional(None, check.count),
    ],
)
def test_a_right_value_has_no_reason(reason):
    assert reason == ""


def test_a_long_value_is_shown_shortened():
    assert len(check.shown("x" * 1000)) < 70


def test_unknown_fields_are_told_with_the_known_ones():
    assert check.unknown(["times", "tiems"], ["times", "name"]) == {
        "tiems": "there is no such field; there are times, name"
    }


def test_a_job_without_faults_is_made():
    assert check.made("pair", lambda: Pair(times=2)) == Pair(times=2)


def test_what_was_found_before_and_while_making_is_told_at_once():
    with pytest.raises(InvalidFields) as raised:
        check.made("pair", lambda: Pair(times=9), {"tiems": "there is no such field"})
    assert list(raised.value.fields) == ["tiems", "times"]
    assert raised.value.hint == "look it up"


def test_what_was_found_before_holds_where_both_speak_of_a_field():
    with pytest.raises(InvalidFields) as raised:
        check.made("pair", lambda: Pair(times=9), {"times": "is given twice"}, hint="once")
    assert raised.value.fields == {"times": "is given twice"}
    assert raised.value.hint == "once"


def test_what_was_found_before_refuses_a_job_that_could_be_made():
    with pytest.raises(InvalidFields) as raised:
        check.made("pair", Pair, {"tiems": "there is no such field"})
    assert raised.value.fields == {"tiems": "there is no such field"}
