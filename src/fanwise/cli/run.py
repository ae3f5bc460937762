"""``fanwise run``: any table, any prompts, any models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, cast

import orjson
from typer import Option

from fanwise.cli.display import plural, say
from fanwise.cli.flags import WorkFlags
from fanwise.cli.options import STDIN, RunOptions, read_options
from fanwise.cli.stdin import open_stdin
from fanwise.errors import ConfigError
from fanwise.records import Json

if TYPE_CHECKING:
    from fanwise.cli.work import Session
    from fanwise.pipelines.prompts.job import PromptsJob

COMMAND = "run"
_PANEL = "Prompt"


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptFlags:
    """What is asked."""

    prompt: Annotated[
        str | None,
        Option(
            "--prompt",
            "-p",
            metavar="TEXT",
            help="What to ask of each row; {{ column }} stands for its cell.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    template: Annotated[
        list[str] | None,
        Option(
            "--template",
            "-t",
            metavar="FILE",
            help="The same from a file; give it again for several prompts.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    system: Annotated[
        str | None,
        Option(metavar="TEXT", help="The system prompt.", rich_help_panel=_PANEL),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What is asked, read from its files: enough to ask it again on a resume.

    Args:
        prompts: Name (empty for ``-p``) and text of each prompt.
        system: The system prompt.
        schema: The JSON Schema of the answers.
        files: The files it was read from, which no output may overwrite.
    """

    prompts: Sequence[Sequence[str]] = ()
    system: str | None = None
    schema: Mapping[str, Json] | None = None
    files: Sequence[str] = ()


def run(*, prompts: PromptFlags, work: WorkFlags) -> int:
    """Send every row of a table to one or more models.

    INPUT is JSONL, CSV or Parquet; an id column names its rows. OpenAI Batch lines are sent as they
    are and need no prompt. One line of JSON an item, failures included, goes to standard output or
    to -o. Ctrl-C stops so that fanwise resume goes on; the same command typed again goes on too.
    """
    options = read_options(work)
    return carry_on(options, read_ask(prompts, options), resume=None)


def read_ask(flags: PromptFlags, options: RunOptions) -> Ask:
    """Prompts and schema, read from flags and files.

    Raises:
        ConfigError: A combination or a file is wrong.
    """
    from fanwise.pipelines.prompts.template import Prompt

    if flags.prompt is not None and flags.template:
        raise ConfigError(
            "both -p and -t were given", hint="write the prompt once: as text or in a file"
        )
    prompts: list[Sequence[str]] = [] if flags.prompt is None else [("", flags.prompt)]
    for name in flags.template or ():
        Prompt.of_file(name)
        path = Path(name)
        prompts.append((path.name, path.read_text("utf-8-sig")))
    schema = None if options.schema is None else read_schema(options.schema)
    files = [*(flags.template or ()), *([] if options.schema is None else [options.schema])]
    return Ask(prompts=prompts, system=flags.system, schema=schema, files=files)


def read_schema(path: str) -> Mapping[str, Json]:
    """The JSON Schema in a file.

    Raises:
        ConfigError: It cannot be read, or is no JSON Schema.
    """
    from fanwise.models.schemas import schema_of

    try:
        found: object = orjson.loads(Path(path).read_bytes())
    except OSError as error:
        raise ConfigError(
            f"the schema {path} cannot be read: {error.strerror}", hint="name a JSON file"
        ) from error
    except orjson.JSONDecodeError as error:
        raise ConfigError(
            f"the schema {path} is not JSON: {error}", hint="it has to hold one JSON Schema"
        ) from error
    if not isinstance(found, dict):
        raise ConfigError(
            f"the schema {path} is no JSON object",
            hint='a schema looks like {"type": "object", "properties": {…}}',
        )
    schema = cast("dict[str, Json]", found)
    try:
        schema_of(schema)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error.message}", hint=error.hint) from error
    return schema


def job_of(options: RunOptions, ask: Ask, *, stdin: BinaryIO | None = None) -> PromptsJob:
    """The job that the options and the question describe.

    Args:
        options: Input, models, parameters.
        ask: Prompts and schema.
        stdin: What ``-`` reads.

    Raises:
        ConfigError: No input, or what the pipeline refuses.
    """
    from fanwise.cli.profiles import parameters_and_profile
    from fanwise.pipelines.prompts.job import PromptsJob
    from fanwise.pipelines.prompts.template import Prompt

    if options.source is None:
        raise ConfigError(
            "no input was named", hint="name a file: fanwise run table.csv …, or - for stdin"
        )
    prompts = [Prompt(text, system=ask.system, name=name) for name, text in ask.prompts]
    return PromptsJob(
        source=options.source,
        prompts=prompts,
        models=options.models,
        schema=ask.schema,
        parameters=parameters_and_profile(options)[0],
        limit=options.limit,
        stdin=stdin,
        name=COMMAND,
    )


def carry_on(options: RunOptions, ask: Ask, *, resume: str | None) -> int:
    """Runs the job to its end or to an interruption.

    Args:
        options: How.
        ask: What is asked.
        resume: The run to go on with; ``None`` looks for the same work that was left unfinished,
            and begins anew where there is none.

    Returns:
        The exit code.
    """
    from fanwise.cli.loop import run_loop
    from fanwise.cli.work import Session
    from fanwise.pipelines.prompts.execute import execute
    from fanwise.pipelines.prompts.output import OutputFile

    stdin, end_stdin = open_stdin() if options.source == STDIN else (None, None)
    job = job_of(options, ask, stdin=stdin)
    stored = options.stored() | {"ask": cast("Json", asdict(ask))}
    session = Session(options, command=COMMAND, stored=stored, resume=resume, end_source=end_stdin)
    inputs = [name for name in (options.source, *ask.files) if name and name != STDIN]
    keeps_all = options.output is None and options.json
    output = None if keeps_all else OutputFile(options.output, inputs=inputs, stdout=session.stdout)

    async def work(session: Session) -> None:
        result = await execute(
            job,
            open_run=session.open_run,
            output=output,
            home=session.home,
            ordered=options.ordered,
        )
        if result.stale:
            session.screen.say(
                f"{plural(len(result.stale), 'item')} of earlier sessions are no longer in the "
                "input (edited or removed rows); their lines were left out"
            )
        if result.error_file is not None:
            session.screen.say(f"Failed requests are in {result.error_file}")

    run_loop(session.carry_out(work))
    code = session.end(output_file=options.output)
    if keeps_all and session.run_id:
        say(f"The results: fanwise export {session.run_id}", quiet=options.quiet)
    return code


def go_on(stored: Mapping[str, Any], options: RunOptions, *, resume: str) -> int:
    """Goes on with a run of this command, from what the journal keeps of it."""
    return carry_on(options, Ask(**stored["ask"]), resume=resume)
