"""One timer for every deadline of every exchange, in virtual time."""

from __future__ import annotations

import asyncio
import math

from fanwise.models.http.fast_deadlines import Deadlines
from fanwise.records import Timeouts
from fanwise.testing.virtual import run_virtual

LIMITS = Timeouts(first_byte_s=10, between_chunks_s=3, attempt_s=60)


class Watch:
    """Deadlines, what passed, and how often a timer was set."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.passed: list[tuple[float, str, float]] = []
        self.deadlines = Deadlines(
            loop=self.loop,
            on_passed=lambda phase, limit_s: self.passed.append((self.now, phase, limit_s)),
        )

    @property
    def now(self) -> float:
        return round(self.loop.time(), 1)

    def begin(self, limits: Timeouts = LIMITS, *, started_s: float = 0.0) -> None:
        now = self.loop.time()
        self.deadlines.begin(limits, started_at=now - started_s, now=now)

    def hear(self) -> None:
        self.deadlines.mark_at = self.loop.time()
        self.deadlines.answer_goes_on()


def test_the_first_byte_is_late() -> None:
    async def main() -> None:
        watch = Watch()
        watch.begin()
        await asyncio.sleep(100)
        assert watch.passed == [(10.0, "first_byte", 10)]

    run_virtual(main())


def test_silence_between_chunks_counts_from_the_last_chunk() -> None:
    async def main() -> None:
        watch = Watch()
        watch.begin()
        for _ in range(5):
            await asyncio.sleep(2)
            watch.hear()
        await asyncio.sleep(100)
        assert watch.passed == [(13.0, "between_chunks", 3)]

    run_virtual(main())


def test_the_attempt_ends_although_chunks_keep_coming() -> None:
    async def main() -> None:
        watch = Watch()
        watch.begin(started_s=20)
        for _ in range(45):
            await asyncio.sleep(1)
            watch.hear()
            if watch.passed:
                break
        assert watch.passed == [(40.0, "attempt", 60)]

    run_virtual(main())


def test_what_moves_while_a_request_is_sent_puts_the_first_byte_off() -> None:
    async def main() -> None:
        watch = Watch()
        watch.begin()
        for _ in range(4):
            await asyncio.sleep(9)
            watch.deadlines.mark_at = watch.loop.time()  # another part has been written
        await asyncio.sleep(100)
        assert watch.passed == [(46.0, "first_byte", 10)]

    run_virtual(main())


def test_a_reader_that_holds_the_answer_back_stops_all_but_the_attempt() -> None:
    async def main() -> None:
        watch = Watch()
        watch.begin()
        watch.hear()
        watch.deadlines.held = True
        await asyncio.sleep(30)
        assert watch.passed == []
        watch.deadlines.held = False
        watch.hear()
        await asyncio.sleep(2)
        watch.deadlines.held = True
        await asyncio.sleep(100)
        assert watch.passed == [(60.0, "attempt", 60)]

    run_virtual(main())


def test_an_exchange_that_has_ended_is_left_alone() -> None:
    async def main() -> None:
        watch = Watch()
        watch.begin()
        watch.deadlines.end()
        await asyncio.sleep(100)
        watch.begin()
        watch.deadlines.cancel()
        await asyncio.sleep(100)
        assert watch.passed == []

    run_virtual(main())


def test_the_next_exchange_has_deadlines_of_its_own() -> None:
    async def main() -> None:
        watch = Watch()
        watch.begin(Timeouts(first_byte_s=50))
        await asyncio.sleep(1)
        watch.deadlines.end()
        watch.begin(Timeouts(first_byte_s=2))
        await asyncio.sleep(1.5)
        assert watch.passed == []
        await asyncio.sleep(100)
        assert watch.passed == [(3.0, "first_byte", 2)]

    run_virtual(main())


def test_calls_in_time_set_hardly_any_timers() -> None:
    """A thousand calls of 100 ms under a deadline of 10 s: one timer in ten seconds."""

    async def main() -> None:
        watch = Watch()
        set_timers = 0
        call_at = watch.loop.call_at

        def counting(*args: object, **options: object) -> asyncio.TimerHandle:
            nonlocal set_timers
            set_timers += 1
            return call_at(*args, **options)  # type: ignore[arg-type]

        for _ in range(1000):
            watch.loop.call_at = counting  # type: ignore[method-assign]
            watch.begin()
            watch.deadlines.end()
            watch.loop.call_at = call_at  # type: ignore[method-assign]
            await asyncio.sleep(0.1)
        assert set_timers <= 11
        assert watch.passed == []

    run_virtual(main())


def test_infinite_deadlines_set_no_timer() -> None:
    async def main() -> None:
        watch = Watch()
        watch.begin(Timeouts(first_byte_s=math.inf, between_chunks_s=math.inf, attempt_s=math.inf))
        watch.hear()
        await asyncio.sleep(10**6)
        assert watch.passed == []

    run_virtual(main())


def test_an_answer_that_lies_in_the_socket_wins_over_its_deadline() -> None:
    """The loop was busy: the timer is due, and so is the answer, which it has not read yet."""

    async def main() -> None:
        watch = Watch()
        watch.begin()
        # Read in the same turn of the loop in which the deadline is seen to have passed.
        watch.loop.call_at(10.0, lambda: watch.loop.call_soon(watch.hear))
        await asyncio.sleep(12)
        assert watch.passed == []
        await asyncio.sleep(100)
        assert watch.passed == [(13.0, "between_chunks", 3)]

    run_virtual(main())
