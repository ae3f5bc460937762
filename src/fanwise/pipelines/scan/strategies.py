"""How conversations are let out: as the limits allow, or in one of four fixed ways."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import fanwise as fw

Strategy = Literal["adaptive", "fixed", "larger", "semaphore", "parallel-batches"]
STRATEGIES: tuple[str, ...] = get_args(Strategy)

ALL_AT_ONCE = 1000
_SIZES: Mapping[str, int] = {"fixed": 10, "larger": 20, "semaphore": 20, "parallel-batches": 10}
_PAUSE_MS = 1000.0
_IN_TURN = frozenset({"fixed", "larger"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacing:
    """How many conversations go at once.

    Args:
        strategy: ``adaptive`` lets the limits decide. ``fixed`` (10) and ``larger`` (20) send one
            batch after another, with a pause between them; ``semaphore`` keeps 20 going;
            ``parallel-batches`` sends every batch at once.
        batch_size: Another number than the strategy's own.
        batch_delay_ms: The pause between two batches in milliseconds, 1000 by default; 0 for none.
    """

    strategy: str = "adaptive"
    batch_size: int | None = None
    batch_delay_ms: float | None = None

    @property
    def size(self) -> int:
        """Conversations a batch, or at once."""
        return self.batch_size or _SIZES.get(self.strategy, 0)

    @property
    def in_turn(self) -> bool:
        """Whether a batch waits for the one before it."""
        return self.strategy in _IN_TURN

    @property
    def delay_s(self) -> float:
        """The pause between two batches in seconds."""
        pause_ms = _PAUSE_MS if self.batch_delay_ms is None else self.batch_delay_ms
        return pause_ms / 1000.0 if self.in_turn else 0.0

    @property
    def at_once(self) -> int | None:
        """Conversations at once; ``None`` where the limits decide."""
        if self.strategy == "adaptive":
            return None
        return ALL_AT_ONCE if self.strategy == "parallel-batches" else self.size

    def limited(
        self, limits: fw.Limits | None, *, rpm: float | None, tpm: float | None
    ) -> fw.Limits | None:
        """The model's limits under this strategy; ``None`` where nothing is to be changed.

        What the provider allows in a minute holds whatever the strategy: it is paced, and never
        derived from how many calls are in flight.
        """
        if self.at_once is None and rpm is None and tpm is None:
            return limits
        changed: dict[str, Any] = {}
        if self.at_once is not None:
            changed["concurrency"] = self.at_once
        if rpm is not None:
            changed["rpm"] = rpm
        if tpm is not None:
            changed["tpm"] = tpm
        return replace(limits or fw.Limits(), **changed)

    def warnings(self, *, rpm: float | None) -> Sequence[str]:
        """What is risky about it, in sentences for people."""
        if self.strategy != "parallel-batches":
            return ()
        pace = "nothing but refusals slows it down" if rpm is None else f"{rpm:g} a minute are sent"
        risk = (
            f"parallel-batches starts every batch at once (up to {ALL_AT_ONCE} conversations): "
            f"the provider may refuse them (429) and {pace}; all of their mail is in memory and "
            "their writes queue for one database; adaptive is as quick without these risks"
        )
        return (risk,)


class Turns:
    """Lets one batch out after another: the next one when all of the last have ended."""

    def __init__(self, pacing: Pacing) -> None:
        self._size = pacing.size
        self._delay_s = pacing.delay_s
        self._out = 0
        self._left = 0
        self._over = asyncio.Event()

    async def wait(self) -> None:
        """Waits until a further conversation may go; the caller lets it go at once."""
        if self._out == self._size:
            await self._over.wait()
            if self._delay_s:
                await asyncio.sleep(self._delay_s)
            self._over.clear()
            self._out = 0
        self._out += 1
        self._left += 1

    def ended(self) -> None:
        """One that went has ended, however that was."""
        self._left -= 1
        if self._left == 0 and self._out == self._size:
            self._over.set()
