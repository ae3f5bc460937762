"""Opening a run: how it is to be carried out, and the block in which it is open."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, NoReturn

from fanwise.clock import Clock, SystemClock, new_run_id
from fanwise.ending import to_its_end
from fanwise.engine.assembly import assemble
from fanwise.engine.collector import calm_collector
from fanwise.engine.core import Core
from fanwise.engine.facts import option_of
from fanwise.engine.opening_checks import check_opening
from fanwise.engine.pools import LEARNED, Pools
from fanwise.engine.run import Run
from fanwise.engine.sampling import Sampler
from fanwise.engine.showing import Showing
from fanwise.engine.spending import stored
from fanwise.engine.steering.address import sockets_of
from fanwise.engine.steering.listener import Listener
from fanwise.engine.steering.steering import OnOrder, Steering
from fanwise.errors import (
    BudgetExhausted,
    FanwiseError,
    InputError,
    JournalError,
    StateError,
    UsageError,
)
from fanwise.journal.home import Home, open_home
from fanwise.journal.memory_home import MemoryHome
from fanwise.limits.budget import Budget
from fanwise.limits.settings import Limits
from fanwise.progress.monitor import Alerts
from fanwise.records import NOTHING, Json, Request, Response, RunSpec, RunStatus, Timeouts
from fanwise.retry.policy import Retry

if TYPE_CHECKING:
    from fanwise.journal.memory import Journal
    from fanwise.retry.hedge import Hedge
    from fanwise.simulator.profile import SimProfile


IN_MEMORY = ":memory:"
_RESUMABLE = (JournalError, BudgetExhausted)

_HOW_TO_ENTER = "write: async with fw.open_run(…) as run: …"


@dataclass(slots=True)
class OpenRun:
    """Opens a run: ``async with fw.open_run("hooks") as run: …``.

    Goes on with the newest unfinished run of that name, else starts a new one. Re-running the same
    code is all that resuming needs: served calls answer from the journal at once, failed and
    unfinished ones go out.

    Args:
        name: What the run is called; runs of one name resume each other.
        journal: A directory (default ``./.fanwise``), ``postgresql://…``, ``":memory:"`` for a run
            that nothing outlives, or a home opened before.
        resume: ``"unfinished"``, ``"never"``, or a run's id (a finished one too: its failed items
            then go out again).
        run_id: The id of a new run, instead of one made from its name and the time.
        command: The command that resumes it, for ``fanwise resume``.
        options: That command's options, as JSON; never a key.
        limits: Calls at once, requests and tokens a minute, for each quota pool; what is not
            stated is learned.
        retry: How failures are met.
        timeouts: Deadlines of one attempt.
        alerts: From which shares of refusals, failures … on an alert is raised; see
            :class:`fanwise.types.Alerts`.
        hedge: When a call that stalls is sent a second time (:class:`fanwise.types.Hedge`); never
            by default.
        budget: What the run may spend over all of its sessions; nothing is bounded by default.
        total_s: Deadline of a call in seconds from its first send, retries and waits included.
        base_url: Where ``openai/…`` models are served, if not at OpenAI.
        api_key_env: Name of the environment variable that holds the key.
        models: Models of the caller's own, by name: any ``async (Request) -> Response``.
        simulator: How the simulated provider of ``sim/…`` behaves.
        answers: What it answers, by the name of the schema that a request asks for.
        cache: Whether answers are shared with other runs through the cross-run cache.
        accept_changes: Go on even where a resumed run no longer looks like the same work.
        progress: Whether the run shows its progress by itself: a panel in a notebook or on a
            terminal, a line every five seconds where standard error is neither.
        ambiguous: Whether a side effect (``ctx.once``) that was under way at a crash is done again.
        on_order: Is told of each order that another process has given (``fanwise pause``, ``set``
            …) once it was carried out, and by whom.
        env: Environment to read keys from, instead of the process's own.
        clock, chance: Time and randomness, for tests.

    Entering it gives the :class:`Run`; leaving it waits for nothing but commits, since the tasks of
    its maps have ended with their blocks. Entering raises ``Conflict`` where another process works
    on that run, and ``JournalUnavailable`` where the journal cannot be opened; nothing was spent.
    Cancelling the block closes the run; it counts as interrupted then, and is resumed by name.

    Raises:
        ConfigError: An argument is impossible; says which, and what to give instead. Nothing was
            opened.
    """

    name: str
    _: KW_ONLY
    journal: str | Path | Home | MemoryHome | None = None
    resume: str = "unfinished"
    run_id: str | None = None
    command: str = ""
    options: Mapping[str, Json] = NOTHING
    limits: Limits = field(default_factory=Limits)
    retry: Retry = field(default_factory=Retry)
    alerts: Alerts = field(default_factory=Alerts)
    hedge: Hedge | None = None
    budget: Budget | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)
    total_s: float = math.inf
    base_url: str | None = None
    api_key_env: str | None = None
    models: Mapping[str, Callable[[Request], Awaitable[Response]]] = NOTHING
    simulator: SimProfile | None = None
    answers: Mapping[str, Callable[[Request], Json]] = NOTHING
    cache: bool = False
    accept_changes: bool = False
    progress: bool = False
    ambiguous: Literal["retry", "hold"] = "hold"
    on_order: OnOrder | None = None
    env: Mapping[str, str] | None = None
    clock: Clock = field(default_factory=SystemClock)
    chance: random.Random = field(default_factory=random.Random)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack, init=False, repr=False)
    _entered: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        check_opening(self)

    async def __aenter__(self) -> Run:
        if self._entered:
            raise StateError("a run is entered once", hint="call fw.open_run again to resume it")
        self._entered = True
        async with AsyncExitStack() as stack:
            run = await self._open(stack)
            self._stack = stack.pop_all()
        return run

    if not TYPE_CHECKING:  # a type checker is to say for itself that these are wrong

        def __enter__(self) -> NoReturn:
            raise UsageError(
                "a run is entered with `async with`, not with `with`", hint=_HOW_TO_ENTER
            )

        def __exit__(self, *_: object) -> None:
            """Never reached; without it, Python would not even ask to enter."""

        def __await__(self) -> NoReturn:
            raise UsageError("a run is entered, not awaited", hint=_HOW_TO_ENTER)

        def __getattr__(self, name: str) -> NoReturn:
            what = f"fw.open_run(…) has no attribute {name!r}"
            if hasattr(Run, name):
                what += f": the run has it, once it is entered. {_HOW_TO_ENTER}"
            raise AttributeError(what)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def _open(self, stack: AsyncExitStack) -> Run:
        home = self._home()
        if isinstance(home, MemoryHome):
            journal = self._journal(home)
        else:
            journal = await self._opened(home)
        stack.enter_context(calm_collector())
        closing = _Closing(journal)
        stack.push_async_exit(closing.close)
        parts = assemble(stack, self, home, journal)
        core = closing.core = Core(parts)
        run = Run(core)
        if self.budget is not None:
            await journal.control("budget.set", stored(self.budget))
        parts.spending.start(core.budget_reached)
        closing.pools = parts.pools
        sampler = Sampler(
            progress=parts.progress,
            pools=parts.pools,
            attempts=parts.attempts,
            spending=parts.spending,
            crews=lambda: core.crews,
            journal=journal,
            notice=core.journal_failed,
            option=option_of(self.command),
        )
        sampler.start()
        stack.push_async_callback(sampler.stop)
        if not isinstance(home, MemoryHome):
            paths = sockets_of(home.location, run.run_id, env=os.environ)
            steering = Steering(
                run,
                journal=journal,
                pools=parts.pools,
                spending=parts.spending,
                on_order=self.on_order,
            )
            listener = Listener(paths, carry_out=steering.carry_out)
            stack.push_async_callback(listener.stop)
            await listener.start()
        if self.progress:
            from fanwise.progress.notebook import display_of_program

            showing = Showing(run, display_of_program(clock=self.clock, name=self.name))
            showing.start()
            stack.push_async_callback(showing.stop)
        return run

    async def _opened(self, home: Home) -> Journal:
        """The journal; whoever is cancelled meanwhile leaves none open that nobody closes."""
        opening = asyncio.create_task(asyncio.to_thread(self._journal, home))
        try:
            return await to_its_end(opening)
        except asyncio.CancelledError:
            if opening.done() and not opening.cancelled() and opening.exception() is None:
                await to_its_end(asyncio.create_task(opening.result().close("interrupted")))
            raise

    def _home(self) -> Home | MemoryHome:
        given = self.journal
        if given == IN_MEMORY:
            return MemoryHome(clock=self.clock)
        return open_home(given) if given is None or isinstance(given, (str, Path)) else given

    def _journal(self, home: Home | MemoryHome) -> Journal:
        found: str | None = None
        if self.resume == "unfinished":
            if self.run_id is None:
                found = home.newest_unfinished(self.name)
        elif self.resume != "never":
            found = home.find(self.resume)
        if found is not None:
            return home.open(found)
        wall_s = self.clock.wall()
        run_id = self.run_id or new_run_id(self.name, wall_s=wall_s, chance=self.chance)
        spec = RunSpec(name=self.name, command=self.command, options=self.options)
        return home.create(spec, run_id=run_id, wall_s=wall_s)


class _Closing:
    """Writes how a run ended, whatever ended it."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.core: Core | None = None
        self.pools: Pools | None = None

    async def _note_learned(self) -> None:
        """Notes in the journal what was learned of limits, for plans of later runs.

        A journal that cannot be written is no reason to fail here: closing it says so.
        """
        learned = None if self.pools is None else self.pools.learned()
        if learned:
            with contextlib.suppress(JournalError):
                await self._journal.control(LEARNED, learned)

    async def close(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        run = self.core
        status: RunStatus = "interrupted"
        if run is not None and run.cancelled:
            status = "cancelled"
        elif error is None and run is not None and run.finished:
            status = "finished"
        elif isinstance(error, InputError) and run is not None and run.untouched:
            status = "cancelled"  # there was nothing to do, and there is nothing to go on with
        elif isinstance(error, FanwiseError) and not isinstance(error, _RESUMABLE):
            status = "failed"
        try:
            await self._note_learned()
        finally:
            try:
                await self._journal.close(status)
            except JournalError:
                if error is None:
                    raise
