"""A real process is killed at random moments while it writes; what it had acknowledged is there."""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from fanwise.journal.home import open_home
from fanwise.journal.tally import recount
from support.journals import drop_schema, own_schema

TESTS = Path(__file__).parent.parent
WORKERS = 40


def run_and_kill(location: str, *, seed: int, lines: int) -> list[str]:
    """What the child had acknowledged when it was killed, some lines after it began."""
    command = [sys.executable, "-m", "support.journal_child", location, str(seed), str(WORKERS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=TESTS, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        said = [child.stdout.readline() for _ in range(lines)]
        child.send_signal(signal.SIGKILL)
        said += child.stdout.readlines()
    assert child.returncode == -signal.SIGKILL
    return [line.rstrip("\n") for line in said if line.endswith("\n")]


def check(location: str, said: list[str], *, kills: int) -> None:
    home = open_home(location)
    journal = home.open("run")
    reader = home.reader("run")
    calls = {call.key.item_id: call for call in reader.calls()}
    items = {item.item_id: item for item in reader.items()}
    for line in said:
        kind, name, *number = line.split()
        if kind == "call":
            assert calls[name].state == "served"
            assert calls[name].value.startswith(name + "x") or calls[name].value == name
            assert reader.request(calls[name].key.content_key)
        else:
            assert items[name].event == int(number[0])
    states = [call.state for call in calls.values()]
    assert "sending" not in states
    assert states.count("ambiguous") <= kills * WORKERS
    assert journal.counters == reader.counters()
    counted = recount(calls.values(), items.values())
    assert counted.service_s == pytest.approx(journal.counters.service_s)
    assert (counted.calls, counted.succeeded, counted.ambiguous, counted.cost_usd) == (
        journal.counters.calls,
        journal.counters.succeeded,
        journal.counters.ambiguous,
        journal.counters.cost_usd,
    )
    numbers = [event.number for event in reader.events()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(reader.sessions()) == 2 * kills
    reader.close()
    asyncio.run(_close(journal))
    home.close()


async def _close(journal) -> None:
    await journal.close("interrupted")


@pytest.mark.parametrize("seed", [1, 2])
def test_what_was_acknowledged_survives_kill_9_on_sqlite(tmp_path, seed):
    location = str(tmp_path / "journal")
    chance = random.Random(seed)
    said: list[str] = []
    for kill in range(1, 4):
        said += run_and_kill(location, seed=100 * seed + kill, lines=chance.randint(0, 2500))
        check(location, said, kills=kill)
        (file,) = Path(location).glob("runs/*.db")
        with sqlite3.connect(file) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()


@pytest.mark.postgres
def test_what_was_acknowledged_survives_kill_9_on_postgresql(postgres_url):
    location = own_schema(postgres_url)
    chance = random.Random(3)
    said: list[str] = []
    for kill in range(1, 4):
        said += run_and_kill(location, seed=kill, lines=chance.randint(0, 1000))
        check(location, said, kills=kill)
    drop_schema(location)
