"""One function over one item: under a limiter, with retry, each attempt with its deadline."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final

from fanwise.clock import Clock
from fanwise.engine.checks import in_plain_words
from fanwise.engine.workers import Item
from fanwise.errors import AttemptTimeout, ConfigError, OperationCancelled
from fanwise.limits.limiter import Limiter, Permit
from fanwise.records import Failure, Outcome, Verdict
from fanwise.retry.classify import classify
from fanwise.retry.policy import GiveUp, Retry, decide

ONCE: Final = Retry(max_attempts=1)
_SERVED: Final = Verdict(kind="served")
_CANCELLED: Final = Verdict(kind="cancelled", reason="cancelled by the caller")


class Runner:
    """Runs a function over items one by one and says how each one ended.

    Args:
        function: ``async (item) -> value``.
        limiter: Gives the permit of each attempt.
        retry: How often and after what waits a failure is tried again.
        timeout_s: Deadline of one attempt in seconds; the function is cancelled then.
        clock: Time.
        chance: Source of jitter; one of its own by default.
    """

    __slots__ = (
        "_chance",
        "_clock",
        "_function",
        "_last_success",
        "_retry",
        "_timeout_s",
        "limiter",
    )

    def __init__(
        self,
        function: Callable[[Any], Awaitable[Any]],
        *,
        limiter: Limiter,
        retry: Retry = ONCE,
        timeout_s: float = math.inf,
        clock: Clock,
        chance: random.Random | None = None,
    ) -> None:
        self._function = function
        self.limiter = limiter
        self._retry = retry
        self._timeout_s = None if math.isinf(timeout_s) else timeout_s
        self._clock = clock
        self._chance = chance
        self._last_success = -math.inf

    def begin(self) -> None:
        """Work begins: patience is counted from here."""
        self._last_success = self._clock.monotonic()

    async def handle(self, item: Item) -> Outcome:
        """One item, with as many attempts as the policy allows; what it raises is data.

        Only cancellation of the task that runs it, and what is no :class:`Exception`, gets through:
        the permit is given back then too, and ``item.known`` says what it took until then.
        """
        clock = self._clock
        permit: Permit | None = None
        attempts = failures = 0
        queued_s = service_s = 0.0
        since = clock.monotonic()
        try:
            while True:
                permit = await self.limiter.acquire()
                now = clock.monotonic()
                queued_s += now - since
                since = now
                attempts += 1
                try:
                    value = await self._attempt(item.value)
                except Exception as raised:  # noqa: BLE001 - an item's failure is data
                    error = in_plain_words(raised, self._function)
                    verdict = self._verdict(error)
                    permit.settle(verdict)
                    permit = None
                    now = clock.monotonic()
                    service_s += now - since
                    since = now
                    failures += verdict.kind == "infrastructure"
                    refusals = attempts - failures
                    wait_s = self._wait_s(
                        verdict, failures, refusals=refusals, waited_s=queued_s, now=now
                    )
                    if wait_s is None:
                        return _outcome(item, attempts, queued_s, service_s, error=error)
                    await asyncio.sleep(wait_s)
                else:
                    permit.settle(_SERVED)
                    permit = None
                    now = self._last_success = clock.monotonic()
                    service_s += now - since
                    return _outcome(item, attempts, queued_s, service_s, value=value)
        except BaseException:
            spent_s = clock.monotonic() - since
            if permit is None:
                queued_s += spent_s
            else:
                permit.settle(_CANCELLED)
                service_s += spent_s
            item.known = _outcome(item, attempts, queued_s, service_s)
            raise

    def _verdict(self, error: Exception) -> Verdict:
        failure = Failure(kind="exception", message=str(error), exception=error)
        return classify(failure, wall_s=0.0, retry_on=self._retry.retry_on)

    def _wait_s(
        self, verdict: Verdict, failures: int, *, refusals: int, waited_s: float, now: float
    ) -> float | None:
        """Seconds until the next attempt, or ``None`` where there is to be none."""
        if cancel_requests():
            return None  # the function turned its cancellation into a failure: it is to end
        if self._chance is None:  # most work is never tried twice, and seeding takes its time
            self._chance = random.Random()
        decision = decide(
            self._retry,
            verdict=verdict,
            transient_failures=failures,
            waited_s=waited_s,
            now=now,
            deadline=math.inf,
            last_success=self._last_success,
            chance=self._chance,
            refusals=refusals,
        )
        return None if isinstance(decision, GiveUp) else decision.wait_s

    async def _attempt(self, value: Any) -> Any:
        try:
            if self._timeout_s is None:
                return await self._function(value)
            return await within(self._timeout_s, self._function, value)
        except asyncio.CancelledError as error:
            if cancel_requests():
                raise
            raise cancelled_itself() from error


async def within(timeout_s: float, function: Callable[..., Awaitable[Any]], *args: Any) -> Any:
    """Calls and awaits a function, and cancels it after ``timeout_s`` seconds.

    Raises:
        AttemptTimeout: The time was up; the work has ended by then.
    """
    deadline = asyncio.timeout(timeout_s)
    try:
        async with deadline:
            return await function(*args)
    except TimeoutError as error:
        if not deadline.expired():
            raise
        raise AttemptTimeout(f"no result within {timeout_s:g} s", hint="raise timeout_s") from error


def cancel_requests() -> int:
    """How often somebody has asked the present task to end, and it has not yet done so."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def cancelled_itself() -> OperationCancelled:
    """The failure of a function that let a cancellation through which nobody asked it for."""
    return OperationCancelled(
        "it ended as cancelled although nobody cancelled it",
        hint="something that it awaited was cancelled elsewhere",
    )


def check_seconds(name: str, value: object) -> None:
    """Refuses a deadline that could not be met.

    Raises:
        ConfigError: It is not above 0.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ConfigError(
            f"{name} is {value!r}", hint="it is in seconds, and above 0; math.inf sets no deadline"
        )


def _outcome(
    item: Item,
    attempts: int,
    queued_s: float,
    service_s: float,
    *,
    value: Any = None,
    error: Exception | None = None,
) -> Outcome:
    return Outcome(
        item_id=item.id,
        ok=error is None,
        value=value,
        error=error,
        item=item.value,
        attempts=attempts,
        queued_s=queued_s,
        service_s=service_s,
        position=item.position,
    )
