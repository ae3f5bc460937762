"""``fanwise cancel``: a run is ended for good, whoever works on it."""

from __future__ import annotations

import os
import signal
import socket
import time
from typing import TYPE_CHECKING

from fanwise.cli.display import put_json, say
from fanwise.cli.failures import ExitCode
from fanwise.cli.flags import HomeFlags
from fanwise.cli.homes import find_run, holder_of, home_of, reading
from fanwise.cli.loop import run_loop
from fanwise.cli.runs import RunArgument
from fanwise.errors import Conflict, StateError

if TYPE_CHECKING:
    from fanwise.journal.home import Home
    from fanwise.records import RunRecord

_PATIENCE_S = 45.0
_PERIOD_S = 0.2


def cancel(*, run: RunArgument = "latest", home: HomeFlags) -> int:
    """End a run for good; what was paid for is kept.

    A run that nobody works on is marked cancelled. One that a process of this machine works on is
    asked to stop, as by Ctrl-C there: its calls in flight may end, then it is marked. A cancelled
    run stays readable; fanwise resume ID still goes on with it when named.
    """
    with home_of(home) as place:
        record = find_run(place, run)
        if record.status in {"finished", "cancelled"} and not record.live:
            raise StateError(
                f"run {record.run_id} is {record.status} already",
                hint=f"`fanwise show {record.run_id}` shows it",
            )
        if record.live:
            _ask_to_stop(place, record)
        run_loop(_mark(place, record.run_id))
    if home.json:
        put_json({"run_id": record.run_id, "status": "cancelled"})
    else:
        say(f"Cancelled {record.run_id}.")
    return ExitCode.OK


async def _mark(place: Home, run_id: str) -> None:
    journal = place.open(run_id)
    await journal.close("cancelled")


def _ask_to_stop(place: Home, record: RunRecord) -> None:
    """Sends SIGTERM to the process that holds the run, and waits until it has let go.

    Raises:
        Conflict: The holder is elsewhere, or unknown, or does not let go.
    """
    holder = holder_of(place, record.run_id)
    pid = holder.pid
    if pid is None or holder.host != socket.gethostname():
        raise Conflict(
            f"{holder.words} works on run {record.run_id}, and cannot be asked from here",
            hint="press Ctrl-C there, then cancel it",
        )
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    except PermissionError:
        raise Conflict(
            f"process {pid} works on run {record.run_id} and belongs to another user",
            hint="press Ctrl-C there, then cancel it",
        ) from None
    say(f"Asked process {pid} to stop; its calls in flight may end (up to 30 s).")
    end_s = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end_s:
        with reading(place, record.run_id) as reader:
            if not reader.run.live:
                return
        time.sleep(_PERIOD_S)
    raise Conflict(
        f"process {pid} still works on run {record.run_id}",
        hint=f"cancel it again, or end it with `kill {pid}`",
    )
