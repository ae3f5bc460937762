"""Circuit breakers: nothing is sent to what does not answer, but for a probe now and then.

Pure rules on plain state; the instant is an argument. *Closed* lets everything through. Enough
failures in a row *open* it: nothing goes out for a while. Then one probe does (*half open*); if it
fails, the wait doubles; if it is answered, the way is opened in steps (*ramp*), a few at a time,
so that what has just come back is not buried again. The three states are those of Michael Nygard,
"Release It!" (2007); the ramp is an addition.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from fanwise.records import VerdictKind

Mode = Literal["closed", "open", "half open", "ramp"]

IN_A_ROW: Final = 20  # failures of the infrastructure
PERSISTING: Final = 8  # failures, refusals for capacity among them, …
PERSISTING_S: Final = 10.0  # … over at least this long
FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 30.0
RAMP_FROM: Final = 2.0
RAMP_TO: Final = 64.0
RAMP_FAILURES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerState:
    """A breaker at one moment.

    Args:
        mode: What it does.
        epoch: How often it has opened; an attempt belongs to the epoch in which it was let through.
        failures: Failures in a row.
        failing_since: Instant of the first of them.
        wait_s: How long it stays open this time, in seconds.
        opens_at: Instant at which a probe may go out, while it is open.
        allowance: Attempts that may be under way at once while it ramps.
    """

    mode: Mode = "closed"
    epoch: int = 0
    failures: int = 0
    failing_since: float = 0.0
    wait_s: float = FIRST_WAIT_S
    opens_at: float = 0.0
    allowance: float = math.inf


CLOSED: Final = BreakerState()


def admits_at(state: BreakerState, *, under_way: int) -> float:
    """From when on a further attempt may go out; ``math.inf`` where only an answer can tell.

    Args:
        state: The breaker.
        under_way: Attempts of its epoch that are under way.
    """
    if state.mode == "closed":
        return -math.inf
    if state.mode == "open":
        return state.opens_at
    return -math.inf if state.mode == "ramp" and under_way < state.allowance else math.inf


def let_through(state: BreakerState) -> BreakerState:
    """An attempt goes out: out of an open breaker, it is the probe."""
    return replace(state, mode="half open") if state.mode == "open" else state


def ended(
    state: BreakerState, kind: VerdictKind, *, epoch: int, now: float, first: bool = True
) -> BreakerState:
    """What an attempt's end says.

    Args:
        state: The breaker.
        kind: How it ended. Whatever is answered, a refusal for the rate or a rejection too, shows
            that somebody is there; a cancelled attempt shows nothing.
        epoch: The epoch it was let through in. What was sent before the breaker opened can only
            open the way again, by an answer.
        now: The instant.
        first: Whether the call had not been sent before. One that fails again and again says
            nothing of others, and opens no closed breaker; refused for capacity, it does.
    """
    if kind == "cancelled":
        probe_lost = state.mode == "half open" and epoch == state.epoch
        return replace(state, mode="open", opens_at=now) if probe_lost else state
    if kind not in {"infrastructure", "capacity"}:
        return _answered(state)
    alone = state.mode == "closed" and kind == "infrastructure" and not first
    if alone or epoch != state.epoch:
        return state
    return _failed(state, kind, now=now)


def _answered(state: BreakerState) -> BreakerState:
    if state.mode == "closed":
        return state if not state.failures else replace(state, failures=0)
    if state.mode != "ramp":
        return replace(state, mode="ramp", allowance=RAMP_FROM, failures=0)
    if state.allowance + 1 >= RAMP_TO:
        return BreakerState(epoch=state.epoch)
    return replace(state, allowance=state.allowance + 1, failures=0)


def _failed(state: BreakerState, kind: VerdictKind, *, now: float) -> BreakerState:
    if state.mode == "open":
        return state
    if state.mode == "half open":
        return _open(state, now, wait_s=min(LONGEST_WAIT_S, 2 * state.wait_s))
    since = state.failing_since if state.failures else now
    failures = state.failures + 1
    counted = replace(state, failures=failures, failing_since=since)
    if state.mode == "ramp":
        return counted if failures < RAMP_FAILURES else _open(state, now, wait_s=state.wait_s)
    in_a_row = kind == "infrastructure" and failures >= IN_A_ROW
    persisting = failures >= PERSISTING and now - since >= PERSISTING_S
    return _open(state, now, wait_s=FIRST_WAIT_S) if in_a_row or persisting else counted


def _open(state: BreakerState, now: float, *, wait_s: float) -> BreakerState:
    return BreakerState(mode="open", epoch=state.epoch + 1, wait_s=wait_s, opens_at=now + wait_s)
