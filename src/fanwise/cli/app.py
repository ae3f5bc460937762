"""The program: its commands, loaded when they are called, and the one place where it ends.

Building every command with its flags takes longer than everything else that ``--help`` does, so
the help page is made from names and summaries alone.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from fanwise import __version__
from fanwise.cli.failures import (
    ExitCode,
    ReaderGone,
    exit_code_of,
    report,
    report_failure,
    silence_stdout,
)
from fanwise.cli.standard import whole_output

_WORK = "Work"
_GO_ON = "Go on"
_STEER = "Steer"
_LOOK = "Look"
_SET_UP = "Set up"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """A command by name: where it is written, and its line on the help page."""

    name: str
    target: str
    summary: str
    panel: str


_ENTRIES = (
    _Entry(
        name="run",
        target="fanwise.cli.run:run",
        summary="Send every row of a table to one or more models.",
        panel=_WORK,
    ),
    _Entry(
        name="notes",
        target="fanwise.cli.notes:notes",
        summary="Write notes of a recording: six kinds, three depths.",
        panel=_WORK,
    ),
    _Entry(
        name="scan",
        target="fanwise.cli.scan:scan",
        summary="Find shipment tracking numbers in mail.",
        panel=_WORK,
    ),
    _Entry(
        name="hooks",
        target="fanwise.cli.hooks:hooks",
        summary="Write opening lines for a post, scored by a judge.",
        panel=_WORK,
    ),
    _Entry(
        name="grade",
        target="fanwise.cli.grade:grade",
        summary="Grade answers against references; review cards.",
        panel=_WORK,
    ),
    _Entry(
        name="tailor",
        target="fanwise.cli.tailor:tailor",
        summary="Tailor resumes to a job, and score them.",
        panel=_WORK,
    ),
    _Entry(
        name="plan",
        target="fanwise.cli.plan:plan",
        summary="Estimate time, tokens and cost of a run; sends nothing.",
        panel=_WORK,
    ),
    _Entry(
        name="resume",
        target="fanwise.cli.resume:resume",
        summary="Go on with a run that was interrupted.",
        panel=_GO_ON,
    ),
    _Entry(
        name="retry",
        target="fanwise.cli.resume:retry",
        summary="Send the failed items of a run again.",
        panel=_GO_ON,
    ),
    _Entry(
        name="pause",
        target="fanwise.cli.steer:pause",
        summary="Let a run send nothing more until it is resumed.",
        panel=_STEER,
    ),
    _Entry(
        name="set",
        target="fanwise.cli.steer:set_limits",
        summary="Change the limits of a run while it goes on.",
        panel=_STEER,
    ),
    _Entry(
        name="drain",
        target="fanwise.cli.steer:drain",
        summary="Stop a run so that fanwise resume goes on.",
        panel=_STEER,
    ),
    _Entry(
        name="cancel",
        target="fanwise.cli.steer:cancel",
        summary="End a run for good; what was paid for is kept.",
        panel=_STEER,
    ),
    _Entry(
        name="list",
        target="fanwise.cli.runs:list_runs",
        summary="List the runs of a journal.",
        panel=_LOOK,
    ),
    _Entry(
        name="show",
        target="fanwise.cli.runs:show",
        summary="Show a run, its errors, or one item with every attempt.",
        panel=_LOOK,
    ),
    _Entry(
        name="watch",
        target="fanwise.cli.watch:watch",
        summary="Follow a run of another terminal until it ends.",
        panel=_LOOK,
    ),
    _Entry(
        name="report",
        target="fanwise.cli.reports:report",
        summary="What a run took, and what limited it.",
        panel=_LOOK,
    ),
    _Entry(
        name="export",
        target="fanwise.cli.reports:export",
        summary="Write the results of a run as JSONL or CSV.",
        panel=_LOOK,
    ),
    _Entry(
        name="serve",
        target="fanwise.cli.serve:serve",
        summary="Serve the HTTP API and the page.",
        panel=_SET_UP,
    ),
    _Entry(
        name="token",
        target="fanwise.cli.token:token",
        summary="Make, list, limit and revoke tokens of the service.",
        panel=_SET_UP,
    ),
    _Entry(
        name="simulate",
        target="fanwise.cli.simulate:simulate",
        summary="Serve the simulated provider (OpenAI-compatible).",
        panel=_SET_UP,
    ),
    _Entry(
        name="models",
        target="fanwise.cli.models:models",
        summary="List providers, keys, price date and simulated models.",
        panel=_SET_UP,
    ),
    _Entry(
        name="cache",
        target="fanwise.cli.cache:cache",
        summary="Look into the cross-run cache, or clear it.",
        panel=_SET_UP,
    ),
    _Entry(
        name="doctor",
        target="fanwise.cli.doctor:doctor",
        summary="Check this machine and its settings.",
        panel=_SET_UP,
    ),
    _Entry(
        name="prune",
        target="fanwise.cli.prune:prune",
        summary="Delete old runs; shows first what would go.",
        panel=_SET_UP,
    ),
)


class LazyCommand(TyperCommand):
    """A command known by name and summary until it is called."""

    def __init__(self, entry: _Entry) -> None:
        super().__init__(
            name=entry.name,
            help=entry.summary,
            rich_help_panel=entry.panel,
            add_help_option=False,
        )
        self._target = entry.target

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """The context of the real command, which is imported now."""
        return self._load().make_context(*args, **kwargs)

    def _load(self) -> Any:
        module, _, attribute = self._target.partition(":")
        target: Any = getattr(import_module(module), attribute)
        if isinstance(target, typer.Typer):
            group = get_command(target)
            group.name = self.name
            return group
        from fanwise.cli.flags import with_flags  # the help page does without it

        single = typer.Typer(add_completion=False)
        single.command(self.name, help=_unwrapped(target.__doc__))(with_flags(target))
        return get_command(single)


class Program(TyperGroup):
    """All commands, and the one place where the program ends."""

    def __init__(self, **attributes: Any) -> None:
        attributes["commands"] = {entry.name: LazyCommand(entry) for entry in _ENTRIES}
        super().__init__(**attributes)

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Runs one command and ends the process with its exit code."""
        words: list[str] = list(kwargs.get("args") or (args[0] if args else None) or sys.argv[1:])
        as_json = "--json" in words
        whole_output()
        try:
            kwargs["standalone_mode"] = False
            code = super().main(*args, **kwargs)
            sys.stdout.flush()
        except (ReaderGone, BrokenPipeError):
            silence_stdout()
            code = ExitCode.OK
        except typer.TyperException as error:
            code = _report_usage(error, as_json=as_json)
        except typer.Abort:
            code = ExitCode.INTERRUPTED
        # The program's outermost frame: whatever comes here is said in one sentence.
        except Exception as error:  # noqa: BLE001
            report_failure(error, as_json=as_json)
            code = exit_code_of(error)
        sys.exit(int(code or 0))


def _unwrapped(doc: str) -> str:
    """A docstring with one line a paragraph, so that help pages wrap it to the terminal."""
    return "\n\n".join(" ".join(part.split()) for part in doc.split("\n\n"))


def _report_usage(error: typer.TyperException, *, as_json: bool) -> int:
    context: Any = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stderr.write(error.format_message() + "\n")
        return ExitCode.USAGE
    path = context.command_path if context is not None else "fanwise"
    report("usage", error.format_message(), hint=f"see `{path} --help`", as_json=as_json)
    return error.exit_code


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fanwise {__version__}")
        raise typer.Exit


app = typer.Typer(cls=Program, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback(
    epilog="Start with: fanwise scan --sample   or: fanwise run table.csv -m MODEL -p PROMPT"
)
def program(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Runs thousands of model and API calls at once, and never loses an answer paid for."""
