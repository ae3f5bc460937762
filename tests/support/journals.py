"""The three journals under one face, for suites that run over all of them."""

from __future__ import annotations

import hashlib
import itertools
import os
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from fanwise.clock import SystemClock
from fanwise.journal.home import Home, open_home
from fanwise.journal.memory import Journal, JournalReader, MemoryJournal
from fanwise.journal.sql import SqlJournal
from fanwise.records import (
    Attempt,
    CallIntent,
    CallKey,
    CallRecord,
    ItemRecord,
    RunSpec,
    Usage,
)

_schemas = itertools.count()


class Place(Protocol):
    """Where runs are kept."""

    def create(self, run_id: str = "run") -> Journal: ...

    def open(self, run_id: str = "run") -> Journal: ...

    def crash(self, journal: Journal) -> None:
        """The journal's process dies: what it has committed is all that is left."""
        ...

    def reader(self, run_id: str = "run") -> JournalReader: ...

    def close(self) -> None: ...


class MemoryPlace:
    """Runs in memory."""

    def __init__(self) -> None:
        self._journals: dict[str, MemoryJournal] = {}

    def create(self, run_id: str = "run") -> MemoryJournal:
        spec = RunSpec(name="test", options={"a": 1})
        journal = self._journals[run_id] = MemoryJournal(spec, run_id=run_id)
        return journal

    def open(self, run_id: str = "run") -> MemoryJournal:
        journal = self._journals[run_id] = self._journals[run_id].crash()
        return journal

    def crash(self, journal: Journal) -> None:
        """Opening it anew takes what was committed."""

    def reader(self, run_id: str = "run") -> JournalReader:
        return self._journals[run_id].reader()

    def close(self) -> None:
        """Nothing to close."""


class HomePlace:
    """Runs in a home of either kind."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._open: list[SqlJournal] = []

    def create(self, run_id: str = "run") -> SqlJournal:
        spec = RunSpec(name="test", options={"a": 1})
        journal = self.home.create(spec, run_id=run_id, wall_s=SystemClock().wall())
        return self._kept(journal)

    def open(self, run_id: str = "run") -> SqlJournal:
        return self._kept(self.home.open(run_id))

    def _kept(self, journal: Any) -> SqlJournal:
        self._open.append(journal)
        return journal

    def crash(self, journal: Any) -> None:
        """Its thread and its connections end without a word to the database."""
        journal._writer.stop()
        journal._reading.submit(journal._close_reader).result()
        journal._reading.shutdown()
        journal._committer.give_back()

    def reader(self, run_id: str = "run") -> JournalReader:
        return self.home.reader(run_id)

    def close(self) -> None:
        for journal in self._open:
            self.crash_if_open(journal)
        self.home.close()

    def crash_if_open(self, journal: Any) -> None:
        if journal._closing is None and not journal._reading._shutdown:
            self.crash(journal)


def file_place(directory: Path) -> HomePlace:
    """Runs in files of a directory."""
    return HomePlace(open_home(directory / "journal"))


class ServerPlace(HomePlace):
    """Runs in a schema of their own, which goes with them."""

    def __init__(self, location: str) -> None:
        super().__init__(open_home(location))
        self._location = location

    def close(self) -> None:
        super().close()
        drop_schema(self._location)


def server_place(url: str) -> HomePlace:
    """Runs in a schema of their own on a server; closing it removes them."""
    return ServerPlace(own_schema(url))


def own_schema(url: str) -> str:
    """The URL of a home of its own on a server."""
    return f"{url}?schema=test_{os.getpid()}_{next(_schemas)}"


def drop_schema(location: str) -> None:
    """Removes a home made by :func:`own_schema`."""
    import psycopg

    url, _, schema = location.partition("?schema=")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


def key(item_id: str = "item", content: str = "x", sample: int = 0) -> CallKey:
    """A call's key; the content's hash is made up from a word."""
    return CallKey(item_id, hashlib.md5(content.encode()).hexdigest(), sample)


def intent(call: CallKey, **fields: Any) -> CallIntent:
    """An intent with everything in it."""
    defaults: dict[str, Any] = {"model": "sim/a", "label": "judge", "started_at": 1.25}
    return CallIntent(key=call, **(defaults | fields))


def attempt(number: int = 1, **fields: Any) -> Attempt:
    """An attempt of two seconds."""
    defaults: dict[str, Any] = {
        "verdict": "served",
        "queued_s": 0.1,
        "started_at": 10.0,
        "ended_at": 12.0,
    }
    return Attempt(number=number, **(defaults | fields))


def call(call_key: CallKey, **fields: Any) -> CallRecord:
    """A served call that cost a tenth of a cent."""
    defaults: dict[str, Any] = {
        "state": "served",
        "model": "sim/a",
        "label": "judge",
        "value": {"answer": call_key.item_id},
        "response": {"finish_reason": "stop"},
        "usage": Usage(input_tokens=10, output_tokens=3),
        "cost_usd": Decimal("0.001"),
        "attempts": (attempt(),),
        "started_at": 1.25,
        "ended_at": 12.5,
    }
    return CallRecord(key=call_key, **(defaults | fields))


def item(item_id: str = "item", **fields: Any) -> ItemRecord:
    """An item that succeeded."""
    defaults: dict[str, Any] = {
        "position": 0,
        "state": "succeeded",
        "input": {"row": item_id},
        "value": {"score": 1.5},
        "model": "sim/a",
        "usage": Usage(input_tokens=10, output_tokens=3),
        "cost_usd": Decimal("0.001"),
        "attempts": 1,
        "queued_s": 0.1,
        "service_s": 2.0,
        "started_at": 1.0,
        "ended_at": 13.0,
    }
    return ItemRecord(item_id=item_id, **(defaults | fields))


async def one_call(journal: Journal, call_key: CallKey, **fields: Any) -> None:
    """A call that was begun and settled."""
    await journal.intend(intent(call_key))
    await journal.settle(call(call_key, **fields))
