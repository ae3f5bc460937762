"""Progress as plain lines, for pipes and logs."""

from __future__ import annotations

import math

from fanwise.progress.live import Snapshot
from fanwise.progress.words import budget, money, number, percent, time_left


def progress_line(snapshot: Snapshot) -> str:
    """One line on a run: ``12/200 done, 0 failed, 20 in flight, 41.2/s, …``."""
    parts = [f"{done_of(snapshot)} done", f"{number(snapshot.items_failed)} failed"]
    if snapshot.items_cached:
        parts.append(f"{number(snapshot.items_cached)} cached")
    parts.append(in_flight(snapshot))
    parts.append(f"{number(snapshot.items_per_s)}/s")
    if snapshot.tokens_per_s > 0:
        parts.append(f"{number(snapshot.tokens_per_s)} tokens/s")
    parts.append(f"cost {cost(snapshot)}")
    if snapshot.budgets:
        parts.append(f"budget {budget(snapshot.budgets)}")
    if snapshot.items_total is not None and snapshot.items_done < snapshot.items_total:
        parts.append(f"{time_left(snapshot.eta_low_s, snapshot.eta_high_s)} left")
    said = f"{', '.join(parts)}. Limited by: {_lower_first(snapshot.what_limits)}"
    return f"{said}. Alert: {'; '.join(snapshot.alerts)}" if snapshot.alerts else said


def done_of(snapshot: Snapshot) -> str:
    """How many items are done, and of how many: ``12/200``, or ``12`` without a total."""
    done = number(snapshot.items_done)
    return done if snapshot.items_total is None else f"{done}/{number(snapshot.items_total)}"


def in_flight(snapshot: Snapshot) -> str:
    """Calls in flight and waiting: ``20 in flight``, ``20 of 20 in flight, 14 waiting``."""
    flying = number(snapshot.in_flight)
    if snapshot.concurrency_limit < math.inf:
        about = "~" if snapshot.concurrency_learned else ""
        flying = f"{flying} of {about}{number(snapshot.concurrency_limit)}"
    waiting = f", {number(snapshot.waiting)} waiting" if snapshot.waiting else ""
    return f"{flying} in flight{waiting}"


def cost(snapshot: Snapshot) -> str:
    """What was spent: ``$0.0123``, ``?``, or what is known of it with a question mark."""
    if snapshot.cost_usd is None and snapshot.priced_usd > 0:
        return f"{money(snapshot.priced_usd)} + ?"
    return money(snapshot.cost_usd)


def share_of(snapshot: Snapshot) -> str:
    """The share that is done in percent; empty without a total."""
    return "" if snapshot.share is None else percent(snapshot.share)


def _lower_first(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
