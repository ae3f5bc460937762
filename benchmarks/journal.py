"""What the journal does and what it costs, beside bare commits on the same disk.

    python benchmarks/journal.py                         SQLite in a temporary directory
    python benchmarks/journal.py --directory /data       SQLite on that disk
    python benchmarks/journal.py --url postgresql://…    PostgreSQL (makes a schema, removes it)

An *acknowledgement* is one call: intent and outcome, each durable before its worker goes on, with
requests and answers of about 1 KB. CPU is user + system of this process, the event loop and the
writer's thread together, less what the same workers cost with a journal that does nothing. A bare
commit is one row of 1 KB written by a plain loop around sqlite3 with the same settings, before and
after the calls it is compared with. Figures are medians over the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from fanwise.journal.home import open_home
from fanwise.journal.sqlite import PAGE_BYTES, prepare_to_write
from fanwise.records import (
    Attempt,
    CallIntent,
    CallKey,
    CallRecord,
    ItemRecord,
    RunSpec,
    Usage,
)

MODEL = "openai/gpt-4o-mini"
USAGE = Usage(input_tokens=200, output_tokens=100)
COST = Decimal("0.00009")
TEXT = "x" * 700
REQUEST = b'{"messages": "' + b"y" * 880 + b'"}'
ALONE = 300


class NoJournal:
    """Acknowledges at the next turn of the loop: what the workers cost by themselves."""

    async def intend(self, intent: CallIntent) -> None:
        """Does nothing."""
        await asyncio.sleep(0)

    async def settle(self, record: CallRecord) -> None:
        """Does nothing."""
        await asyncio.sleep(0)

    async def finish_item(self, record: ItemRecord) -> int:
        """Does nothing."""
        await asyncio.sleep(0)
        return 0


async def one_call(journal: Any, number: int, *, items: bool) -> None:
    content_key = hashlib.md5(b"%d" % number).hexdigest()
    item_id = content_key[:16]
    key = CallKey(item_id, content_key)
    now = time.time()
    await journal.intend(
        CallIntent(key=key, model=MODEL, label="judge", started_at=now, request=REQUEST)
    )
    attempt = Attempt(number=1, verdict="served", queued_s=0.1, started_at=now, ended_at=now + 1)
    await journal.settle(
        CallRecord(
            key=key,
            state="served",
            model=MODEL,
            label="judge",
            value={"score": 7, "reason": TEXT},
            usage=USAGE,
            cost_usd=COST,
            attempts=(attempt,),
            started_at=now,
            ended_at=now + 1,
        )
    )
    if items:
        await journal.finish_item(
            ItemRecord(
                item_id=item_id,
                position=number,
                state="succeeded",
                input={"text": TEXT[:200]},
                value={"score": 7, "reason": TEXT},
                usage=USAGE,
                cost_usd=COST,
                attempts=1,
                started_at=now,
                ended_at=now + 1,
            )
        )


async def load(journal: Any, *, calls: int, workers: int, items: bool) -> tuple[float, float]:
    """Calls a second, and microseconds of CPU a call."""
    numbers = iter(range(calls))

    async def work() -> None:
        for number in numbers:
            await one_call(journal, number, items=items)

    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*[work() for _ in range(workers)])
    return (
        calls / (time.perf_counter() - began),
        (time.process_time() - cpu) / calls * 1e6,
    )


async def alone(journal: Any, *, first: int) -> float:
    """Microseconds of one call with nothing else in flight."""
    began = time.perf_counter()
    for number in range(first, first + ALONE):
        await one_call(journal, number, items=False)
    return (time.perf_counter() - began) / ALONE * 1e6


def bare_commits(directory: Path) -> float:
    """Microseconds of one bare commit of one row."""
    connection = sqlite3.connect(directory / "bare.db", isolation_level=None)
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    prepare_to_write(connection)
    connection.execute("CREATE TABLE IF NOT EXISTS bare (id INTEGER PRIMARY KEY, text TEXT)")
    began = time.perf_counter()
    for _ in range(2 * ALONE):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO bare (text) VALUES (?)", (TEXT,))
        connection.execute("COMMIT")
    taken = (time.perf_counter() - began) / (2 * ALONE) * 1e6
    connection.close()
    return taken


async def recall(journal: Any, calls: int) -> float:
    """Items a second, looked up in batches of 500."""
    ids = [hashlib.md5(b"%d" % number).hexdigest()[:16] for number in range(calls)]
    began = time.perf_counter()
    found = 0
    for start in range(0, calls, 500):
        found += len(await journal.recall(ids[start : start + 500]))
    assert found == calls
    return calls / (time.perf_counter() - began)


async def rounds(options: argparse.Namespace, home: Any, directory: Path) -> dict[str, float]:
    found: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        found.setdefault(name, []).append(value)

    size = {"calls": options.calls, "workers": options.workers}
    for number in range(options.rounds):
        for items in (False, True):
            journal = home.create(
                RunSpec(name="benchmark"), run_id=f"{number}-{items}", wall_s=time.time()
            )
            own = (await load(NoJournal(), **size, items=items))[1]
            rate, cpu = await load(journal, **size, items=items)
            name = "items" if items else "calls"
            note(f"{name}/s", rate)
            note(f"{name} cpu", cpu - own)
            await journal.close("interrupted")
            if items:
                journal = home.open(f"{number}-{items}")
                note("recall/s", await recall(journal, options.calls))
                await journal.close("finished")
        journal = home.create(RunSpec(name="alone"), run_id=f"{number}-alone", wall_s=time.time())
        await alone(journal, first=-ALONE)
        before = bare_commits(directory)
        one = await alone(journal, first=0)
        bare = (before + bare_commits(directory)) / 2
        note("bare", bare)
        note("alone", one)
        note("commits", one / bare)
        await journal.close("finished")
    return {name: statistics.median(values) for name, values in found.items()}


def show(figures: dict[str, float], options: argparse.Namespace, *, server: bool) -> None:
    loop = "uvloop" if options.uvloop else "asyncio"
    print(
        f"{options.workers} workers, {options.calls} calls, {options.rounds} rounds, {loop}, "
        f"{os.cpu_count()} cores"
    )
    print(f"durable calls/s (intent + outcome)         {figures['calls/s']:10,.0f}")
    print(f"durable items/s (intent + outcome + end)   {figures['items/s']:10,.0f}")
    print(f"CPU a call                                 {figures['calls cpu']:10.1f} µs")
    print(f"CPU a call with its item's end             {figures['items cpu']:10.1f} µs")
    print(f"recalled items/s                           {figures['recall/s']:10,.0f}")
    print(f"one call alone                             {figures['alone']:10.0f} µs")
    if not server:
        print(f"a bare commit beside it                    {figures['bare']:10.0f} µs")
        print(f"one call alone, in bare commits            {figures['commits']:10.2f}")


@contextmanager
def place(options: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    """The home's location, and a directory on the disk that is measured."""
    directory = Path(tempfile.mkdtemp(dir=options.directory, prefix="fanwise-benchmark-"))
    try:
        if options.url is None:
            yield str(directory / "home"), directory
        else:
            schema = f"benchmark_{os.getpid()}"
            yield f"{options.url}?schema={schema}", directory
            import psycopg

            with psycopg.connect(options.url, autocommit=True) as connection:
                connection.execute(f"DROP SCHEMA {schema} CASCADE")
    finally:
        shutil.rmtree(directory)


def runner(options: argparse.Namespace) -> Callable[[Any], Any]:
    if not options.uvloop:
        return asyncio.run
    import uvloop

    return uvloop.run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--directory", type=Path)
    parser.add_argument("--url")
    parser.add_argument("--uvloop", action="store_true")
    options = parser.parse_args()
    with place(options) as (location, directory):
        home = open_home(location)
        figures = runner(options)(rounds(options, home, directory))
        home.close()
    show(figures, options, server=options.url is not None)


if __name__ == "__main__":
    main()
