"""What modes did: the record, and the tally it is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, cast

from fanwise.engine.modes.packs import PackCount
from fanwise.engine.modes.settings import Mode, ModeUsed
from fanwise.records import NOTHING

_ORDER: Final[tuple[ModeUsed, ...]] = (
    "parallel",
    "batch",
    "sequential",
    "batch_fallback",
    "sequential_fallback",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackReport:
    """What packing took.

    Args:
        requests: Requests sent with packs, those for single items included.
        items: Items over all of these requests; one that was asked twice counts twice.
        splits: Packs that failed and were split in half.
        singles: Requests for one item alone: the end of a split, or an id that was missing.
        missing: Ids that an answer lacked.
        surplus: Ids in answers that nobody had asked for.
    """

    requests: int = 0
    items: int = 0
    splits: int = 0
    singles: int = 0
    missing: int = 0
    surplus: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeReport:
    """How a map went about its items; true at any time, and complete when the map has ended.

    Args:
        processing_mode_used: The mode that most answers came from (of equals the one that comes
            first in the chain); the mode of most failures where there was no answer.
        reason: Why the map began in the mode it began in.
        fallback_reason: Why it turned to another one; empty where it did not.
        answers: Successful outcomes by the mode they came from.
        failures: Final failures by the mode they were last tried in.
        reruns: Items that were tried again in another mode.
        peak_at_once: Most items that were being carried out at one time; a pack counts as one.
        wall_s: Seconds from entering the map to its end, or to now.
        service_s: Seconds of service, summed over items: what one after another would have taken.
        shortest_s, mean_s, longest_s: Service time of an item; ``None`` before the first.
        packs: What packing took.
        degraded: Why guardrails, a flag or a rollout made it go one after another, in order.
    """

    processing_mode_used: ModeUsed
    reason: str
    fallback_reason: str = ""
    answers: Mapping[ModeUsed, int] = cast("Mapping[ModeUsed, int]", NOTHING)
    failures: Mapping[ModeUsed, int] = cast("Mapping[ModeUsed, int]", NOTHING)
    reruns: int = 0
    peak_at_once: int = 0
    wall_s: float = 0.0
    service_s: float = 0.0
    shortest_s: float | None = None
    mean_s: float | None = None
    longest_s: float | None = None
    packs: PackReport = PackReport()
    degraded: tuple[str, ...] = ()

    @property
    def gain(self) -> float | None:
        """Summed service time over wall time; ``None`` before any time has passed."""
        return self.service_s / self.wall_s if self.wall_s > 0 else None

    def __str__(self) -> str:
        counted = ", ".join(f"{mode} {count}" for mode, count in self.answers.items()) or "none"
        lines = [f"mode {self.processing_mode_used} ({self.reason}); answers: {counted}"]
        if self.failures:
            failed = ", ".join(f"{mode} {count}" for mode, count in self.failures.items())
            lines.append(f"failures: {failed}")
        if self.fallback_reason:
            lines.append(f"fallback: {self.fallback_reason}; {self.reruns} run again")
        lines.extend(f"degraded: {why}" for why in self.degraded)
        if self.gain is not None:
            lines.append(
                f"{self.service_s:.3g} s of service in {self.wall_s:.3g} s: {self.gain:.2f} x"
            )
        return "\n".join(lines)


def used(mode: Mode, *, fallback: bool) -> ModeUsed:
    """A mode as reports name it."""
    if mode == "parallel" or not fallback:
        return mode
    return "batch_fallback" if mode == "batch" else "sequential_fallback"


@dataclass(slots=True)
class Tally:
    """Final outcomes by mode, and their times, counted as they come."""

    answers: dict[ModeUsed, int] = field(default_factory=dict[ModeUsed, int])
    failures: dict[ModeUsed, int] = field(default_factory=dict[ModeUsed, int])
    reruns: int = 0
    ended: int = 0
    service_s: float = 0.0
    shortest_s: float | None = None
    longest_s: float | None = None

    def final(self, mode: ModeUsed, *, ok: bool, service_s: float) -> None:
        """An item has its one outcome."""
        counts = self.answers if ok else self.failures
        counts[mode] = counts.get(mode, 0) + 1
        self.ended += 1
        self.service_s += service_s
        if self.shortest_s is None or service_s < self.shortest_s:
            self.shortest_s = service_s
        if self.longest_s is None or service_s > self.longest_s:
            self.longest_s = service_s

    def main_mode(self, present: ModeUsed) -> ModeUsed:
        """The mode of most answers, else of most failures, else the present one."""
        counts = self.answers or self.failures
        if not counts:
            return present
        return max(_ORDER, key=lambda mode: counts.get(mode, 0))


def report_of(
    tally: Tally,
    count: PackCount,
    *,
    present: ModeUsed,
    reason: str,
    fallback_reason: str,
    peak_at_once: int,
    wall_s: float,
    degraded: tuple[str, ...],
) -> ModeReport:
    """The record of what has been counted by now."""
    return ModeReport(
        processing_mode_used=tally.main_mode(present),
        reason=reason,
        fallback_reason=fallback_reason,
        answers=dict(tally.answers),
        failures=dict(tally.failures),
        reruns=tally.reruns,
        peak_at_once=peak_at_once,
        wall_s=wall_s,
        service_s=tally.service_s,
        shortest_s=tally.shortest_s,
        mean_s=tally.service_s / tally.ended if tally.ended else None,
        longest_s=tally.longest_s,
        packs=PackReport(
            requests=count.requests,
            items=count.items,
            splits=count.splits,
            singles=count.singles,
            missing=count.missing,
            surplus=count.surplus,
        ),
        degraded=degraded,
    )
