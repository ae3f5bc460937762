"""A graph as plain text: a tree in which every step stands below what it had to wait for."""

from __future__ import annotations

from collections.abc import Sequence

from fanwise.engine.graph.drawing import Drawing, parts_in_words, took_s
from fanwise.progress.words import duration, plain

_BAR = 32
_LONGEST_NAME = 40
_DEEPEST = 45  # characters of indentation; deeper ones begin with an ellipsis
_MARKS = {"ok": "✓", "failed": "✗", "skipped": "–", "cancelled": "✗"}


def render_text(drawing: Drawing) -> str:
    """The drawing as lines of text, none of them coloured.

    Each step is shown once, below the last of the steps that it waits for; the others follow an
    arrow. After a run come its time and where in the run it lay; ``*`` is the critical path.
    """
    lines = [f"{plain(drawing.name)}: {plain(drawing.headline)}"]
    rows = _rows(drawing)
    width = max((len(label) for label, _, _ in rows), default=0)
    for label, name, parent in rows:
        if drawing.report is None:
            others = [source for source in drawing.sources[name] if source != parent]
            needs = f"← {', '.join(plain(other, most=_LONGEST_NAME) for other in others)}"
            line = f"  {label:<{width}}{f'  {needs}' if others else ''}"
        else:
            line = _after(drawing, name, f"{label:<{width}}")
        lines.append(line.rstrip())
    if drawing.report is not None and drawing.report.critical_path:
        path = " → ".join(plain(step.name) for step in drawing.report.critical_path)
        lines.append(f"* critical path, {duration(drawing.report.critical_path_s)}: {path}")
    return "\n".join(lines)


def _after(drawing: Drawing, name: str, label: str) -> str:
    course, box = drawing.courses[name], drawing.boxes[name]
    mark = "*" if box.critical else " "
    state = _MARKS.get(course.state, "?")
    took = took_s(course)
    words = [parts_in_words(course), "optional" if box.optional else ""]
    if course.state == "skipped":
        words.append(f"skipped: {plain(course.cause)} failed")
    elif course.outcome is not None and course.outcome.error is not None:
        error = course.outcome.error
        words.append(plain(f"{type(error).__name__}: {error}", most=80))
    rest = ", ".join(word for word in words if word)
    time = duration(took) if took is not None else ""
    return f"{mark} {label} {state} {time:>9}  {_bar(drawing, name)}  {rest}"


def _bar(drawing: Drawing, name: str) -> str:
    course, report = drawing.courses[name], drawing.report
    if report is None or report.wall_s <= 0.0 or course.started_s is None:
        return "│" + " " * _BAR + "│"
    scale = _BAR / report.wall_s
    end_s = report.wall_s if course.ended_s is None else course.ended_s
    ready = min(_BAR - 1, int(course.ready_s * scale))
    begin = min(_BAR - 1, int(course.started_s * scale))
    end = min(_BAR, max(begin + 1, round(end_s * scale)))
    fill = "█" if drawing.boxes[name].critical else "▒"
    bar = " " * ready + "·" * (begin - ready) + fill * (end - begin)
    return f"│{bar:<{_BAR}}│"


def _rows(drawing: Drawing) -> Sequence[tuple[str, str, str | None]]:
    """Label, step and the step above it, from top to bottom."""
    steps = [name for name, box in drawing.boxes.items() if box.kind != "input"]
    parents = {name: _parent(drawing, name) for name in steps}
    children: dict[str | None, list[str]] = {None: []}
    for name in steps:
        children.setdefault(parents[name], []).append(name)
    rows: list[tuple[str, str, str | None]] = []
    stack: list[tuple[str, str, bool]] = [(name, "", True) for name in reversed(children[None])]
    while stack:
        name, indent, last = stack.pop()
        parent = parents[name]
        branch = "" if parent is None else ("└─ " if last else "├─ ")
        label = f"{indent}{branch}{plain(name, most=_LONGEST_NAME)}"
        if drawing.report is None and drawing.boxes[name].optional:
            label += " (optional)"
        rows.append((label, name, parent))
        below = "" if parent is None else indent + ("   " if last else "│  ")
        if len(below) > _DEEPEST:
            below = "…  " + below[6:]
        found = children.get(name, [])
        stack.extend((child, below, place == 0) for place, child in enumerate(reversed(found)))
    return rows


def _parent(drawing: Drawing, name: str) -> str | None:
    """The source that kept the step waiting; before a run the farthest along."""
    found = [s for s in drawing.sources[name] if drawing.boxes[s].kind != "input"]
    if not found:
        return None
    critical = [source for source in found if (source, name) in drawing.critical]
    if critical:
        return critical[0]
    depth = {box: place for place, box in enumerate(drawing.boxes)}
    if drawing.report is None:
        return max(found, key=depth.__getitem__)
    return max(found, key=lambda s: (drawing.courses[s].ended_s or 0.0, depth[s]))
