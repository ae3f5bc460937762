"""Takes a map's items through its modes: who may begin, what is run again, what is final.

Items reach it from the workers of a map, each in a task of its own that waits here for its turn.
In parallel an item begins at once; packed, when its pack is full or nothing more is to come; one
after another, when the one before has ended. Another mode begins only when whatever the one before
had begun has ended, so that what a report says of modes is so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from fanwise.engine.modes.choice import ModeTimes
from fanwise.engine.modes.entries import Entry, Group, Start, Way, Work
from fanwise.engine.modes.packs import Packer
from fanwise.engine.modes.report import ModeReport, Tally, report_of, used
from fanwise.engine.modes.settings import CHAIN, ModeOptions
from fanwise.engine.modes.succession import Succession
from fanwise.engine.modes.waiting import Waiting
from fanwise.errors import UsageError
from fanwise.records import Outcome

if TYPE_CHECKING:
    from fanwise.clock import Clock
    from fanwise.engine.modes.guarding import Guarding
    from fanwise.engine.ordering import Ahead
    from fanwise.engine.workers import Crew, Item, Room

_LOOK_AHEAD = 3


class Driver:
    """Modes of one map.

    Args:
        options: What the caller asked for.
        work: Carries out items and packs.
        room: What the limits say of more workers.
        clock: Time.
        concurrency: The most calls at once, as far as known.
        times: What calls and packs have taken; is added to.
        total: Items of the source, where known before it is read.
        guarding: Guardrails, where there are any.
        ahead: How far items may begin ahead of what is shown, where that has an end. Where it is
            reached nothing more comes for the moment: a pack goes as it is, and failures are
            judged.
        aligned: Whether packs are cut at fixed places of the source, whatever has passed by: a
            resumed run then asks in the packs that it asked in before.
    """

    def __init__(
        self,
        options: ModeOptions,
        *,
        work: Work,
        room: Room,
        clock: Clock,
        concurrency: Callable[[], float],
        times: ModeTimes,
        total: int | None,
        guarding: Guarding | None = None,
        ahead: Ahead | None = None,
        aligned: bool = False,
    ) -> None:
        self._options = options
        self._work = work
        self._room = room
        self._clock = clock
        self._times = times
        self._guarding = guarding
        self._ahead = ahead
        self._aligned = aligned
        self._packer = Packer(work.together, served=times.pack)
        self._tally = Tally()
        self._succession = Succession(
            options, clock=clock, concurrency=concurrency, times=times, total=total
        )
        self._watch = self._succession.watch
        self._crew: Crew | None = None
        self._current = self._succession.way  # in force; the succession's is asked for
        self._queue = Waiting(options.pack.size if options.pack else 1)
        self._running = 0
        self._groups = 0
        self._issued = self._arrived = 0
        self._turns: dict[str, int] = {}  # of items that are issued and have not arrived
        self._source_ended = self._stopped = False
        self._began = 0.0
        self._over_at: float | None = None

    # the source

    async def items(self, source: AsyncIterator[list[Item]]) -> AsyncIterator[list[Item]]:
        """The items as they come; before the first of them the mode is chosen."""
        try:
            seen: list[Item] = []
            ended = False
            total = self._succession.total
            while self._options.mode == "auto" and total is None and not ended:
                chunk = await anext(source, None)
                ended = chunk is None
                seen.extend(chunk or ())
                if len(seen) >= _LOOK_AHEAD:
                    break
            count = total if total is not None else len(seen) if ended else None
            forbidden = self._guarding.forbidden if self._guarding else ""
            self._current = self._succession.begin(count, forbidden=forbidden)
            if seen:
                yield self._issue(seen)
            if not ended:
                async for chunk in source:
                    yield self._issue(chunk)
        finally:
            close = getattr(source, "aclose", None)
            if close is not None:
                await close()
        self._source_ended = True
        self._look()

    def _issue(self, chunk: list[Item]) -> list[Item]:
        if self._aligned:
            for turn, item in enumerate(chunk, self._issued):
                self._turns[item.id] = turn
        self._issued += len(chunk)
        return chunk

    # one item

    async def run(self, entry: Entry) -> Outcome:
        """Brings an item to its one outcome.

        Raises:
            Whatever ends the whole map; an item's failure is an outcome.
        """
        self._arrive(entry)
        if self._guarding:
            self._guarding.check()
        start = await self._admitted(entry)
        while True:
            outcome = await self._carried_out(start, entry)
            self._ended(start, entry, outcome)
            again = await self._verdict(entry)
            if again is None:
                break
            entry.spend(outcome)
            self._tally.reruns += 1
            start = again
        outcome = entry.summed(outcome)
        label = used(start.way.mode, fallback=start.way.fallback)
        self._tally.final(label, ok=outcome.ok, service_s=outcome.service_s)
        if self._guarding:
            await self._guarding.note()
        return outcome

    def passed_by(self, entry: Entry) -> None:
        """An item needs no mode: it is answered from what is known.

        Where packs are cut at fixed places it stays a member of its pack, so that this one, if any
        other item of it is still to be done, is the very request whose answer may be known.
        """
        self._arrive(entry)
        if self._cuts():
            entry.silent = True
            self._queue.push(entry)
        self._look()

    def _arrive(self, entry: Entry) -> None:
        entry.turn = self._turns.pop(entry.id) if self._aligned else self._arrived
        self._arrived += 1
        if self._cuts():
            self._queue.present(entry)

    async def _admitted(self, entry: Entry) -> Start:
        way = self._current
        if way.mode == "parallel" and way is self._wanted() and not self._queue and self._free():
            self._running += 1
            return Start(way)
        entry.waker = asyncio.get_running_loop().create_future()
        self._queue.push(entry)
        self._advance()
        start = await self._verdict(entry)
        assert start is not None
        return start

    async def _verdict(self, entry: Entry) -> Start | None:
        """Waits for what becomes of an entry: a start, or ``None`` where its end is final."""
        waker = entry.waker
        if waker is None:
            return None
        try:
            return await waker
        except BaseException:
            if waker.done() and not waker.cancelled() and (start := waker.result()) is not None:
                self._abandon(start, entry, None)
            raise
        finally:
            entry.waker = None

    async def _carried_out(self, start: Start, entry: Entry) -> Outcome:
        group = start.group
        try:
            if group is None:
                outcome = await self._work.alone(entry)
                if outcome.ok:
                    self._times.call(outcome.service_s)
                return outcome
            if entry is not group.asker:
                return await group.answers[entry.turn]
            outcomes = await self._packer.answer(group.entries)
        except BaseException as error:
            self._abandon(start, entry, error)
            raise
        self._groups -= 1
        own: Outcome | None = None
        for member, outcome in zip(group.entries, outcomes, strict=True):
            answer = group.answers.get(member.turn)
            if member is entry:
                own = outcome
            elif answer is not None and not answer.done():
                answer.set_result(outcome)
        assert own is not None
        return own

    def _abandon(self, start: Start, entry: Entry, error: BaseException | None) -> None:
        """An entry was begun and leaves without an end: cancelled, drained, or fatal."""
        self._running -= 1
        group = start.group
        if group is not None and entry is group.asker:
            self._groups -= 1
            for answer in group.answers.values():
                if answer.done():
                    continue
                if error is None or isinstance(error, asyncio.CancelledError):
                    answer.cancel()
                else:
                    answer.set_exception(error)
                    answer.exception()  # whoever still waits raises it; nobody else need be told
        self._look()

    # what an end means

    def _ended(self, start: Start, entry: Entry, outcome: Outcome) -> None:
        self._running -= 1
        self._succession.ended(start.way, outcome)
        if self._options.fallback is not None:
            self._record(start, entry, outcome)
        if self._guarding:
            self._guarding.ended(ok=outcome.ok, running=self._running)
        self._look()

    def _record(self, start: Start, entry: Entry, outcome: Outcome) -> None:
        again = not (
            outcome.ok
            or self._stopped
            or isinstance(outcome.error, UsageError)
            or self._options.next_mode(start.way.mode) is None
        )
        if again:
            entry.waker = asyncio.get_running_loop().create_future()
        way = self._succession.way
        if start.way is not way:
            if again:
                if CHAIN.index(way.mode) > CHAIN.index(start.way.mode):
                    self._queue.push(entry)  # the mode it failed in has been left meanwhile
                else:
                    entry.tell(None)
            return
        final = self._watch.add(ok=outcome.ok, held=entry if again else None)
        if final is not None:
            final.tell(None)

    def _look(self) -> None:
        """After every change: is the mode to be left, is it over, and who may begin?"""
        over = self._is_over()
        if not self._stopped:
            again = self._succession.look(
                over=over, coming=not self._nothing_comes(), final=self._tally.ended
            )
            for entry in again:
                self._queue.push(entry)
            over = over and not self._queue
        if over or self._stopped:
            for entry in self._watch.take():
                entry.tell(None)
        self._advance()
        if self._watch.held and self._is_over():
            self._look()  # all that was left in the queue was silent
        elif self._crew is not None:
            self._crew.kick()

    def _is_over(self) -> bool:
        return self._nothing_comes() and not self._running and not self._queue

    def _nothing_comes(self) -> bool:
        if self._stopped:
            return True
        held = self._ahead is not None and self._ahead.closed
        return (self._source_ended or held) and self._arrived == self._issued

    # who may begin

    def _wanted(self) -> Way:
        way = self._succession.way
        if self._guarding is not None and way.mode != "sequential":
            return self._guarding.way or way
        return way

    def _advance(self) -> None:
        wanted = self._wanted()
        if wanted is not self._current:
            if self._running:
                return
            self._current = wanted
        queue = self._queue
        if wanted.mode == "batch":
            while queue.full(cut=self._cuts(), nothing_comes=self._nothing_comes()):
                self._start_group()
            return
        while queue and ((wanted.mode == "parallel" and self._free()) or not self._running):
            self._running += queue.pop().tell(Start(wanted))

    def _free(self) -> bool:
        return self._guarding is None or self._guarding.free(self._running)

    def _cuts(self) -> bool:
        """Whether packs are cut at fixed places of the source."""
        way = self._succession.way
        return self._aligned and way.mode == "batch" and not way.fallback

    def _start_group(self) -> None:
        entries = self._queue.take(cut=self._cuts())
        waiting = [entry for entry in entries if not entry.silent]
        if not waiting:
            return
        loop = asyncio.get_running_loop()
        answers = {entry.turn: loop.create_future() for entry in waiting[1:]}
        start = Start(self._current, Group(entries, waiting[0], answers))
        self._groups += 1
        for entry in waiting:
            self._running += entry.tell(start)

    # room for workers

    def has_room(self) -> bool:
        """Whether one more worker would be of use."""
        wanted = self._wanted()
        if wanted is not self._current or wanted.mode == "sequential" or not self._free():
            return not self._queue
        return self._room.has_room()

    def max_workers(self) -> int:
        """Most workers: those of the limits, and whoever only waits for a verdict or a pack."""
        members = max(0, self._running - self._groups) if self._groups else 0
        return self._room.max_workers() + len(self._queue) + self._watch.held + members

    # the block

    def opened(self, crew: Crew) -> Callable[[], None]:
        """The map is entered; returns what ends it."""
        self._crew = crew
        crew.on_stop = self.stop
        if self._ahead is not None:
            self._ahead.on_closed = self._look
        self._began = self._clock.monotonic()
        unwatch = self._guarding.watch(self._look) if self._guarding else _nothing

        def closed() -> None:
            self._over_at = self._clock.monotonic()
            self._succession.close()
            self._crew = None
            unwatch()

        return closed

    def stop(self) -> None:
        """Nothing more comes, and nothing is run again: what has been held back is final."""
        self._stopped = True
        self._look()

    def report(self) -> ModeReport:
        """What the modes did, to this instant."""
        way = self._current
        now = self._began if self._crew is None else self._clock.monotonic()
        wall_s = (now if self._over_at is None else self._over_at) - self._began
        return report_of(
            self._tally,
            self._packer.count,
            present=used(way.mode, fallback=way.fallback),
            reason=self._succession.reason,
            fallback_reason=self._succession.fallback_reason,
            peak_at_once=self._work.peak,
            wall_s=wall_s,
            degraded=tuple(self._guarding.reasons) if self._guarding else (),
        )


def _nothing() -> None:
    """There is nothing to end."""
