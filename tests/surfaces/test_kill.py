"""Runs that are killed, interrupted and shared: nothing is lost, and no answer is paid for twice
but those that were in flight.
"""

from __future__ import annotations

import json
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.answers import text_of
from support.program import (
    RunFile,
    Tables,
    committed_lines,
    own_database,
    read_lines,
    run,
    start,
    write_lines,
)
from support.server import Server, serving

CALLS = 1500
IN_FLIGHT = 40
KILLS = 5

LOOK_AGAIN = threading.Event()  # never set: what is waited for happens in another process


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a run's journal is: what the program is told, and how a test looks into it."""

    flag: str
    journal: Path | str

    def look(self) -> RunFile:
        if isinstance(self.journal, str):
            return Tables(self.journal)
        return RunFile.only_one_in(self.journal)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A journal of either kind."""
    if request.param == "sqlite":
        yield Place(flag=str(tmp_path / "journal"), journal=tmp_path / "journal")
        return
    with own_database(request.getfixturevalue("postgres_url")) as url:
        yield Place(flag=url, journal=url)


def rows(count: int) -> list[dict[str, Any]]:
    return [{"id": f"i{n}", "text": f"task {n}"} for n in range(count)]


def id_of(prompt: str) -> str:
    return "i" + prompt.rpartition(" ")[2]


def command(server: Server, *more: object) -> tuple[object, ...]:
    asked = ("-m", "openai/one", "-p", "{{ text }}", "--base-url", server.base_url)
    in_flight = () if "-j" in more else ("-j", 20)  # stated, so that it can be counted on
    return ("run", "in.jsonl", *asked, "-o", "out.jsonl", "--quiet", *in_flight, *more)


def assert_all_there_and_right(path: Path, count: int) -> None:
    answered = read_lines(path)
    assert Counter(line["id"] for line in answered) == Counter(f"i{n}" for n in range(count))
    for line in answered:
        assert line["error"] is None
        assert line["output"] == text_of("one", line["item"]["text"])


def wait_until(reached: Any, *, within_s: float = 20) -> None:
    end_s = time.monotonic() + within_s
    while not reached():
        assert time.monotonic() < end_s
        LOOK_AGAIN.wait(0.01)


def kill_at(process: Any, server: Server, count: int) -> None:
    """Kills a process as soon as the server has seen so many requests."""
    server.wait_for(lambda counts: counts["requests"] >= count or process.poll() is not None)
    assert process.poll() is None, "it ended before it could be killed"
    process.kill()
    process.wait(timeout=10)


def test_killed_five_times_a_run_ends_with_all_answers_and_lists_what_it_sent_twice(
    tmp_path, place
):
    write_lines(tmp_path / "in.jsonl", rows(CALLS))
    moments = sorted(random.Random(11).sample(range(50, CALLS - 50), KILLS))
    doubtful: Counter[str] = Counter()
    with serving(latency_ms=(15, 60)) as server:
        begun = command(server, "-j", IN_FLIGHT, "--journal", place.flag)
        for number, moment in enumerate(moments):
            words = ("resume", "--quiet", "--journal", place.flag) if number else begun
            # What was in doubt goes out again, and counts once more at the server.
            kill_at(start(*words, cwd=tmp_path), server, moment + doubtful.total())
            found = place.look()
            wait_until(found.is_sound)
            committed, left_open = found.ended_items(), found.open_calls()
            shown = read_lines(tmp_path / "out.jsonl")
            assert {line["id"] for line in shown} <= committed
            assert len({line["id"] for line in shown}) == len(shown)
            assert all(line["output"] == text_of("one", line["item"]["text"]) for line in shown)
            assert len(left_open) <= IN_FLIGHT
            assert not left_open & committed
            unanswered = {
                id_of(line["prompt"]) for line in server.ledger() if line["outcome"] != "served"
            }
            assert unanswered <= left_open | doubtful.keys()
            doubtful.update(left_open)
        last = run("resume", "--json", "--quiet", "--journal", place.flag, cwd=tmp_path)
        assert last.returncode == 0, last.stderr
        ledger = server.ledger()
    report = run("report", found.run_id, "--json", "--journal", place.flag, cwd=tmp_path)

    assert_all_there_and_right(tmp_path / "out.jsonl", CALLS)
    summary = json.loads(last.stdout)
    assert (summary["items"]["total"], summary["items"]["succeeded"]) == (CALLS, CALLS)
    sent = Counter(id_of(line["prompt"]) for line in ledger)
    again = Counter({item: count - 1 for item, count in sent.items() if count > 1})
    assert again <= doubtful, "a call was repeated that was not in flight at a kill"
    listed = json.loads(report.stdout)
    assert Counter({call["item_id"]: call["resends"] for call in listed["ambiguous"]}) == doubtful
    assert listed["ambiguous_count"] == len(doubtful)
    assert all(call["state"] == "served" for call in listed["ambiguous"])
    assert [session["closed"] for session in listed["sessions"]] == [False] * KILLS + [True]
    keys: dict[str, set[str]] = {}
    for line in ledger:
        keys.setdefault(line["prompt"], set()).add(line["idempotency_key"])
    assert all(len(found) == 1 for found in keys.values())
    assert None not in set().union(*keys.values())
    assert len(set().union(*keys.values())) == CALLS


def test_lines_on_standard_output_were_committed_before_they_were_shown(tmp_path):
    write_lines(tmp_path / "in.jsonl", rows(400))
    words = ("run", "in.jsonl", "-m", "openai/one", "-p", "{{ text }}", "--quiet", "-j", "20")
    with serving(latency_ms=(5, 20)) as server:
        base_url = ("--base-url", server.base_url)
        kill_at(start(*words, *base_url, cwd=tmp_path), server, 200)
        shown = {line["id"] for line in committed_lines(tmp_path / "stdout")}
        found = RunFile.only_one_in(tmp_path / ".fanwise")
        assert shown
        assert shown <= found.ended_items()
        assert "progress" not in (tmp_path / "stderr").read_text()
        # The same command again goes on with the same run.
        again = run(*words, *base_url, cwd=tmp_path)
        assert again.returncode == 0, again.stderr
        sent = Counter(line["prompt"] for line in server.ledger())
    assert {json.loads(line)["id"] for line in again.stdout.splitlines()} == {
        f"i{n}" for n in range(400)
    }
    assert RunFile.only_one_in(tmp_path / ".fanwise").run_id == found.run_id
    assert len(sent) == 400
    assert sent.total() <= 400 + 20


def test_one_interrupt_drains_and_says_how_to_go_on(tmp_path, place):
    write_lines(tmp_path / "in.jsonl", rows(200))
    with serving(latency_ms=(200, 400)) as server:
        process = start(*command(server, "--journal", place.flag), cwd=tmp_path)
        server.wait_for(lambda counts: counts["requests"] >= 50)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=15) == 130
        before = server.ledger()
        assert {line["outcome"] for line in before} == {"served"}
        assert len(before) < 200
        run_id = place.look().run_id
        assert f"fanwise resume {run_id}" in (tmp_path / "stderr").read_text()
        # All that was paid for is there, and nothing else.
        shown = read_lines(tmp_path / "out.jsonl")
        assert {line["id"] for line in shown} == {id_of(line["prompt"]) for line in before}
        assert not place.look().open_calls()
        again = run("resume", run_id, "--journal", place.flag, "--json", cwd=tmp_path)
        assert again.returncode == 0, again.stderr
        assert set(Counter(line["prompt"] for line in server.ledger()).values()) == {1}
    assert_all_there_and_right(tmp_path / "out.jsonl", 200)
    assert json.loads(again.stdout)["items"]["succeeded"] == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_stops_at_once_and_lists_what_was_in_flight(tmp_path, number):
    write_lines(tmp_path / "in.jsonl", rows(60))
    # The first twenty are never answered in time: only the second signal can end that.
    with serving(share=1.0, faults=["stall"], faulty=20, stall_s=60) as server:
        process = start(*command(server), cwd=tmp_path)
        server.wait_for(lambda counts: counts["in_work"] == 20)
        process.send_signal(number)
        wait_until(lambda: "Ctrl-C again" in (tmp_path / "stderr").read_text())
        process.send_signal(number)
        assert process.wait(timeout=15) == 130
        server.wait_for(lambda counts: counts["in_work"] == 0)
        found = RunFile.only_one_in(tmp_path / ".fanwise")
        assert f"fanwise resume {found.run_id}" in (tmp_path / "stderr").read_text()
        again = run("resume", "--json", cwd=tmp_path)
        assert again.returncode == 0, again.stderr
        sent = Counter(id_of(line["prompt"]) for line in server.ledger())
    assert_all_there_and_right(tmp_path / "out.jsonl", 60)
    listed = json.loads(run("report", "--json", cwd=tmp_path).stdout)["ambiguous"]
    assert {call["item_id"] for call in listed} == {item for item in sent if sent[item] > 1}
    assert len(listed) == 20


def test_two_runs_side_by_side_in_one_directory_do_not_disturb_each_other(tmp_path):
    with serving(latency_ms=(0, 50), hold_from=60) as server:
        running = []
        for name in ("left", "right"):
            write_lines(tmp_path / f"{name}.jsonl", [row | {"w": name} for row in rows(150)])
            words = ("-m", "openai/one", "-p", "{{ w }} {{ text }}", "-o", f"{name}.out.jsonl")
            words += ("--base-url", server.base_url, "--run-id", name, "--quiet")
            running.append(start("run", f"{name}.jsonl", *words, cwd=tmp_path))
        server.wait_for(lambda counts: counts["requests"] >= 60)
        wait_until(lambda: list((tmp_path / ".fanwise" / "runs").glob("right*.db")))
        listed = json.loads(run("list", "--json", cwd=tmp_path).stdout)["runs"]
        assert {(row["run_id"], row["status"]) for row in listed} == {
            ("left", "live"),
            ("right", "live"),
        }
        server.release()
        assert [process.wait(timeout=30) for process in running] == [0, 0]
        assert set(Counter(line["prompt"] for line in server.ledger()).values()) == {1}
    for name in ("left", "right"):
        answered = read_lines(tmp_path / f"{name}.out.jsonl")
        assert len(answered) == 150
        for line in answered:
            assert line["output"] == text_of("one", f"{name} {line['item']['text']}")


def test_a_second_writer_is_refused_while_readers_look_on(tmp_path):
    write_lines(tmp_path / "in.jsonl", rows(150))
    with serving(hold_from=30) as server:
        process = start(*command(server, "--run-id", "mine"), cwd=tmp_path)
        server.wait_for(lambda counts: counts["in_work"] == 20)
        for typed in (("resume", "mine"), command(server, "--run-id", "mine")):
            refused = run(*typed, cwd=tmp_path)
            assert refused.returncode == 5, refused.stderr
            for words in (f"process {process.pid}", "run mine", "fanwise watch"):
                assert words in refused.stderr
        refused = run(*command(server, "--run-id", "other"), cwd=tmp_path)
        assert refused.returncode == 5, refused.stderr
        assert "out.jsonl is being written by another process" in refused.stderr
        listed = json.loads(run("list", "--json", cwd=tmp_path).stdout)["runs"]
        assert ("mine", "live") in {(row["run_id"], row["status"]) for row in listed}
        shown = json.loads(run("show", "mine", "--json", cwd=tmp_path).stdout)
        assert shown["status"] == "live"
        partial = run("export", "mine", cwd=tmp_path)
        assert partial.returncode == 0
        assert len(partial.stdout.splitlines()) == 30
        assert all(json.loads(line)["error"] is None for line in partial.stdout.splitlines())
        watching = start("watch", "mine", "--json", cwd=tmp_path)
        wait_until(lambda: "30/150 done" in (tmp_path / "stderr").read_text())
        server.release()
        assert process.wait(timeout=30) == 0
        assert watching.wait(timeout=30) == 0
        assert set(Counter(line["prompt"] for line in server.ledger()).values()) == {1}
    watched = json.loads((tmp_path / "stdout").read_text())
    assert (watched["items"]["succeeded"], watched["status"]) == (150, "finished")
    assert_all_there_and_right(tmp_path / "out.jsonl", 150)
