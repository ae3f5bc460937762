"""``fanwise notes``: notes of a recording, in six kinds and three depths."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

from typer import Option

from fanwise.cli.display import plural, put_table, say, to_json
from fanwise.cli.failures import ExitCode
from fanwise.cli.flags import InputFlags, WorkFlags
from fanwise.cli.options import STDIN, RunOptions, read_options
from fanwise.errors import ConfigError, JournalUnavailable

if TYPE_CHECKING:
    from fanwise.cli.work import Session
    from fanwise.pipelines import Event
    from fanwise.pipelines.notes import NotesJob, NotesResult

COMMAND = "notes"
RULES = "builtin/rules"
_JSON = ".json"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotesFlags:
    """What is particular to notes."""

    template: Annotated[
        list[str] | None,
        Option(
            "--template",
            "-t",
            metavar="NAME",
            help="Kind of notes (see --list); give it again for several, or all.",
        ),
    ] = None
    verbosity: Annotated[
        str, Option(metavar="DEPTH", help="brief, standard, comprehensive, or all three: all.")
    ] = "standard"
    strategy: Annotated[
        str,
        Option(metavar="HOW", help="per_depth asks for each depth, one_call for all at once."),
    ] = "per_depth"
    mode: Annotated[
        str, Option(metavar="MODE", help="transcript, or metadata: what its publisher wrote.")
    ] = "transcript"
    language: Annotated[
        str, Option(metavar="CODE", help="Captions to fetch (de). Default: en, else any.")
    ] = ""
    video: Annotated[
        str, Option(metavar="URL", help="The video that a transcript file belongs to, for links.")
    ] = ""
    user: Annotated[
        str, Option(metavar="NAME", help="Whose notes these are: users share none.")
    ] = ""
    part_tokens: Annotated[
        int, Option(metavar="N", help="Condense a longer transcript in parts of so many tokens.")
    ] = 6000
    stagger: Annotated[
        float, Option(metavar="SECONDS", help="Time between the starts of templates.")
    ] = 0.15
    rollout_percent: Annotated[
        float | None,
        Option(metavar="N", help="Share of users who work in parallel, under guardrails."),
    ] = None
    force: Annotated[bool, Option("--force", help="Write notes anew that are there already.")] = (
        False
    )
    retry: Annotated[
        list[str] | None,
        Option(metavar="NAME", help="Write this template anew; the others stay as they are."),
    ] = None


def notes(
    *,
    flags: NotesFlags,
    sample: Annotated[
        bool, Option("--sample", help="Take the bundled recording: a talk about sourdough.")
    ] = False,
    list_templates: Annotated[
        bool, Option("--list", help="List the templates; writes nothing.")
    ] = False,
    plan: Annotated[
        bool, Option("--plan", help="Estimate time, tokens and cost; sends nothing.")
    ] = False,
    work: WorkFlags,
) -> int:
    """Write notes of a recording: six kinds, three depths.

    INPUT is a transcript (.vtt, .srt, .json, .txt) or the address of a video on YouTube. The notes
    go to standard output as Markdown, in the order of --template, or to -o FILE: .md, .html, .docx,
    .pdf or .json by its name. Without -m the pipeline's own rules write them in the recording's own
    sentences: no key, no network. Several -m are a chain: each further one is asked where those
    before it have failed. What is there already is not written again; what failed is tried again.
    """
    if list_templates:
        return _list_templates()
    options = _options(work, sample=sample)
    job = job_of(options, flags)
    return _plan(job, options) if plan else carry_on(options, flags, resume=None)


def job_of(options: RunOptions, flags: NotesFlags) -> NotesJob:
    """The job that flags describe.

    Raises:
        InvalidFields: One reason for each that is wrong.
    """
    from fanwise.cli.profiles import parameters_and_profile
    from fanwise.pipelines.notes import NotesJob
    from fanwise.pipelines.notes.catalogue import NAMES

    templates = tuple(flags.template or ("basic-summary",))
    return NotesJob.from_json(
        {
            "source": options.source or "",
            "templates": list(NAMES if templates == ("all",) else templates),
            "verbosity": flags.verbosity,
            "strategy": flags.strategy,
            "mode": flags.mode,
            "language": flags.language,
            "models": list(options.models),
            "user": flags.user,
            "video": flags.video,
            "stagger_s": flags.stagger,
            "part_tokens": flags.part_tokens,
            "force": flags.force,
            "retry": list(flags.retry or ()),
            "rollout_percent": flags.rollout_percent,
            "parameters": dict(parameters_and_profile(options)[0]),
        }
    )


def _options(work: WorkFlags, *, sample: bool) -> RunOptions:
    """The options, with their default model, and an address left as it is.

    Raises:
        ConfigError: No recording, or a flag that means nothing here.
    """
    from fanwise.pipelines.notes import PIPELINE
    from fanwise.pipelines.notes.video import looks_like_a_video

    given = work.inputs.source or work.inputs.input_file
    address = ""
    if given is not None and looks_like_a_video(given) and not Path(given).exists():
        address = given
        work = replace(work, inputs=InputFlags(limit=work.inputs.limit))
    options = read_options(work)
    if address:
        options = replace(options, source=address)
    if sample:
        if options.source is not None:
            raise ConfigError(
                "--sample brings its own recording", hint="leave out INPUT, or --sample"
            )
        options = replace(options, source=str(PIPELINE.sample_path))
    _check(options, ordered=work.output.ordered)
    return replace(options, models=options.models or (RULES,))


def _check(options: RunOptions, *, ordered: bool | None) -> None:
    hint = "see `fanwise notes --help`"
    if options.source is None:
        raise ConfigError(
            "no recording was named",
            hint="name a transcript or a video's address, or try --sample",
        )
    if options.source == STDIN:
        raise ConfigError(
            "a transcript cannot be read from standard input",
            hint="save it to a file whose name ends in .vtt, .srt, .json or .txt",
        )
    if options.schema is not None:
        raise ConfigError("notes have their own schema", hint="leave out --schema")
    if options.limit is not None:
        raise ConfigError("notes are of one recording", hint="leave out --limit; -t chooses")
    if ordered is not None:
        raise ConfigError("notes come in the order of -t", hint="leave out --ordered")
    if options.output is None:
        return
    from fanwise.pipelines.notes.export import kind_of

    place = Path(options.output)
    if place.suffix.lower() != _JSON:
        kind_of(place)
    if place.is_dir() or not place.parent.is_dir():
        raise ConfigError(f"the output {place} cannot be a file", hint=f"name another; {hint}")
    if place.exists() and Path(options.source).exists() and place.samefile(options.source):
        raise ConfigError(
            f"the output {place} is the transcript itself", hint="name another file with -o"
        )


def _list_templates() -> int:
    from fanwise.pipelines.notes.catalogue import NAMES, template

    found = [template(name) for name in NAMES]
    put_table(
        ("template", "tokens", "what it is"),
        [(one.id, f"~{one.estimated_tokens:,}", one.description) for one in found],
        right=("tokens",),
    )
    return ExitCode.OK


def _plan(job: NotesJob, options: RunOptions) -> int:
    from fanwise.cli.loop import run_loop
    from fanwise.cli.plan import opening, put_plan
    from fanwise.pipelines.notes import plan

    put_plan(run_loop(plan(job, **opening(options))), as_json=options.json)
    return ExitCode.OK


def carry_on(options: RunOptions, flags: NotesFlags, *, resume: str | None) -> int:
    """Writes the notes, to the end or to an interruption.

    Args:
        options: How.
        flags: What is particular to these notes.
        resume: The run to go on with; ``None`` looks for the same work left unfinished.

    Returns:
        The exit code.
    """
    from fanwise.cli.loop import run_loop
    from fanwise.cli.work import Session

    job = job_of(options, flags)
    stored = options.stored() | {"notes": asdict(flags)}
    session = Session(options, command=COMMAND, stored=stored, resume=resume)
    work = _Work(session, job)
    run_loop(session.carry_out(work.carry_out))
    found: dict[str, Any] = {}
    result = work.result
    if result is not None:
        found = {COMMAND: {**result.as_json(), "report": None}}
        if options.output is not None:
            _write(Path(options.output), result)
        if not options.quiet:
            _say_results(result)
    return session.end(output_file=options.output, more=found)


def go_on(stored: Mapping[str, Any], options: RunOptions, *, resume: str) -> int:
    """Goes on with a run of this command, from what the journal keeps of it."""
    return carry_on(options, NotesFlags(**stored[COMMAND]), resume=resume)


class _Work:
    """One job, and what it shows while it goes on."""

    def __init__(self, session: Session, job: NotesJob) -> None:
        self._session = session
        self._job = job
        self._waiting = list(job.templates)
        self._ended: dict[str, Mapping[str, Any]] = {}
        self._about: dict[str, Any] = {"id": ""}
        self.result: NotesResult | None = None

    async def carry_out(self, session: Session) -> None:
        """Writes the notes; those that are complete are shown at once, in the order asked for."""
        from fanwise.pipelines.notes import execute

        self.result = await execute(
            self._job, home=session.home, open_run=session.open_run, on_event=self._told
        )
        for one in self.result.results:
            self._ended.setdefault(one.template, one.as_json())
        self._show()

    def _told(self, event: Event) -> None:
        if "source" in event.data and not self._about["id"]:
            self._about = dict(cast("Mapping[str, Any]", event.data["source"]))
        if event.kind in {"result", "error"}:
            self._ended[event.subject] = event.data
            self._show()
        if self._session.options.quiet or event.message.endswith(" %"):
            return
        note: Any = event.data.get("note") if event.kind == "result" else None
        more = f": {_figures(note)}" if note else ""
        self._session.screen.say(f"{event.percent:5.0f} %  {event.message}{more}")

    def _show(self) -> None:
        """Puts out the notes whose turn it is."""
        while self._waiting and self._waiting[0] in self._ended:
            found: Any = self._ended[self._waiting.pop(0)]
            options = self._session.options
            if found["note"] and not options.json and options.output is None:
                self._session.stdout.write(self._markdown(found["note"]))

    def _markdown(self, note: Any) -> bytes:
        from fanwise.pipelines.notes import Note, Source
        from fanwise.pipelines.notes.export import export

        source = Source(**self._about)
        return export([Note.from_json(note)], source=source, kind="md") + b"\n"


def _figures(note: Mapping[str, Any]) -> str:
    words = sum(depth["words"] for depth in note["depths"])
    found = f"{plural(words, 'word')} by {', '.join(note['models'])}"
    if note["coverage"] is not None:
        found += f", {note['coverage']:.0%} of the recording cited"
    return found


def _say_results(result: NotesResult) -> None:
    say("")
    for one in result.results:
        words = "written before" if one.reused and one.note else one.status
        if one.note is not None:
            words += f", {_figures(one.note.as_json())}"
        say(f"  {one.template:20} {words}")
        if one.error and one.status == "error":
            say(f"  {'':20} {one.error}")
        for warning in () if one.note is None else one.note.warnings:
            say(f"  {'':20} {warning}")
    if result.mode == "sequential":
        say("Templates went one after another: guardrails or FANWISE_PARALLEL=false.")
    if any(one.reused for one in result.results):
        say("Notes of an equal job are there already; --force writes them anew.")
    if any(one.status == "error" for one in result.results):
        say("The same command tries what failed again; one of them alone: --retry NAME")
    say("")


def _write(place: Path, result: NotesResult) -> None:
    """Writes the file that ``-o`` names, whole or not at all.

    Raises:
        JournalUnavailable: It cannot be written; the notes are safe in the tables.
    """
    from fanwise.pipelines.notes.export import export, kind_of

    if place.suffix.lower() == _JSON:
        data = (to_json(result.as_json()) + "\n").encode()
    else:
        data = export(result.notes, source=result.source, kind=kind_of(place))
    beside = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(data)
        beside.replace(place)
    except OSError as error:
        raise JournalUnavailable(
            f"the output {place} cannot be written: {error.strerror}",
            hint="the notes are safe: mend it, then give the same command again",
        ) from error
    finally:
        beside.unlink(missing_ok=True)
