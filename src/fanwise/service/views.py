"""Runs as clients see them, whoever works on them: read from their journals, in threads."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar, cast

from fanwise.errors import ConfigError, JournalError
from fanwise.records import RunRecord
from fanwise.service.accepted import Accepted, Ledger
from fanwise.service.problems import NotFound

if TYPE_CHECKING:
    from fanwise.journal.home import Home
    from fanwise.journal.memory import JournalReader
    from fanwise.progress.live import Snapshot
    from fanwise.progress.report import Report
    from fanwise.records import CallRecord, CallState, ItemRecord, ItemState, Json
    from fanwise.service.supervisor import Active, Supervisor

T = TypeVar("T")

_THREADS = 4
_COUNTS_KEPT = 5000
_MOST_TEXT = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of a list; ``next`` asks for what follows, ``None`` at its end."""

    data: Sequence[Mapping[str, Any]]
    next: str | None


class Views:
    """What is known of runs.

    Args:
        home: Where they are.
        ledger: What was accepted here.
        supervisor: What is under way here.
    """

    def __init__(self, home: Home, ledger: Ledger, supervisor: Supervisor) -> None:
        self._home = home
        self._ledger = ledger
        self._supervisor = supervisor
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="service reader")
        self._counts: dict[str, tuple[float, Mapping[str, Any]]] = {}

    def close(self) -> None:
        """Ends the reading threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Runs blocking work beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def reading(self, run_id: str, read: Callable[[JournalReader], T]) -> T:
        """What a function makes of a run's journal.

        Raises:
            NotFound: There is no such run.
        """

        def work() -> T:
            reader = self._reader(run_id)
            try:
                return read(reader)
            finally:
                reader.close()

        return await self.in_thread(work)

    def _reader(self, run_id: str) -> JournalReader:
        try:
            return self._home.reader(run_id)
        except ConfigError as error:
            raise NotFound(
                f"there is no run {run_id}", hint="GET /api/v1/runs lists all"
            ) from error

    # runs

    async def runs(
        self,
        *,
        limit: int,
        after: str | None = None,
        pipeline: str | None = None,
        status: str | None = None,
    ) -> Page:
        """The newest runs first."""
        work = {one.run_id: one for one in await self._ledger.listed()}
        records = await self.in_thread(self._home.runs)
        by_id = {record.run_id: record for record in records}
        ids = sorted(
            {*work, *by_id},
            key=lambda one: (_created(work.get(one), by_id.get(one)), one),
            reverse=True,
        )
        if after is not None:
            if after not in by_id and after not in work:
                raise NotFound(f"there is no run {after} to go on after", hint="begin anew")
            ids = ids[ids.index(after) + 1 :]
        chosen: list[str] = []
        for run_id in ids:
            facts = self._facts(run_id, work.get(run_id), by_id.get(run_id))
            if pipeline in {None, facts["pipeline"]} and status in {None, facts["status"]}:
                chosen.append(run_id)
            if len(chosen) > limit:
                break
        shown = chosen[:limit]
        rows = await self.in_thread(
            lambda: [self._row(one, work.get(one), by_id.get(one)) for one in shown]
        )
        return Page(data=rows, next=shown[-1] if len(chosen) > limit else None)

    async def run(self, run_id: str) -> Mapping[str, Any]:
        """One run, with its result where it has ended.

        Raises:
            NotFound: There is none.
        """
        work = await self._ledger.find(run_id)
        try:
            record = await self.reading(run_id, lambda reader: reader.run)
        except NotFound:
            if work is None:
                raise
            record = None
        row = await self.in_thread(lambda: self._row(run_id, work, record))
        more: dict[str, Any] = {"input": None, "options": {}, "result": None, "error": None}
        if work is not None:
            more = {
                "input": work.job,
                "options": work.options,
                "result": work.result,
                "error": work.error,
            }
        active = self._supervisor.active(run_id)
        snapshot = None
        if active is not None and active.run is not None:
            snapshot = snapshot_json(active.run.snapshot())
        return {**row, **more, "snapshot": snapshot}

    def _facts(
        self, run_id: str, work: Accepted | None, record: RunRecord | None
    ) -> dict[str, Any]:
        active = self._supervisor.active(run_id)
        name = work.pipeline if work is not None else ""
        if not name and record is not None:
            name = {"run": "prompts"}.get(record.spec.command, record.spec.command)
        return {"pipeline": name, "status": status_of(work, record, active)}

    def _row(
        self, run_id: str, work: Accepted | None, record: RunRecord | None
    ) -> Mapping[str, Any]:
        facts = self._facts(run_id, work, record)
        known = work if work is not None else record
        assert known is not None
        counts: Mapping[str, Any] = NO_COUNTS
        if record is not None:
            counts = self._counted(record)
        return {
            "id": run_id,
            **facts,
            "name": record.spec.name if record is not None else facts["pipeline"],
            "created_at": known.created_at,
            "updated_at": record.updated_at if record is not None else known.updated_at,
            "live": record is not None and record.live,
            "begun": record is not None,
            "here": work is not None,
            "priority": work.priority if work is not None else "background",
            "caller": work.caller if work is not None else None,
            **counts,
            "links": links(run_id),
        }

    def _counted(self, record: RunRecord) -> Mapping[str, Any]:
        """A run's totals; those of a run that nobody works on are remembered."""
        known = self._counts.get(record.run_id)
        if known is not None and known[0] == record.updated_at and not record.live:
            return known[1]
        try:
            reader = self._home.reader(record.run_id)
        except (ConfigError, JournalError):
            return NO_COUNTS
        try:
            counters = reader.counters()
        finally:
            reader.close()
        found: dict[str, Any] = {
            "items": {
                "done": counters.finished,
                "succeeded": counters.succeeded,
                "failed": counters.failed,
                "cached": counters.cached,
                "total": self._total(record.run_id),
            },
            "calls": counters.calls,
            "attempts": counters.attempts,
            "rate_limited": counters.rate_limited,
            "tokens": {"input": counters.input_tokens, "output": counters.output_tokens},
            "cost_usd": None if counters.unpriced_calls else float(counters.cost_usd),
        }
        if len(self._counts) >= _COUNTS_KEPT:
            self._counts.clear()
        self._counts[record.run_id] = (record.updated_at, found)
        return found

    def _total(self, run_id: str) -> int | None:
        active = self._supervisor.active(run_id)
        if active is None or active.run is None:
            return None
        return active.run.snapshot().items_total

    # what is in them

    async def items(self, run_id: str, *, limit: int, after: int, state: ItemState | None) -> Page:
        """Ended items in the order in which they ended."""

        def read(reader: JournalReader) -> Page:
            found = list(islice(reader.items(state=state, after=after), limit + 1))
            data = [item_json(item) for item in found[:limit]]
            return Page(data=data, next=str(data[-1]["event"]) if len(found) > limit else None)

        return await self.reading(run_id, read)

    async def item(self, run_id: str, item_id: str) -> Mapping[str, Any]:
        """One item with its calls and their attempts.

        Raises:
            NotFound: There is none of that id.
        """

        def read(reader: JournalReader) -> Mapping[str, Any]:
            calls = list(reader.calls(item_id=item_id))
            find = getattr(reader, "item", None)
            ended: ItemRecord | None = find(item_id) if find is not None else None
            if ended is None and not calls:
                raise NotFound(f"run {run_id} has no item {item_id!r}")
            row = {"id": item_id, "state": "unfinished"} if ended is None else item_json(ended)
            return {**row, "calls": [call_json(call) for call in calls]}

        return await self.reading(run_id, read)

    async def calls(self, run_id: str, *, limit: int, after: int, state: CallState | None) -> Page:
        """Calls in the order of their intents. ``after`` counts calls already seen."""

        def read(reader: JournalReader) -> Page:
            found = list(islice(reader.calls(state=state), after, after + limit + 1))
            data = [call_json(call) for call in found[:limit]]
            return Page(data=data, next=str(after + limit) if len(found) > limit else None)

        return await self.reading(run_id, read)

    async def report(self, run_id: str) -> Report:
        """The performance report, live or ended."""
        from fanwise.engine.reporting import report_from

        return await self.reading(run_id, report_from)

    async def in_pieces(
        self, run_id: str, lines: Callable[[JournalReader], Iterator[bytes]], *, piece: int = 500
    ) -> Any:
        """What a function makes of a run's journal, piece by piece: an asynchronous iterator.

        Raises:
            NotFound: There is no such run.
        """
        reader = await self.in_thread(lambda: self._reader(run_id))
        source = lines(reader)

        async def pieces() -> Any:
            try:
                while True:
                    part = await self.in_thread(lambda: b"".join(islice(source, piece)))
                    if not part:
                        return
                    yield part
            finally:
                reader.close()

        return pieces()


NO_COUNTS: Mapping[str, Any] = {
    "items": {"done": 0, "succeeded": 0, "failed": 0, "cached": 0, "total": None},
    "calls": 0,
    "attempts": 0,
    "rate_limited": 0,
    "tokens": {"input": 0, "output": 0},
    "cost_usd": 0.0,
}


def status_of(work: Accepted | None, record: RunRecord | None, active: Active | None) -> str:
    """A run's status: waiting, running, paused, draining, cancelling, finished, failed, cancelled,
    stopped or interrupted.
    """
    if active is not None:
        return _status_here(active)
    if record is not None and record.live:
        return "running"
    if work is not None and work.state not in {"running", "accepted"}:
        return work.state
    written = "waiting" if record is None else record.status
    return "interrupted" if written == "running" else written


def _status_here(active: Active) -> str:
    run = active.run
    if active.task is None:
        return "waiting"
    if run is not None and run.cancelled:
        return "cancelling"
    if run is not None and run.draining:
        return "draining"
    paused = run is not None and run.snapshot().limited_by == "paused"
    return "paused" if paused else "running"


def links(run_id: str) -> dict[str, str]:
    """Where a run's parts are."""
    base = f"/api/v1/runs/{run_id}"
    parts = ("items", "calls", "report", "results", "events")
    return {"self": base, **{part: f"{base}/{part}" for part in parts}, "page": f"/runs/{run_id}"}


def snapshot_json(snapshot: Snapshot) -> dict[str, Json]:
    """A snapshot as JSON; what is infinite or unknown is null."""
    return cast("dict[str, Json]", plain(asdict(snapshot)))


def item_json(item: ItemRecord) -> dict[str, Any]:
    """An item's end as JSON."""
    return {
        "id": item.item_id,
        "event": item.event,
        "position": item.position,
        "state": item.state,
        "model": item.model,
        "input": item.input,
        "value": item.value,
        "error": None if item.error is None else plain(asdict(item.error)),
        "attempts": item.attempts,
        "cached": item.cached,
        "usage": plain(asdict(item.usage)),
        "cost_usd": plain(item.cost_usd),
        "queued_s": item.queued_s,
        "service_s": item.service_s,
        "ended_at": item.ended_at,
    }


def call_json(call: CallRecord) -> dict[str, Any]:
    """A call with every attempt as JSON. Bodies of requests are asked for by themselves."""
    return {
        "item_id": call.key.item_id,
        "content_key": call.key.content_key,
        "sample": call.key.sample,
        "model": call.model,
        "label": call.label,
        "state": call.state,
        "cached": call.cached,
        "resends": call.resends,
        "value": call.value,
        "error": None if call.error is None else plain(asdict(call.error)),
        "usage": plain(asdict(call.usage)),
        "cost_usd": plain(call.cost_usd),
        "attempts": [plain(asdict(attempt)) for attempt in call.attempts],
    }


def plain(value: Any) -> Any:
    """A value with nothing in it that JSON does not have."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Mapping):
        found = cast("Mapping[Any, Any]", value)
        return {str(name): plain(one) for name, one in found.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in cast("Iterable[Any]", value)]
    return value


def _created(work: Accepted | None, record: RunRecord | None) -> float:
    if work is not None:
        return work.created_at
    return 0.0 if record is None else record.created_at
