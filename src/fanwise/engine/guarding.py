"""What keeps retries from becoming a storm: the retry budget of a pool, the breaker of a model."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Final, NamedTuple

from fanwise.engine.queueing import Waiting
from fanwise.errors import Parked
from fanwise.retry import breaker
from fanwise.retry.budget import RetryTokens

if TYPE_CHECKING:
    from fanwise.clock import Clock
    from fanwise.errors import FanwiseError
    from fanwise.records import VerdictKind
    from fanwise.retry.policy import GiveUpCause

_HINT: Final = "it is left for later: `fanwise retry` sends it again, as does opening the run again"


class RetryPurse:
    """The retry budget of one pool.

    A retry takes tokens before it is sent. Where too few are left it waits for calls under way that
    may bring theirs back; where there are none of those, it is given up.

    Args:
        tokens: What the bucket holds at most; ``math.inf`` for no bound.
    """

    def __init__(self, tokens: float) -> None:
        self._tokens = RetryTokens(most=tokens, left=tokens)
        self._holders = 0  # calls that hold tokens and do not wait for more
        self._waiting: Waiting[float, float] = Waiting()

    def __repr__(self) -> str:
        return f"<RetryPurse: {self._tokens.left:g} of {self._tokens.most:g} tokens left>"

    @property
    def waiting(self) -> int:
        """Calls that wait for tokens."""
        return len(self._waiting)

    async def take(self, cost: float, *, held: float) -> None:
        """Takes the tokens of a retry.

        Args:
            cost: How many.
            held: How many the call's earlier retries have taken.

        Raises:
            Parked: None are left, and none will come back.
        """
        if held:
            self._holders -= 1  # whoever waits brings nothing back to others
        if self._waiting.head is None and self._took(cost):
            return
        try:
            await self._waiting.wait(cost, advance=self._advance, give_back=self._lose)
        except BaseException:
            if held:
                self._holders += 1
            raise

    def ended(self, held: float, *, served: bool) -> None:
        """A call has ended.

        Args:
            held: What its retries had taken.
            served: Whether it was served: then they come back.
        """
        if held:
            self._holders -= 1
        if served:
            self._tokens = self._tokens.served(held)
        self._advance()

    def refuse_all(self, error: FanwiseError) -> None:
        """Gives this error to everybody who waits."""
        while self._waiting.head is not None:
            self._waiting.refuse(error)

    def _took(self, cost: float) -> bool:
        left = self._tokens.take(cost)
        if left is None:
            return False
        self._tokens = left
        self._holders += 1
        return True

    def _lose(self, cost: float) -> None:
        """Somebody left at the moment at which he was let through."""
        self._holders -= 1
        self._tokens = self._tokens.served(cost)

    def _advance(self) -> None:
        while (cost := self._waiting.head) is not None:
            if self._took(cost):
                self._waiting.give(cost)
            elif self._holders > 0:
                return
            else:
                self._waiting.refuse(
                    Parked(
                        "the retry budget is used up: too many attempts failed, and a further one "
                        "would add to the load",
                        hint=_HINT,
                    )
                )


class Pass(NamedTuple):
    """The right of an attempt to go out past a breaker: in which epoch, and whether as a probe."""

    epoch: int
    probe: bool


NO_PASS: Final = Pass(0, probe=False)


class Breaker:
    """Carries out the rules of :mod:`fanwise.retry.breaker` for one model behind one key.

    Args:
        clock: Time.
        patience_s: After so long without an answer, calls are given up instead of waiting.
    """

    def __init__(self, *, clock: Clock, patience_s: float) -> None:
        self._clock = clock
        self._patience_s = patience_s
        self._state = breaker.CLOSED
        self._under_way = 0
        self._troubled_since: float | None = None
        self._waiting: Waiting[bool, Pass] = Waiting()
        self._closed = Pass(0, probe=False)
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<Breaker {self._state.mode}, {self.waiting} waiting>"

    @property
    def state(self) -> breaker.BreakerState:
        """What it does now, and why."""
        return self._state

    @property
    def troubled_since(self) -> float | None:
        """Instant of the first failure or refusal since it last served; ``None`` without one."""
        return self._troubled_since

    @property
    def waiting(self) -> int:
        """Calls that wait for it."""
        return len(self._waiting)

    @property
    def closed(self) -> bool:
        """Whether it lets everything through."""
        return self._state.mode == "closed"

    def holds(self, given: Pass) -> bool:
        """Whether a pass is still good: the breaker has not opened since."""
        return given.epoch == self._state.epoch

    def enter_closed(self) -> Pass | None:
        """Lets an attempt out where all may go out; ``None`` where it has to :meth:`enter`."""
        if self._state.mode != "closed":
            return None
        self._under_way += 1
        return self._closed

    async def enter(self) -> Pass:
        """Waits until an attempt may go out.

        Raises:
            Parked: There was no answer for too long.
        """
        if (given := self.enter_closed()) is not None:
            return given
        if self._waiting.head is None and (given := self._let_through()) is not None:
            return given
        return await self._waiting.wait(True, advance=self._advance, give_back=self._left)

    def ended(self, kind: VerdictKind, given: Pass, *, first: bool = True) -> None:
        """An attempt that was let through has ended.

        Args:
            kind: How; ``cancelled`` where it was not sent.
            given: What :meth:`enter` returned for it.
            first: Whether its call had not been sent before.
        """
        before = self._state
        if given.epoch == before.epoch:
            self._under_way -= 1
        now = self._clock.monotonic()
        if kind == "served":
            self._troubled_since = None
        elif kind not in {"terminal", "cancelled"} and self._troubled_since is None:
            self._troubled_since = now
        self._state = breaker.ended(before, kind, epoch=given.epoch, now=now, first=first)
        if self._state.epoch != before.epoch:
            self._under_way = 0
            self._closed = Pass(self._state.epoch, probe=False)
        if self._waiting.head is not None:
            self._advance()

    def refuse_all(self, error: FanwiseError) -> None:
        """Gives this error to everybody who waits."""
        while self._waiting.head is not None:
            self._waiting.refuse(error)
        self._set_timer(math.inf)

    def _let_through(self) -> Pass | None:
        now = self._clock.monotonic()
        if breaker.admits_at(self._state, under_way=self._under_way) > now:
            return None
        self._state = breaker.let_through(self._state)
        self._under_way += 1
        return Pass(self._state.epoch, probe=self._state.mode == "half open")

    def _left(self, given: Pass) -> None:
        """Somebody left at the moment at which he was let through."""
        self.ended("cancelled", given)

    def _advance(self) -> None:
        while self._waiting.head is not None:
            given = self._let_through()
            if given is not None:
                self._waiting.give(given)
                continue
            now = self._clock.monotonic()
            gives_up_at = (now if self._troubled_since is None else self._troubled_since) + (
                self._patience_s
            )
            if now < gives_up_at:
                probe_at = breaker.admits_at(self._state, under_way=self._under_way)
                self._set_timer(min(probe_at, gives_up_at))
                return
            self._waiting.refuse(
                Parked(
                    f"nothing was answered for {self._patience_s:.0f} s, and no more is sent",
                    hint=_HINT,
                )
            )
        self._set_timer(math.inf)

    def _set_timer(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if at < math.inf:
            after_s = max(0.001, at - self._clock.monotonic())
            self._timer = asyncio.get_running_loop().call_later(after_s, self._advance)


def parks(cause: GiveUpCause) -> bool:
    """Whether a call that was given up for this cause is left for later, not failed for good."""
    return cause in {"patience", "retry_after"}


def parked(error: FanwiseError) -> Parked:
    """The same error as that of a call that is left for later."""
    named = ("provider", "model", "attempt", "status", "retry_after_s")
    details = {name: getattr(error, name) for name in named if hasattr(error, name)}
    return Parked(error.message, hint=error.hint or _HINT, **details)
