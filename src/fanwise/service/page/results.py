"""A pipeline's result for people: which template shows it, and with what."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from fanwise.service.page.markup import differing, markdown

if TYPE_CHECKING:
    from fanwise.pipelines import Event

MOST_ROWS = 500
Values = dict[str, Any]


def shown(
    pipeline: str,
    *,
    asked: Mapping[str, Any],
    result: Mapping[str, Any] | None,
    parts: Iterable[Event] = (),
    items: Sequence[Mapping[str, Any]] = (),
) -> tuple[str, Values]:
    """The template of a result and its values.

    Args:
        pipeline: Whose result it is.
        asked: The job as JSON.
        result: The whole, once it is there.
        parts: What is there of it before.
        items: The run's items, where a pipeline's result is in them.
    """
    of = _VIEWS.get(pipeline)
    ended = result is not None
    parts = [part for part in parts if part.kind in {"result", "error"}]
    if of is None:
        return "results/other.html", {"ended": ended, "result": result, "parts": parts}
    if not ended and pipeline in _LISTS:
        there = {part.subject: dict(part.data) for part in parts if part.kind == "result"}
        result = {_LISTS[pipeline]: list(there.values())}
    failed = [part for part in parts if part.kind == "error"]
    values = of(asked, result or {}, items)
    return f"results/{pipeline}.html", {"ended": ended, "failed": failed, **values}


def wants_items(pipeline: str) -> bool:
    """Whether a pipeline's result is in its run's items."""
    return pipeline == "scan"


_LISTS = {"hooks": "models", "notes": "templates", "grade": "data", "tailor": "results"}


def steps_of(result: Mapping[str, Any] | None, parts: Iterable[Event]) -> list[Values]:
    """What each step took over all items that went through it, in the order of their beginnings.

    Args:
        result: The whole, once it is there.
        parts: What is there of it before.
    """
    done = _list(result or {}, "results") or [
        dict(part.data) for part in parts if part.kind == "result"
    ]
    taken: dict[str, list[float]] = {}
    critical: dict[str, int] = {}
    for one in done:
        performance: Mapping[str, Any] = one.get("performance") or {}
        steps: Mapping[str, float] = performance.get("steps") or {}
        for name, seconds in steps.items():
            taken.setdefault(name, []).append(seconds)
        for step in _list(performance, "critical_path"):
            critical[step["step"]] = critical.get(step["step"], 0) + 1
    return [
        {
            "name": name,
            "count": len(times),
            "mean_s": sum(times) / len(times),
            "most_s": max(times),
            "critical": critical.get(name, 0) / len(done),
        }
        for name, times in taken.items()
    ]


def _list(found: Mapping[str, Any], name: str) -> list[Any]:
    value = found.get(name)
    return cast("list[Any]", value) if isinstance(value, list) else []


def _hooks(_: Mapping[str, Any], result: Mapping[str, Any], __: Any) -> Values:
    models = _list(result, "models")
    ranked: list[Values] = []
    for one in models:
        for hook in _list(one, "hooks"):
            judged: Values = hook.get("judgement") or {}
            ranked.append({**hook, "model": one["model"], "score": judged.get("overall")})
    ranked.sort(key=_score_of, reverse=True)
    best = sorted(models, key=lambda one: one.get("score") or 0.0, reverse=True)
    return {"result": result, "models": best, "hooks": ranked[:MOST_ROWS]}


def _score_of(hook: Values) -> float:
    score: float | None = hook["score"]
    return -1.0 if score is None else score


def _notes(asked: Mapping[str, Any], result: Mapping[str, Any], _: Any) -> Values:
    there = {one["template"]: one for one in _list(result, "templates")}
    wanted = [str(name) for name in _list(asked, "templates")] or [*there] or ["basic-summary"]
    tabs = [_tab(name, there.get(name)) for name in dict.fromkeys([*wanted, *there])]
    return {"result": result, "tabs": tabs}


def _tab(name: str, found: Mapping[str, Any] | None) -> Values:
    note = (found or {}).get("note")
    depths: list[Values] = []
    for depth in _list(note or {}, "depths"):
        sections = [
            {**section, "html": markdown(str(section.get("markdown", "")), below=4)}
            for section in _list(depth, "sections")
        ]
        depths.append({**depth, "sections": sections})
    return {
        "name": name,
        "status": "waiting" if found is None else found.get("status", ""),
        "error": (found or {}).get("error"),
        "note": note,
        "depths": depths,
    }


def _grade(_: Mapping[str, Any], result: Mapping[str, Any], __: Any) -> Values:
    rows = _list(result, "data")
    return {"result": result, "rows": rows[:MOST_ROWS], "more": max(0, len(rows) - MOST_ROWS)}


def _tailor(_: Mapping[str, Any], result: Mapping[str, Any], __: Any) -> Values:
    resumes: list[Values] = []
    for one in _list(result, "results"):
        changes: list[Values] = []
        for change in _list(one, "diff"):
            before, after = differing(_text(change.get("before")), _text(change.get("after")))
            changes.append({**change, "before_html": before, "after_html": after})
        resumes.append({**one, "changes": changes})
    return {"result": result, "resumes": resumes}


def _text(value: Any) -> str:
    """What a change says: a text, the lines of a list, or JSON."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, list):
        several = cast("list[Any]", value)
        if all(isinstance(one, int) for one in several):
            return "in the order " + ", ".join(str(one + 1) for one in several)
        return "\n".join(_text(one) for one in several)
    return json.dumps(value, ensure_ascii=False)


def _scan(_: Mapping[str, Any], result: Mapping[str, Any], items: Any) -> Values:
    rows: list[Values] = []
    for item in cast("Sequence[Mapping[str, Any]]", items):
        value = item.get("value")
        if not isinstance(value, Mapping):
            continue
        found = cast("Mapping[str, Any]", value)
        reading = cast("Mapping[str, Any]", found.get("reading") or {})
        rows += [
            {**shipment, "subject": found.get("subject", ""), "item": item["id"]}
            for shipment in _list(reading, "shipments")
        ]
    return {"result": result, "rows": rows[:MOST_ROWS], "more": max(0, len(rows) - MOST_ROWS)}


_VIEWS: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any], Any], Values]] = {
    "hooks": _hooks,
    "notes": _notes,
    "grade": _grade,
    "tailor": _tailor,
    "scan": _scan,
}
