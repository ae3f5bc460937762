"""The hooks pipeline: ideas in, hooks with scores and a ranking out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import fanwise as fw
from fanwise.pipelines.fields import RULES_MODEL
from fanwise.pipelines.hooks.board import Board
from fanwise.pipelines.hooks.job import HooksJob
from fanwise.pipelines.hooks.work import Contest, Pairing, description, item_id, model_of, work

if TYPE_CHECKING:
    from fanwise.pipelines import OnEvent
    from fanwise.pipelines.hooks.records import HooksResult

NAME = "hooks"

OpenRun = Callable[..., AbstractAsyncContextManager["fw.Run"]]
OnResult = Callable[["HooksResult"], "Awaitable[None] | None"]


async def hooks(
    post_idea: str,
    *,
    industry: str = "",
    target_audience: str = "intermediate",
    content_type: str = "tip",
    models: Sequence[str] = (RULES_MODEL,),
    focus_skills: Sequence[str] = (),
    judge: str = RULES_MODEL,
    validator: str | None = None,
    repeats: int = 1,
    compare: bool = False,
    parameters: Mapping[str, Any] | None = None,
    home: Any = None,
    open_run: OpenRun | None = None,
    on_event: OnEvent | None = None,
    **options: Any,
) -> HooksResult:
    """Hooks for a post by several models, each judged and scored.

    Takes the fields of :class:`HooksJob` and the arguments of :func:`execute` by their names;
    returns and raises what the latter does.
    """
    job = HooksJob(
        post_idea=post_idea,
        industry=industry,
        target_audience=target_audience,
        content_type=content_type,
        models=tuple(models),
        focus_skills=tuple(focus_skills),
        judge=judge,
        validator=validator,
        repeats=repeats,
        compare=compare,
        parameters=parameters or {},
    )
    return await execute(job, home=home, open_run=open_run, on_event=on_event, **options)


async def execute(
    job: HooksJob,
    *,
    home: Any = None,
    open_run: OpenRun | None = None,
    on_event: OnEvent | None = None,
    **options: Any,
) -> HooksResult:
    """Carries one job out: all models write at once, and each hook is judged once it is there.

    A model that fails is told of in the result and holds nobody up; a hook whose judging fails is
    unscored and leaves the averages alone. Both make their item of the run a failed one, so that a
    retry asks for what is missing and for nothing else.

    Args:
        job: What to do.
        home: Where the run is kept; by default ``options["journal"]`` or ``./.fanwise``.
        open_run: Opens the run, called with its name; ``fw.open_run`` by default.
        on_event: Is told of progress, of each model's result or error, and of the end; each once
            it is durable. May be asynchronous.
        **options: Further options of ``fw.open_run``, such as ``limits`` or ``resume``.

    Returns:
        Hooks, scores, ranking; ``complete`` is false where the run was drained before its end.

    Raises:
        ConfigError: A wrong model, key or option; nothing was spent.
        Rejected: No model could be called at all, since every key was refused.
        BudgetExhausted: The budget did not suffice; what was paid for is in the journal.
        JournalUnavailable: The journal cannot be written; what was durable stays so.

    Cancelling it closes calls in flight and keeps what is durable.
    """
    found: list[HooksResult] = []
    await hooks_of_many(
        [("", job)],
        on_result=found.append,
        home=home,
        open_run=open_run,
        on_event=on_event,
        **options,
    )
    return found[0]


async def hooks_of_many(
    jobs: Iterable[tuple[str, HooksJob]],
    *,
    on_result: OnResult,
    home: Any = None,
    open_run: OpenRun | None = None,
    on_event: OnEvent | None = None,
    **options: Any,
) -> None:
    """Carries several jobs out in one run, as :func:`execute` does one.

    Args:
        jobs: Each with an id, different from the others'; the empty one for a job on its own. What
            is no list is read in a thread of its own, no further ahead than there is somebody to
            take them.
        on_result: Is given each job's result when its last model has ended; where comparisons are
            asked for, after these. Jobs that an interruption cut are given as far as they got. May
            be asynchronous.
        home: As there.
        open_run: As there.
        on_event: As there; messages then begin with the job's id.
        **options: As there.

    Raises:
        As :func:`execute` does; and whatever ``jobs``, ``on_result`` and ``on_event`` raise.
    """
    opened: OpenRun = fw.open_run if open_run is None else open_run
    settings: dict[str, Any] = dict(options)
    if open_run is None and home is not None:
        settings["journal"] = home
    async with opened(NAME, **settings) as run:
        await _Contests(run, jobs, on_event=on_event, on_result=on_result).carry_out()


async def plan(jobs: HooksJob | Iterable[tuple[str, HooksJob]], **options: Any) -> fw.types.Plan:
    """What jobs would ask for, cost and take; sends and writes nothing.

    Comparisons are counted with hooks that the rules write.

    Args:
        jobs: One job, or several with their ids.
        **options: Those of ``fw.open_run``.
    """
    several = [("", jobs)] if isinstance(jobs, HooksJob) else jobs
    return await fw.plan(work, _planned(several), **options)


def _planned(jobs: Iterable[tuple[str, HooksJob]]) -> Iterable[Contest | Pairing]:
    from fanwise.pipelines.hooks.rules import write

    for idea, job in jobs:
        board = Board(idea or id_of(job), job, None, told_as=idea)
        yield from board.contests()
        if job.compare:
            stand_ins = {
                model: write(job.brief, turn=turn)[0]["text"]
                for turn, model in enumerate(job.models)
            }
            yield from board.pairings_of(stand_ins)


def id_of(job: HooksJob) -> str:
    """The id of an idea that brings none: a hash of its brief."""
    text = "\n".join(job.brief.values())
    return blake2b(text.encode("utf-8", "replace"), digest_size=4).hexdigest()


class _Contests:
    """Jobs under way in one run."""

    def __init__(
        self,
        run: fw.Run,
        jobs: Iterable[tuple[str, HooksJob]],
        *,
        on_event: OnEvent | None,
        on_result: OnResult,
    ) -> None:
        self._run = run
        self._jobs = jobs
        self._on_event = on_event
        self._on_result = on_result
        self._boards: dict[str, Board] = {}
        self._known: set[str] = set()
        self._checked: set[str] = set()
        self._wrong: fw.errors.ConfigError | None = None
        self._comparing: list[Board] = []
        self._items = 0
        self._clock = asyncio.get_running_loop()
        self._started = self._clock.time()

    async def carry_out(self) -> None:
        """To the end of the jobs or of the run; what an interruption cut is given as it stands."""
        try:
            if isinstance(self._jobs, Sequence):
                contests = list(self._contests())
                for contest in contests:
                    self._check(contest.job)
                await self._through(contests, len(contests))
            else:
                await self._through(self._contests(), None)
            if self._comparing and not self._run.draining:
                pairings = [one for board in self._comparing for one in board.pairings()]
                await self._through(pairings, self._items + len(pairings))
                for board in self._comparing:
                    await self._end(board)
        except fw.errors.BudgetExhausted:
            await self._end_all()
            raise
        await self._end_all()

    async def _end_all(self) -> None:
        for board in list(self._boards.values()):
            await self._end(board)

    def _contests(self) -> Iterator[Contest]:
        """The items of all jobs; read in a thread where the jobs are no list."""
        for idea, job in self._jobs:
            board = Board(idea or id_of(job), job, self._on_event, told_as=idea)
            if board.idea in self._known:
                raise fw.errors.ConfigError(
                    f"two ideas have the id {board.idea}", hint="give each an id of its own"
                )
            self._known.add(board.idea)
            self._boards[board.idea] = board
            for contest in board.contests():
                self._items += 1
                yield contest

    def _check(self, job: HooksJob) -> None:
        """Whether every model of a job can be called, before the first of them is."""
        for model in sorted({*job.models, job.judge, job.validator or job.judge} - self._checked):
            self._run.check_model(model)
            self._checked.add(model)

    async def _item(self, ctx: fw.Context, item: Contest | Pairing) -> Any:
        if isinstance(item, Contest):
            try:
                self._check(item.job)
            except fw.errors.ConfigError as error:
                self._wrong = error
                raise
            await self._boards[item.idea].begin()
        return await work(ctx, item)

    async def _through(self, source: Any, total: int | None) -> None:
        mapped = self._run.map(
            self._item, source, item_id=item_id, describe=description, model_of=model_of,
            total=total,
        )  # fmt: skip
        async with mapped as outcomes:
            async for outcome in outcomes:
                if self._wrong is not None:
                    raise self._wrong
                board = self._boards[outcome.item.idea]
                await board.took(outcome)
                if isinstance(outcome.item, Pairing) or not board.written:
                    continue
                if board.job.compare and len(board.rivals) > 1:
                    self._comparing.append(board)
                else:
                    await self._end(board)

    async def _end(self, board: Board) -> None:
        """Gives a job's result, once."""
        if self._boards.pop(board.idea, None) is None:
            return
        result = await board.result(
            run_id=self._run.run_id, wall_s=self._clock.time() - self._started
        )
        told = self._on_result(result)
        if told is not None:
            await told
