"""When a mode has failed: pure rules over what it has done so far."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fanwise.engine.modes.settings import Fallback, Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What a mode has done so far.

    Args:
        mode: The mode.
        ended: Items that ended in it, of the latest ``window``.
        failed: Those of them that failed.
        over: Whether nothing more is to come and nothing is under way.
    """

    mode: Mode
    ended: int
    failed: int
    over: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast a mode goes, against a deadline.

    Args:
        ended: Items that ended in this mode.
        elapsed_s: Seconds it has been at work.
        left: Items still to be done, failures that would be run again included.
        left_s: Seconds to the deadline.
        expected_s: What each later mode is expected to take for what is left, where known.
    """

    ended: int
    elapsed_s: float
    left: int
    left_s: float
    expected_s: dict[Mode, float]


def failing(policy: Fallback, stretch: Stretch) -> str:
    """Why a mode should be left for its failures; empty where it should go on."""
    if not stretch.failed:
        return ""
    if not stretch.over and stretch.ended < policy.min_items:
        return ""
    share = stretch.failed / stretch.ended
    if stretch.failed == stretch.ended:
        many = f"all {stretch.ended}" if stretch.ended > 1 else "the only one"
        return f"{many} failed in {stretch.mode} mode"
    if share > policy.failure_share:
        return (
            f"{stretch.failed} of {stretch.ended} failed in {stretch.mode} mode, "
            f"more than {policy.failure_share:.0%}"
        )
    return ""


def too_slow(policy: Fallback, mode: Mode, pace: Pace) -> tuple[Mode, str] | None:
    """The later mode that should take over to meet the deadline, and why; ``None`` for none."""
    if math.isinf(policy.deadline_s) or pace.left <= 0 or pace.ended < policy.min_items:
        return None
    at_this_rate_s = pace.left * pace.elapsed_s / pace.ended
    if at_this_rate_s <= pace.left_s:
        return None
    quicker: dict[Mode, float] = {
        later: seconds for later, seconds in pace.expected_s.items() if seconds < at_this_rate_s
    }
    if not quicker:
        return None
    best: Mode = min(quicker, key=lambda later: quicker[later])
    return best, (
        f"{pace.left} items at the rate of {mode} mode need {at_this_rate_s:.3g} s, "
        f"and the deadline is {max(0.0, pace.left_s):.3g} s away"
    )
