"""The program from outside: ``python -m fanwise`` as a process, and what it left behind."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

PROGRAM = (sys.executable, "-m", "fanwise")
_OURS = ("FANWISE_", "OPENAI_", "GROQ_", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")


def environment(**more: str) -> dict[str, str]:
    """The environment without anything of Fanwise, a provider or a proxy, and with a key."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    kept |= {"XDG_CONFIG_HOME": "/nonexistent", "OPENAI_API_KEY": "sk-outside", "NO_COLOR": "1"}
    return kept | more


def run(
    *words: object,
    cwd: Path,
    stdin: str | bytes = "",
    env: Mapping[str, str] | None = None,
    timeout_s: float = 60,
    **how: Any,
) -> subprocess.CompletedProcess[str]:
    """Runs the program to its end. An ``env`` value of ``""`` takes a variable away."""
    done = subprocess.run(
        [*PROGRAM, *map(str, words)],
        cwd=cwd,
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        capture_output=True,
        check=False,
        timeout=timeout_s,
        env=_settled(env),
        **how,
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


def start(
    *words: object, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Starts the program with its output in the files ``stdout`` and ``stderr`` of ``cwd``."""
    with (cwd / "stdout").open("ab") as out, (cwd / "stderr").open("ab") as err:
        return subprocess.Popen(
            [*PROGRAM, *map(str, words)],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=_settled(env),
        )


def _settled(env: Mapping[str, str] | None) -> dict[str, str]:
    return {name: value for name, value in environment(**(env or {})).items() if value}


def write_lines(path: Path, rows: Iterable[Any]) -> Path:
    """Writes JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Reads JSON lines, each of which has to be whole."""
    text = path.read_text(encoding="utf-8")
    assert not text or text.endswith("\n"), "the last line is cut"
    return [json.loads(line) for line in text.splitlines()]


def committed_lines(path: Path) -> list[dict[str, Any]]:
    """As :func:`read_lines`, of a file that may be growing: only up to its last line's end."""
    if not path.exists():
        return []
    whole = path.read_bytes().rpartition(b"\n")[0]
    return [json.loads(line) for line in whole.splitlines()]


class RunFile:
    """What a run's SQLite file holds, read with nothing but sqlite3."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def only_one_in(cls, journal: Path) -> RunFile:
        """The one run of a journal's directory."""
        found = list((journal / "runs").glob("*.db"))
        assert len(found) == 1, found
        return cls(found[0])

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.path.stem

    def select(self, statement: str) -> list[Any]:
        """Rows of a query."""
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as connection:
            return connection.execute(statement).fetchall()

    def ended_items(self) -> set[str]:
        """Ids of items whose end is committed."""
        rows = self.select(
            "SELECT items.item_id FROM events JOIN items ON items.id = events.item"
            " WHERE events.current = 1"
        )
        return {item_id for (item_id,) in rows}

    def open_calls(self) -> set[str]:
        """Ids of items with a call that was begun and has no outcome."""
        rows = self.select(
            "SELECT items.item_id FROM calls JOIN items ON items.id = calls.item"
            " LEFT JOIN outcomes ON outcomes.id = calls.id"
            " WHERE outcomes.id IS NULL OR outcomes.state = 'sending'"
        )
        return {item_id for (item_id,) in rows}

    def unsettled_calls(self) -> set[str]:
        """Ids of items with a call that was begun and whose outcome is missing or unknown."""
        rows = self.select(
            "SELECT items.item_id FROM calls JOIN items ON items.id = calls.item"
            " LEFT JOIN outcomes ON outcomes.id = calls.id"
            " WHERE outcomes.id IS NULL OR outcomes.state IN ('sending', 'ambiguous')"
        )
        return {item_id for (item_id,) in rows}

    def is_sound(self) -> bool:
        """Whether SQLite finds no damage in it."""
        return self.select("PRAGMA integrity_check") == [("ok",)]


class Tables(RunFile):
    """The same of the one run in a PostgreSQL database of its own."""

    def __init__(self, url: str) -> None:
        super().__init__(Path())
        self.url = url

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.select("SELECT run_id FROM runs")[0][0]

    def select(self, statement: str) -> list[Any]:
        """Rows of a query."""
        import psycopg

        with psycopg.connect(self.url) as connection:
            return connection.execute(statement).fetchall()

    def is_sound(self) -> bool:
        """Whether nobody holds the run any more: its server has seen its writer's end."""
        held = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted"
        return not self.select(held)


@contextmanager
def own_database(url: str) -> Iterator[str]:
    """A new database on the server of ``url``, removed at the end."""
    import psycopg

    name = f"outside_{uuid.uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        yield url.rpartition("/")[0] + "/" + name
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
