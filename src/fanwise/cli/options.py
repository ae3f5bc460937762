"""What a command that runs work is to do, settled: flags, environment and files in one record."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from fanwise.cli.flags import AgainFlags, InputFlags, LimitFlags, WorkFlags
from fanwise.errors import ConfigError
from fanwise.limits.settings import Concurrency, read_concurrency
from fanwise.records import NOTHING, Json

if TYPE_CHECKING:
    from fanwise.cli.config import Settings

STDIN = "-"
_SECONDS = frozenset({"timeout", "attempt_timeout", "deadline"})
LIMITS: Mapping[str, str] = MappingProxyType(
    {
        flag.name: f"{flag.name}_s" if flag.name in _SECONDS else flag.name
        for flag in fields(LimitFlags)
    }
)
"""The flags that say how fast and how far a run goes, and the options that they become."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Everything that the commands which run work have in common.

    Args:
        models: ``provider/model`` names in the order given.
        source: Absolute path of the input, ``-`` for standard input, ``None`` where none was named.
        output: Absolute path of the output; ``None`` for standard output.
        limit: How many items to take at most; ``None`` takes all.
        max_concurrency: Calls in flight at once, or how it is learned.
        rpm, tpm: Requests and tokens a minute; ``None`` where nobody said.
        max_attempts: Sends of one call.
        timeout_s: A whole call with its waits; ``None`` takes the engine's own.
        attempt_timeout_s: One attempt; ``None`` takes the engine's own.
        hedge: When a call that stalls is sent again; ``None`` for never.
        deadline_s: The whole run; ``None`` for as long as it takes.
        budget_usd, budget_tokens, budget_calls: What the run may spend over all of its sessions.
        base_url, api_key_env: Where the models are, and the variable that holds the key.
        schema: Absolute path of a JSON Schema.
        opt: Sampling parameters and, for ``sim/`` models, parts of their profile.
        cache: Whether answers of earlier runs count.
        ordered: Whether results come in input order.
        run_id: The run's id where the user chose it.
        journal: Directory or URL.
        accept_changes: Go on although most items no longer match.
        json: Whether the summary is one JSON object on standard output.
        quiet: Whether progress is silent.
    """

    models: Sequence[str] = ()
    source: str | None = None
    output: str | None = None
    limit: int | None = None
    max_concurrency: Concurrency = "adaptive"
    rpm: float | None = None
    tpm: float | None = None
    max_attempts: int = 3
    timeout_s: float | None = None
    attempt_timeout_s: float | None = None
    deadline_s: float | None = None
    hedge: str | None = None
    budget_usd: float | None = None
    budget_tokens: int | None = None
    budget_calls: int | None = None
    base_url: str | None = None
    api_key_env: str | None = None
    schema: str | None = None
    opt: Mapping[str, Json] = NOTHING
    cache: bool = False
    ordered: bool = False
    run_id: str | None = None
    journal: str = ".fanwise"
    accept_changes: bool = False
    json: bool = False
    quiet: bool = False

    def stored(self) -> dict[str, Json]:
        """What a run keeps of it, enough to begin the same work again. Holds no key."""
        kept = asdict(self)
        for name in ("run_id", "journal", "accept_changes", "json", "quiet"):
            del kept[name]
        kept["models"] = list(self.models)
        kept["opt"] = dict(self.opt)
        return kept


def read_options(flags: WorkFlags) -> RunOptions:
    """The one place where flags, environment and files become what a command is to do.

    Args:
        flags: Those of the command; groups that it has not are left at their defaults.

    Raises:
        ConfigError: A value, a file or a combination is wrong.
    """
    models, run = flags.models, flags.run
    settings = _settings(
        {
            **asdict(flags.limits),
            "model": models.model or None,
            "base_url": models.base_url,
            "api_key_env": models.api_key_env,
            "opt": models.opt or None,
            "ordered": flags.output.ordered,
            "cache": run.cache,
            "quiet": flags.progress.quiet,
            "journal": flags.home.journal,
        }
    )
    limits: dict[str, Any] = {kept: getattr(settings, flag) for flag, kept in LIMITS.items()}
    return RunOptions(
        models=tuple(settings.model),
        source=source_of(flags.inputs),
        output=_absolute(flags.output.output_file),
        limit=flags.inputs.limit,
        base_url=settings.base_url,
        api_key_env=settings.api_key_env,
        schema=_absolute(models.schema),
        opt=settings.opt,
        cache=settings.cache,
        ordered=settings.ordered,
        run_id=run.run_id,
        journal=settings.journal,
        accept_changes=run.accept_changes,
        json=flags.home.json,
        quiet=settings.quiet,
        **limits,
    )


def _settings(flags: dict[str, Any]) -> Settings:
    from fanwise.cli.config import parse_opt, read_settings

    return read_settings({**flags, "opt": parse_opt(flags["opt"])})


def environment(options: RunOptions | None = None) -> Mapping[str, str]:
    """The environment that keys are read from: the process's, ``.env`` and key files.

    Args:
        options: Whose models' keys have to be readable; nobody's where left out.

    Raises:
        ConfigError: The file of a key that is needed cannot be read.
    """
    from fanwise.cli.config import environment as merged
    from fanwise.models.providers import BY_NAME

    wanted: set[str] = set()
    if options is not None:
        names = (re.split("[/:]", model, maxsplit=1)[0] for model in options.models)
        wanted = {BY_NAME[name].key_env for name in names if name in BY_NAME}
        wanted |= {options.api_key_env} if options.api_key_env else set()
    return merged(wanted=wanted)


def restored(stored: Mapping[str, Any], flags: AgainFlags) -> RunOptions:
    """The options a run was started with, under the limits given now.

    Args:
        stored: What :meth:`RunOptions.stored` kept.
        flags: Limits that were given replace the run's own; the rest is as of this command.

    Raises:
        ConfigError: A value is wrong.
    """
    now = read_options(WorkFlags(home=flags.home, limits=flags.limits, progress=flags.progress))
    kept = {name: value for name, value in stored.items() if name in RunOptions.__slots__}
    then = RunOptions(**kept)
    given: dict[str, Any] = {
        kept: getattr(now, kept)
        for flag, kept in LIMITS.items()
        if getattr(flags.limits, flag) is not None
    }
    then = replace(
        then,
        models=tuple(then.models),
        max_concurrency=read_concurrency(then.max_concurrency),
        journal=now.journal,
        json=now.json,
        quiet=now.quiet,
        accept_changes=flags.accept_changes,
    )
    return replace(then, **given)


def source_of(inputs: InputFlags) -> str | None:
    """The input that was named, by position or by ``-i``.

    Raises:
        ConfigError: Both were given and differ.
    """
    if inputs.source and inputs.input_file and inputs.source != inputs.input_file:
        raise ConfigError(
            f"two inputs were given: {inputs.source} and {inputs.input_file}",
            hint="name one, by position or with --input-file",
        )
    named = inputs.source or inputs.input_file
    if named == STDIN and sys.stdin.isatty():
        raise ConfigError(
            "standard input is a terminal", hint="pipe something into it, or name a file"
        )
    return _absolute(named)


def _absolute(path: str | None) -> str | None:
    """A path that still holds when the run is resumed from another directory."""
    if path is None or path == STDIN or is_remote(path):
        return path
    return str(Path(path).expanduser().absolute())


def is_remote(name: str) -> bool:
    """Whether an input is on a server rather than in a file."""
    return name.startswith(("imaps://", "imap://"))
