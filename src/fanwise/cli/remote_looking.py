"""Looking at the runs of a running service: what ``--server`` does of list, show, report, export
and watch.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson

from fanwise.cli.display import ago, at, plural, put, put_facts, put_json, say
from fanwise.cli.failures import ExitCode
from fanwise.cli.failures import report as put_error
from fanwise.cli.flags import HomeFlags, ProgressFlags, WorkFlags
from fanwise.cli.options import read_options
from fanwise.cli.reports import Format, write_rows
from fanwise.cli.service_client import ServiceClient, id_path
from fanwise.errors import ConfigError
from fanwise.progress.words import duration, money, number

if TYPE_CHECKING:
    from fanwise.progress.live import Snapshot

_PAGE = 200
_CODES = {
    **dict.fromkeys(
        ("usage", "config", "input", "invalid_fields", "plan", "state"), ExitCode.USAGE
    ),
    **dict.fromkeys(("journal", "conflict", "journal_unavailable"), ExitCode.JOURNAL),
    "budget_exhausted": ExitCode.LIMIT_REACHED,
}
_LIVE = {"running": "live", "paused": "live", "draining": "live", "cancelling": "live"}
_STATUS = {**_LIVE, "stopped": "interrupted"}


def list_runs(client: ServiceClient, *, home: HomeFlags, every: bool) -> int:
    """The runs of a service, newest first."""
    from fanwise.cli.runs import SHOWN, put_runs

    rows = [_listed(row) for row in runs_of(client, most=None if every else SHOWN)]
    put_runs(rows, unreadable=[], location=client.url, as_json=home.json)
    return ExitCode.OK


def runs_of(client: ServiceClient, *, most: int | None = None) -> Iterator[Mapping[str, Any]]:
    """Runs as the service lists them."""
    cursor: str | None = None
    seen = 0
    while True:
        limit = _PAGE if most is None else min(_PAGE, most - seen)
        page = client.get("/api/v1/runs", limit=limit, cursor=cursor)
        yield from page["data"]
        seen += len(page["data"])
        cursor = page["next"]
        if cursor is None or (most is not None and seen >= most):
            return


def _status(row: Mapping[str, Any]) -> str:
    status: str = row["status"]
    return _STATUS.get(status, status)


def _command(row: Mapping[str, Any]) -> str:
    name: str = row["pipeline"]
    return "run" if name == "prompts" else name


def _listed(row: Mapping[str, Any]) -> dict[str, Any]:
    items = row["items"]
    return {
        "run_id": row["id"],
        "name": row["name"],
        "command": _command(row),
        "status": _status(row),
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "done": items["done"],
        "succeeded": items["succeeded"],
        "failed": items["failed"],
        "cost_usd": row["cost_usd"],
    }


def find(client: ServiceClient, name: str) -> str:
    """A run's whole id.

    Raises:
        ConfigError: No run, or more than one, has such an id.
    """
    if name == "latest":
        found = [row["id"] for row in runs_of(client, most=1)]
        if not found:
            raise ConfigError(f"there are no runs at {client.url}", hint="start one: fanwise run")
        return found[0]
    ids = [row["id"] for row in runs_of(client)]
    if name in ids:
        return name
    found = [one for one in ids if one.startswith(name) or one.endswith(name)]
    if len(found) == 1:
        return found[0]
    what = f"{len(found)} runs have" if found else "no run has"
    raise ConfigError(f"{what} the id {name!r} at {client.url}", hint="`fanwise list` lists them")


def show(client: ServiceClient, *, run: str, item: str | None, home: HomeFlags) -> int:
    """One run, or one item of it."""
    run_id = find(client, run)
    if item is not None:
        put_json(client.get(f"{id_path(run_id)}/items/{quote(item, safe='')}"))
        return ExitCode.OK
    row = client.get(id_path(run_id))
    status = _status(row)
    if not row["begun"]:
        put_json({"run_id": run_id, "status": status}) if home.json else put(f"{run_id} {status}")
        return ExitCode.OK
    found = client.get(f"{id_path(run_id)}/report")
    if home.json:
        put_json(found | {"status": status})
        return ExitCode.OK
    _put_run(row, found, status)
    return ExitCode.OK


def _put_run(row: Mapping[str, Any], report: Mapping[str, Any], status: str) -> None:
    items, tokens = report["items"], report["tokens"]
    cached = f", {number(items['cached'])} from cache" if items["cached"] else ""
    facts = [
        ("run", row["id"]),
        ("name", row["name"]),
        ("command", f"fanwise {_command(row)}" if row["pipeline"] else ""),
        ("status", status),
        ("begun", f"{at(row['created_at'])}, {ago(row['created_at'])} ago"),
        ("sessions", number(len(report["sessions"]))),
        ("succeeded", number(items["succeeded"]) + cached),
        ("failed", number(items["failed"])),
        ("calls", f"{number(report['calls'])}, {number(report['attempts'])} sends"),
        ("tokens", f"{number(tokens['input_tokens'])} in, {number(tokens['output_tokens'])} out"),
        ("cost", money(_dollars(report["cost_usd"]))),
        ("time", duration(report["wall_s"])),
    ]
    put_facts(facts)
    for group in report["errors"]:
        put("")
        put(f"{plural(group['count'], 'item')} failed: {group['message']}")
        if group.get("hint"):
            put(f"  hint: {group['hint']}")
        put(f"  items: {', '.join(group.get('item_ids', []))}")


def _dollars(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def report(client: ServiceClient, *, run: str, html: str | None, home: HomeFlags) -> int:
    """A run's report."""
    run_id = find(client, run)
    path = f"{id_path(run_id)}/report"
    if html is not None:
        Path(html).expanduser().write_text(client.text(path, format="html"), encoding="utf-8")
        say(f"Wrote {html}")
    if home.json:
        row = client.get(id_path(run_id))
        put_json(client.get(path) | {"status": _status(row)})
    elif html is None:
        sys.stdout.write(client.text(path, format="text"))
    return ExitCode.OK


def export(
    client: ServiceClient,
    *,
    run: str,
    output_file: str | None,
    output_format: Format | None,
    ordered: bool,
    home: HomeFlags,
) -> int:
    """A run's results."""
    run_id = find(client, run)
    shape: Format = output_format or (
        "csv" if (output_file or "").lower().endswith(".csv") else "jsonl"
    )
    count = write_results(client, run_id, output=output_file, shape=shape, ordered=ordered)
    if output_file is not None:
        if home.json:
            put_json({"run_id": run_id, "rows": count, "output_file": output_file})
        else:
            say(f"Wrote {plural(count, 'row')} to {output_file}")
    return ExitCode.OK


def write_results(
    client: ServiceClient, run_id: str, *, output: str | None, shape: Format, ordered: bool
) -> int:
    """Writes the lines that ``fanwise run -o`` writes; returns how many."""

    def rows() -> Iterator[Mapping[str, Any]]:
        path = f"{id_path(run_id)}/results"
        for line in client.lines(path, format="lines", ordered=str(ordered).lower()):
            yield orjson.loads(line)

    return write_rows(rows, output, shape)


def watch(client: ServiceClient, *, run: str, home: HomeFlags, progress: ProgressFlags) -> int:
    """Follows a run until it ends."""
    run_id = find(client, run)
    return follow_to_the_end(
        client, run_id, as_json=home.json, quiet=quiet_of(home, progress), verb="watching"
    )


def quiet_of(home: HomeFlags, progress: ProgressFlags) -> bool:
    """Whether progress is silent."""
    return read_options(WorkFlags(home=home, progress=progress)).quiet


def follow(client: ServiceClient, run_id: str, *, quiet: bool, verb: str) -> None:
    """Shows how a run goes until it ends."""
    from fanwise.clock import SystemClock
    from fanwise.progress.display import open_display

    name = f"{verb} {run_id}"
    last: Snapshot | None = None
    with open_display(sys.stderr, clock=SystemClock(), name=name, quiet=quiet) as display:
        try:
            for kind, data in client.events(f"{id_path(run_id)}/events"):
                if kind == "snapshot" and data["snapshot"] is not None:
                    last = _snapshot(data["snapshot"])
                    display.show(last)
        except ConfigError:
            if client.get(id_path(run_id))["begun"]:
                raise
            # It ended before there was anything to follow: the run itself says why.
        if last is not None:
            display.show(last, last=True)


def _snapshot(found: Mapping[str, Any]) -> Snapshot:
    """The figures of a run as the service sends them; models and budgets aside."""
    from fanwise.progress.live import Snapshot

    known = {one.name for one in fields(Snapshot)} - {"models", "budgets"}
    given = {name: value for name, value in found.items() if name in known}
    limit = given["concurrency_limit"]
    given["concurrency_limit"] = math.inf if limit is None else limit
    given["cost_usd"] = _dollars(given["cost_usd"])
    given["priced_usd"] = _dollars(given["priced_usd"]) or Decimal(0)
    return Snapshot(**given)


def follow_to_the_end(
    client: ServiceClient, run_id: str, *, as_json: bool, quiet: bool, verb: str
) -> int:
    """The same, then the report; gives the exit code."""
    try:
        follow(client, run_id, quiet=quiet, verb=verb)
    except KeyboardInterrupt:
        say(f"No longer watching. The run goes on: fanwise watch {run_id} --server {client.url}")
        return ExitCode.INTERRUPTED
    row = client.get(id_path(run_id))
    if row["begun"]:
        report(client, run=run_id, html=None, home=HomeFlags(json=as_json))
    return code_of(row)


def code_of(row: Mapping[str, Any]) -> int:
    """The exit code that a run's end means."""
    error = row["error"]
    if error is not None:
        put_error(error["kind"], error["message"], hint=error["hint"], as_json=False)
        return _CODES.get(error["kind"], ExitCode.ERROR)
    if row["status"] in {"cancelled", "stopped", "interrupted", "failed"}:
        return ExitCode.ERROR
    return ExitCode.SOME_FAILED if row["items"]["failed"] else ExitCode.OK
