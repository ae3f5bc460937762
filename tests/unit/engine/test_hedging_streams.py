"""Hedging of streams: who shows the first token goes on alone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from fanwise.clock import LoopClock
from fanwise.engine.course import Course
from fanwise.engine.hedging import Hedging
from fanwise.records import Attempt, Delta, Response
from fanwise.retry.hedge import Hedge
from fanwise.testing.virtual import run_virtual
from support.scripted import answered


@dataclass(frozen=True, kw_only=True)
class FakeCall:
    on_delta: Any
    request: Any
    target: Any


class Streaming:
    """Sends that show tokens at given instants, and then answer."""

    def __init__(self, *tokens_at: tuple[float, ...]) -> None:
        self.tokens_at = list(tokens_at)
        self.cancelled: list[int] = []

    async def send(self, call: Any, course: Course, permit: Any) -> Response:
        number = 2 - len(self.tokens_at) + 1
        began = asyncio.get_running_loop().time()
        verdict: Any = "served"
        try:
            for at in self.tokens_at.pop(0):
                await asyncio.sleep(max(0.0, at - asyncio.get_running_loop().time()))
                call.on_delta(Delta(kind="token", text=f"{number}@{at} ", attempt=1))
        except asyncio.CancelledError:
            verdict = "cancelled"
            self.cancelled.append(number)
            raise
        finally:
            now = asyncio.get_running_loop().time()
            course.attempts.append(
                Attempt(number=1, verdict=verdict, queued_s=0, started_at=began, ended_at=now)
            )
        return answered(f"{number}")

    async def give_up(self, call: Any, course: Course, reply: Response | None) -> None:
        raise AssertionError


async def streamed(*tokens_at: tuple[float, ...]) -> tuple[Response, list[Delta], Streaming]:
    async def permit(call: Any, course: Course) -> None:
        return None

    shown: list[Delta] = []
    free: Any = SimpleNamespace(has_room=lambda _: True, likely_usd=lambda _: None)
    calm: Any = SimpleNamespace(calm=lambda _: True, permit=permit)
    hedge = Hedge(after_s=5.0, max_share=1.0)
    hedging = Hedging(hedge, admission=calm, spending=free, clock=LoopClock())
    sender = Streaming(*tokens_at)
    target = SimpleNamespace(pool=SimpleNamespace(dead=None))
    permitted: Any = None
    call: Any = FakeCall(on_delta=shown.append, request=SimpleNamespace(model="m"), target=target)
    course = Course(started_at=0.0)
    reply = await hedging.send(call, course, permitted, sender=sender)
    assert isinstance(reply, Response)
    return reply, shown, sender


def test_a_stream_that_has_shown_a_token_is_not_hedged_however_long_it_takes() -> None:
    async def main() -> None:
        reply, shown, sender = await streamed((4, 30, 60), (6,))
        assert reply.text == "1"
        assert [delta.text for delta in shown] == ["1@4 ", "1@30 ", "1@60 "]
        assert sender.cancelled == []

    run_virtual(main())


def test_of_two_streams_the_one_that_shows_the_first_token_goes_on_and_nothing_is_mixed() -> None:
    async def main() -> None:
        # The first one would end sooner, but what was shown is not taken back.
        reply, shown, sender = await streamed((9, 10), (8, 12))
        assert reply.text == "2"
        assert [(delta.text, delta.attempt) for delta in shown] == [("2@8 ", 2), ("2@12 ", 2)]
        assert sender.cancelled == [1]

    run_virtual(main())


def test_where_the_first_stream_speaks_after_all_the_hedge_is_cancelled() -> None:
    async def main() -> None:
        reply, shown, sender = await streamed((7, 40), (8, 9))
        assert reply.text == "1"
        assert [delta.attempt for delta in shown] == [1, 1]
        assert sender.cancelled == [2]

    run_virtual(main())
