"""``fanwise doctor``: what this machine and its settings are fit for."""

from __future__ import annotations

import contextlib
import os
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from fanwise import __version__
from fanwise.cli.display import put_json, put_table
from fanwise.cli.failures import ExitCode
from fanwise.cli.flags import HomeFlags, WorkFlags
from fanwise.cli.options import environment, read_options
from fanwise.clock import SystemClock
from fanwise.errors import FanwiseError

_OLDEST_SQLITE = (3, 40)
_FSYNCS = 9
_SLOW_FSYNC_S = 0.05
_EARLIEST_CLOCK_S = 1_760_000_000  # autumn 2025: before this version existed
_CONNECT_S = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Args:
        name: What was looked at.
        state: ``ok``, ``note`` for what could be better, ``fail`` for what will not work.
        value: What was found.
        hint: How to mend it.
    """

    name: str
    state: Literal["ok", "note", "fail"]
    value: str
    hint: str = ""


def doctor(*, home: HomeFlags) -> int:
    """Check this machine and its settings.

    Looks at Python, SQLite, the journal's directory and how fast its disk commits, the event
    loop, open files, the clock, settings files and which keys are there (names only). Sends
    nothing to any provider.
    """
    findings = list(_findings(home))
    failed = any(finding.state == "fail" for finding in findings)
    if home.json:
        put_json({"ok": not failed, "findings": findings})
    else:
        rows = [(f.name, f.state, f.value + (f" ({f.hint})" if f.hint else "")) for f in findings]
        put_table(("what", "state", "found"), rows)
    return ExitCode.ERROR if failed else ExitCode.OK


def _findings(home: HomeFlags) -> Iterator[Finding]:
    yield Finding(name="version", state="ok", value=__version__)
    yield Finding(name="python", state="ok", value=f"{platform.python_version()} {sys.executable}")
    yield _sqlite()
    try:
        journal = read_options(WorkFlags(home=home)).journal
    except FanwiseError as error:
        yield Finding(name="settings", state="fail", value=error.message, hint=error.hint)
        journal = home.journal or ".fanwise"
    else:
        yield from _settings()
    yield from _journal(journal)
    yield _loop()
    yield from _extras()
    yield _keys()
    yield _descriptors()
    yield _clock()


def _sqlite() -> Finding:
    version = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        hint = "3.40 or newer is needed: install a newer Python"
        return Finding(name="sqlite", state="fail", value=version, hint=hint)
    return Finding(name="sqlite", state="ok", value=version)


def _settings() -> Iterator[Finding]:
    from fanwise.cli.config import (
        FILE_NAME,
        PREFIX,
        Settings,
        user_file,
    )

    places = [str(p) for p in (Path(".env"), Path(FILE_NAME), user_file()) if p.is_file()]
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {"FANWISE_DEBUG"}
    given = sorted(name for name in os.environ if name.upper().startswith(PREFIX))
    places += [name for name in given if name.upper() in known]
    yield Finding(name="settings", state="ok", value=", ".join(places) or "defaults")
    unknown = [n for n in given if n.upper() not in known and "_TEST_" not in n.upper()]
    if unknown:
        hint = "no setting has this name; it does nothing"
        yield Finding(name="settings", state="note", value=", ".join(unknown), hint=hint)


def _journal(location: str) -> Iterator[Finding]:
    if "://" in location:
        yield _postgres(location)
        return
    directory = Path(location).expanduser()
    place = directory
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        hint = "name a directory with --journal"
        yield Finding(
            name="journal", state="fail", value=f"{place.absolute()} is a file", hint=hint
        )
        return
    try:
        seconds = fsync_s(place)
    except OSError as error:
        hint = "choose a directory that you may write to, with --journal or FANWISE_JOURNAL"
        value = f"{place.absolute()} is not writable: {error.strerror}"
        yield Finding(name="journal", state="fail", value=value, hint=hint)
        return
    new = "" if directory.exists() else " (will be made)"
    yield Finding(name="journal", state="ok", value=f"{directory.absolute()}{new}, writable")
    slow = seconds > _SLOW_FSYNC_S
    yield Finding(
        name="fsync",
        state="note" if slow else "ok",
        value=f"{seconds * 1000:.2f} ms",
        hint="every answer waits for a commit: a local disk is faster" if slow else "",
    )


def fsync_s(directory: Path) -> float:
    """Median time of a small synchronous write in a directory, in seconds.

    Raises:
        OSError: The directory cannot be written to.
    """
    times: list[float] = []
    with tempfile.TemporaryFile(dir=directory) as file:
        for _ in range(_FSYNCS):
            file.write(b"x" * 4096)
            file.flush()
            start_s = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - start_s)
    return statistics.median(times)


def _postgres(url: str) -> Finding:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    hint = 'pip install "fanwise[postgres]"'
    try:
        shown = make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        hint = "write postgresql://user@host/database"
        return Finding(name="journal", state="fail", value="not a database URL", hint=hint)
    if find_spec("psycopg") is None:
        return Finding(name="journal", state="fail", value=f"{shown}: no driver", hint=hint)
    import psycopg

    try:
        with psycopg.connect(url, connect_timeout=_CONNECT_S) as connection:
            version = connection.info.parameter_status("server_version")
    except psycopg.Error as error:
        said = str(error).strip().splitlines()
        value = f"{shown}: {said[0] if said else 'no connection'}"
        return Finding(name="journal", state="fail", value=value, hint="is the server running?")
    return Finding(name="journal", state="ok", value=f"{shown}, PostgreSQL {version}")


def _loop() -> Finding:
    if find_spec("uvloop") is None:
        hint = 'pip install "fanwise[uvloop]" for about a fifth less CPU a call'
        return Finding(name="event loop", state="note", value="asyncio", hint=hint)
    return Finding(name="event loop", state="ok", value=f"uvloop {metadata.version('uvloop')}")


def _extras() -> Iterator[Finding]:
    for extra, module, use in (
        ("parquet", "pyarrow", "Parquet files"),
        ("postgres", "psycopg", "a journal in PostgreSQL"),
    ):
        if find_spec(module) is None:
            hint = f'pip install "fanwise[{extra}]" for {use}'
            yield Finding(name=extra, state="note", value="not installed", hint=hint)
        else:
            yield Finding(name=extra, state="ok", value=f"{module} {metadata.version(module)}")


def _keys() -> Finding:
    found = key_names()
    if not found:
        hint = "set OPENAI_API_KEY or another provider's; builtin/rules and sim/ models need none"
        return Finding(name="keys", state="note", value="none", hint=hint)
    return Finding(name="keys", state="ok", value=", ".join(found))


def key_names() -> list[str]:
    """Environment variables that hold a provider's key or name its file. Never their values."""
    ends = ("_API_KEY", "_API_KEY_FILE")
    try:
        known = environment()
    except FanwiseError:
        known = os.environ
    return sorted(name for name, value in known.items() if name.endswith(ends) and value)


def _descriptors() -> Finding:
    resource = None
    with contextlib.suppress(ImportError):
        import resource
    if resource is None:
        return Finding(name="open files", state="ok", value="no limit is known here")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return Finding(name="open files", state="ok", value="unlimited")
    shown = "unlimited" if hard == resource.RLIM_INFINITY else str(hard)
    value = f"{soft} (at most {shown})"
    if soft < 1024:
        hint = "each call in flight takes one: raise it with `ulimit -n 4096`"
        return Finding(name="open files", state="note", value=value, hint=hint)
    return Finding(name="open files", state="ok", value=value)


def _clock() -> Finding:
    now = SystemClock().wall()
    shown = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    if now < _EARLIEST_CLOCK_S:
        hint = "set it: dates of rate limits and prices depend on it"
        return Finding(name="clock", state="fail", value=shown, hint=hint)
    return Finding(name="clock", state="ok", value=shown)
