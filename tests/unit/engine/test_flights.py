"""Equal calls under way share one send."""

from __future__ import annotations

import asyncio

import pytest

from fanwise.engine.flights import Flights
from fanwise.records import Response
from fanwise.testing.virtual import run_virtual


def test_equal_calls_share_one_flight_and_one_of_them_led_it() -> None:
    async def main() -> None:
        flights, sent = Flights(), 0

        async def send(_: None) -> Response:
            nonlocal sent
            sent += 1
            await asyncio.sleep(1)
            return Response(text="42")

        got = await asyncio.gather(*(flights.join("k", send, None) for _ in range(10)))
        assert sent == 1
        assert [led for _, led in got].count(True) == 1
        assert {response.text for response, _ in got} == {"42"}
        assert len(flights) == 0

    run_virtual(main())


def test_the_flight_goes_on_while_anybody_waits_even_without_its_leader() -> None:
    async def main() -> None:
        flights = Flights()

        async def send(_: None) -> Response:
            await asyncio.sleep(10)
            return Response(text="late")

        leader = asyncio.create_task(flights.join("k", send, None))
        await asyncio.sleep(0)
        follower = asyncio.create_task(flights.join("k", send, None))
        await asyncio.sleep(1)
        leader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leader
        response, led = await follower
        assert (response.text, led) == ("late", False)

    run_virtual(main())


def test_the_last_one_to_leave_cancels_the_flight_and_waits_for_its_end() -> None:
    async def main() -> None:
        flights, ended = Flights(), []

        async def send(_: None) -> Response:
            try:
                await asyncio.sleep(10)
            finally:
                ended.append(asyncio.get_running_loop().time())
            return Response(text="never")

        waiters = [asyncio.create_task(flights.join("k", send, None)) for _ in range(3)]
        await asyncio.sleep(1)
        for number, waiter in enumerate(waiters):
            assert not ended, f"cancelled while {3 - number} still waited"
            waiter.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiter
        assert ended == [1.0]
        await flights.aclose()
        assert len(asyncio.all_tasks()) == 1

    run_virtual(main())


def test_a_failed_flight_fails_everybody_who_waited_and_nobody_later() -> None:
    async def main() -> None:
        flights, calls = Flights(), 0

        async def send(_: None) -> Response:
            nonlocal calls
            calls += 1
            await asyncio.sleep(1)
            if calls == 1:
                raise OSError("reset")
            return Response(text="fine")

        got = await asyncio.gather(
            flights.join("k", send, None), flights.join("k", send, None), return_exceptions=True
        )
        assert [type(error) for error in got] == [OSError, OSError]
        response, led = await flights.join("k", send, None)
        assert (response.text, led) == ("fine", True)

    run_virtual(main())


def test_a_caller_who_leaves_at_once_leaves_nothing_behind() -> None:
    async def main() -> None:
        flights, ended = Flights(), []

        async def send(_: None) -> Response:
            await asyncio.sleep(1)
            ended.append(1)
            return Response(text="x")

        warm, _ = await flights.join("other", send, None)
        leaving = asyncio.create_task(flights.join("k", send, None))
        await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        await asyncio.sleep(5)
        assert (warm.text, ended, len(flights)) == ("x", [1], 0)
        again, led = await flights.join("k", send, None)
        assert (again.text, led) == ("x", True)

    run_virtual(main())


def test_closing_ends_flights_and_their_waiters() -> None:
    async def main() -> None:
        flights = Flights()

        async def send(_: None) -> Response:
            await asyncio.sleep(100)
            return Response(text="never")

        waiting = asyncio.create_task(flights.join("k", send, None))
        await asyncio.sleep(1)
        await flights.aclose()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert asyncio.get_running_loop().time() == 1.0
        assert len(asyncio.all_tasks()) == 1

    run_virtual(main())
