"""Carries work out: opens its run under the options, shows how it goes, obeys Ctrl-C and the
deadline, and says at the end what there was.
"""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from fanwise.cli.display import ago, put_json, say
from fanwise.cli.failures import ExitCode
from fanwise.cli.homes import holder_of, same_work
from fanwise.cli.options import STDIN, RunOptions, environment
from fanwise.cli.profiles import parameters_and_profile
from fanwise.cli.progress import Screen, ScreenFile, shown
from fanwise.cli.signals import Interrupts, obeying
from fanwise.cli.steer import limits_in_words
from fanwise.engine.opening import OpenRun
from fanwise.engine.reporting import read_report
from fanwise.engine.simulated import profile_of
from fanwise.engine.spending import check_price
from fanwise.errors import BudgetExhausted, Conflict, FanwiseError, InputError, StateError
from fanwise.journal.home import FINAL, open_home
from fanwise.limits.budget import Budget
from fanwise.limits.settings import Limits
from fanwise.models.names import split_model
from fanwise.models.prices import Prices
from fanwise.progress.report import summary_json
from fanwise.progress.words import duration
from fanwise.records import NOTHING, Json, RunRecord, Timeouts
from fanwise.retry.hedge import read_hedge
from fanwise.retry.policy import Retry

if TYPE_CHECKING:
    from fanwise.engine.run import Run
    from fanwise.engine.steering.orders import Order, Sender
    from fanwise.progress.report import Report

NEW = "never"
_DRAIN_S = 30.0


class Session:
    """One command's stretch of work on one run.

    Args:
        options: What to do it under.
        command: The command that goes on with it, as the journal keeps it.
        stored: That command's options.
        resume: The id of the run to go on with; ``None`` looks for the same work that was left
            unfinished, and begins anew where there is none.
        end_source: Ends a source that could wait for ever; called when no more items are wanted.

    Raises:
        StateError: A run of the id that was asked for has ended.
    """

    def __init__(
        self,
        options: RunOptions,
        *,
        command: str,
        stored: Mapping[str, Json],
        resume: str | None = None,
        end_source: Callable[[], None] | None = None,
    ) -> None:
        self.options = options
        self.home = open_home(options.journal)
        self.run: Run | None = None
        self.run_id = ""
        self.screen = Screen(name=command, quiet=options.quiet)
        file = ScreenFile(self.screen, on_gone=self._nobody_reads)
        self.stdout = cast("BinaryIO", file)
        self._command = command
        self._end_source = end_source
        self._stored = stored
        self._resume = resume or self._same_work() or NEW
        self._report: Report | None = None
        self._interrupted = False
        self._unread = False
        self._out_of_time = False
        self._out_of_budget: BudgetExhausted | None = None
        self._task: asyncio.Task[Any] | None = None
        self._timers: list[asyncio.TimerHandle] = []

    def __repr__(self) -> str:
        return f"<Session of {self._command}: {self.run!r}>"

    def _same_work(self) -> str | None:
        """The run to go on with: the one that was named, or the same work left unfinished."""
        known = self.home.runs()
        named = self.options.run_id
        if named is not None:
            record = next((run for run in known if run.run_id == named), None)
            if record is not None and record.status in FINAL:
                raise StateError(
                    f"run {named} exists and is {record.status}",
                    hint=f"choose another id, or `fanwise retry {named}` its failed items",
                )
        elif self.options.source == STDIN:
            return None  # nobody knows whether the same rows will come again
        else:
            record = same_work(known, command=self._command, stored=self._stored)
            if record is not None:
                say(
                    f"Going on with {record.run_id}, the same work, interrupted "
                    f"{ago(record.updated_at)} ago. For a new run: --run-id NAME",
                    quiet=self.options.quiet,
                )
            else:
                self._refuse_a_second(known)
        return None if record is None else record.run_id

    def _refuse_a_second(self, known: Sequence[RunRecord]) -> None:
        """A process that does the very same work now would pay for all of it beside this one."""
        running = same_work(known, command=self._command, stored=self._stored, live=True)
        if running is not None:
            holder = holder_of(self.home, running.run_id)
            raise Conflict(
                f"the same work is under way as {running.run_id}, by {holder.words}",
                hint=f"look on with `fanwise watch {running.run_id}`; to do it a second time "
                "beside it: --run-id NAME",
            )

    def open_run(self, name: str, **more: Any) -> AbstractAsyncContextManager[Run]:
        """Opens the run under the options; what a pipeline says in ``more`` is added."""
        return self._opened(name, more)

    @asynccontextmanager
    async def _opened(self, name: str, more: Mapping[str, Any]) -> AsyncGenerator[Run]:
        settings = {**self._settings(), **more}
        in_memory = settings["journal"] is not self.home
        async with OpenRun(name, **settings) as run:
            self.run, self.run_id = run, run.run_id
            self.screen.name = run.run_id
            if self.options.deadline_s is not None:
                self._later(self.options.deadline_s, self._time_is_up)
            async with shown(run, self.screen):
                yield run
            if in_memory:
                self._report = _ended(await run.report(), run)

    def _settings(self) -> dict[str, Any]:
        options = self.options
        return {
            "journal": self.home,
            "resume": self._resume,
            "run_id": options.run_id if self._resume == NEW else None,
            "command": self._command,
            "options": self._stored,
            "limits": Limits(concurrency=options.max_concurrency, rpm=options.rpm, tpm=options.tpm),
            "budget": budget_of(options),
            "retry": Retry(max_attempts=options.max_attempts),
            **waits_of(options),
            "base_url": options.base_url,
            "api_key_env": options.api_key_env,
            "simulator": parameters_and_profile(options)[1],
            "cache": options.cache,
            "accept_changes": options.accept_changes,
            "on_order": self._ordered,
            "env": environment(options),
        }

    async def carry_out(self, work: Callable[[Session], Awaitable[None]]) -> None:
        """Does the work; returns where it ended or was interrupted.

        Raises:
            FanwiseError: What ended it early; what was durable by then stays so.
        """
        self._task = asyncio.current_task()
        interrupts = Interrupts(drain=self._drain, stop=self._stop)
        try:
            with obeying(interrupts):
                await check_models(self.options)
                await work(self)
        except asyncio.CancelledError:
            if not self._interrupted or self._task is None:
                raise
            self._task.uncancel()
        except BudgetExhausted as error:
            self._out_of_budget = error
        except FanwiseError as error:
            if isinstance(error, InputError) and (self._interrupted or self._out_of_time):
                return  # the source was ended in the middle of something
            if self.run is not None and self.run.snapshot().items_done:
                say(f"Stopped. What was paid for is kept: fanwise resume {self.run_id}")
            raise
        finally:
            for timer in self._timers:
                timer.cancel()

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        self._timers.append(asyncio.get_running_loop().call_later(seconds, action))

    def _drain(self) -> None:
        self._interrupted = True
        if self.run is None:
            self._stop()
            return
        in_flight = self.run.snapshot().in_flight
        self.screen.say(
            f"Stopping: {in_flight} calls in flight may end (up to {duration(_DRAIN_S)}); "
            f"Ctrl-C again stops now. To go on: fanwise resume {self.run_id}"
        )
        self._wind_down()

    def _wind_down(self) -> None:
        """No new work; what is in flight has its time to end."""
        if self._end_source is not None:
            self._end_source()
        if self.run is not None and not self.run.draining:
            self.run.drain()
        self._later(_DRAIN_S, self._stop)

    def _stop(self) -> None:
        self._interrupted = True
        if self._end_source is not None:
            self._end_source()
        if self.run is not None:
            self.screen.say(f"Stopping now. To go on: fanwise resume {self.run_id}")
        if self._task is not None:
            self._task.cancel()

    def _ordered(self, order: Order, sender: Sender) -> None:
        """Another process has steered the run."""
        go_on = f"To go on: fanwise resume {self.run_id}"
        sentences: dict[str, str] = {
            "pause": f"Paused. {go_on}",
            "resume": "Going on.",
            "drain": f"Stopping: calls in flight may end (up to {duration(_DRAIN_S)}). {go_on}",
            "cancel": f"Cancelled: calls in flight may end (up to {duration(_DRAIN_S)}).",
            "set": f"New limits: {limits_in_words(order.change)}.",
        }
        self.screen.say(f"({sender.words}) {sentences[order.verb]}")
        if order.verb in {"drain", "cancel"}:
            self._interrupted = True
            self._wind_down()

    def _nobody_reads(self) -> None:
        """Whoever read our results has gone: no more are wanted, and none is lost."""
        self._unread = self._interrupted = True
        self._wind_down()

    def _time_is_up(self) -> None:
        if self.run is None or self.run.draining:
            return
        self._out_of_time = True
        self.screen.say(f"The deadline is reached. To go on: fanwise resume {self.run_id}")
        self._wind_down()

    def end(self, *, output_file: str | None, more: Mapping[str, Any] = NOTHING) -> int:
        """Says what there was, and gives the exit code.

        Args:
            output_file: Where results went, for the summary; ``None`` for nowhere.
            more: Further parts of the summary.
        """
        if not self.run_id:
            return ExitCode.INTERRUPTED
        report = self._report or read_report(self.home, self.run_id)
        total = self.run.snapshot().items_total if self.run is not None else None
        if total is not None:
            report = replace(report, items_total=total)
        if self.options.json and not self._unread:
            put_json({**summary_json(report, output_file), **more})
        if not self.options.quiet and not self._unread:
            from fanwise.progress.terminal import print_report

            print_report(report, stream=sys.stderr)
        if report.run.status != "finished":
            if self._out_of_budget is not None:
                self._say_budget(self._out_of_budget)
                return ExitCode.LIMIT_REACHED
            if self._out_of_time:
                return ExitCode.LIMIT_REACHED
            if self._interrupted:
                say(f"To go on: fanwise resume {self.run_id}", quiet=self.options.quiet)
                return ExitCode.INTERRUPTED
        return ExitCode.SOME_FAILED if report.counters.failed else ExitCode.OK

    def _say_budget(self, reached: BudgetExhausted) -> None:
        say(f"{reached.message[:1].upper()}{reached.message[1:]}; the answers so far are kept.")
        bounds = () if self.run is None else self.run.snapshot().budgets
        limits = [bound.limit for bound in bounds if bound.kind == reached.kind]
        larger = f" --budget-{reached.kind} {2 * limits[0]:g}" if limits else ""
        say(f"To go on with a larger one: fanwise resume {self.run_id}{larger}")


def budget_of(options: RunOptions) -> Budget | None:
    """The budget that a command's options state; ``None`` where they state none."""
    budget = Budget(
        usd=options.budget_usd, tokens=options.budget_tokens, calls=options.budget_calls
    )
    return budget if budget.bounds_calls else None


def waits_of(options: RunOptions) -> dict[str, Any]:
    """How long the calls of a command's run may take, and when they are hedged."""
    plain = Timeouts()
    attempt_s = options.attempt_timeout_s
    timeouts = plain
    if attempt_s is not None:
        timeouts = Timeouts(attempt_s=attempt_s, first_byte_s=max(attempt_s, plain.first_byte_s))
    return {
        "hedge": None if options.hedge is None else read_hedge(options.hedge),
        "timeouts": timeouts,
        "total_s": math.inf if options.timeout_s is None else options.timeout_s,
    }


def _ended(report: Report, run: Run) -> Report:
    """The report of a run that nothing outlives, as of its end."""
    status = "finished" if run.finished else "interrupted"
    return replace(report, run=replace(report.run, status=status))


async def check_models(options: RunOptions) -> None:
    """Finds what is wrong with the models before a run is made for them; sends nothing.

    Raises:
        ConfigError: An unknown name, a key that is missing, or no price under a budget of money.
    """
    from fanwise.models.http.transport import open_transport
    from fanwise.models.registry import Registry

    registry = Registry(open_transport, env=environment(options))
    prices = None if options.budget_usd is None else Prices()
    try:
        for model in options.models:
            if prices is not None:
                check_price(prices, model)
            provider, name = split_model(model)
            if provider == "sim" and parameters_and_profile(options)[1] is None:
                profile_of(name)
            elif provider not in {"sim", "builtin"}:
                registry.resolve(model, base_url=options.base_url, api_key_env=options.api_key_env)
    finally:
        await registry.aclose()
