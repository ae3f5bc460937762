"""Which template shows a result, and with what, whole or under way."""

from __future__ import annotations

from fanwise.pipelines import Event
from fanwise.service.page.results import shown, steps_of


def hook(text, score):
    return {"text": text, "judgement": None if score is None else {"overall": score}}


def test_hooks_of_all_models_stand_in_one_ranking_with_unscored_ones_last():
    models = [
        {"model": "a", "hooks": [hook("low", 2.0), hook("none", None)], "score": 2.0},
        {"model": "b", "hooks": [hook("high", 9.0)], "score": 9.0},
    ]
    name, values = shown("hooks", asked={}, result={"models": models})
    assert name == "results/hooks.html"
    assert [one["text"] for one in values["hooks"]] == ["high", "low", "none"]
    assert [one["model"] for one in values["models"]] == ["b", "a"]


def test_notes_under_way_have_a_tab_for_each_template_that_was_asked_for():
    part = Event(
        kind="result",
        subject="study-notes",
        data={
            "template": "study-notes",
            "status": "complete",
            "note": {"depths": [{"sections": [{"title": "T", "markdown": "*x*"}]}]},
        },
    )
    asked = {"templates": ["basic-summary", "study-notes"]}
    _, values = shown("notes", asked=asked, result=None, parts=[part])
    assert [tab["name"] for tab in values["tabs"]] == ["basic-summary", "study-notes"]
    assert values["tabs"][0]["status"] == "waiting"
    assert "<em>x</em>" in values["tabs"][1]["depths"][0]["sections"][0]["html"]
    assert not values["ended"]


def test_a_part_that_comes_twice_is_shown_as_it_was_last():
    parts = [Event(kind="result", subject="a", data={"id": "a", "score": n}) for n in (1, 2)]
    _, values = shown("grade", asked={}, result=None, parts=parts)
    assert [row["score"] for row in values["rows"]] == [2]


def test_an_order_and_a_new_line_are_changes_one_can_read():
    diff = [
        {"before": [0, 1], "after": [1, 0]},
        {"before": None, "after": "new"},
    ]
    _, values = shown("tailor", asked={}, result={"results": [{"id": "r", "diff": diff}]})
    first, second = values["resumes"][0]["changes"]
    assert "in the order" in first["before_html"]
    assert second["after_html"] == "<ins>new</ins>"


def test_a_scan_lists_the_shipments_of_its_items():
    items = [
        {"id": "c1", "value": {"subject": "S", "reading": {"shipments": [{"carrier": "X"}]}}},
        {"id": "c2", "value": None},
    ]
    _, values = shown("scan", asked={}, result=None, items=items)
    assert values["rows"] == [{"carrier": "X", "subject": "S", "item": "c1"}]


def test_a_pipeline_of_ones_own_is_shown_as_what_it_gave():
    name, values = shown("own", asked={}, result={"answer": 1})
    assert name == "results/other.html"
    assert values["result"] == {"answer": 1}


def test_steps_are_counted_over_all_items_that_went_through_them():
    def through(first, second, critical):
        path = [{"step": name} for name in critical]
        return {"performance": {"steps": {"a": first, "b": second}, "critical_path": path}}

    first, second = through(1.0, 4.0, ["b"]), through(3.0, 2.0, ["a", "b"])
    a, b = steps_of({"results": [first, second]}, ())
    assert (a["name"], a["count"], a["mean_s"], a["most_s"], a["critical"]) == ("a", 2, 2, 3, 0.5)
    assert b["critical"] == 1.0
    parts = [Event(kind="result", subject="r", data=first), Event(kind="progress")]
    assert [step["count"] for step in steps_of(None, parts)] == [1, 1]
    assert steps_of(None, ()) == []
