"""``fanwise watch``: follows a run of another process by reading its journal."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fanwise.cli.display import put_json, say
from fanwise.cli.failures import ExitCode
from fanwise.cli.flags import HomeFlags, ProgressFlags, WorkFlags
from fanwise.cli.homes import find_run, home_of, reading, status_of
from fanwise.cli.options import read_options
from fanwise.cli.runs import RunArgument
from fanwise.clock import SystemClock
from fanwise.engine.steering.asking import ask
from fanwise.engine.steering.orders import Order
from fanwise.errors import FanwiseError
from fanwise.progress.display import open_display
from fanwise.progress.live import Progress, Snapshot
from fanwise.progress.words import LimitFacts, what_limits
from fanwise.records import NOTHING, Cause, Counters

if TYPE_CHECKING:
    from fanwise.journal.home import Home
    from fanwise.journal.memory import JournalReader
    from fanwise.progress.report import Report

_PERIOD_S = 0.5
_WINDOW_S = 10.0
_PAUSED = what_limits("paused", facts=LimitFacts(), in_flight=0)


def watch(*, run: RunArgument = "latest", home: HomeFlags, progress: ProgressFlags) -> int:
    """Follow a run of another terminal until it ends.

    Reads its journal, asks its owner how it stands, and changes nothing: Ctrl-C ends the watching,
    not the run. Ends with the report, and with exit code 0 where all succeeded, 3 where items
    failed, 1 where the run ended before its work did.
    """
    from fanwise.engine.reporting import read_report
    from fanwise.progress.report import summary_json
    from fanwise.progress.terminal import print_report

    quiet = read_options(WorkFlags(home=home, progress=progress)).quiet
    with home_of(home) as place:
        record = find_run(place, run)
        try:
            _follow(place, record.run_id, quiet=quiet)
        except KeyboardInterrupt:
            say(f"No longer watching. The run goes on: fanwise watch {record.run_id}")
            return ExitCode.INTERRUPTED
        report = read_report(place, record.run_id)
    if home.json:
        put_json(summary_json(report) | {"status": status_of(report.run)})
    else:
        print_report(report, stream=sys.stdout)
    return _code(report)


def _code(report: Report) -> int:
    if report.run.status != "finished":
        return ExitCode.ERROR
    return ExitCode.SOME_FAILED if report.counters.failed else ExitCode.OK


def _follow(place: Home, run_id: str, *, quiet: bool) -> None:
    clock = SystemClock()
    with (
        reading(place, run_id) as reader,
        open_display(sys.stderr, clock=clock, name=f"watching {run_id}", quiet=quiet) as display,
    ):
        seen: list[_Sight] = []
        while True:
            live = reader.run.live
            seen.append(_look(reader, at_s=clock.monotonic()))
            while seen[-1].at_s - seen[0].at_s > _WINDOW_S:
                del seen[0]
            snapshot = _snapshot(seen, clock=clock, live=live)
            if live:
                snapshot = _told(snapshot, _owners_word(place, run_id))
            display.show(snapshot, last=not live)
            if not live:
                return
            time.sleep(_PERIOD_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sight:
    """What the journal said at one instant."""

    at_s: float
    counters: Counters
    in_flight_s: float
    elapsed_s: float
    limited_by: Mapping[Cause, float]


def _look(reader: JournalReader, *, at_s: float) -> _Sight:
    sessions = reader.sessions()
    return _Sight(
        at_s=at_s,
        counters=reader.counters(),
        in_flight_s=sum(session.in_flight_s for session in sessions),
        elapsed_s=sum(session.ended_at - session.started_at for session in sessions),
        limited_by=sessions[-1].limited_by if sessions else NOTHING,
    )


def _snapshot(seen: list[_Sight], *, clock: SystemClock, live: bool) -> Snapshot:
    """The run as its journal shows it: durable figures, and rates over the last ten seconds."""
    first, last = seen[0], seen[-1]
    span_s = last.at_s - first.at_s
    items = last.counters.finished - first.counters.finished
    tokens = _tokens(last.counters) - _tokens(first.counters)
    flying_s = last.in_flight_s - first.in_flight_s
    in_flight = round(flying_s / span_s) if live and span_s else 0
    cause = _cause(first.limited_by, last.limited_by) if live else "nothing"
    return replace(
        Progress(clock, before=last.counters).snapshot(),
        in_flight=in_flight,
        items_per_s=items / span_s if span_s else 0.0,
        tokens_per_s=tokens / span_s if span_s else 0.0,
        elapsed_s=last.elapsed_s,
        limited_by=cause,
        what_limits=what_limits(cause, facts=LimitFacts(), in_flight=in_flight),
    )


def _owners_word(place: Home, run_id: str) -> Mapping[str, Any] | None:
    """What the run's owner says of it; ``None`` where he is not to be asked from here."""
    try:
        order = Order(verb="status")
        return ask(order, location=place.location, run_id=run_id, patience_s=_PERIOD_S)
    except FanwiseError:
        return None


def _told(snapshot: Snapshot, state: Mapping[str, Any] | None) -> Snapshot:
    """The run as its journal shows it, with what only its owner knows."""
    if state is None:
        return snapshot
    most = state["concurrency_limit"]
    return replace(
        snapshot,
        items_total=state["items_total"],
        in_flight=state["in_flight"],
        waiting=state["waiting"],
        concurrency_limit=math.inf if most is None else most,
        limited_by="paused" if state["state"] == "paused" else state["limited_by"],
        what_limits=_PAUSED if state["state"] == "paused" else state["what_limits"],
    )


def _tokens(counters: Counters) -> int:
    return counters.input_tokens + counters.output_tokens


def _cause(before: Mapping[Cause, float], after: Mapping[Cause, float]) -> Cause:
    """What held the run back most between two checkpoints of its account."""
    most: Cause = "nothing"
    longest_s = 0.0
    for cause, held_s in after.items():
        grown_s = held_s - before.get(cause, 0.0)
        if grown_s > longest_s:
            most, longest_s = cause, grown_s
    return most
