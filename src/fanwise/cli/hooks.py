"""``fanwise hooks``: opening lines for a post by several models, scored by a judge."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from fanwise.cli.display import plural, say
from fanwise.cli.failures import ExitCode
from fanwise.cli.flags import (
    HomeFlags,
    InputFlags,
    LimitFlags,
    ModelFlags,
    OutputFlags,
    ProgressFlags,
    RunFlags,
    WorkFlags,
)
from fanwise.cli.hooks_input import check_rows, job_of, jobs_of
from fanwise.cli.options import STDIN, RunOptions, read_options
from fanwise.errors import ConfigError

if TYPE_CHECKING:
    from fanwise.cli.linefile import LineFile
    from fanwise.cli.work import Session
    from fanwise.pipelines import Event
    from fanwise.pipelines.hooks import HooksJob, HooksResult

COMMAND = "hooks"
RULES = "builtin/rules"
_POST = "Post"
_JUDGING = "Judging"


@dataclass(frozen=True, slots=True, kw_only=True)
class HooksFlags:
    """What is particular to hooks."""

    judge: Annotated[
        str,
        Option(metavar="PROVIDER/MODEL", help="Scores every hook.", rich_help_panel=_JUDGING),
    ] = RULES
    validator: Annotated[
        str | None,
        Option(
            metavar="PROVIDER/MODEL",
            help="Checks every judgement; what fails lowers its confidence.",
            rich_help_panel=_JUDGING,
        ),
    ] = None
    focus: Annotated[
        list[str] | None,
        Option(
            metavar="CRITERION",
            help="Shares 60 % of the weight with up to two others (give it again): attention, "
            "emotion, social_proof, clarity, relevance, actionability.",
            rich_help_panel=_JUDGING,
        ),
    ] = None
    repeats: Annotated[
        int,
        Option(
            metavar="N", help="Judge each hook N times (1 to 5): spread.", rich_help_panel=_JUDGING
        ),
    ] = 1
    compare: Annotated[
        bool,
        Option(
            "--compare",
            help="Compare the models' best hooks in pairs, each in both orders.",
            rich_help_panel=_JUDGING,
        ),
    ] = False
    industry: Annotated[
        str, Option(metavar="TEXT", help="Whose post it is.", rich_help_panel=_POST)
    ] = ""
    audience: Annotated[
        str,
        Option(metavar="LEVEL", help="beginner, intermediate or expert.", rich_help_panel=_POST),
    ] = "intermediate"
    content_type: Annotated[
        str,
        Option(
            "--type",
            metavar="TYPE",
            help="tip, story, announcement or question.",
            rich_help_panel=_POST,
        ),
    ] = "tip"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdeasFlags:
    """Where several ideas come from."""

    input_file: Annotated[
        str | None,
        Option(
            "--input-file",
            "-i",
            metavar="FILE",
            help="A table of ideas with a column post_idea; - reads standard input.",
        ),
    ] = None
    limit: Annotated[
        int | None, Option(min=1, metavar="N", help="Take only the first N ideas.")
    ] = None


def hooks(
    *,
    idea: Annotated[
        str | None, Argument(metavar="IDEA", help="What the post is about, or a table of ideas.")
    ] = None,
    ideas: IdeasFlags,
    sample: Annotated[bool, Option("--sample", help="Take the bundled sample ideas.")] = False,
    plan: Annotated[
        bool, Option("--plan", help="Estimate calls, tokens, cost and time; sends nothing.")
    ] = False,
    flags: HooksFlags,
    models: ModelFlags,
    limits: LimitFlags,
    output: OutputFlags,
    run: RunFlags,
    progress: ProgressFlags,
    home: HomeFlags,
) -> int:
    """Write opening lines for a post, scored by a judge.

    Each model (-m, one to six) writes five hooks; the judge scores every hook as soon as it is
    there. Without -m and --judge the pipeline's own rules write and judge: no key, no network. A
    table (-i, JSONL or CSV with a column post_idea) is done in one run; a result a line goes to -o
    or, in a pipe, to standard output.
    """
    if idea is not None and (idea == STDIN or _is_table(idea)):
        if ideas.input_file not in (None, idea):
            raise ConfigError("two inputs were given", hint="name one, by position or with -i")
        ideas, idea = replace(ideas, input_file=idea), None
    if sample:
        from fanwise.pipelines.hooks import PIPELINE

        if idea is not None or ideas.input_file is not None:
            raise ConfigError("--sample brings its own ideas", hint="leave out IDEA, or --sample")
        ideas = replace(ideas, input_file=str(PIPELINE.sample_path))
    work = WorkFlags(
        inputs=InputFlags(input_file=ideas.input_file, limit=ideas.limit),
        models=models,
        limits=limits,
        output=output,
        run=run,
        progress=progress,
        home=home,
    )
    asked = {**asdict(flags), "idea": idea}
    options = _checked(read_options(work), asked)
    return _plan(options, asked) if plan else carry_on(options, asked, resume=None)


def _is_table(text: str) -> bool:
    """Whether somebody has named a file where an idea belongs."""
    return len(text.split()) == 1 and len(text) < 1000 and Path(text).expanduser().is_file()


def _checked(options: RunOptions, asked: Mapping[str, Any]) -> RunOptions:
    """The options of a hooks run, with its default model.

    Raises:
        ConfigError: No idea or two, a wrong field, or a flag that means nothing here.
    """
    if asked["idea"] is None and options.source is None:
        raise ConfigError(
            "no idea was given",
            hint='write one: fanwise hooks "We stopped writing weekly reports", or try --sample',
        )
    if asked["idea"] is not None and options.source is not None:
        raise ConfigError("an idea and a table were given", hint="give one of them")
    if options.schema is not None:
        raise ConfigError("hooks have their own schema", hint="leave out --schema")
    if options.ordered:
        raise ConfigError(
            "ideas are shown as they are done", hint="leave out --ordered; results have ids"
        )
    options = replace(options, models=options.models or (RULES,))
    if asked["idea"] is not None:
        job_of(options, asked, {})
    elif options.source != STDIN:
        check_rows(options, asked)
    return options


def _all_models(options: RunOptions, asked: Mapping[str, Any]) -> RunOptions:
    """The options with everybody whose key is needed: writers, judge, validator."""
    named = [*options.models, asked["judge"], asked["validator"]]
    return replace(options, models=tuple(dict.fromkeys(name for name in named if name)))


def _plan(options: RunOptions, asked: Mapping[str, Any]) -> int:
    from fanwise.cli.loop import run_loop
    from fanwise.cli.plan import opening, put_plan
    from fanwise.cli.stdin import open_stdin
    from fanwise.pipelines.hooks import plan

    stdin = open_stdin()[0] if options.source == STDIN else None
    planned = plan(jobs_of(options, asked, stdin), **opening(_all_models(options, asked)))
    put_plan(run_loop(planned), as_json=options.json)
    return ExitCode.OK


def carry_on(options: RunOptions, asked: Mapping[str, Any], *, resume: str | None) -> int:
    """Works to the end or to an interruption.

    Args:
        options: How.
        asked: What is particular to hooks, and the idea, where there is one.
        resume: The run to go on with; ``None`` looks for the same work left unfinished.

    Returns:
        The exit code.
    """
    from fanwise.cli.hooks_output import RESULTS
    from fanwise.cli.linefile import LineFile
    from fanwise.cli.loop import run_loop
    from fanwise.cli.stdin import open_stdin
    from fanwise.cli.work import Session

    stdin, end_stdin = open_stdin() if options.source == STDIN else (None, None)
    stored = options.stored() | {"hooks": dict(asked)}
    file = None
    if options.output is not None:
        file = LineFile(options.output, kind=RESULTS, source=options.source)
    session = Session(
        _all_models(options, asked),
        command=COMMAND,
        stored=stored,
        resume=resume,
        end_source=end_stdin,
    )
    work = _Work(session, alone=asked["idea"] is not None, file=file)
    try:
        run_loop(session.carry_out(lambda _: work.carry_out(jobs_of(options, asked, stdin))))
    finally:
        work.show()
        if file is not None:
            file.close()
    return session.end(output_file=options.output, more=work.said())


def go_on(stored: Mapping[str, Any], options: RunOptions, *, resume: str) -> int:
    """Goes on with a run of this command, from what the journal keeps of it."""
    return carry_on(options, stored["hooks"], resume=resume)


class _Work:
    """One command's work, and what it shows while it goes on.

    Args:
        session: The command's session.
        alone: Whether there is one idea, whose every event is told.
        file: Where results go; ``None`` for standard output.
    """

    def __init__(self, session: Session, *, alone: bool, file: LineFile | None) -> None:
        self._session = session
        self._alone = alone
        self._file = file
        self._counts = dict.fromkeys(("success", "partial", "error"), 0)
        self._kept: list[dict[str, Any]] = []
        self._table = ""  # of one idea: for when the panel is gone

    async def carry_out(self, jobs: Iterable[tuple[str, HooksJob]]) -> None:
        """Does the jobs; what is durable by its end is shown."""
        from fanwise.pipelines.hooks import hooks_of_many

        if self._file is not None:
            self._file.start()
        await hooks_of_many(
            jobs,
            on_result=self._landed,
            open_run=self._session.open_run,
            on_event=self._told if self._alone else None,
        )

    def _told(self, event: Event) -> None:
        if not self._session.options.quiet:
            self._session.screen.say(f"{event.percent or 0.0:3.0f} %  {event.message}")

    def _landed(self, result: HooksResult) -> None:
        from fanwise.cli.hooks_output import line_of, shown

        self._counts[result.status] += 1
        options = self._session.options
        if self._file is not None:
            self._file.add(line_of(result))
        elif options.json:
            self._kept.append(result.as_json())
        elif self._alone:
            self._table = shown(result, alone=True)
        else:
            self._session.stdout.write(shown(result, alone=False).encode())
        if result.status != "success" and not self._alone and not options.quiet:
            failed = [f"{one.model}: {one.message}" for one in result.failed]
            failed += [trouble for model in result.models for trouble in model.troubles[:1]]
            why = failed[0] if failed else "interrupted"
            self._session.screen.say(f"[{result.id}] {result.status}: {why}")

    def show(self) -> None:
        """The tables of one idea, once nothing else is on the screen."""
        if self._table:
            sys.stdout.write(self._table)
            sys.stdout.flush()

    def said(self) -> dict[str, Any]:
        """The part of the summary that is about hooks."""
        ideas = sum(self._counts.values())
        if self._file is not None and not self._session.options.quiet:
            say(f"Wrote {plural(ideas, 'result')} to {self._session.options.output}")
        found: dict[str, Any] = {"ideas": ideas, **self._counts}
        return {"hooks": found | ({} if self._file is not None else {"results": self._kept})}
