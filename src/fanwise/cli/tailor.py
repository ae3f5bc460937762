"""``fanwise tailor``: resumes tailored to a job, and how well they answer it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from fanwise.cli.display import say
from fanwise.cli.failures import ExitCode
from fanwise.cli.flags import (
    HomeFlags,
    LimitFlags,
    ModelFlags,
    OutputFlags,
    ProgressFlags,
    RunFlags,
    WorkFlags,
)
from fanwise.cli.options import RunOptions, read_options
from fanwise.documents.sources import existing
from fanwise.errors import ConfigError

if TYPE_CHECKING:
    from fanwise.cli.work import Session
    from fanwise.pipelines import Event
    from fanwise.pipelines.tailoring import TailorJob, TailorResult

COMMAND = "tailor"
RULES = "builtin/rules"
_HOW = "Tailoring"
_DRAFTS = "Drafts"


@dataclass(frozen=True, slots=True, kw_only=True)
class TailorFlags:
    """What is particular to tailoring."""

    job: Annotated[
        str | None,
        Option(metavar="FILE", help="The job posting: PDF, DOCX, TXT or MD.", rich_help_panel=_HOW),
    ] = None
    mode: Annotated[
        str,
        Option(
            metavar="MODE",
            help="PARTIAL (summary, skills, order, a few lines) or FULL (every line).",
            rich_help_panel=_HOW,
        ),
    ] = "PARTIAL"
    tone: Annotated[
        str,
        Option(
            metavar="TONE",
            help="professional, technical, creative, executive, casual, friendly or bold.",
            rich_help_panel=_HOW,
        ),
    ] = "professional"
    length: Annotated[
        str,
        Option(metavar="LENGTH", help="concise, thorough or complete.", rich_help_panel=_HOW),
    ] = "thorough"
    score: Annotated[
        bool, Option("--score", help="Only score; asks no model.", rich_help_panel=_HOW)
    ] = False
    fresh: Annotated[
        bool,
        Option("--fresh", help="Analyse the job anew, even today.", rich_help_panel=_HOW),
    ] = False
    embedding_model: Annotated[
        str | None,
        Option(
            metavar="PROVIDER/MODEL",
            help="Keep an embedding of each resume by this model.",
            rich_help_panel=_HOW,
        ),
    ] = None
    file_format: Annotated[
        str,
        Option(
            "--format",
            metavar="FORMAT",
            help="Of several resumes in the directory -o: md, docx, txt or json.",
            rich_help_panel=_HOW,
        ),
    ] = "md"


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftFlags:
    """What is done with drafts."""

    drafts: Annotated[
        bool, Option("--drafts", help="List the drafts.", rich_help_panel=_DRAFTS)
    ] = False
    draft: Annotated[
        str | None,
        Option(metavar="ID", help="Show a draft, or decide on it.", rich_help_panel=_DRAFTS),
    ] = None
    accept: Annotated[
        str | None,
        Option(metavar="1,3|all", help="Accept changes of --draft.", rich_help_panel=_DRAFTS),
    ] = None
    reject: Annotated[
        str | None,
        Option(metavar="2|all", help="Reject changes of --draft.", rich_help_panel=_DRAFTS),
    ] = None
    undo: Annotated[
        bool, Option("--undo", help="Take the last decision back.", rich_help_panel=_DRAFTS)
    ] = False
    promote: Annotated[
        bool,
        Option("--promote", help="Make --draft a resume of its own.", rich_help_panel=_DRAFTS),
    ] = False


def tailor(
    *,
    resumes: Annotated[
        list[str] | None,
        Argument(metavar="RESUME", help="PDF, DOCX, TXT, MD or JSON Resume; one or several."),
    ] = None,
    flags: TailorFlags,
    drafts: DraftFlags,
    sample: Annotated[
        bool, Option("--sample", help="Take the bundled resumes and their job.")
    ] = False,
    plan: Annotated[
        bool, Option("--plan", help="Estimate calls, tokens, cost and time; sends nothing.")
    ] = False,
    models: ModelFlags,
    limits: LimitFlags,
    output: OutputFlags,
    run: RunFlags,
    progress: ProgressFlags,
    home: HomeFlags,
) -> int:
    """Tailor resumes to a job, and score them.

    Every change is a line of its own: before, after, reason. What a resume does not state (an
    employer, a title, a degree, a date, a number) is refused; what may be true is left for you to
    decide (--draft ID --accept 2). The resumes themselves are never written over. Without -m the
    pipeline's own rules do it: no key, no network.
    """
    work = WorkFlags(
        models=models, limits=limits, output=output, run=run, progress=progress, home=home
    )
    options = read_options(work)
    if drafts.drafts or drafts.draft is not None:
        from fanwise.cli.tailor_drafts import on_drafts

        return on_drafts(drafts, options)
    if drafts != DraftFlags():
        raise ConfigError("no draft was named", hint="name it: --draft ID; --drafts lists them")
    paths = resumes or []
    if sample:
        paths, flags = _sampled(paths, flags)
    asked = {**asdict(flags), "resumes": [str(Path(one).expanduser().absolute()) for one in paths]}
    options = _checked(options, asked)
    return _plan(options, asked) if plan else carry_on(options, asked, resume=None)


def _sampled(paths: list[str], flags: TailorFlags) -> tuple[list[str], TailorFlags]:
    from fanwise.pipelines.tailoring import PIPELINE

    if paths or flags.job:
        raise ConfigError("--sample brings its own resumes and job", hint="leave out the others")
    place = PIPELINE.sample_path
    assert place is not None
    found = [str(place / name) for name in ("dana_voss.txt", "jon_hale.json", "mira_okafor.md")]
    return found, replace(flags, job=str(place / "job.txt"))


def _checked(options: RunOptions, asked: dict[str, Any]) -> RunOptions:
    """The options of a tailoring run, with its default model; the job's path made absolute.

    Raises:
        ConfigError: Nothing to tailor, nothing to tailor it to, or a flag that means nothing here.
    """
    if not asked["resumes"]:
        raise ConfigError(
            "no resume was named", hint="fanwise tailor RESUME.pdf --job POSTING.txt, or --sample"
        )
    if asked["job"] is None:
        raise ConfigError("no job was named", hint="give the posting: --job FILE")
    asked["job"] = str(Path(asked["job"]).expanduser().absolute())
    for path in (*asked["resumes"], asked["job"]):
        existing(path)
    if options.schema is not None:
        raise ConfigError("tailoring has its own schemas", hint="leave out --schema")
    if options.ordered:
        raise ConfigError("resumes are shown as they are done", hint="leave out --ordered")
    if options.output is not None:
        from fanwise.cli.tailor_output import check_output

        check_output(options.output, asked["resumes"], kind=asked["file_format"])
    return replace(options, models=options.models or (RULES,))


async def _job(options: RunOptions, asked: Mapping[str, Any]) -> TailorJob:
    import fanwise as fw
    from fanwise.cli.profiles import parameters_and_profile
    from fanwise.pipelines.tailoring import ResumeInput, TailorJob
    from fanwise.pipelines.tailoring.job import DAY_S

    posting = await fw.documents.read_document(asked["job"])
    names = Counter(Path(path).name for path in asked["resumes"])
    resumes = tuple(
        ResumeInput(
            name=Path(path).name,
            path=path,
            id=Path(path).name if names[Path(path).name] == 1 else path,
        )
        for path in asked["resumes"]
    )
    return TailorJob(
        resumes=resumes,
        job_description=posting.text,
        mode=asked["mode"].upper(),
        tone=asked["tone"],
        length=asked["length"],
        models=tuple(options.models),
        score_only=asked["score"],
        embedding_model=asked["embedding_model"],
        parameters=parameters_and_profile(options)[0],
        analysis_max_age_s=0.0 if asked["fresh"] else DAY_S,
    )


def _plan(options: RunOptions, asked: Mapping[str, Any]) -> int:
    from fanwise.cli.loop import run_loop
    from fanwise.cli.plan import opening, put_plan
    from fanwise.pipelines.tailoring import plan

    async def planned() -> Any:
        return await plan(await _job(options, asked), **opening(options))

    put_plan(run_loop(planned()), as_json=options.json)
    return ExitCode.OK


def carry_on(options: RunOptions, asked: Mapping[str, Any], *, resume: str | None) -> int:
    """Works to the end or to an interruption.

    Args:
        options: How.
        asked: What is particular to tailoring, with the paths of resumes and job.
        resume: The run to go on with; ``None`` looks for the same work left unfinished.

    Returns:
        The exit code.
    """
    from fanwise.cli.loop import run_loop
    from fanwise.cli.tailor_output import put_results, write_results
    from fanwise.cli.work import Session

    job = run_loop(_job(options, asked))
    stored = options.stored() | {"tailor": dict(asked)}
    session = Session(options, command=COMMAND, stored=stored, resume=resume)
    work = _Work(session, job)
    run_loop(session.carry_out(work.carry_out))
    result = work.result
    if result is None:
        return session.end(output_file=None)
    if options.output is not None:
        written = write_results(result, options.output, kind=asked["file_format"])
        for path in written:
            say(f"Wrote {path}", quiet=options.quiet)
    if not options.json:
        put_results(result, shown=options.output is None)
    return session.end(output_file=options.output, more={"tailor": result.as_json()})


def go_on(stored: Mapping[str, Any], options: RunOptions, *, resume: str) -> int:
    """Goes on with a run of this command, from what the journal keeps of it."""
    return carry_on(options, stored["tailor"], resume=resume)


@dataclass(slots=True)
class _Work:
    """One command's work, and what it shows while it goes on."""

    session: Session
    job: TailorJob
    result: TailorResult | None = field(default=None)

    async def carry_out(self, session: Session) -> None:
        """Does the job, and tells of each step on standard error."""
        from fanwise.pipelines.tailoring.execute import execute

        self.result = await execute(
            self.job, home=session.home, open_run=session.open_run, on_event=self._told
        )

    def _told(self, event: Event) -> None:
        if self.session.options.quiet:
            return
        mark = {"result": "✓ ", "error": "✗ "}.get(event.kind, "")
        about = f"{event.subject}: " if event.subject else ""
        self.session.screen.say(f"{event.percent or 0.0:3.0f} %  {mark}{about}{event.message}")
