"""What a settled permit changes for everybody else, and what the limiter tells of itself."""

import asyncio

import pytest

from fanwise.clock import LoopClock
from fanwise.errors import StateError
from fanwise.limits.limiter import Limiter
from fanwise.limits.settings import Limits
from fanwise.records import Cost, Usage, Verdict
from fanwise.testing.virtual import run_virtual

SERVED = Verdict(kind="served")
CANCELLED = Verdict(kind="cancelled")


def limiter(**limits):
    return Limiter(Limits(**limits), clock=LoopClock(), name="test")


def tokens(amount):
    return Cost(input_tokens=amount)


def now():
    return asyncio.get_running_loop().time()


async def held(limit, count):
    return [await limit.acquire() for _ in range(count)]


async def timed(limit, cost=Cost()):  # noqa: B008 - frozen
    permit = await limit.acquire(cost)
    return now(), permit


def test_a_second_settle_is_an_error_and_changes_nothing():
    async def main():
        limit = limiter(concurrency=2)
        first, second = await held(limit, 2)
        first.settle(SERVED)
        with pytest.raises(StateError, match="twice"):
            first.settle(SERVED)
        assert limit.in_flight == 1
        second.settle(SERVED)

    run_virtual(main())


def test_tokens_are_put_right_by_what_was_used():
    async def main():
        limit = limiter(tpm=60_000, burst_s=0)
        permit = await limit.acquire(Cost(input_tokens=1000, output_tokens=9000))
        waiting = asyncio.create_task(timed(limit, tokens(1)))
        await asyncio.sleep(0.5)
        permit.settle(SERVED, usage=Usage(input_tokens=900, output_tokens=100))
        at, second = await waiting
        assert at == pytest.approx(1.0)
        second.settle(SERVED)

    run_virtual(main())


def test_tokens_used_beyond_the_reservation_are_taken_too():
    async def main():
        limit = limiter(output_tpm=60_000, burst_s=0)
        permit = await limit.acquire(Cost(output_tokens=100))
        await asyncio.sleep(50)
        permit.settle(SERVED, usage=Usage(output_tokens=5100))
        at, second = await timed(limit, Cost(output_tokens=1))
        assert at == pytest.approx(55)
        second.settle(SERVED)

    run_virtual(main())


@pytest.mark.parametrize(
    ("verdict", "usage", "sent", "waits_s"),
    [
        (SERVED, Usage(), True, 10),
        (Verdict(kind="infrastructure"), Usage(), True, 10),
        (CANCELLED, Usage(), True, 10),
        (CANCELLED, Usage(), False, 0),
        (CANCELLED, Usage(input_tokens=2000), True, 2),
    ],
)
def test_what_is_unknown_stays_reserved_and_what_was_never_sent_does_not(
    verdict, usage, sent, waits_s
):
    async def main():
        limit = limiter(rpm=600_000, tpm=60_000, burst_s=0)
        permit = await limit.acquire(tokens(10_000))
        permit.settle(verdict, usage=usage, sent=sent)
        at, second = await timed(limit, tokens(1))
        assert at == pytest.approx(waits_s)
        second.settle(SERVED)

    run_virtual(main())


def test_an_unsent_request_gives_its_place_in_the_rate_back():
    async def main():
        limit = limiter(rpm=6, burst_s=0)
        (await limit.acquire()).settle(CANCELLED, sent=False)
        at, second = await timed(limit)
        assert at == 0
        second.settle(SERVED)

    run_virtual(main())


def test_a_refusal_pauses_everybody_for_a_moment():
    async def main():
        limit = limiter(concurrency=5)
        (permit,) = await held(limit, 1)
        permit.settle(Verdict(kind="rate", retry_after_s=30))
        waiting = asyncio.create_task(timed(limit))
        await asyncio.sleep(0.05)
        assert limit.waiting_by_cause() == {"retry wait": 1}
        at, second = await waiting
        assert at == 0.1
        assert second.cause == "retry wait"
        second.settle(SERVED)

    run_virtual(main())


def test_the_whole_retry_after_counts_once_the_next_requests_are_refused_too():
    async def main():
        limit = limiter(concurrency=5)
        for permit in await held(limit, 5):
            permit.settle(Verdict(kind="rate", retry_after_s=30))
        at, permit = await timed(limit)
        assert at == 0.1
        permit.settle(Verdict(kind="rate", retry_after_s=29.9))
        at, permit = await timed(limit)
        assert at == pytest.approx(1.1)
        permit.settle(Verdict(kind="rate", retry_after_s=28.9))
        at, permit = await timed(limit)
        assert at == pytest.approx(30)
        permit.settle(SERVED)
        assert limit.statistics().refused == 7

    run_virtual(main())


def test_a_server_that_says_nothing_left_is_believed_at_once():
    async def main():
        limit = limiter()
        (permit,) = await held(limit, 1)
        permit.settle(
            Verdict(kind="rate", retry_after_s=30),
            headers={
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "1m0s",
            },
        )
        at, permit = await timed(limit)
        assert at == 30
        permit.settle(SERVED)

    run_virtual(main())


def test_lost_capacity_pauses_longer_each_time():
    async def main():
        limit = limiter()
        times = []
        for _ in range(4):
            at, permit = await timed(limit)
            times.append(at)
            permit.settle(Verdict(kind="capacity"))
        assert times == pytest.approx([0, 0, 0.25, 0.75])

    run_virtual(main())


@pytest.mark.parametrize("kind", ["infrastructure", "terminal", "served", "cancelled"])
def test_other_ends_pause_nobody(kind):
    async def main():
        limit = limiter()
        (permit,) = await held(limit, 1)
        permit.settle(Verdict(kind=kind, retry_after_s=30))
        assert limit.has_room
        assert limit.statistics().refused == 0

    run_virtual(main())


def test_most_of_a_wait_names_its_cause():
    async def main():
        limit = limiter(concurrency=1, rpm=60, burst_s=0)
        (holder,) = await held(limit, 1)
        waiting = asyncio.create_task(timed(limit))
        await asyncio.sleep(0.7)
        assert limit.waiting_by_cause() == {"concurrency": 1}
        holder.settle(SERVED)
        assert limit.waiting_by_cause() == {"rate": 1}
        at, permit = await waiting
        assert at == pytest.approx(1.0)
        assert permit.cause == "concurrency"
        assert permit.queued_s == pytest.approx(1.0)
        permit.settle(SERVED)
        held_s = limit.statistics().held_s
        assert held_s["concurrency"] == pytest.approx(0.7)
        assert held_s["rate"] == pytest.approx(0.3)
        assert limit.waiting_by_cause() == {}

    run_virtual(main())


def test_one_wait_counts_only_its_own_share_of_the_causes():
    async def main():
        limit = limiter(concurrency=1)
        (holder,) = await held(limit, 1)
        early = asyncio.create_task(timed(limit))
        await asyncio.sleep(10)
        holder.settle(Verdict(kind="capacity", retry_after_s=1))
        late = asyncio.create_task(timed(limit))
        (await early)[1].settle(SERVED)
        assert (await late)[1].cause == "retry wait"
        assert early.result()[1].cause == "concurrency"
        late.result()[1].settle(SERVED)

    run_virtual(main())


def test_it_says_what_it_is_doing():
    async def main():
        limit = limiter(concurrency=1)
        (holder,) = await held(limit, 1)
        waiting = asyncio.create_task(limit.acquire())
        await asyncio.sleep(2)
        assert repr(limit) == "<Limiter test: 1 of 1 in flight, 1 waiting for concurrency>"
        assert repr(holder) == "<Permit held, waited 0.000 s for nothing>"
        holder.settle(SERVED)
        permit = await waiting
        permit.settle(SERVED)
        assert repr(permit) == "<Permit settled, waited 2.000 s for concurrency>"
        seen = limit.statistics()
        assert (seen.granted, seen.in_flight, seen.waiting, seen.queued_s) == (2, 0, 0, 2)

    run_virtual(main())
