"""A run along its own time: sessions laid end to end, with the pauses between them left out."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fanwise.records import Attempt, CallRecord, SessionRecord

BARS = 2000
TICKS = 240

SegmentKind = Literal["limit wait", "backoff", "served", "refused", "failed", "cancelled"]


class Axis:
    """Maps instants to seconds of the run's work.

    Args:
        sessions: The run's sessions, in order.
    """

    __slots__ = ("_begins", "_offsets", "_spans", "length_s")

    def __init__(self, sessions: Sequence[SessionRecord]) -> None:
        self._begins = [session.started_at for session in sessions]
        self._spans = [max(0.0, s.ended_at - s.started_at) for s in sessions]
        self._offsets: list[float] = []
        total_s = 0.0
        for span_s in self._spans:
            self._offsets.append(total_s)
            total_s += span_s
        self.length_s = total_s

    def at(self, instant: float) -> float:
        """Seconds of work before ``instant`` (epoch seconds); inside a pause, up to the pause."""
        index = bisect_right(self._begins, instant) - 1
        if index < 0:
            return 0.0
        return self._offsets[index] + min(instant - self._begins[index], self._spans[index])

    @property
    def seams(self) -> Sequence[float]:
        """Where a session ends and the next begins, in seconds of work."""
        return self._offsets[1:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One of equally long stretches of a run's work.

    Args:
        at_s: Its beginning, in seconds of work.
        in_flight: Mean number of attempts on the wire during it.
        served: Attempts served that ended in it.
        refused: Attempts refused that ended in it.
    """

    at_s: float
    in_flight: float
    served: int
    refused: int


class Timeline:
    """Calls in flight and their ends over a run's work, in a fixed number of stretches."""

    __slots__ = ("_axis", "_full", "_part", "_refused", "_served", "_step_s")

    def __init__(self, axis: Axis) -> None:
        self._axis = axis
        self._step_s = axis.length_s / TICKS
        self._part = [0.0] * TICKS
        self._full = [0] * (TICKS + 1)
        self._served = [0] * TICKS
        self._refused = [0] * TICKS

    def add(self, attempt: Attempt) -> None:
        """Counts an attempt. Costs O(1): whole stretches are kept as differences."""
        if self._step_s <= 0.0:
            return
        begin, end = self._axis.at(attempt.started_at), self._axis.at(attempt.ended_at)
        first, last = self._place(begin), self._place(end)
        if first == last:
            self._part[first] += end - begin
        else:
            self._part[first] += (first + 1) * self._step_s - begin
            self._part[last] += end - last * self._step_s
            self._full[first + 1] += 1
            self._full[last] -= 1
        if attempt.verdict == "served":
            self._served[last] += 1
        elif attempt.verdict in {"rate", "capacity"}:
            self._refused[last] += 1

    def _place(self, at_s: float) -> int:
        return min(TICKS - 1, int(at_s / self._step_s))

    def ticks(self) -> Sequence[Tick]:
        """The stretches in order; none of a run that took no time."""
        if self._step_s <= 0.0:
            return ()
        ticks: list[Tick] = []
        whole = 0
        for place in range(TICKS):
            whole += self._full[place]
            ticks.append(
                Tick(
                    at_s=place * self._step_s,
                    in_flight=whole + self._part[place] / self._step_s,
                    served=self._served[place],
                    refused=self._refused[place],
                )
            )
        return ticks


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of a call's life, in seconds of the run's work; ``note`` says more for people."""

    kind: SegmentKind
    begin_s: float
    end_s: float
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One call in the waterfall, from its first wait to its end."""

    item_id: str
    model: str
    label: str
    begin_s: float
    end_s: float
    segments: Sequence[Segment]


class Waterfall:
    """An even sample of at most ``BARS`` calls.

    Reservoir sampling (Vitter 1985, algorithm R): each call that was sent has the same chance to be
    in it. The chance is seeded, so that one run always gives one picture.
    """

    __slots__ = ("_axis", "_bars", "_chance", "seen")

    def __init__(self, axis: Axis) -> None:
        self._axis = axis
        self._bars: list[Bar] = []
        self._chance = random.Random(1)
        self.seen = 0

    def add(self, record: CallRecord) -> None:
        """Offers a call to the sample; one that was never sent is passed over."""
        if not record.attempts:
            return
        self.seen += 1
        if len(self._bars) < BARS:
            self._bars.append(_bar(record, axis=self._axis))
            return
        place = self._chance.randrange(self.seen)
        if place < BARS:
            self._bars[place] = _bar(record, axis=self._axis)

    def bars(self) -> Sequence[Bar]:
        """The sample in order of beginning."""
        return sorted(self._bars, key=lambda bar: (bar.begin_s, bar.end_s, bar.item_id))


def _bar(record: CallRecord, *, axis: Axis) -> Bar:
    segments: list[Segment] = []
    for attempt in record.attempts:
        segments.extend(_segments(attempt, axis=axis))
    return Bar(
        item_id=record.key.item_id,
        model=record.model,
        label=record.label,
        begin_s=min(segment.begin_s for segment in segments),
        end_s=max(segment.end_s for segment in segments),
        segments=segments,
    )


def _segments(attempt: Attempt, *, axis: Axis) -> Sequence[Segment]:
    begin_s, end_s = axis.at(attempt.started_at), axis.at(attempt.ended_at)
    segments: list[Segment] = []
    if attempt.queued_s > 0.0:
        backoff = attempt.cause == "retry wait"
        segments.append(
            Segment(
                kind="backoff" if backoff else "limit wait",
                begin_s=axis.at(attempt.started_at - attempt.queued_s),
                end_s=begin_s,
                note=attempt.cause,
            )
        )
    segments.append(Segment(kind=_kind(attempt), begin_s=begin_s, end_s=end_s, note=_note(attempt)))
    return segments


def _kind(attempt: Attempt) -> SegmentKind:
    if attempt.verdict == "served":
        return "served"
    return "refused" if attempt.verdict in {"rate", "capacity"} else "failed"


def _note(attempt: Attempt) -> str:
    status = "" if attempt.status is None else f" {attempt.status}"
    reason = f": {attempt.reason}" if attempt.reason else ""
    return f"attempt {attempt.number}, {attempt.verdict}{status}{reason}"
