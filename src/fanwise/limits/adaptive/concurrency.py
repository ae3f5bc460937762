"""How many requests a provider takes at once, learned from its refusals.

A refused request knows how many others were in flight when it was sent. Where a provider counts
what it has in work, that number bounds what it takes, so an isolated refusal is answered by going
just below it and staying there for a while. Refusals in a row mean that the limit has fallen:
then it is cut by a share, as AIMD does (Chiu and Jain, 1989).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from fanwise.limits.settings import Range

Phase = Literal["start", "hold", "regain", "probe"]

BINDING = 0.8  # share of the limit in flight from which it is what binds
_CUT = 0.85
_SMALL_CUT = 0.95
_ROW = 2
_LEAST_MARGIN = 0.01
_MOST_MARGIN = 0.12
_ROOM = 1.25  # above the width at which more stopped to bring more
_PLATEAU_S = 60.0
_REGAINED = 0.95
_ISOLATED = 2.0  # limits' worth of answers since the refusal before
_HOLD_ANSWERS = 200.0
_SHARED = 0.06  # a margin from which others are taken to use the provider too
_SHARED_HOLD_ROUNDS = 4.0
_SHORTEST_HOLD_S = 1.0
_LONGEST_HOLD_S = 30.0
_FIRST_STEP = 0.02
_LARGEST_STEP = 0.25
_SAID = 0.9
_SAID_AT_ONCE = 128.0
_SAID_GROWTH = 1.05
_OPENING = 4.0  # so many times less than the start is sent at once
_OPENING_S = 0.06
_UNSEEN = 64.0  # in flight before anything was answered
_UNSEEN_DOUBLING_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A learned concurrency limit.

    Args:
        limit: Requests in flight; its whole part counts.
        bounds: Between what it is learned.
        peak: What was in flight when refusals began.
        phase: ``start`` doubles each round until the first refusal, ``hold`` stays, ``regain``
            doubles up to nearly the peak, ``probe`` looks for more by steps that double each round.
        step: By how much a round of answers raises it.
        until: The instant at which time alone may raise it, or end a hold.
        level: What was in flight at the last refusal.
        row: Epochs refused in a row, with hardly an answer between them.
        margin: The share of what was seen to be taken that is left alone.
    """

    limit: float
    bounds: Range
    peak: float = 0.0
    phase: Phase = "start"
    step: float = 0.0
    until: float = math.inf
    row: int = 0
    level: float = 0.0
    margin: float = 0.02

    @property
    def growing(self) -> bool:
        """Whether answers raise it."""
        return self.phase != "hold" and self.limit < self.bounds.most


def begun(window: Window, *, now: float) -> Window:
    """The window when the first request is sent.

    A limit that nobody stated opens in a moment rather than at once: a provider that takes but a
    few then refuses but a few.
    """
    if window.bounds.start >= window.bounds.most:
        return replace(window, until=now + _UNSEEN_DOUBLING_S)
    limit = max(window.bounds.least, min(window.limit, window.bounds.start / _OPENING))
    return replace(window, limit=limit, until=now + _OPENING_S)


def free(window: Window) -> Window:
    """The window where its refusals turn out to say nothing of it: it doubles each round again."""
    if window.phase == "start":
        return window
    return Window(limit=window.limit, bounds=window.bounds, margin=window.margin)


def given_back(window: Window, width: float) -> Window:
    """The window as wide as it was before refusals that are taken for chance: it looks for more."""
    limit = max(window.limit, min(width, window.bounds.most))
    return replace(
        window,
        limit=limit,
        peak=limit,
        phase="probe",
        step=_first_step(limit),
        until=math.inf,
        row=0,
    )


def back(window: Window, *, now: float) -> Window:
    """A window as it was, from now on."""
    held_s = min(_LONGEST_HOLD_S, max(_SHORTEST_HOLD_S, window.until - now))
    return window if window.phase != "hold" else replace(window, until=now + held_s)


def refused(window: Window, *, others: int, answered: int, latency_s: float, now: float) -> Window:
    """The window after the first refusal of an epoch.

    Args:
        window: The window before.
        others: Requests in flight when the refused one was sent, without itself.
        answered: Requests served since the refusal before.
        latency_s: Mean time of an answer.
        now: The present instant.
    """
    seen = max(1.0, min(window.limit, float(others)))
    peak = window.peak if window.phase == "hold" else seen
    margin = window.margin
    row = window.row + 1
    apart = answered >= _ISOLATED * max(seen, window.peak if window.phase == "hold" else 0.0)
    if apart or (window.margin >= _SHARED and row <= _ROW):
        row = 0 if apart else row
        margin = _margin(window, seen)
        limit = peak = seen * (1.0 - margin)
    else:
        limit = seen * (_SMALL_CUT if row < _ROW else _CUT)
    limit = max(window.bounds.least, min(limit, window.bounds.most))
    hold_s = 2 * latency_s
    if limit >= peak * _REGAINED:
        # Where others are there too, everybody stays for the same time: else the largest share,
        # whose answers are the most, would be the first to look for more.
        answers_s = _HOLD_ANSWERS * latency_s / limit
        hold_s = _SHARED_HOLD_ROUNDS * latency_s if margin >= _SHARED else answers_s
    hold_s = min(_LONGEST_HOLD_S, max(_SHORTEST_HOLD_S, 2 * latency_s, hold_s))
    return replace(
        window,
        limit=limit,
        peak=peak,
        phase="hold",
        step=0.0,
        until=now + hold_s,
        row=row,
        margin=margin,
        level=seen,
    )


def _margin(window: Window, seen: float) -> float:
    """Refused at another level each time: others use the provider too, and more room is left."""
    apart = abs(seen - window.level) / max(seen, window.level) if window.level else 0.0
    return min(_MOST_MARGIN, max(_LEAST_MARGIN, 0.5 * window.margin + 2.0 * apart))


def stepped_back(window: Window, width: float, *, now: float) -> Window:
    """The window where more at once brought no more: back to that width, and a long hold."""
    limit = max(window.bounds.least, min(window.limit, width * _ROOM))
    return replace(window, limit=limit, peak=limit, phase="hold", step=0.0, until=now + _PLATEAU_S)


def allowed(window: Window, *, left: float) -> Window:
    """The window where the provider says how many requests it still takes, and refused none yet.

    Its word opens the window at once, but not so far that a second limit, of which it says nothing,
    would be met by hundreds of requests.
    """
    limit = min(window.bounds.most, _SAID * left, max(_SAID_AT_ONCE, window.limit * _SAID_GROWTH))
    if window.phase != "start" or limit <= window.limit:
        return window
    return replace(window, limit=limit)


def answered(window: Window) -> Window:
    """The window after a served answer that came while the window bound.

    A round of answers raises it by one step, and doubles the step.
    """
    limit = window.limit
    if window.phase == "start":
        return replace(window, limit=min(window.bounds.most, limit + 1.0))
    if window.phase == "regain":
        limit = min(window.bounds.most, limit + 1.0, window.peak * _REGAINED)
        if limit >= window.peak * _REGAINED:
            return replace(window, limit=limit, phase="probe", step=_first_step(limit))
        return replace(window, limit=limit)
    doubling = 1.0 if window.margin >= _SHARED else 2.0  # equal steps bring equal shares (AIMD)
    step = min(window.step * doubling ** (1.0 / limit), max(1.0, limit * _LARGEST_STEP))
    return replace(window, limit=min(window.bounds.most, limit + step / limit), step=step)


def waited(window: Window, *, now: float, any_answer: bool) -> Window:
    """The window when the instant that it waits for has come."""
    if now < window.until:
        return window
    if window.phase == "hold":
        if window.limit < window.peak * _REGAINED:
            return replace(window, phase="regain", until=math.inf)
        return replace(window, phase="probe", step=_first_step(window.limit), until=math.inf)
    if window.phase == "start" and window.limit < window.bounds.start:
        limit = min(window.bounds.start, window.limit * 2.0)
        until = now + (_OPENING_S if limit < window.bounds.start else _UNSEEN_DOUBLING_S)
        return replace(window, limit=limit, until=until)
    if window.phase == "start" and not any_answer and window.limit < _UNSEEN:
        limit = min(window.bounds.most, _UNSEEN, window.limit * 2.0)
        return replace(window, limit=limit, until=now + _UNSEEN_DOUBLING_S)
    return replace(window, until=math.inf)


def _first_step(limit: float) -> float:
    return max(1.0, limit * _FIRST_STEP)
