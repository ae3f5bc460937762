"""``fanwise watch``: follows a run of another process by reading its journal."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from fanwise.cli.display import put_json, say
from fanwise.cli.failures import ExitCode
from fanwise.cli.flags import HomeFlags, ProgressFlags, WorkFlags
from fanwise.cli.homes import find_run, home_of, reading, status_of
from fanwise.cli.options import read_options
from fanwise.cli.runs import RunArgument
from fanwise.clock import SystemClock
from fanwise.engine.watching import Watcher
from fanwise.progress.display import open_display

if TYPE_CHECKING:
    from fanwise.journal.home import Home
    from fanwise.progress.report import Report

_PERIOD_S = 0.5


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
        watcher = Watcher(place, reader, run_id=run_id, clock=clock)
        while True:
            snapshot, live = watcher.look()
            display.show(snapshot, last=not live)
            if not live:
                return
            time.sleep(_PERIOD_S)
