"""Each safeguard of what runs things together is taken out once: the fuzz has to notice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest

import fanwise as fw
from fanwise.engine import runner
from fanwise.engine.together import background, gathering, parallel, race
from fanwise.engine.together.scope import Scope
from fanwise.engine.workers import Crew
from fanwise.limits.limiter import Limiter
from fanwise.limits.permit import Permit
from support.together.play import CHUNK, CHUNKS, played
from support.together.world import Broken

pytestmark = pytest.mark.usefixtures("quiet")

Patch = Callable[[pytest.MonkeyPatch], None]


def losers_are_not_awaited(patch: pytest.MonkeyPatch) -> None:
    async def end(self: Scope) -> None:
        for task in tuple(self._tasks):
            task.cancel()

    patch.setattr(Scope, "end", end)


def losers_are_not_cancelled(patch: pytest.MonkeyPatch) -> None:
    async def end(self: Scope) -> None:
        self.ending = True
        while self._tasks:
            await asyncio.wait(self._tasks)

    patch.setattr(Scope, "end", end)


def cancellation_of_the_clean_up_is_swallowed(patch: pytest.MonkeyPatch) -> None:
    end = Scope.end

    async def deaf(self: Scope) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await end(self)

    patch.setattr(Scope, "end", deaf)


def a_map_that_is_cancelled_twice_leaves_its_workers(patch: pytest.MonkeyPatch) -> None:
    async def end(self: Crew) -> None:
        self.stop()
        for task in tuple(self._tasks):
            task.cancel()
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))

    patch.setattr(Crew, "end", end)


def the_cancelled_keep_their_permits(patch: pytest.MonkeyPatch) -> None:
    settle = Permit.settle

    def forgets(self: Permit, verdict: Any, **details: Any) -> None:
        if verdict.kind != "cancelled":
            settle(self, verdict, **details)

    patch.setattr(Permit, "settle", forgets)


class _Careless(gathering.Gathering):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "decides": lambda _: True})


def a_failure_wins_a_race(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(race, "Gathering", _Careless)
    patch.setattr(race, "all_failed", lambda *_: Broken("no winner"))


class _Patient(gathering.Gathering):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "decides": lambda _: False})


def the_first_failure_ends_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(parallel, "Gathering", _Patient)


def a_failure_passes_for_a_value(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(parallel, "_failed", lambda _: False)


def the_next_start_is_not_called_off(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gathering.Gathering, "_stop_starting", lambda _: None)


def a_chain_goes_on_after_its_cancellation(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(race, "cancel_requests", lambda: 0)


def an_item_that_cancels_itself_takes_its_worker_along(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(runner, "cancel_requests", lambda: 1)


def every_cancellation_counts_as_a_failure(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(runner, "cancel_requests", lambda: 0)


def background_work_is_not_drained(patch: pytest.MonkeyPatch) -> None:
    async def drain(self: fw.Background, patience_s: float) -> None:
        return

    patch.setattr(background.Background, "_drain", drain)


def a_place_dies_with_the_one_who_waited_for_it(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(background.Background, "_release", lambda _: None)


def abandoned_work_is_not_counted(patch: pytest.MonkeyPatch) -> None:
    done = background.Background._done

    def forgets(self: Any, job: Any, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            done(self, job, task)

    patch.setattr(background.Background, "_done", forgets)


@pytest.mark.parametrize(
    "sabotage",
    [
        losers_are_not_awaited,
        losers_are_not_cancelled,
        cancellation_of_the_clean_up_is_swallowed,
        a_map_that_is_cancelled_twice_leaves_its_workers,
        the_cancelled_keep_their_permits,
        a_failure_wins_a_race,
        the_first_failure_ends_nothing,
        a_failure_passes_for_a_value,
        the_next_start_is_not_called_off,
        a_chain_goes_on_after_its_cancellation,
        an_item_that_cancels_itself_takes_its_worker_along,
        every_cancellation_counts_as_a_failure,
        background_work_is_not_drained,
        a_place_dies_with_the_one_who_waited_for_it,
        abandoned_work_is_not_counted,
    ],
)
def test_the_fuzz_notices_a_missing_safeguard(
    sabotage: Patch, limiters: list[Limiter], monkeypatch: pytest.MonkeyPatch
) -> None:
    sabotage(monkeypatch)
    with pytest.raises(Broken):
        for seed in range(CHUNKS * CHUNK):
            played(seed, limiters)
