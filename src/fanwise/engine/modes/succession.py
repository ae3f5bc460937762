"""One mode after another: which is asked for now, how it does, and when the next takes over."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from fanwise.engine.modes.choice import Choice, ModeTimes, choose, predicted_s
from fanwise.engine.modes.entries import Entry, Way
from fanwise.engine.modes.settings import CHAIN, Fallback, Mode, ModeOptions
from fanwise.engine.modes.triggers import Pace, Stretch, failing, too_slow
from fanwise.engine.modes.watch import Watch
from fanwise.records import Outcome

if TYPE_CHECKING:
    from fanwise.clock import Clock


class Succession:
    """The modes of one map in their order.

    Args:
        options: What the caller asked for.
        clock: Time.
        concurrency: The most calls at once, as far as known.
        times: What calls and packs have taken; is added to.
        total: Items of the source, where known before it is read.
    """

    def __init__(
        self,
        options: ModeOptions,
        *,
        clock: Clock,
        concurrency: Callable[[], float],
        times: ModeTimes,
        total: int | None,
    ) -> None:
        self._options = options
        self._clock = clock
        self._concurrency = concurrency
        self._times = times
        self.total = total
        self.watch = Watch(options.fallback.window if options.fallback else 1)
        self.way = Way("parallel")
        self.reason = "not begun"
        self.fallback_reason = ""
        self._map_began = self._began = 0.0
        self._ended = 0
        self._service_s = 0.0

    def begin(self, count: int | None, *, forbidden: str) -> Way:
        """Chooses the first mode.

        Args:
            count: Items, where known.
            forbidden: Why it has to go one after another; empty where it need not.
        """
        pack = self._options.pack
        if forbidden:
            choice = Choice(mode="sequential", reason=forbidden)
        elif self._options.mode == "auto":
            choice = choose(
                count=count,
                concurrency=self._concurrency(),
                pack_size=pack.size if pack else None,
                measured=self._times.measured(),
            )
        else:
            choice = Choice(mode=self._options.mode, reason=self._options.reason)
        self.reason = choice.reason
        self.way = Way(choice.mode)
        self._map_began = self._began = self._clock.monotonic()
        return self.way

    def ended(self, way: Way, outcome: Outcome) -> None:
        """An item ended in some mode, finally or not."""
        if way is self.way:
            self._ended += 1
            self._service_s += outcome.service_s

    def look(self, *, over: bool, coming: bool, final: int) -> Sequence[Entry]:
        """Turns to the next mode where it is time to; returns what that one has to run again.

        Args:
            over: Whether nothing more comes, and nothing is under way.
            coming: Whether items are still to come.
            final: Items that have their outcome.
        """
        policy = self._options.fallback
        later = self._options.next_mode(self.way.mode)
        if policy is None or later is None:
            return ()
        watch = self.watch
        stretch = Stretch(mode=self.way.mode, ended=watch.ended, failed=watch.failed, over=over)
        reason = failing(policy, stretch)
        if reason and watch.held:
            return self._fall_back(later, reason)
        if coming and not math.isinf(policy.deadline_s) and self.total is not None:
            slow = too_slow(policy, self.way.mode, self._pace(policy, self.total - final))
            if slow is not None:
                return self._fall_back(*slow)
        return ()

    def close(self) -> None:
        """The present mode ends: what it took goes into the measured times."""
        if self._ended and self.way.mode != "batch":
            once = 1 if self.way.mode == "sequential" else self._concurrency()
            self._times.stretch(
                calls=self._ended,
                wall_s=self._clock.monotonic() - self._began,
                service_s=self._service_s,
                at_once=int(min(once, self._ended)),
            )
        self._ended = 0
        self._service_s = 0.0

    def _fall_back(self, mode: Mode, reason: str) -> Sequence[Entry]:
        self.close()
        said = f"{self.way.mode} to {mode}: {reason}"
        self.fallback_reason = "; ".join(filter(None, (self.fallback_reason, said)))
        self.way = Way(mode, fallback=True)
        self._began = self._clock.monotonic()
        return self.watch.take()

    def _pace(self, policy: Fallback, left: int) -> Pace:
        now = self._clock.monotonic()
        pack = self._options.pack
        expected = predicted_s(
            count=max(1, left),
            concurrency=self._concurrency(),
            pack_size=pack.size if pack else None,
            measured=self._times.measured(),
        )
        elapsed_s = now - self._began
        if pack is not None and "batch" not in expected:
            # Never measured: as many requests a second as until now, each for a whole pack.
            expected["batch"] = left * elapsed_s / max(1, self._ended) / pack.size
        later = CHAIN[CHAIN.index(self.way.mode) + 1 :]
        return Pace(
            ended=self._ended,
            elapsed_s=elapsed_s,
            left=left,
            left_s=self._map_began + policy.deadline_s - now,
            expected_s={mode: expected[mode] for mode in later if mode in expected},
        )
