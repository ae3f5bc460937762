"""A run of another process, as its journal shows it and as its owner tells of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fanwise.clock import Clock
from fanwise.engine.steering.asking import ask
from fanwise.engine.steering.orders import Order
from fanwise.errors import FanwiseError
from fanwise.progress.live import Progress, Snapshot
from fanwise.progress.words import LimitFacts, what_limits
from fanwise.records import NOTHING, Cause, Counters

if TYPE_CHECKING:
    from fanwise.journal.home import Home
    from fanwise.journal.memory import JournalReader

_WINDOW_S = 10.0
_PATIENCE_S = 0.5
_PAUSED = what_limits("paused", facts=LimitFacts(), in_flight=0)


class Watcher:
    """Looks at one run again and again; rates are those of the last ten seconds.

    Reads from disk and asks over a socket: for a thread, not for an event loop.

    Args:
        home: Where the run is.
        reader: A reader of its journal.
        run_id: The run.
        clock: Time.
    """

    def __init__(self, home: Home, reader: JournalReader, *, run_id: str, clock: Clock) -> None:
        self._home = home
        self._reader = reader
        self._run_id = run_id
        self._clock = clock
        self._seen: list[_Sight] = []

    def __repr__(self) -> str:
        return f"<Watcher of {self._run_id}>"

    def look(self) -> tuple[Snapshot, bool]:
        """The run now, and whether a process works on it.

        Raises:
            JournalError: It cannot be read.
        """
        live = self._reader.run.live
        seen = self._seen
        seen.append(_look(self._reader, at_s=self._clock.monotonic()))
        while seen[-1].at_s - seen[0].at_s > _WINDOW_S:
            del seen[0]
        snapshot = _snapshot(seen, clock=self._clock, live=live)
        if live:
            snapshot = _told(snapshot, self._owners_word())
        return snapshot, live

    def _owners_word(self) -> Mapping[str, Any] | None:
        """What the run's owner says of it; ``None`` where he is not to be asked from here."""
        try:
            return ask(
                Order(verb="status"),
                location=self._home.location,
                run_id=self._run_id,
                patience_s=_PATIENCE_S,
            )
        except FanwiseError:
            return None


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


def _snapshot(seen: list[_Sight], *, clock: Clock, live: bool) -> Snapshot:
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
