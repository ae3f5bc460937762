"""``fanwise grade``: answers graded against references; cards reviewed when they are due."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from fanwise.cli.display import plural, say, to_json
from fanwise.cli.failures import ExitCode
from fanwise.cli.flags import WorkFlags
from fanwise.cli.options import STDIN, RunOptions, read_options
from fanwise.documents.sources import existing
from fanwise.errors import BudgetExhausted, ConfigError

if TYPE_CHECKING:
    from typing import BinaryIO

    from fanwise.cli.linefile import LineFile
    from fanwise.cli.work import Session
    from fanwise.pipelines import Event
    from fanwise.pipelines.grading import GradingJob, GradingResult

COMMAND = "grade"
RULES = "builtin/rules"
_TABLE = "Table"
_CARDS = "Cards"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFlags:
    """Where in a table everything stands; ``outer.inner`` names a column within a column."""

    question: Annotated[
        str, Option("--question", metavar="COLUMN", help="The question.", rich_help_panel=_TABLE)
    ] = "question"
    expected: Annotated[
        str,
        Option("--expected", metavar="COLUMN", help="The right answer.", rich_help_panel=_TABLE),
    ] = "expected"
    answer: Annotated[
        str,
        Option("--answer", metavar="COLUMN", help="What was answered.", rich_help_panel=_TABLE),
    ] = "answer"
    label: Annotated[
        str,
        Option(
            "--label",
            metavar="COLUMN",
            help="Somebody else's judgement: prints how often the grades agree with it.",
            rich_help_panel=_TABLE,
        ),
    ] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeFlags:
    """How answers are graded."""

    mode: Annotated[
        str,
        Option(
            "--mode",
            metavar="MODE",
            help="auto, parallel, batch or sequential, for what needs a model.",
        ),
    ] = "auto"
    max_concurrent_tasks: Annotated[
        int | None,
        Option(
            "--max-concurrent-tasks",
            metavar="N",
            help="Calls at once, 1 to 10. Default: as many as the limits allow; 5 in a review.",
        ),
    ] = None
    pack_size: Annotated[
        int,
        Option("--pack-size", metavar="N", help="Answers in one request, 2 to 50 (mode batch)."),
    ] = 10
    easiest_first: Annotated[
        bool,
        Option(
            "--easiest-first",
            help="Ask first about questions that were mostly answered right: column success_rate.",
        ),
    ] = False
    no_reuse: Annotated[bool, Option("--no-reuse", help="Grade equal answers again, too.")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFlags:
    """Learning with cards."""

    import_cards: Annotated[
        str | None,
        Option(
            "--import-cards",
            metavar="FILE",
            help="Put the cards of a JSON, JSONL or CSV file into the store.",
            rich_help_panel=_CARDS,
        ),
    ] = None
    due: Annotated[
        bool, Option("--due", help="List the cards that are due.", rich_help_panel=_CARDS)
    ] = False
    review: Annotated[
        bool,
        Option(
            "--review",
            help="Ask the questions of the cards that are due; a line of input is an answer.",
            rich_help_panel=_CARDS,
        ),
    ] = False
    session: Annotated[
        str | None,
        Option(
            "--session",
            metavar="ID",
            help="Begin a review of this name, or go on with it.",
            rich_help_panel=_CARDS,
        ),
    ] = None
    topic: Annotated[
        str | None,
        Option("--topic", metavar="TOPIC", help="Only its cards.", rich_help_panel=_CARDS),
    ] = None


def grade(
    *,
    sample: Annotated[
        bool, Option("--sample", help="Grade the bundled answers and score the grades.")
    ] = False,
    plan: Annotated[
        bool, Option("--plan", help="Estimate calls, tokens, cost and time; sends nothing.")
    ] = False,
    flags: GradeFlags,
    table: TableFlags,
    cards: CardFlags,
    work: WorkFlags,
) -> int:
    """Grade answers against references; review cards.

    INPUT is a table (JSONL, CSV, Parquet) with columns question, expected and answer; also read, if
    there: kind, options, rubric, tolerance. Multiple choice and numbers are graded by rule and
    cost nothing; -m names the model for the rest (without it, rules that count words). A grade a
    line goes to standard output or to -o. What could not be graded is ungraded, never wrong.
    """
    options = read_options(work)
    if cards.import_cards or cards.due or cards.review:
        from fanwise.cli.review import carry_on_cards

        return carry_on_cards(_one_model(options), flags, cards)
    if cards.session is not None or cards.topic is not None:
        raise ConfigError(
            "--session and --topic are about cards", hint="add --review, or --due for a list"
        )
    if sample:
        options, table = _sampled(options, table)
    options = checked(options)
    return _plan(options, flags, table) if plan else carry_on(options, flags, table, resume=None)


def _sampled(options: RunOptions, table: TableFlags) -> tuple[RunOptions, TableFlags]:
    from fanwise.pipelines.grading import PIPELINE

    if options.source is not None:
        raise ConfigError("--sample brings its own answers", hint="leave out INPUT, or --sample")
    source = str(PIPELINE.sample_path)
    return replace(options, source=source), replace(table, label=table.label or "label")


def _one_model(options: RunOptions) -> RunOptions:
    if len(options.models) > 1:
        raise ConfigError(
            f"one model grades, and {len(options.models)} were named",
            hint=f"name one: -m {options.models[0]}",
        )
    if options.schema is not None:
        raise ConfigError("grading has its own schema", hint="leave out --schema")
    return replace(options, models=options.models or (RULES,))


def checked(options: RunOptions) -> RunOptions:
    """The options of a grading run, with its default model.

    Raises:
        ConfigError: No table, several models, or a flag that means nothing here.
    """
    if options.source is None:
        raise ConfigError(
            "no table was named", hint="name a JSONL or CSV file, - for stdin, or try --sample"
        )
    if options.source != STDIN:
        existing(options.source)
    if options.ordered and options.output is None:
        raise ConfigError(
            "grades are shown as they land", hint="for the order of the table, write to -o"
        )
    return _one_model(options)


def _job(
    options: RunOptions, flags: GradeFlags, table: TableFlags, *, stdin: BinaryIO | None = None
) -> GradingJob:
    from fanwise.cli.profiles import parameters_and_profile
    from fanwise.pipelines.grading import Columns, GradingJob

    return GradingJob(
        source=options.source,
        columns=Columns(**asdict(table)),
        model=options.models[0],
        processing_mode=flags.mode,
        max_concurrent_tasks=flags.max_concurrent_tasks,
        pack_size=flags.pack_size,
        easiest_first=flags.easiest_first,
        reuse=not flags.no_reuse,
        limit=options.limit,
        parameters=parameters_and_profile(options)[0],
        stdin=stdin,
    )


def _plan(options: RunOptions, flags: GradeFlags, table: TableFlags) -> int:
    from fanwise.cli.loop import run_loop
    from fanwise.cli.plan import opening, put_plan
    from fanwise.cli.stdin import open_stdin
    from fanwise.pipelines.grading import plan

    stdin = open_stdin()[0] if options.source == STDIN else None
    planned = plan(_job(options, flags, table, stdin=stdin), **opening(options))
    put_plan(run_loop(planned), as_json=options.json)
    return ExitCode.OK


def carry_on(
    options: RunOptions, flags: GradeFlags, table: TableFlags, *, resume: str | None
) -> int:
    """Grades to the end or to an interruption.

    Args:
        options: How.
        flags: What is particular to grading.
        table: Where in the table everything stands.
        resume: The run to go on with; ``None`` looks for the same work left unfinished.

    Returns:
        The exit code.
    """
    from fanwise.cli.grades import GRADES
    from fanwise.cli.linefile import LineFile
    from fanwise.cli.loop import run_loop
    from fanwise.cli.stdin import open_stdin
    from fanwise.cli.work import Session

    stdin, end_stdin = open_stdin() if options.source == STDIN else (None, None)
    job = _job(options, flags, table, stdin=stdin)
    stored = options.stored() | {"grade": asdict(flags), "table": asdict(table)}
    file = None
    if options.output is not None:
        file = LineFile(options.output, kind=GRADES, source=options.source)
    session = Session(options, command=COMMAND, stored=stored, resume=resume, end_source=end_stdin)
    work = _Work(session, job, file=file)
    try:
        run_loop(session.carry_out(work.carry_out))
    finally:
        if file is not None:
            file.close()
    found: dict[str, Any] = {}
    if work.result is not None:
        summary = work.result.as_json() if file is None else work.result.summary_json()
        found = {"grading": summary}
        if not options.quiet:
            say_summary(work.result)
    return session.end(output_file=options.output, more=found)


def go_on(stored: Mapping[str, Any], options: RunOptions, *, resume: str) -> int:
    """Goes on with a run of this command, from what the journal keeps of it."""
    flags, table = GradeFlags(**stored["grade"]), TableFlags(**stored["table"])
    return carry_on(options, flags, table, resume=resume)


class _Work:
    """One grading run, and what it shows while it goes on."""

    def __init__(self, session: Session, job: GradingJob, *, file: LineFile | None) -> None:
        self._session = session
        self._job = job
        self._file = file
        self.result: GradingResult | None = None

    async def carry_out(self, session: Session) -> None:
        """Grades; what is durable by its end is in the file."""
        from fanwise.pipelines.grading import execute

        if self._file is not None:
            self._file.start()
        try:
            self.result = await execute(
                self._job, home=session.home, open_run=session.open_run, on_event=self._told
            )
        except BudgetExhausted:
            if self._file is not None:
                self._file.close()
            raise
        if self._file is not None and self.result.complete:
            self._file.finish(to_json(one.as_json()) for one in self.result.results)

    def _told(self, event: Event) -> None:
        if event.kind not in {"result", "error"}:
            return
        options = self._session.options
        text = to_json(event.data) + "\n"
        if self._file is not None:
            self._file.add(text.encode())
        elif not options.json:
            if sys.stdout.isatty():
                from fanwise.cli.grades import for_people

                text = for_people(event.data) + "\n"
            self._session.stdout.write(text.encode())
        if event.kind == "error" and not options.quiet:
            self._session.screen.say(f"[{event.subject}] ungraded: {event.message[:160]}")


def say_summary(result: GradingResult) -> None:
    """The end of a run in words."""
    metrics = result.metrics
    say("")
    say(
        f"{plural(result.total, 'answer')}: {result.correct:,} correct, "
        f"{result.incorrect:,} incorrect, {metrics.ungraded:,} ungraded"
    )
    by_model = f"{metrics.graded_by_model:,} by {result.model}"
    say(
        f"Graded {metrics.graded_by_rule:,} by rule without a call, {by_model}, "
        f"{metrics.remembered:,} from equal answers before"
    )
    if metrics.average_task_duration_ms is not None:
        counted = ", ".join(f"{mode} {count:,}" for mode, count in metrics.answers_by_mode.items())
        say(
            f"Mode {metrics.processing_mode_used} ({metrics.mode_reason}; {counted or 'none'}), "
            f"{metrics.parallel_tasks_spawned} at once, "
            f"{metrics.average_task_duration_ms / 1000:.2f} s a call"
        )
    if metrics.fallback_reason:
        say(f"Fallback: {metrics.fallback_reason}")
    if result.agreement is not None:
        kinds = ", ".join(
            f"{kind} {agreeing}/{labelled}"
            for kind, (labelled, agreeing) in sorted(result.by_kind.items())
        )
        say(
            f"Agreement with the labels: {result.agreement:.1%} "
            f"({result.agreeing:,} of {result.labelled:,}; {kinds})"
        )
    say("")
