"""Carries accepted work out: so many runs at once, the interactive ones first, each to its end
whether or not anybody looks on; and goes on with what a stopped or killed service left.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import structlog

import fanwise as fw
from fanwise.clock import Clock, new_run_id
from fanwise.ending import end_all
from fanwise.errors import BudgetExhausted, FanwiseError, InvalidFields, QueueFull, StateError
from fanwise.pipelines import Event, Job, Pipeline
from fanwise.service.accepted import OPEN_STATES, Accepted, Ledger
from fanwise.service.active import Active
from fanwise.service.logs import places
from fanwise.service.options import Priority, RunOptions
from fanwise.service.problems import NotFound
from fanwise.service.usage import Usage, held_to

if TYPE_CHECKING:
    from fanwise.journal.home import Home
    from fanwise.records import Json

_MOST_WAITING = 10_000
COMMAND = "serve"

Resolve = Callable[[Pipeline, Mapping[str, "Json"]], Awaitable[Mapping[str, "Json"]]]

log = structlog.get_logger("fanwise.service")


class Supervisor:
    """The service's runs.

    Args:
        home: Where runs are.
        ledger: What was accepted.
        usage: What each token may spend.
        pipelines: What can be asked for, by name.
        clock: Time.
        max_active: Runs under way at once.
        chance: For ids of runs.
        resolve: Puts the paths of uploads where a job's fields name them.
        open_run: Opens a run; ``fw.open_run`` but in tests.
    """

    def __init__(
        self,
        home: Home,
        ledger: Ledger,
        *,
        usage: Usage,
        pipelines: Mapping[str, Pipeline],
        clock: Clock,
        max_active: int,
        resolve: Resolve,
        chance: random.Random | None = None,
        open_run: Callable[..., Any] = fw.open_run,
    ) -> None:
        self._home = home
        self._ledger = ledger
        self._usage = usage
        self._pipelines = pipelines
        self._clock = clock
        self._resolve = resolve
        self._chance = chance or random.Random()
        self._open_run = open_run
        self.on_begin: Callable[[str], None] = _nothing
        self.extras: Callable[[str], Awaitable[Mapping[str, Any]]] = _no_extras
        self.on_end: Callable[[Accepted], Awaitable[None]] = _nothing_follows
        self._order = itertools.count()
        self._waiting: asyncio.PriorityQueue[tuple[int, int, str]] = asyncio.PriorityQueue()
        self._all: dict[str, Active] = {}
        self._room = asyncio.Semaphore(max_active)
        self._pump: asyncio.Task[None] | None = None
        self._stopping = False

    def __repr__(self) -> str:
        return f"<Supervisor: {self.running} running, {self.waiting} waiting>"

    @property
    def running(self) -> int:
        """Runs under way."""
        return sum(1 for active in self._all.values() if active.task is not None)

    @property
    def waiting(self) -> int:
        """Runs accepted that wait for their turn."""
        return len(self._all) - self.running

    @property
    def stopping(self) -> bool:
        """Whether no further run is begun."""
        return self._stopping

    def active(self, run_id: str) -> Active | None:
        """A run under way or waiting here; ``None`` for any other."""
        return self._all.get(run_id)

    async def start(self) -> None:
        """Goes on with everything that was accepted and has not ended."""
        for accepted in await self._ledger.listed(OPEN_STATES):
            self._enqueue(accepted)
        self._pump = asyncio.create_task(self._pumping(), name="service runs")

    async def submit(
        self,
        *,
        pipeline: str,
        fields: Mapping[str, Json],
        options: RunOptions,
        caller: str,
        priority: Priority = "background",
        idempotency_key: str | None = None,
    ) -> Accepted:
        """Accepts work: once this returns it is durable, and is carried out whatever happens.

        Raises:
            NotFound: There is no such pipeline.
            InvalidFields: Fields of the job are wrong; nothing was kept.
            QueueFull: Too much waits already.
            QuotaExhausted: The caller's month cannot cover it.
            StateError: The service is stopping.
        """
        if self._stopping:
            raise StateError("the service is stopping", hint="ask again when it is back")
        if self.waiting >= _MOST_WAITING:
            raise QueueFull(f"{_MOST_WAITING} runs wait already", hint="try again later")
        await self.job(pipeline, fields)
        options.settings()
        now = self._clock.wall()
        asked = {"pipeline": pipeline, "job": fields, "options": options.stored()}
        bounds = await self._usage.bounds(caller, pipeline, fields, options)
        options = held_to(options, bounds.units)
        new = Accepted(
            run_id=new_run_id(pipeline, wall_s=now, chance=self._chance),
            pipeline=pipeline,
            job=fields,
            options=options.stored(),
            priority=priority,
            caller=caller,
            state="accepted",
            created_at=now,
            updated_at=now,
            idempotency_key=idempotency_key,
            fingerprint=_fingerprint(asked),
        )
        reserve = self._usage.reserving(new.run_id, caller, bounds)
        accepted = await self._ledger.accept(new, also=reserve)
        if accepted is new:
            self._enqueue(accepted)
        return accepted

    def pipeline(self, name: str) -> Pipeline:
        """A pipeline by name.

        Raises:
            NotFound: There is none.
        """
        found = self._pipelines.get(name)
        if found is None:
            known = ", ".join(sorted(self._pipelines))
            raise NotFound(f"there is no pipeline called {name!r}", hint=f"known are {known}")
        return found

    async def job(self, name: str, fields: Mapping[str, Json]) -> Job:
        """The job that fields describe, its uploads found.

        Raises:
            NotFound: There is no such pipeline or upload.
            InvalidFields: Fields are wrong.
        """
        pipeline = self.pipeline(name)
        return pipeline.job_type.from_json(await self._resolve(pipeline, fields))

    async def again(self, accepted: Accepted, *, options: RunOptions | None = None) -> None:
        """Goes on with work that has ended or was stopped: what failed is sent again.

        Raises:
            StateError: It is under way.
        """
        if accepted.run_id in self._all:
            raise StateError(f"run {accepted.run_id} is under way", hint="wait until it has ended")
        given = options or RunOptions.model_validate(accepted.options)
        changed = (await self._usage.again(accepted.run_id, given)).stored()
        await self._ledger.becomes(
            accepted.run_id, "accepted", now=self._clock.wall(), options=changed
        )
        self._enqueue(
            replace(
                accepted,
                state="accepted",
                options=changed,
                result=None,
                error=None,
            )
        )

    async def change(self, accepted: Accepted, options: RunOptions) -> None:
        """Other options for work, from the next time that its run is opened."""
        active = self._all.get(accepted.run_id)
        if active is not None:
            await self._usage.again(accepted.run_id, options)
        stored = options.stored()
        if active is not None:
            active.accepted = replace(active.accepted, options=stored)
        await self._ledger.reoption(accepted.run_id, stored, now=self._clock.wall())

    async def withdraw(self, run_id: str) -> bool:
        """Takes back work that has not begun; says whether there was such."""
        active = self._all.get(run_id)
        if active is None or active.task is not None:
            return False
        del self._all[run_id]
        await self._ended(active, "cancelled")
        active.gone = True
        active.wake()
        return True

    async def cancel(self, run_id: str) -> bool:
        """Ends work of this service for good; what was paid for is kept.

        Returns:
            Whether it was under way or waiting here.
        """
        active = self._all.get(run_id)
        if active is None:
            return False
        if not await self.withdraw(run_id):
            active.cancelled = True
            if active.run is not None:
                active.run.cancel()
        return True

    async def stop(self, *, drain_s: float) -> None:
        """Begins nothing more, lets calls in flight end, and leaves the rest for the next start."""
        self._stopping = True
        if self._pump is not None:
            await end_all([self._pump])
        tasks = [active.task for active in self._all.values() if active.task is not None]
        for active in self._all.values():
            if active.run is not None and not active.run.draining:
                active.run.drain()
        if tasks:
            await asyncio.wait(tasks, timeout=drain_s)
        await end_all(tasks)

    # within

    def _enqueue(self, accepted: Accepted) -> None:
        self._all[accepted.run_id] = Active(accepted=accepted)
        ahead = 0 if accepted.priority == "interactive" else 1
        self._waiting.put_nowait((ahead, next(self._order), accepted.run_id))
        self._tell(accepted)

    async def _pumping(self) -> None:
        while True:
            await self._room.acquire()
            taken = False
            try:
                _, _, run_id = await self._waiting.get()
                active = self._all.get(run_id)
                if active is not None and active.task is None:
                    active.task = asyncio.create_task(self._carry_out(active), name=f"run {run_id}")
                    taken = True
            finally:
                if not taken:
                    self._room.release()

    async def _carry_out(self, active: Active) -> None:
        accepted = active.accepted
        try:
            await self._work(active)
        except asyncio.CancelledError:
            if not self._stopping:
                raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this run's alone
            await self._failed(active, error)
        finally:
            self._all.pop(accepted.run_id, None)
            self._room.release()
            active.gone = True
            active.wake()

    async def _work(self, active: Active) -> None:
        accepted = active.accepted
        await self._note(active, "running")
        pipeline = self.pipeline(accepted.pipeline)
        job = await self.job(accepted.pipeline, accepted.job)

        @asynccontextmanager
        async def opened(name: str, **more: Any) -> AsyncGenerator[fw.Run]:
            which = await self._which(accepted)
            settings = RunOptions.model_validate(active.accepted.options).settings()
            given = {**settings, **which, **more}
            given |= {"journal": self._home, "command": COMMAND}
            given["options"] = {"pipeline": accepted.pipeline}
            async with self._open_run(name, **given) as run:
                active.run = run
                self.on_begin(accepted.run_id)
                if active.cancelled:
                    run.cancel()
                yield run

        def told(event: Event) -> None:
            active.events.append(event)
            active.events_seen += 1
            active.wake()

        extras = await self.extras(accepted.pipeline)
        result = await pipeline.carry_out(
            job, home=self._home, open_run=opened, on_event=told, **extras
        )
        run = active.run
        if run is not None and run.cancelled:
            await self._ended(active, "cancelled", result=result.as_json())
        elif run is not None and run.draining:
            if not self._stopping:
                await self._ended(active, "stopped", result=result.as_json())
        else:
            await self._ended(active, "finished", result=result.as_json())

    async def _which(self, accepted: Accepted) -> dict[str, Any]:
        """Whether the run is new, or is gone on with."""
        try:
            reader = await asyncio.to_thread(self._home.reader, accepted.run_id)
        except fw.errors.ConfigError:
            return {"run_id": accepted.run_id, "resume": "never"}
        await asyncio.to_thread(reader.close)
        return {"resume": accepted.run_id}

    async def _failed(self, active: Active, error: Exception) -> None:
        run = active.run
        if run is not None and run.cancelled:
            await self._ended(active, "cancelled")
            return
        if run is not None and run.draining and self._stopping:
            return  # the next start goes on with it
        told: dict[str, Json] = {"kind": "internal", "message": type(error).__name__, "hint": ""}
        state = "failed"
        if isinstance(error, FanwiseError):
            told = {"kind": error.code, "message": error.message, "hint": error.hint}
            if isinstance(error, InvalidFields):
                told["fields"] = error.fields
            wait_s: float | None = getattr(error, "retry_after_s", None)
            if wait_s is not None:
                told["retry_after_s"] = wait_s
            if isinstance(error, BudgetExhausted) or (run is not None and run.draining):
                state = "stopped"
        else:
            run_id, kind = active.accepted.run_id, type(error).__name__
            log.error("run failed", run_id=run_id, error=kind, places=places(error))
        await self._ended(active, state, error=told)

    async def _ended(self, active: Active, state: str, **found: Any) -> None:
        active.accepted = replace(active.accepted, state=state, **found)
        run_id = active.accepted.run_id
        settle = await self._usage.settling(run_id)
        await self._ledger.becomes(run_id, state, now=self._clock.wall(), also=settle, **found)
        self._tell(active.accepted)
        await self.on_end(active.accepted)

    async def _note(self, active: Active, state: str) -> None:
        active.accepted = replace(active.accepted, state=state)
        await self._ledger.becomes(active.accepted.run_id, state, now=self._clock.wall())
        self._tell(active.accepted)

    def _tell(self, accepted: Accepted) -> None:
        log.info("run", run_id=accepted.run_id, pipeline=accepted.pipeline, state=accepted.state)


def _nothing(_: str) -> None:
    """What happens where nobody wants to know."""


async def _no_extras(_: str) -> Mapping[str, Any]:
    return {}


async def _nothing_follows(_: Accepted) -> None:
    """What follows where nobody cares."""


def _fingerprint(asked: Mapping[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()
