"""The simulated service, and what one way of asking it comes to."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from fanwise.testing import run_virtual

ITEMS = 1000


RATE = 600


RATED = "600 items, 10 a second"


BOUND = f"the service allows no less than {(RATE - 20) / 10 + 0.5:.1f} s"


LOST = "{service.answered} answers came that nobody took"


WRONG = "and {service.misplaced} answers in places of other items"


CUT_AT_S = 30.0


class Busy(Exception):
    """A refusal as the clients of HTTP raise it: a status and the answer's headers."""

    def __init__(self, status_code: int, retry_after_s: float | None = None) -> None:
        super().__init__(f"{status_code}: try again later")
        self.status_code = status_code
        self.headers = {} if retry_after_s is None else {"retry-after": f"{retry_after_s:.3f}"}


@dataclass(slots=True, kw_only=True)
class Service:
    """Answers numbers.

    Args:
        slots: Requests that it works on at once; one more is refused with a 503.
        per_s: Requests a second, 20 at once after idle time; one more is refused with a 429 and an
            exact Retry-After.
        bad: The number that it never answers: it fails with a ``ValueError`` after half a second.
    """

    slots: int | None = None
    per_s: float | None = None
    bad: int | None = None
    sent: int = 0
    refused: int = 0
    answered: int = 0
    in_work: int = 0
    misplaced: int = 0
    full_at_s: float = field(default=0.0, init=False)

    async def ask(self, number: int) -> int:
        """One request: a second on average, between a half and one and a half."""
        self.sent += 1
        now_s = asyncio.get_running_loop().time()
        if self.slots is not None and self.in_work >= self.slots:
            self._refuse(503)
        if self.per_s is not None:
            due_s = max(self.full_at_s, now_s) + 1 / self.per_s
            if due_s - now_s > 20 / self.per_s + 1e-9:
                self._refuse(429, due_s - now_s - 20 / self.per_s)
            self.full_at_s = due_s
        self.in_work += 1
        try:
            if number == self.bad:
                await asyncio.sleep(0.5)
                raise ValueError(number)
            await asyncio.sleep(random.Random(number).uniform(0.5, 1.5))
        finally:
            self.in_work -= 1
        self.answered += 1
        return 2 * number

    def _refuse(self, status: int, retry_after_s: float | None = None) -> None:
        self.refused += 1
        raise Busy(status, retry_after_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way of doing one piece of work, and what came of it.

    Args:
        work: The piece of work.
        way: Which way.
        answers: Answers in the program's hands at the end.
        sent: Requests sent.
        refused: Of them, refused.
        wall_s: Seconds, virtual, until the program went on.
        more: What else is to be seen.
    """

    work: str
    way: str
    answers: int
    sent: int
    refused: int
    wall_s: float
    more: str = ""

    def __str__(self) -> str:
        return (
            f"{self.work:24} {self.way:34} {self.answers:>8} {self.sent:>8} {self.refused:>8}"
            f" {self.wall_s:>8.1f} s  {self.more}"
        )


Way = Callable[[Service], Awaitable[list[Any]]]


def measure(work: str, way: str, service: Service, run: Way, more: str = "") -> Row:
    """Does a piece of work in virtual time."""

    async def main() -> tuple[list[Any], float]:
        began = asyncio.get_running_loop().time()
        answers = await run(service)
        return answers, asyncio.get_running_loop().time() - began

    answers, wall_s = run_virtual(main())
    return Row(
        work=work,
        way=way,
        answers=len([answer for answer in answers if isinstance(answer, int)]),
        sent=service.sent,
        refused=service.refused,
        wall_s=wall_s,
        more=more.format(service=service),
    )


def values(outcomes: Any) -> list[Any]:
    return [outcome.value for outcome in outcomes if outcome.ok]
