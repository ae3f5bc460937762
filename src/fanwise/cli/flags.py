"""The flags that commands share, each defined once.

A command takes whole records of flags (``limits: LimitFlags``); :func:`with_flags` gives the
command line one flag a field. ``None`` means that a flag was not given, so that the environment
and the files can speak.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Annotated, Any, get_type_hints

from typer import Argument, Option

from fanwise.cli.failures import ReaderGone

_LIMITS = "Limits"
_MODEL = "Model"
_OUTPUT = "Output"
_RUN = "Run and journal"

AcceptFlag = Annotated[
    bool,
    Option(
        "--accept-changes",
        help="Go on although most items no longer match what was done.",
        rich_help_panel=_RUN,
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFlags:
    """Where the work comes from."""

    source: Annotated[
        str | None,
        Argument(metavar="INPUT", help="File or directory to read; - reads standard input."),
    ] = None
    input_file: Annotated[
        str | None,
        Option("--input-file", "-i", metavar="FILE", help="The same as INPUT."),
    ] = None
    limit: Annotated[
        int | None,
        Option(min=1, metavar="N", help="Take only the first N items."),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFlags:
    """Which models are asked, where and how."""

    model: Annotated[
        list[str] | None,
        Option(
            "--model",
            "-m",
            metavar="PROVIDER/MODEL",
            help="Model to ask; give it again for several.",
            rich_help_panel=_MODEL,
        ),
    ] = None
    base_url: Annotated[
        str | None,
        Option(
            metavar="URL", help="An OpenAI-compatible server of your own.", rich_help_panel=_MODEL
        ),
    ] = None
    api_key_env: Annotated[
        str | None,
        Option(
            metavar="NAME",
            help="Environment variable that holds the key.",
            rich_help_panel=_MODEL,
        ),
    ] = None
    schema: Annotated[
        str | None,
        Option(
            metavar="FILE", help="JSON Schema that answers must satisfy.", rich_help_panel=_MODEL
        ),
    ] = None
    opt: Annotated[
        list[str] | None,
        Option(
            metavar="NAME=VALUE",
            help="Sampling parameter (temperature=0); for sim/ models also their profile.",
            rich_help_panel=_MODEL,
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitFlags:
    """How fast, how often and how long."""

    max_concurrency: Annotated[
        str | None,
        Option(
            "--max-concurrency",
            "-j",
            metavar="N|MIN-START-MAX",
            help="Calls in flight at once, or bounds to learn it in. Default: learned.",
            rich_help_panel=_LIMITS,
        ),
    ] = None
    rpm: Annotated[
        float | None,
        Option(metavar="N", help="Requests a minute.", rich_help_panel=_LIMITS),
    ] = None
    tpm: Annotated[
        float | None,
        Option(metavar="N", help="Tokens a minute, in and out.", rich_help_panel=_LIMITS),
    ] = None
    max_attempts: Annotated[
        int | None,
        Option(metavar="N", help="Sends of one call. Default: 3.", rich_help_panel=_LIMITS),
    ] = None
    timeout: Annotated[
        str | None,
        Option(
            metavar="TIME",
            help="A whole call, with its waits and attempts (90, 90s, 15m).",
            rich_help_panel=_LIMITS,
        ),
    ] = None
    attempt_timeout: Annotated[
        str | None,
        Option(metavar="TIME", help="One attempt of a call.", rich_help_panel=_LIMITS),
    ] = None
    hedge: Annotated[
        str | None,
        Option(
            metavar="TIME|pNN",
            help="Send a call again that shows nothing for so long (5s), or for longer than NN % "
            "did (p95); the first answer counts. Default: never.",
            rich_help_panel=_LIMITS,
        ),
    ] = None
    budget_usd: Annotated[
        float | None,
        Option(
            metavar="USD",
            help="Spend at most so many dollars: then it drains, resumable, with exit code 4.",
            rich_help_panel=_LIMITS,
        ),
    ] = None
    budget_tokens: Annotated[
        int | None,
        Option(metavar="N", help="Use at most so many tokens.", rich_help_panel=_LIMITS),
    ] = None
    budget_calls: Annotated[
        int | None,
        Option(metavar="N", help="Send at most so many calls.", rich_help_panel=_LIMITS),
    ] = None
    deadline: Annotated[
        str | None,
        Option(
            metavar="TIME",
            help="The whole run: then it drains, resumable, with exit code 4.",
            rich_help_panel=_LIMITS,
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFlags:
    """Where results go, and in which order."""

    output_file: Annotated[
        str | None,
        Option(
            "--output-file",
            "-o",
            metavar="FILE",
            help="Write results there instead of to standard output.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None
    ordered: Annotated[
        bool | None,
        Option(
            "--ordered/--as-completed",
            help="Results in input order, or as they are ready (default).",
            rich_help_panel=_OUTPUT,
            show_default=False,
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFlags:
    """Which run this is."""

    run_id: Annotated[
        str | None,
        Option(metavar="ID", help="Name the run yourself.", rich_help_panel=_RUN),
    ] = None
    cache: Annotated[
        bool | None,
        Option(
            "--cache/--no-cache",
            help="Reuse answers of earlier runs. Default: no.",
            rich_help_panel=_RUN,
            show_default=False,
        ),
    ] = None
    accept_changes: AcceptFlag = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeFlags:
    """Which journal, and for whom the answer is."""

    journal: Annotated[
        str | None,
        Option(
            metavar="DIR|URL",
            help="Where runs are kept. Default: ./.fanwise",
            rich_help_panel=_RUN,
        ),
    ] = None
    server: Annotated[
        str | None,
        Option(
            metavar="URL",
            help="The running service whose runs are meant, instead of a journal here.",
            rich_help_panel=_RUN,
        ),
    ] = None
    json: Annotated[
        bool,
        Option(
            "--json", help="One JSON object on standard output at the end.", rich_help_panel=_OUTPUT
        ),
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressFlags:
    """What is said while work goes on."""

    quiet: Annotated[
        bool | None,
        Option(
            "--quiet/--progress",
            "-q",
            help="No progress on standard error.",
            rich_help_panel=_OUTPUT,
            show_default=False,
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkFlags:
    """What every command that runs work takes."""

    inputs: InputFlags = field(default_factory=InputFlags)
    models: ModelFlags = field(default_factory=ModelFlags)
    limits: LimitFlags = field(default_factory=LimitFlags)
    output: OutputFlags = field(default_factory=OutputFlags)
    run: RunFlags = field(default_factory=RunFlags)
    progress: ProgressFlags = field(default_factory=ProgressFlags)
    home: HomeFlags = field(default_factory=HomeFlags)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgainFlags:
    """What a command takes that goes on with work begun before."""

    accept_changes: AcceptFlag = False
    limits: LimitFlags = field(default_factory=LimitFlags)
    progress: ProgressFlags = field(default_factory=ProgressFlags)
    home: HomeFlags = field(default_factory=HomeFlags)


def with_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command's signature one parameter for every field of its flag records.

    Args:
        command: A function of keyword-only parameters; those annotated with a dataclass are
            spread out and handed over whole, and so are records within records.

    Returns:
        The function that typer reads and calls.
    """
    signature = inspect.signature(command, eval_str=True)
    records: dict[str, type[Any]] = {}
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        record = _record_of(parameter.annotation)
        if record is None:
            parameters.append(parameter)
            continue
        records[parameter.name] = record
        parameters += _spread(record)

    @functools.wraps(command)
    def typed(**values: Any) -> Any:
        server = _server(command.__name__, values)
        for name, record in records.items():
            values[name] = _gathered(record, values)
        try:
            if server is not None:
                from fanwise.cli.remote import carry_out

                return carry_out(command.__name__, server, values)
            return command(**values)
        except BrokenPipeError as error:
            # typer would end the program here, with code 1 and stdout still to be flushed.
            raise ReaderGone from error

    typed.__dict__["__signature__"] = signature.replace(parameters=parameters)
    typed.__annotations__ = {p.name: p.annotation for p in parameters}
    return typed


def _server(command: str, values: Mapping[str, Any]) -> str | None:
    """The service that a command is for; ``None`` for those that work here."""
    given: str | None = values.get("server")
    if "server" not in values or (given is None and not os.environ.get("FANWISE_SERVER")):
        return None
    from fanwise.cli.remote import server_for

    return server_for(command, given)


def _spread(record: type[Any]) -> Iterator[inspect.Parameter]:
    """A parameter for every field of a record and of those within it."""
    hints = get_type_hints(record, include_extras=True)
    for one in fields(record):
        hint = hints[one.name]
        within = _record_of(hint)
        if within is not None:
            yield from _spread(within)
        else:
            yield inspect.Parameter(
                one.name, inspect.Parameter.KEYWORD_ONLY, default=one.default, annotation=hint
            )


def _gathered(record: type[Any], values: dict[str, Any]) -> Any:
    """The record, of values that are taken out of ``values`` by the names of its fields."""
    hints = get_type_hints(record)
    own: dict[str, Any] = {}
    for one in fields(record):
        within = _record_of(hints[one.name])
        own[one.name] = values.pop(one.name) if within is None else _gathered(within, values)
    return record(**own)


def _record_of(hint: object) -> type[Any] | None:
    """The dataclass that an annotation names, where it names one."""
    return hint if isinstance(hint, type) and is_dataclass(hint) else None
