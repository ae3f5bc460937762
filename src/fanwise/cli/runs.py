"""``fanwise list`` and ``fanwise show``: the runs of a journal, and one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from fanwise.cli.display import ago, at, plural, put, put_facts, put_json, put_table, say, to_json
from fanwise.cli.failures import ExitCode
from fanwise.cli.flags import HomeFlags
from fanwise.cli.homes import find_run, home_of, reading, status_of
from fanwise.errors import ConfigError
from fanwise.progress.words import budget, duration, money, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanwise.journal.home import Home
    from fanwise.progress.report import Report
    from fanwise.records import Attempt, CallRecord, ItemRecord, RunRecord

RunArgument = Annotated[
    str, Argument(metavar="ID", help="A run's id, its beginning, or latest (default).")
]
SHOWN = 20
_LONGEST = 2000


def list_runs(
    *,
    home: HomeFlags,
    every: Annotated[
        bool, Option("--all", "-a", help=f"All runs, not only the newest {SHOWN}.")
    ] = False,
) -> int:
    """List the runs of a journal.

    Newest first, with status (live: a process works on it now; interrupted: fanwise resume goes
    on with it), items done, failures, cost and age.
    """
    with home_of(home) as place:
        records = place.runs(limit=None if every else SHOWN)
        rows = [_listed(place, record) for record in records]
        unreadable, location = place.unreadable(), place.location
    put_runs(rows, unreadable=unreadable, location=location, as_json=home.json)
    return ExitCode.OK


def put_runs(
    rows: Sequence[dict[str, Any]], *, unreadable: Sequence[str], location: str, as_json: bool
) -> None:
    """Shows runs as a table, or as one JSON object."""
    if as_json:
        put_json({"runs": rows, "unreadable": unreadable})
        return
    for run_id in unreadable:
        say(f"{run_id} cannot be read: damaged, foreign, or of a newer version")
    if not rows:
        put(f"No runs in {location}. Start one: fanwise run table.csv -m sim/default -p PROMPT")
        return
    put_table(
        ("id", "name", "status", "done", "failed", "cost", "age"),
        [
            (
                row["run_id"],
                row["name"],
                row["status"],
                _count(row["done"]),
                _count(row["failed"]),
                money(row["cost_usd"]),
                ago(row["created_at"]),
            )
            for row in rows
        ],
        right=("done", "failed", "cost", "age"),
    )


def _listed(place: Home, record: RunRecord) -> dict[str, Any]:
    listed: dict[str, Any] = {
        "run_id": record.run_id,
        "name": record.spec.name,
        "command": record.spec.command,
        "status": status_of(record),
        "created_at": record.created_at,
        "updated_at": record.updated_at,
    }
    with reading(place, record.run_id) as reader:
        counters = reader.counters()
    return listed | {
        "done": counters.finished,
        "succeeded": counters.succeeded,
        "failed": counters.failed,
        "cost_usd": None if counters.unpriced_calls else counters.cost_usd,
    }


def _count(value: int | None) -> str:
    return "?" if value is None else number(value)


def show(
    *,
    run: RunArgument = "latest",
    item: Annotated[
        str | None, Option(metavar="ITEM", help="One item, with its calls and their attempts.")
    ] = None,
    home: HomeFlags,
) -> int:
    """Show a run, its errors, or one item with every attempt.

    Failed items are grouped by what went wrong, each group with a hint and some of its items.
    """
    with home_of(home) as place:
        record = find_run(place, run)
        if item is not None:
            _show_item(place, record, item, as_json=home.json)
            return ExitCode.OK
        from fanwise.engine.reporting import read_report
        from fanwise.progress.report import summary_json

        report = read_report(place, record.run_id)
    if home.json:
        put_json(summary_json(report) | {"status": status_of(record)})
    else:
        _show_run(record, report)
    return ExitCode.OK


def _show_run(record: RunRecord, report: Report) -> None:
    counters, status = report.counters, status_of(record)
    cached = f", {number(counters.cached)} from cache" if counters.cached else ""
    resends = plural(report.ambiguous_count, "call")
    facts = [
        ("run", record.run_id),
        ("name", record.spec.name),
        ("command", f"fanwise {record.spec.command}" if record.spec.command else ""),
        ("status", status),
        ("begun", f"{at(record.created_at)}, {ago(record.created_at)} ago"),
        ("sessions", number(len(report.sessions))),
        ("succeeded", number(counters.succeeded) + cached),
        ("failed", number(counters.failed)),
        ("calls", f"{number(counters.calls)}, {number(counters.attempts)} sends"),
        ("tokens", f"{number(counters.input_tokens)} in, {number(counters.output_tokens)} out"),
        ("cost", money(report.cost_usd)),
        ("budget used", budget(report.budgets)),
        ("time", duration(report.wall_s)),
        ("in doubt", f"{resends} in flight at a crash" if report.ambiguous_count else ""),
    ]
    put_facts(facts)
    for group in report.errors:
        put("")
        put(f"{plural(group.count, 'item')} failed: {group.message}")
        if group.hint:
            put(f"  hint: {group.hint}")
        more = " …" if group.count > len(group.item_ids) else ""
        put(f"  items: {', '.join(group.item_ids)}{more}")
    put("")
    put(_next_step(record, failed=counters.failed))


def _next_step(record: RunRecord, *, failed: int) -> str:
    status = status_of(record)
    if status == "live":
        return f"Follow it: fanwise watch {record.run_id}"
    if status in {"interrupted", "failed"}:
        return f"Go on with it: fanwise resume {record.run_id}"
    if failed:
        return f"Send the failed items again: fanwise retry {record.run_id}"
    return f"Its results: fanwise export {record.run_id}"


def _show_item(place: Home, record: RunRecord, item_id: str, *, as_json: bool) -> None:
    with reading(place, record.run_id) as reader:
        calls = list(reader.calls(item_id=item_id))
        ended = next((found for found in reader.items() if found.item_id == item_id), None)
    if ended is None and not calls:
        raise ConfigError(
            f"run {record.run_id} has no item {item_id!r}",
            hint=f"`fanwise export {record.run_id}` lists its items",
        )
    if as_json:
        put_json({"run_id": record.run_id, "item_id": item_id, "item": ended, "calls": calls})
        return
    put_facts(_item_facts(item_id, ended))
    for call in calls:
        put("")
        put(_call_line(call))
        put_table(
            ("attempt", "ended as", "status", "waited", "for", "took", "why"),
            [_attempt_row(attempt) for attempt in call.attempts],
            right=("attempt", "waited", "took"),
        )


def _item_facts(item_id: str, ended: ItemRecord | None) -> Sequence[tuple[str, str]]:
    if ended is None:
        return [("item", item_id), ("state", "unfinished")]
    error = f"{ended.error.kind}: {ended.error.message}" if ended.error else ""
    return [
        ("item", item_id),
        ("place", f"{ended.position + 1} in the input"),
        ("state", ended.state + (" (cached)" if ended.cached else "")),
        ("input", _short(ended.input)),
        ("output", _short(ended.value)),
        ("error", error),
        ("hint", ended.error.hint if ended.error else ""),
        ("cost", money(ended.cost_usd)),
        ("ended", at(ended.ended_at)),
    ]


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else "" if value is None else to_json(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " …"


def _call_line(call: CallRecord) -> str:
    label = f" ({call.label})" if call.label else ""
    sent_twice = f", sent again after {plural(call.resends, 'crash')}" if call.resends else ""
    error = f": {call.error.message}" if call.error else ""
    return f"{call.model or 'side effect'}{label} {call.state}{sent_twice}{error}"


def _attempt_row(attempt: Attempt) -> Sequence[str]:
    return (
        str(attempt.number),
        attempt.verdict,
        "" if attempt.status is None else str(attempt.status),
        duration(attempt.queued_s),
        attempt.cause if attempt.cause != "nothing" else "",
        duration(attempt.ended_at - attempt.started_at),
        attempt.reason,
    )
