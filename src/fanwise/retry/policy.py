"""Whether to try again, and when. A pure function that says what to do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from fanwise.errors import ConfigError, StateError

if TYPE_CHECKING:
    import random

    from fanwise.records import Verdict

_STUBBORN_REFUSALS = 10
_LEAST_BUDGET = 14
_NAMED_BOUND = 16  # times base_s: the most jitter on top of a Retry-After shorter than that


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """What a call may cost in attempts and patience.

    Args:
        max_attempts: Attempts that may fail on the way (connection, timeout, 5xx) before the call
            fails, at least 1. Refusals for rate or capacity are waited out and not counted.
        content_attempts: Answers that may be asked for before one fits its schema, at least 1.
        base_s: Backoff before the second attempt is at most this; it doubles from there. Above 0.
        cap_s: No backoff of our own is longer; at least ``base_s``.
        patience_s: Without one success for this long, the pool's calls are given up. Above 0.
        retry_after_cap_s: A longer Retry-After ends the call instead of being waited out.
        budget: Tokens of a pool's retry budget, at least 14: a retry after a failure takes 14, one
            after a refusal 5, and served calls bring them back. ``math.inf`` for no bound.
        retry_on: Exceptions of a callable model that are worth another attempt.

    Raises:
        ConfigError: A value is impossible.
    """

    max_attempts: int = 3
    content_attempts: int = 2
    base_s: float = 0.5
    cap_s: float = 60.0
    patience_s: float = 900.0
    retry_after_cap_s: float = 300.0
    budget: float = 500.0
    retry_on: tuple[type[BaseException], ...] = ()

    def __post_init__(self) -> None:
        for name in ("max_attempts", "content_attempts"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ConfigError(
                    f"{name}={value!r} is impossible",
                    hint=f"give {name} as a whole number, 1 or more; 1 means no second attempt",
                )
        if not self.budget >= _LEAST_BUDGET:
            raise ConfigError(
                f"budget={self.budget!r} is impossible",
                hint="give 14 tokens or more, the cost of one retry; math.inf for no bound",
            )
        for name, least in (
            ("base_s", 0.0),
            ("cap_s", self.base_s),
            ("patience_s", 0.0),
            ("retry_after_cap_s", 0.0),
        ):
            value = getattr(self, name)
            if not (isinstance(value, int | float) and value >= least and value > 0):
                bound = f"at least base_s ({least})" if name == "cap_s" else "above 0"
                raise ConfigError(f"{name}={value!r} is impossible", hint=f"give seconds, {bound}")
        _check_classes(self.retry_on)


def _check_classes(given: object) -> None:
    if isinstance(given, tuple):
        found = cast("tuple[object, ...]", given)
        if all(isinstance(one, type) and issubclass(one, BaseException) for one in found):
            return
    raise ConfigError(
        f"retry_on={given!r} is impossible",
        hint="give a tuple of exception classes: retry_on=(ConnectionError,)",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """Another attempt, after so many seconds."""

    wait_s: float


GiveUpCause: TypeAlias = Literal["terminal", "attempts", "deadline", "patience", "retry_after"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """No further attempt. ``reason`` is for people; empty where the failure says it all."""

    cause: GiveUpCause
    reason: str = ""


def decide(
    policy: Retry,
    *,
    verdict: Verdict,
    transient_failures: int,
    waited_s: float,
    now: float,
    deadline: float,
    last_success: float,
    chance: random.Random,
    refusals: int = 1,
) -> Again | GiveUp:
    """What to do after a failed attempt.

    Backoff is drawn evenly between 0 and a bound that doubles (*full jitter*, from Marc Brooker's
    "Exponential Backoff and Jitter", AWS Architecture Blog, 2015). A Retry-After is waited out in
    full, and that jitter comes on top, so that those who were refused together do not come back
    together; on top of a named wait it stops growing at 16 times ``base_s``.

    Args:
        policy: The rules.
        verdict: What the failure means; neither ``served`` nor ``cancelled``.
        transient_failures: Infrastructure failures of this call, this one included.
        waited_s: How long this call has waited in all, for permits and in backoff.
        now: Present instant, on the clock that ``deadline`` and ``last_success`` are read from.
        deadline: When the call's time is up; ``math.inf`` for never.
        last_success: When this pool last served anything; the start of its work before that.
        chance: Source of jitter.
        refusals: Refusals for rate or capacity of this call, this one included.

    Returns:
        :class:`Again` with the wait, or :class:`GiveUp` with the reason. A wait that would reach
        the deadline is given up at once: waiting for it would only be slower.

    Raises:
        StateError: The verdict is no failure.
    """
    if verdict.kind in {"served", "cancelled"}:
        raise StateError(f"an attempt that was {verdict.kind} is not retried")
    if verdict.kind == "terminal":
        return GiveUp(cause="terminal")
    asked_s = verdict.retry_after_s or 0.0
    if asked_s > policy.retry_after_cap_s:
        return GiveUp(
            cause="retry_after",
            reason=f"the provider asks to wait {asked_s:.0f} s, "
            f"longer than the {policy.retry_after_cap_s:.0f} s that are accepted",
        )
    if verdict.kind == "infrastructure":
        if transient_failures >= policy.max_attempts:
            return GiveUp(cause="attempts", reason=_failed(transient_failures))
        failures = transient_failures
    else:
        if impatient := _impatient(policy, now - last_success, waited_s, refusals):
            return GiveUp(cause="patience", reason=impatient)
        failures = refusals
    bound_s = backoff_bound_s(policy, failures)
    if asked_s:
        # The provider knows when to come back: growth beyond some seconds only leaves it idle.
        bound_s = min(bound_s, max(asked_s, _NAMED_BOUND * policy.base_s))
    wait_s = asked_s + chance.uniform(0.0, bound_s)
    if now + wait_s >= deadline:
        left_s = max(0.0, deadline - now)
        return GiveUp(
            cause="deadline",
            reason=f"the next attempt would have to wait {wait_s:.1f} s, "
            f"and the deadline is {left_s:.1f} s away",
        )
    return Again(wait_s=wait_s)


def backoff_bound_s(policy: Retry, failures: int) -> float:
    """The longest backoff after so many failures in a row, 1 or more."""
    doublings = min(max(0, failures - 1), 64)
    return min(policy.cap_s, policy.base_s * math.ldexp(1.0, doublings))


def _failed(attempts: int) -> str:
    return "after 1 attempt" if attempts == 1 else f"after {attempts} attempts"


def _impatient(policy: Retry, idle_s: float, waited_s: float, refusals: int) -> str:
    if idle_s >= policy.patience_s:
        return f"nothing was served for {idle_s:.0f} s"
    if refusals >= _STUBBORN_REFUSALS and waited_s >= policy.patience_s:
        return f"refused {refusals} times in {waited_s:.0f} s while others were served"
    return ""
