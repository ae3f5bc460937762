"""The verbs with ``--server``: the same commands, on the runs of a running service."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

from fanwise.cli.display import put_json, say
from fanwise.cli.failures import ExitCode
from fanwise.cli.flags import AgainFlags, HomeFlags, WorkFlags
from fanwise.cli.options import STDIN, RunOptions, read_options
from fanwise.cli.remote_looking import (
    code_of,
    export,
    find,
    follow,
    follow_to_the_end,
    list_runs,
    quiet_of,
    report,
    runs_of,
    show,
    watch,
    write_results,
)
from fanwise.cli.service_client import ServiceClient, id_path
from fanwise.errors import ConfigError, UsageError

SERVER = "FANWISE_SERVER"

Verb = Callable[..., int]


def server_for(verb: str, given: str | None) -> str | None:
    """The service that a command talks to; ``None`` where it works here.

    Raises:
        UsageError: One was named for a command that works on this machine alone.
    """
    if given and verb not in VERBS:
        raise UsageError(
            f"fanwise {verb.replace('_', ' ')} does not take --server",
            hint=f"these do: {', '.join(_verbs())}",
        )
    if verb not in VERBS:
        if verb in _WORK:
            say(f"fanwise {verb} works here; {SERVER} is for: {', '.join(_verbs())}")
        return None
    return given or os.environ.get(SERVER) or None


def _verbs() -> list[str]:
    return sorted(_NAMES.get(name, name) for name in VERBS)


def carry_out(verb: str, server: str, values: Mapping[str, Any]) -> int:
    """Carries a command out on a service; returns its exit code. Raises as the command itself."""
    home = _home_in(values)
    options = read_options(WorkFlags(home=home))
    client = ServiceClient(server, journal=options.journal)
    return VERBS[verb](client, **values)


def _home_in(values: Mapping[str, Any]) -> HomeFlags:
    for value in values.values():
        if isinstance(value, HomeFlags):
            return value
        if isinstance(value, (WorkFlags, AgainFlags)):
            return value.home
    return HomeFlags()


# steering


def _steer(verb: str, client: ServiceClient, *, run: str, home: HomeFlags) -> int:
    run_id = find(client, run)
    state = client.send("POST", f"{id_path(run_id)}/{verb}")
    if home.json:
        put_json({"run_id": run_id, **state})
    else:
        say(f"{_SAID[verb]} {run_id}.")
    return ExitCode.OK


_SAID = {"pause": "Paused", "drain": "Told to stop, to be gone on with:", "cancel": "Cancelled"}


def _set(client: ServiceClient, *, run: str, home: HomeFlags, **limits: Any) -> int:
    given = {name: value for name, value in limits.items() if value is not None}
    if not given:
        raise ConfigError(
            "no limit was named", hint="name one: --max-concurrency, --rpm, --tpm or --budget-usd"
        )
    run_id = find(client, run)
    state = client.send("PATCH", f"{id_path(run_id)}/limits", given)
    if home.json:
        put_json({"run_id": run_id, **state})
    else:
        changed = ", ".join(f"{name} {value}" for name, value in given.items())
        say(f"{run_id}: {changed}.")
    return ExitCode.OK


def _again(verb: str, client: ServiceClient, *, run: str | None, again: AgainFlags) -> int:
    run_id = _unfinished(client) if run is None else find(client, run)
    before = client.get(id_path(run_id))["status"]
    client.send("POST", f"{id_path(run_id)}/{verb}")
    if before == "paused":
        say(f"{run_id} goes on where it was paused.")
        return ExitCode.OK
    quiet = quiet_of(again.home, again.progress)
    return follow_to_the_end(
        client, run_id, as_json=again.home.json, quiet=quiet, verb="going on with"
    )


def _unfinished(client: ServiceClient) -> str:
    for row in runs_of(client):
        if row["status"] in {"paused", "stopped", "interrupted", "failed"}:
            return str(row["id"])
    raise ConfigError(f"no run at {client.url} is unfinished", hint="`fanwise list` lists them")


# work


def _run(client: ServiceClient, *, prompts: Any, work: WorkFlags) -> int:
    from fanwise.cli.profiles import parameters_and_profile
    from fanwise.cli.run import read_ask

    options = read_options(work)
    ask = read_ask(prompts, options)
    parameters, profile = parameters_and_profile(options)
    if ask.system is not None:
        raise UsageError("--system is not known to a service", hint="put it into the prompt")
    wrong = {"--base-url": options.base_url, "--run-id": options.run_id, "--opt": profile}
    for flag, value in wrong.items():
        if value is not None:
            raise UsageError(f"{flag} is the service's own to say", hint="leave it out")
    job: dict[str, Any] = {
        "file": {"upload": _uploaded(client, options)},
        "prompts": [text for _, text in ask.prompts],
        "models": list(options.models),
        "schema": ask.schema,
        "limit": options.limit,
        "parameters": dict(parameters),
    }
    job = {name: value for name, value in job.items() if value not in (None, {}, [])}
    asked = {"pipeline": "prompts", "input": job, "options": _options(options)}
    run_id = client.send("POST", "/api/v1/runs", asked)["id"]
    say(f"{client.url} has accepted {run_id}", quiet=options.quiet)
    return _finish(client, run_id, options)


def _finish(client: ServiceClient, run_id: str, options: RunOptions) -> int:
    """Looks on until a run has ended, and writes what it brought."""
    try:
        follow(client, run_id, quiet=options.quiet, verb="run")
    except KeyboardInterrupt:
        say(f"No longer watching. The run goes on: fanwise watch {run_id} --server {client.url}")
        return ExitCode.INTERRUPTED
    row = client.get(id_path(run_id))
    if row["begun"] and (options.output is not None or not options.json):
        write_results(client, run_id, output=options.output, shape="jsonl", ordered=options.ordered)
    if options.json and row["begun"]:
        summary = client.get(f"{id_path(run_id)}/report")
        put_json(summary | {"output_file": options.output})
    return code_of(row)


def _uploaded(client: ServiceClient, options: RunOptions) -> str:
    if options.source is None:
        raise ConfigError("no input is named", hint="name a file, or - for standard input")
    if options.source == STDIN:
        return client.upload(sys.stdin.buffer, name="input.jsonl")
    path = Path(options.source)
    try:
        with path.open("rb") as file:
            return client.upload(file, name=path.name)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", hint="name a file") from error


def _options(options: RunOptions) -> dict[str, Any]:
    from fanwise.limits.settings import written_concurrency

    names = (
        "rpm", "tpm", "max_attempts", "timeout_s", "attempt_timeout_s",
        "budget_usd", "budget_tokens", "budget_calls", "cache",
    )  # fmt: skip
    found: dict[str, Any] = {name: getattr(options, name) for name in names}
    found["max_concurrency"] = written_concurrency(options.max_concurrency)
    return {name: value for name, value in found.items() if value is not None}


_WORK = frozenset({"hooks", "notes", "scan", "grade", "tailor", "plan"})
_NAMES = {"list_runs": "list", "set_limits": "set"}
VERBS: Mapping[str, Verb] = cast(
    "Mapping[str, Verb]",
    {
        "list_runs": list_runs,
        "show": show,
        "report": report,
        "export": export,
        "watch": watch,
        "pause": partial(_steer, "pause"),
        "drain": partial(_steer, "drain"),
        "cancel": partial(_steer, "cancel"),
        "set_limits": _set,
        "resume": partial(_again, "resume"),
        "retry": partial(_again, "retry-failed"),
        "run": _run,
    },
)
