"""``fanwise pause``, ``set``, ``drain`` and ``cancel``: a run is steered, whoever works on it.

Its owner is asked over its control socket. Where nobody works on it, its lock is taken and the
order is written down, for whoever goes on with it.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from fanwise.cli.display import plural, put_json, say
from fanwise.cli.failures import ExitCode
from fanwise.cli.flags import AgainFlags, HomeFlags
from fanwise.cli.homes import find_run, holder_of, home_of, reading
from fanwise.cli.loop import run_loop
from fanwise.cli.runs import RunArgument
from fanwise.engine.steering.asking import ask
from fanwise.engine.steering.orders import EVENTS, Change, Order, Sender, read_change
from fanwise.errors import ConfigError, Conflict, StateError
from fanwise.journal.home import FINAL
from fanwise.limits.settings import written_concurrency
from fanwise.progress.words import number

if TYPE_CHECKING:
    from fanwise.journal.home import Home
    from fanwise.journal.memory import JournalReader
    from fanwise.records import RunRecord, RunStatus

_PATIENCE_S = 45.0
_PERIOD_S = 0.2


def pause(*, run: RunArgument = "latest", home: HomeFlags) -> int:
    """Let a run send nothing more until it is resumed.

    Calls in flight end and are kept; the process stays, and fanwise resume ID lets it go on.
    """
    with home_of(home) as place:
        record = _open_run(place, run)
        state = _order(place, record, Order(verb="pause"))
        if state is None:
            run_loop(_write_down(place, record, Order(verb="pause"), status=_status(record)))
    if state is None:
        said = f"Nobody works on {record.run_id}: nothing is sent until fanwise resume."
    else:
        said = (
            f"Paused {record.run_id}; {plural(state['in_flight'], 'call')} in flight may end. "
            f"To go on: fanwise resume {record.run_id}"
        )
    return _end(home, record, said, state=state or {"status": _status(record)})


def set_limits(
    *,
    run: RunArgument = "latest",
    max_concurrency: Annotated[
        str | None,
        Option(
            "--max-concurrency",
            "-j",
            metavar="N|MIN-START-MAX",
            help="Calls in flight at once, bounds to learn it in, or adaptive.",
        ),
    ] = None,
    rpm: Annotated[float | None, Option(metavar="N", help="Requests a minute.")] = None,
    tpm: Annotated[float | None, Option(metavar="N", help="Tokens a minute, in and out.")] = None,
    budget_usd: Annotated[
        float | None, Option(metavar="USD", help="Dollars for the run, all sessions together.")
    ] = None,
    home: HomeFlags,
) -> int:
    """Change the limits of a run while it goes on.

    They hold at once: calls in flight above a lower limit end, and none follows until there is
    room. They hold for fanwise resume, too; of a run that nobody works on, for that alone.
    """
    change = read_change(
        {"max_concurrency": max_concurrency, "rpm": rpm, "tpm": tpm, "budget_usd": budget_usd}
    )
    if not change:
        raise ConfigError(
            "no limit was named", hint="name one: --max-concurrency, --rpm, --tpm or --budget-usd"
        )
    order = Order(verb="set", change=change)
    with home_of(home) as place:
        record = _open_run(place, run)
        state = _order(place, record, order)
        if state is None:
            run_loop(_write_down(place, record, order, status=_status(record)))
    when = "when it is resumed" if state is None else "from now on"
    said = f"{record.run_id}, {when}: {limits_in_words(change)}."
    return _end(home, record, said, state=state or {"status": _status(record)})


def drain(*, run: RunArgument = "latest", home: HomeFlags) -> int:
    """Stop a run so that fanwise resume goes on.

    As Ctrl-C there: it takes no further item, its calls in flight may end. Its process then exits
    with code 130.
    """
    with home_of(home) as place:
        record = _open_run(place, run)
        if _stop(place, record, Order(verb="drain")) is None:
            run_loop(_write_down(place, record, Order(verb="drain"), status="interrupted"))
        with reading(place, record.run_id) as reader:
            status, done = reader.run.status, reader.counters().finished
    said = f"{record.run_id} is {status}, {plural(done, 'item')} done."
    if status != "finished":
        said += f" To go on: fanwise resume {record.run_id}"
    return _end(home, record, said, state={"status": status})


def cancel(*, run: RunArgument = "latest", home: HomeFlags) -> int:
    """End a run for good; what was paid for is kept.

    A run that nobody works on is marked cancelled. One that a process of this machine works on is
    told to end: its calls in flight may end, then it is marked. A cancelled run stays readable;
    fanwise resume ID still goes on with it when named.
    """
    with home_of(home) as place:
        record = _open_run(place, run)
        _stop(place, record, Order(verb="cancel"))
        with reading(place, record.run_id) as reader:
            status = reader.run.status
        if status not in FINAL:
            status = "cancelled"
            run_loop(_write_down(place, record, Order(verb="cancel"), status=status))
    said = f"Cancelled {record.run_id}."
    if status == "finished":
        said = f"{record.run_id} had finished before it could be cancelled."
    return _end(home, record, said, state={"status": status})


def end_pause(place: Home, record: RunRecord, again: AgainFlags) -> bool:
    """Lets a run that its owner has paused go on; says whether that was so."""
    state = ask(Order(verb="status"), location=place.location, run_id=record.run_id)
    if state is None or state["state"] != "paused":
        return False
    ask(Order(verb="resume"), location=place.location, run_id=record.run_id)
    _end(again.home, record, f"{record.run_id} goes on where it was paused.", state=state)
    return True


def changes_of(reader: JournalReader) -> Mapping[str, Any]:
    """The limits that were set from outside since a run began, by name; the last ones count."""
    found: dict[str, Any] = {}
    for event in reader.controls():
        if event.kind == EVENTS["set"]:
            found |= {name: value for name, value in event.data.items() if name != "by"}
    return found


def limits_in_words(change: Change) -> str:
    """A change for people: ``at most 50 calls at once, 600 requests a minute``."""
    parts: list[str] = []
    given = change.max_concurrency
    if isinstance(given, int | float):
        parts.append(f"at most {number(given)} calls at once")
    elif given is not None:
        within = f" within {written_concurrency(given)}" if given != "adaptive" else ""
        parts.append(f"calls at once learned{within}")
    if change.rpm is not None:
        parts.append(f"{number(change.rpm)} requests a minute")
    if change.tpm is not None:
        parts.append(f"{number(change.tpm)} tokens a minute")
    if change.budget_usd is not None:
        parts.append(f"a budget of ${number(change.budget_usd)}")
    return ", ".join(parts)


def _open_run(place: Home, name: str) -> RunRecord:
    """The run of that name, which has not ended for good."""
    record = find_run(place, name)
    if record.status in FINAL and not record.live:
        raise StateError(
            f"run {record.run_id} is {record.status} already",
            hint=f"`fanwise show {record.run_id}` shows it",
        )
    return record


def _status(record: RunRecord) -> RunStatus:
    return "interrupted" if record.status == "running" else record.status


def _order(place: Home, record: RunRecord, order: Order) -> Mapping[str, Any] | None:
    """Gives the owner an order; ``None`` where there is no owner.

    Raises:
        Conflict: There is one, but it cannot be asked from here.
    """
    if not record.live:
        return None
    state = ask(order, location=place.location, run_id=record.run_id)
    if state is None and _is_live(place, record):
        raise Conflict(
            f"{holder_of(place, record.run_id).words} works on run {record.run_id}, and cannot be "
            "asked from here",
            hint="give the order on that machine, as that user; or press Ctrl-C there",
        )
    return state


def _stop(place: Home, record: RunRecord, order: Order) -> Mapping[str, Any] | None:
    """Has the owner end the run, and waits until it has let go; ``None`` without an owner."""
    if not record.live:
        return None
    state = ask(order, location=place.location, run_id=record.run_id)
    if state is None:
        if not _is_live(place, record):
            return None
        _ask_by_signal(place, record)
    else:
        calls = plural(state["in_flight"], "call")
        say(f"Told {record.run_id} to end; {calls} in flight may end (up to 30 s).")
    end_s = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end_s:
        if not _is_live(place, record):
            return state or {}
        time.sleep(_PERIOD_S)
    words = holder_of(place, record.run_id).words
    raise Conflict(
        f"{words} still works on run {record.run_id}",
        hint=f"`fanwise {order.verb} {record.run_id}` again, or end that process",
    )


def _is_live(place: Home, record: RunRecord) -> bool:
    with reading(place, record.run_id) as reader:
        return reader.run.live


def _ask_by_signal(place: Home, record: RunRecord) -> None:
    """Asks an owner that has no socket to stop, as Ctrl-C there would.

    Raises:
        Conflict: The holder is elsewhere, unknown, or another user's.
    """
    holder = holder_of(place, record.run_id)
    pid = holder.pid
    if pid is None or holder.host != socket.gethostname():
        raise Conflict(
            f"{holder.words} works on run {record.run_id}, and cannot be asked from here",
            hint="press Ctrl-C there, then try again",
        )
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    except PermissionError:
        raise Conflict(
            f"process {pid} works on run {record.run_id} and belongs to another user",
            hint="press Ctrl-C there, then try again",
        ) from None
    say(f"Asked process {pid} to stop; its calls in flight may end (up to 30 s).")


async def _write_down(place: Home, record: RunRecord, order: Order, *, status: RunStatus) -> None:
    """Takes the run's lock, notes the order and who gave it, and leaves the run in a status."""
    journal = place.open(record.run_id)
    by = Sender(pid=os.getpid(), uid=os.getuid()).as_json()
    try:
        await journal.control(EVENTS[order.verb], {**order.change.as_json(), "by": by})
    finally:
        await journal.close(status)


def _end(home: HomeFlags, record: RunRecord, said: str, *, state: Mapping[str, Any]) -> int:
    if home.json:
        put_json({"run_id": record.run_id, **state})
    else:
        say(said)
    return ExitCode.OK
