"""Results of ``fanwise hooks``: tables for people, lines of JSON for programs and files."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fanwise.cli.display import to_json
from fanwise.cli.failures import printable
from fanwise.cli.linefile import LineKind
from fanwise.progress.words import duration, money

if TYPE_CHECKING:
    from rich.table import Table

    from fanwise.pipelines.hooks import HooksResult, ModelResult, ScoredHook

RESULTS = LineKind(
    holds="results of hooks", read="table of ideas", begins=b'{"id":', names=b'"run_id":'
)
"""What ``-o`` holds."""

_GOOD, _FAIR = 7.0, 5.0
_WIDE = 10_000


def line_of(result: HooksResult) -> bytes:
    """A result as one line of JSON."""
    return (to_json(result.as_json()) + "\n").encode()


def shown(result: HooksResult, *, alone: bool) -> str:
    """A result as it goes to standard output.

    Args:
        result: The result.
        alone: Whether it is the only one: then tables, in a pipe too, in colour on a terminal. Of
            several, each is one line of JSON in a pipe and a short plain table on a terminal, since
            it has to pass above the panel.
    """
    terminal = sys.stdout.isatty()
    if not alone and not terminal:
        return line_of(result).decode()
    from rich.console import Console

    buffer = io.StringIO()
    console = Console(
        file=buffer,
        width=None if terminal else _WIDE,
        force_terminal=terminal and alone,
        no_color=bool(os.environ.get("NO_COLOR")) or None,
        highlight=False,
    )
    if not alone:
        console.print(f"[{result.id}]", style="bold", markup=False)
    if result.models:
        console.print(_hooks_table(result, most=None if alone else 3))
    if alone and len(result.models) > 1:
        console.print()
        console.print(_models_table(result))
    console.print()
    for sentence in _sentences(result, alone=alone):
        console.print(printable(sentence), markup=False, soft_wrap=True)
    text = buffer.getvalue()
    return text if terminal else "".join(line.rstrip() + "\n" for line in text.splitlines())


def _table(*columns: str, right: tuple[str, ...]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        last = column == columns[-1]
        side = "right" if column in right else "left"
        table.add_column(column, justify=side, no_wrap=not last, overflow="fold")
    return table


def _hooks_table(result: HooksResult, *, most: int | None) -> Table:
    from rich.text import Text

    table = _table("score", "sure", "form", "words", "model", "hook", right=_FIGURES)
    for model, hook in result.best[:most]:
        judgement = hook.judgement
        table.add_row(
            Text(_points(hook.score), style=_colour(hook.score)),
            Text("?" if judgement is None else f"{judgement.confidence:.0%}"),
            Text(f"{hook.heuristics.overall:.1f}"),
            Text(str(hook.words), style="" if hook.in_bounds else "red"),
            Text(printable(model)),
            Text(printable(hook.text)),
        )
    return table


_FIGURES = ("score", "sure", "form", "words", "place", "scored", "time", "tokens", "cost", "wins")


def _models_table(result: HooksResult) -> Table:
    from rich.text import Text

    places = {ranked.model: ranked for ranked in result.ranking}
    with_wins = any(ranked.wins is not None for ranked in result.ranking)
    columns = ["place", "score", "form", "scored", "wins", "time", "tokens", "cost", "model"]
    table = _table(*(c for c in columns if c != "wins" or with_wins), right=_FIGURES)
    for model in result.models:
        ranked = places.get(model.model)
        cells = [
            Text("–" if ranked is None else f"{ranked.place}"),
            Text(_points(model.score), style=_colour(model.score)),
            Text(f"{model.heuristic:.1f}"),
            Text(f"{model.scored}/{len(model.hooks)}"),
            *([Text("–" if ranked is None else f"{ranked.wins}")] if with_wins else []),
            Text(duration(model.wall_s)),
            Text(_tokens(model)),
            Text("?" if model.cost_usd is None else money(model.cost_usd)),
            Text(printable(model.model) + (" (judge's family)" if model.same_family else "")),
        ]
        table.add_row(*cells)
    return table


def _tokens(model: ModelResult) -> str:
    """Tokens of its own and of its judging, in and out."""
    parts = [
        part
        for usage in (model.write_usage, model.judge_usage)
        for part in (usage.input_tokens, usage.output_tokens)
    ]
    known = [part for part in parts if part is not None]
    return f"{sum(known):,}" if len(known) == len(parts) else "?"


def _points(score: float | None) -> str:
    return "unscored" if score is None else f"{score:.2f}"


def _colour(score: float | None) -> str:
    if score is None:
        return "dim"
    return "green" if score >= _GOOD else "yellow" if score >= _FAIR else "red"


def _sentences(result: HooksResult, *, alone: bool) -> Iterator[str]:
    """What the figures come to, in words."""
    if not result.complete:
        ended = len(result.models) + len(result.failed)
        yield f"Not complete: {ended} models have ended; what the others have written is kept."
    elif len(result.ranking) > 1:
        yield _ahead(result)
    if not alone:
        return
    for model in result.models:
        yield from _of_model(model, judge=result.judge)
    for pair in result.comparisons:
        yield _pair(pair.models, pair.winner, consistent=pair.consistent, error=pair.error)
    if result.near_duplicates:
        first = result.near_duplicates[0]
        count = len(result.near_duplicates)
        yield (
            f"Nearly the same: {count} pair{'s' * (count > 1)} of hooks, "
            f"such as “{first.hooks[0]}” ({' and '.join(dict.fromkeys(first.models))})."
        )
    for failed in result.failed:
        yield f"{failed.model} failed: {failed.message}"
    unscored = [hook for model in result.models for hook in model.hooks if hook.unscored]
    if unscored:
        yield f"{_count(unscored)} could not be judged: {unscored[0].unscored}"
    yield _judged_by(result)


def _of_model(model: ModelResult, *, judge: str) -> Iterator[str]:
    strong = ", ".join(f"{one.criterion} {one.score:.1f}" for one in model.strengths)
    weak = ", ".join(f"{one.criterion} {one.score:.1f}" for one in model.weaknesses)
    parts = [f"strong in {strong}"] * bool(strong) + [f"weak in {weak}"] * bool(weak)
    if parts:
        yield f"{model.model}: {'; '.join(parts)}."
    if model.salvaged:
        yield f"{model.model} did not answer in the form asked for; its lines were read."
    if model.same_family:
        yield f"{judge} and {model.model} are of one family: it may favour its own."


def _count(hooks: list[ScoredHook]) -> str:
    return f"{len(hooks)} hook{'s' * (len(hooks) > 1)}"


def _ahead(result: HooksResult) -> str:
    if result.winner is None:
        first = result.ranking[0].score
        leaders = [one.model for one in result.ranking if one.score == first]
        return f"Level at {first:.2f}: {', '.join(leaders)}."
    gap = result.gap or 0.0
    said = f"{result.winner} is ahead by {gap:.2f} points"
    if result.gap_error is None:
        return f"{said}."
    chance = "which chance alone could do" if gap < 2 * result.gap_error else "more than chance"
    return f"{said} (standard error {result.gap_error:.2f}: {chance})."


def _pair(
    models: tuple[str, str], winner: str | None, *, consistent: bool | None, error: str | None
) -> str:
    pair = " against ".join(models)
    if error is not None:
        return f"{pair}: could not be compared: {error}"
    if winner is not None:
        return f"{pair}: {winner} wins in both orders."
    return f"{pair}: {'a tie' if consistent else 'a tie, since the order decided'}."


def _judged_by(result: HooksResult) -> str:
    said = f"Judged by {result.judge}"
    if result.judge.startswith("builtin"):
        said += ", which looks at form and word choice alone"
    named = [result.judge, *(model.model for model in result.models)]
    if any(name.startswith("builtin") for name in named[1:]):
        said += "; the hooks of builtin/rules are filled-in frames"
    if any(name.startswith("sim") for name in named):
        said += "; sim/… are simulated and answer by the same rules as builtin/rules"
    return said + "."
