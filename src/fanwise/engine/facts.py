"""The limits in force, stated and learned, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanwise.progress.words import LimitFacts

if TYPE_CHECKING:
    from fanwise.engine.pools import Pools


def facts_of(pools: Pools, *, option: str = "") -> LimitFacts:
    """What is known of a run's limits now; of a learned rate, that of the pool most wait for.

    Args:
        pools: The limits.
        option: What sets the concurrency, where a command does: ``-j``.
    """
    limits = pools.limits
    limiters = pools.limiters
    stated = limits.stated_concurrency
    rpm, learned_rpm = limits.rpm, None
    if limiters:
        seen = max(limiters, key=lambda one: one.waiting).statistics()
        rpm, learned_rpm = seen.stated_rpm, seen.learned_rpm
    free = [one for one in limiters if one.limits.stated_concurrency is None]
    return LimitFacts(
        concurrency=pools.limit if stated is None and free else stated,
        rpm=rpm,
        tpm=limits.tpm,
        input_tpm=limits.input_tpm,
        output_tpm=limits.output_tpm,
        learned=bool(free),
        learned_rpm=learned_rpm,
        concurrency_option=option,
    )


def option_of(command: str) -> str:
    """The option that sets the concurrency of a command's run; a program has no options."""
    return "-j" if command else ""
