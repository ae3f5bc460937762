"""Carrying a job out: run, output file, result."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from fanwise.documents.identity import Seen
from fanwise.errors import BudgetExhausted, StateError
from fanwise.pipelines.prompts.job import PromptItem, PromptsJob
from fanwise.pipelines.prompts.lines import record_of
from fanwise.pipelines.prompts.output import OutputFile, projected
from fanwise.records import ItemRecord, Json, Outcome

if TYPE_CHECKING:
    from fanwise.engine.planning import Plan
    from fanwise.engine.run import Run
    from fanwise.journal.home import Home
    from fanwise.journal.memory_home import MemoryHome

OpenRun = Callable[..., AbstractAsyncContextManager["Run"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptsResult:
    """How a job went in this session.

    Args:
        run_id: The run.
        status: ``completed`` where every item has ended, else ``incomplete``: resume it.
        total: Items; ``None`` where the source was not read to its end.
        succeeded: Items that have their answer, those of earlier sessions included.
        failed: Items that failed.
        output_file: Where the lines are; ``None`` for standard output or no output.
        error_file: Where the lines of failed Batch requests are, if there are any.
        stale: Ids in the journal whose rows are no longer in the source (edited or removed), at
            most 1000. Their answers stay in the journal; their lines are left out.
    """

    run_id: str
    status: Literal["completed", "incomplete"]
    total: int | None
    succeeded: int
    failed: int
    output_file: str | None = None
    error_file: str | None = None
    stale: Sequence[str] = ()

    @property
    def request_counts(self) -> Mapping[str, int]:
        """The counts by OpenAI's names for them."""
        ended = self.succeeded + self.failed
        return {
            "total": ended if self.total is None else self.total,
            "completed": self.succeeded,
            "failed": self.failed,
        }

    def as_json(self) -> Mapping[str, Json]:
        """The result as plain JSON."""
        return {
            "run_id": self.run_id,
            "status": self.status,
            "request_counts": self.request_counts,
            "output_file": self.output_file,
            "error_file": self.error_file,
            "stale": list(self.stale),
        }


async def execute(
    job: PromptsJob,
    *,
    open_run: OpenRun,
    output: OutputFile | None = None,
    home: Home | MemoryHome | None = None,
    ordered: bool = False,
    on_outcome: Callable[[Outcome], Awaitable[None] | None] | None = None,
) -> PromptsResult:
    """Runs a job to its end, or until its run is drained.

    A file is read through once before anything is sent: what is wrong with it costs nothing. Lines
    are written as items end. When the run is resumed, the output begins with what the journal
    knows, and at the end it is made anew from the journal, so that every item of the source has
    exactly one line, with its latest end.

    Args:
        job: What to do.
        open_run: Opens the run: ``fw.open_run`` with its options, called with the job's name.
        output: Where lines go; ``None`` for nowhere.
        home: Where the run's journal is kept: needed to resume a run into a file.
        ordered: Lines in the order of the source.
        on_outcome: Is given each outcome after its line is written; may be asynchronous.

    Raises:
        ConfigError: The job, the source or a model is wrong; nothing was spent on it.
        BudgetExhausted: The run's budget is reached; the output holds what was answered.
        JournalUnavailable: Journal or output cannot be written; what was paid for is kept.

    Cancelling it keeps what is durable; the output then holds whole lines of that.
    """
    total = await asyncio.to_thread(job.count) if job.rereadable else None
    async with open_run(job.name) as run:
        for model in job.models:
            run.check_model(model)
        if job.schema is not None:
            run.check_schema(job.schema)
        session = _Session(job, run, output=output, home=home, ordered=ordered)
        try:
            await session.begin()
            source = session.items()
            mapped = run.map(
                job.answer,
                source,
                item_id=_id_of,
                describe=_data_of,
                model_of=_model_of,
                ordered=ordered,
                total=total,
            )
            try:
                async with mapped as outcomes:
                    async for outcome in outcomes:
                        session.take(outcome)
                        if on_outcome is not None:
                            told = on_outcome(outcome)
                            if told is not None:
                                await told
            except BudgetExhausted:
                await session.end()
                raise
            return await session.end()
        finally:
            session.close()


async def plan(job: PromptsJob, **options: Any) -> Plan:
    """Items, calls, tokens, cost and time of a job. Reads the source through; sends nothing.

    Takes the options of ``fw.open_run`` by their names; raises what :func:`fanwise.plan` does.
    """
    import fanwise

    counted = await fanwise.plan(job.answer, job.items(), item_id=_id_of, **options)
    # An item makes one call and no later one depends on its answer: the count is exact.
    return replace(counted, at_least=False)


def _id_of(item: PromptItem) -> str:
    return item.id


def _data_of(item: PromptItem) -> Json:
    return item.row.data


def _model_of(item: PromptItem) -> str:
    return item.model


class _Session:
    """One stretch of work on a job: which lines are written, and which are still to be."""

    def __init__(
        self,
        job: PromptsJob,
        run: Run,
        *,
        output: OutputFile | None,
        home: Home | MemoryHome | None,
        ordered: bool,
    ) -> None:
        self._job = job
        self._run = run
        self._output = output
        self._home = home
        self._ordered = ordered
        self._rebuilds = run.resumed and output is not None and output.replaceable
        self._before = Seen()  # written from the journal when the session began
        self._present = Seen()  # in the source
        self._succeeded = 0
        self._failed = 0
        if self._rebuilds and home is None:
            raise StateError(
                "a resumed run cannot write its output without its journal's home",
                hint="pass home=, as open_run was given it",
            )

    def items(self) -> Iterator[PromptItem]:
        """The job's items; of a resumed run, their ids are remembered."""
        for item in self._job.items():
            if self._rebuilds:
                self._present.add(item.id)
            yield item

    async def begin(self) -> None:
        """Puts into the output what the journal knows already."""
        if self._output is None:
            return
        if self._rebuilds:
            await asyncio.to_thread(self._project, self._known_before)
        else:
            self._output.start()

    def take(self, outcome: Outcome) -> None:
        """Counts an outcome and writes its line, unless it stands there already."""
        if outcome.ok:
            self._succeeded += 1
        else:
            self._failed += 1
        if self._output is None or (self._rebuilds and self._waits(outcome)):
            return
        item: PromptItem = outcome.item
        self._output.add(record_of(outcome, row=item.row.data, model=item.model))

    async def end(self) -> PromptsResult:
        """Makes the output of a resumed run whole, and says how it went."""
        complete = self._run.finished
        stale: list[str] = []
        if self._rebuilds:
            keep = self._present.__contains__ if complete else _any

            def known(records: Iterator[ItemRecord]) -> Iterator[ItemRecord]:
                return projected(records, keep=keep, stale=stale)

            await asyncio.to_thread(self._project, known)
        output = self._output
        errors = output.errors_path if output is not None and output.error_lines else None
        ended = self._succeeded + self._failed
        return PromptsResult(
            run_id=self._run.run_id,
            status="completed" if complete else "incomplete",
            total=ended if complete else None,
            succeeded=self._succeeded,
            failed=self._failed,
            output_file=str(output.path) if output is not None and output.path else None,
            error_file=str(errors) if errors is not None and errors.exists() else None,
            stale=stale,
        )

    def close(self) -> None:
        if self._output is not None:
            self._output.close()
        self._before.close()
        self._present.close()

    def _waits(self, outcome: Outcome) -> bool:
        """Whether a line is left to the end: it is there from an earlier session, or its place
        among the others is only known then.
        """
        return self._ordered or outcome.item_id in self._before

    def _known_before(self, records: Iterator[ItemRecord]) -> Iterator[ItemRecord]:
        for record in records:
            if record.state == "succeeded":
                self._before.add(record.item_id)
                yield record

    def _project(self, choose: Callable[[Iterator[ItemRecord]], Iterator[ItemRecord]]) -> None:
        assert self._home is not None
        assert self._output is not None
        reader = self._home.reader(self._run.run_id)
        try:
            records = reader.items(order="position" if self._ordered else "event")
            self._output.start(choose(records))
        finally:
            reader.close()


def _any(_: str) -> bool:
    return True
