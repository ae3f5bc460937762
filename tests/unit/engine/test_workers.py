"""The crew: one pump, elastic workers, bounded buffers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from fanwise.engine.mapping import Map
from fanwise.engine.sources import chunks_of
from fanwise.engine.workers import Crew, Item
from fanwise.errors import ConfigError, OperationCancelled, StateError, UsageError
from fanwise.records import Outcome
from fanwise.testing.virtual import run_virtual


class Slots:
    """Room for ``limit`` workers at once, as a limiter would say it."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.busy = 0
        self.peak = 0
        self.waiting: list[asyncio.Future[None]] = []

    def has_room(self) -> bool:
        return not self.waiting

    def max_workers(self) -> int:
        return 4 * self.limit + 64

    async def acquire(self) -> None:
        if self.busy >= self.limit:
            future = asyncio.get_running_loop().create_future()
            self.waiting.append(future)
            try:
                await future
            except asyncio.CancelledError:
                if future in self.waiting:
                    self.waiting.remove(future)
                else:
                    self.release()
                raise
        else:
            self.busy += 1
        self.peak = max(self.peak, self.busy)

    def release(self) -> None:
        if self.waiting:
            self.waiting.pop(0).set_result(None)
        else:
            self.busy -= 1


def outcome(item: Item, value: object = None) -> Outcome:
    return Outcome(item_id=item.id, ok=True, value=value, position=item.position)


async def in_chunks(source: object, size: int = 8) -> AsyncIterator[list[Item]]:
    position = 0
    async for chunk in chunks_of(source, size=size):
        items = []
        for value in chunk:
            items.append(Item(str(value), position, value))
            position += 1
        yield items


def make_map(source: object, handle, slots: Slots, *, ordered: bool = False) -> Map:
    crews: list[Crew] = []

    def opened(crew: Crew):
        crews.append(crew)
        return lambda: None

    made = Map(lambda: in_chunks(source), handle, room=slots, opened=opened, ordered=ordered)
    made.crews = crews  # type: ignore[attr-defined]
    return made


def working(slots: Slots, *, service_s: float = 1.0):
    async def handle(item: Item) -> Outcome:
        await slots.acquire()
        try:
            await asyncio.sleep(service_s)
        finally:
            slots.release()
        return outcome(item, item.value)

    return handle


@pytest.mark.parametrize("limit", [1, 7, 200])
def test_workers_grow_to_the_limit_and_no_further(limit: int) -> None:
    async def main() -> float:
        slots = Slots(limit)
        got = await make_map(range(1000), working(slots), slots).collect()
        assert sorted(o.value for o in got) == list(range(1000))
        assert slots.peak == limit
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == pytest.approx(-(-1000 // limit) * 1.0)


def test_outcomes_come_in_the_order_of_the_source_when_asked_for() -> None:
    async def main() -> None:
        slots = Slots(10)

        async def handle(item: Item) -> Outcome:
            await slots.acquire()
            await asyncio.sleep((item.value * 7919) % 13)
            slots.release()
            return outcome(item, item.value)

        got = await make_map(range(300), handle, slots, ordered=True).collect()
        assert [o.value for o in got] == list(range(300))

    run_virtual(main())


def test_a_slow_reader_slows_the_source_down() -> None:
    async def main() -> None:
        slots = Slots(4)
        read = 0

        async def source() -> AsyncIterator[int]:
            nonlocal read
            while True:
                yield read
                read += 1

        async def handle(item: Item) -> Outcome:
            return outcome(item)

        async with make_map(source(), handle, slots) as outcomes:
            taken = 0
            async for _ in outcomes:
                await asyncio.sleep(1)
                taken += 1
                if taken == 20:
                    break
        # What was read beyond what was taken is held by buffers: 256 done, 64 waiting, the workers.
        assert read <= 20 + 256 + 64 + slots.max_workers() + 8

    run_virtual(main())


def test_leaving_the_block_early_leaves_no_task_behind() -> None:
    async def main() -> None:
        slots = Slots(50)
        before = len(asyncio.all_tasks())
        async with make_map(range(10_000), working(slots), slots) as outcomes:
            async for _ in outcomes:
                break
        assert len(asyncio.all_tasks()) == before
        assert slots.busy == 0

    run_virtual(main())


def test_cancellation_from_outside_gets_through_and_ends_the_work() -> None:
    async def main() -> None:
        slots = Slots(5)
        task = asyncio.create_task(_collect(make_map(range(10_000), working(slots), slots)))
        await asyncio.sleep(3.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(asyncio.all_tasks()) == 1
        assert slots.busy == 0

    run_virtual(main())


async def _collect(made: Map) -> object:
    return await made.collect()


def test_an_error_of_the_source_is_raised_after_what_was_finished() -> None:
    async def main() -> None:
        slots = Slots(5)

        def source() -> Iterator[int]:
            yield from range(10)
            raise OSError("the disk went away")

        got = []

        async def items() -> AsyncIterator[int]:
            for value in source():
                yield value

        with pytest.raises(OSError, match="disk went away"):
            async with make_map(items(), working(slots), slots) as outcomes:
                async for one in outcomes:
                    got.append(one.value)
        assert len(asyncio.all_tasks()) == 1
        assert set(got) <= set(range(10))

    run_virtual(main())


def test_a_source_that_ends_as_cancelled_is_an_error_and_not_an_end() -> None:
    async def main() -> None:
        slots = Slots(4)

        async def source() -> AsyncIterator[int]:
            yield 1
            lost: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            lost.cancel()
            yield await lost

        async with make_map(source(), working(slots), slots) as outcomes:
            with pytest.raises(OperationCancelled, match="source of items ended as cancelled"):
                [outcome async for outcome in outcomes]

    run_virtual(main())


def test_place_for_one_more_outcome_wakes_one_worker_that_waits_for_it() -> None:
    async def main() -> None:
        crew_of: list[Crew] = []
        slots = Slots(600)

        def opened(crew: Crew):
            crew_of.append(crew)
            return lambda: None

        made = Map(lambda: in_chunks(range(600)), working(slots), room=slots, opened=opened)
        async with made as outcomes:
            await asyncio.sleep(5)
            full = crew_of[0]._full
            waiting = len(full)
            assert waiting > 10  # the buffer is full, and nobody reads
            for taken in range(1, 6):
                await anext(outcomes)
                assert len(full) == waiting - taken

    run_virtual(main())


def test_an_error_of_the_handler_ends_the_map_with_that_error() -> None:
    async def main() -> None:
        slots = Slots(5)

        async def handle(item: Item) -> Outcome:
            await asyncio.sleep(item.value)
            if item.value == 3:
                raise ZeroDivisionError
            return outcome(item, item.value)

        got = []
        with pytest.raises(ZeroDivisionError):
            async with make_map(range(100), handle, slots) as outcomes:
                async for one in outcomes:
                    got.append(one.value)
        assert got == [0, 1, 2]

    run_virtual(main())


def test_stopping_lets_started_items_end_and_starts_no_other() -> None:
    async def main() -> None:
        slots = Slots(5)
        made = make_map(range(1000), working(slots), slots)
        got = []
        async with made as outcomes:
            async for one in outcomes:
                got.append(one.value)
                made.crews[0].stop()  # type: ignore[attr-defined]
        # Five in flight, one that waited for a slot, and five that were taken in the same instant.
        assert len(got) == 11
        assert not made.crews[0].exhausted  # type: ignore[attr-defined]

    run_virtual(main())


def test_iterating_a_map_that_was_not_entered_says_how_to_enter_it() -> None:
    async def main() -> None:
        slots = Slots(1)
        made = make_map([1], working(slots), slots)
        with pytest.raises(UsageError, match="async with"):
            async for _ in made:
                pass
        await made.collect()
        with pytest.raises(StateError, match="once"):
            await made.collect()

    run_virtual(main())


async def test_a_blocking_generator_is_read_in_a_thread_and_only_as_far_as_needed() -> None:
    read = 0

    def source() -> Iterator[int]:
        nonlocal read
        while True:
            read += 1
            yield read

    chunks = chunks_of(source(), size=8)
    first = await anext(chunks)
    second = await anext(chunks)
    assert [*first, *second] == list(range(1, len(first) + len(second) + 1))
    await chunks.aclose()  # type: ignore[attr-defined]
    assert read <= len(first) + len(second) + 2 * 8 + 2


async def test_an_error_in_a_blocking_generator_reaches_its_reader() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise ValueError("line 2 is no JSON")

    got: list[int] = []
    with pytest.raises(ValueError, match="line 2"):
        async for chunk in chunks_of(source(), size=4):
            got.extend(chunk)
    assert got == [1]


@pytest.mark.parametrize("source", ["one string", b"bytes", 7, None])
def test_what_cannot_be_a_source_is_refused(source: object) -> None:
    with pytest.raises(ConfigError, match="source of items"):
        chunks_of(source, size=1)


def test_a_map_gets_its_turn_where_others_never_leave_room() -> None:
    async def main() -> None:
        slots = Slots(1)
        await slots.acquire()
        waits = asyncio.ensure_future(slots.acquire())
        await asyncio.sleep(0)
        assert not slots.has_room()

        async def handle(item: Item) -> Outcome:
            await slots.acquire()
            slots.release()
            return outcome(item)

        crew = Crew(in_chunks(range(3)), handle, room=slots)
        crew.start()
        asyncio.get_running_loop().call_later(5, slots.release)
        asyncio.get_running_loop().call_later(9, slots.release)
        assert [await crew.next_outcome() for _ in range(3)][-1] is not None
        await waits
        await crew.end()

    run_virtual(main())
