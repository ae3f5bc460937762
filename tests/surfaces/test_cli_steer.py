"""Runs are steered from another terminal: pause, set, drain, cancel, while they go on and after."""

import json
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from fanwise.engine.steering.address import sockets_of
from fanwise.engine.steering.asking import ask
from fanwise.engine.steering.orders import Change, Order
from fanwise.journal.home import open_home
from support.server import LOOK_AGAIN, serving

ROWS = 400


@pytest.fixture
def server():
    with serving(latency_ms=(80, 120)) as found:
        yield found


@pytest.fixture
def begin(tmp_path, start_fanwise, server):
    """``begin("-j", "4")`` starts a run named ``long`` and returns once it has 10 results."""

    def started(*words, rows=ROWS):
        lines = [json.dumps({"id": f"r{n}", "word": f"w{n}"}) for n in range(rows)]
        (tmp_path / "table.jsonl").write_text("\n".join(lines) + "\n")
        flags = ("-m", "openai/one", "-p", "Say {{ word }}", "-o", "out.jsonl", "--run-id", "long")
        process = start_fanwise("run", "table.jsonl", *flags, "--base-url", server.base_url, *words)
        process.wait_for_lines(10)
        return process

    return started


@pytest.fixture
def state(tmp_path):
    """``state("in_flight", 0)`` waits until the owner says so; returns all that it says."""

    def reached(name, *values):
        seen = None
        for _ in range(300):
            seen = ask(Order(verb="status"), location=str(tmp_path / ".fanwise"), run_id="long")
            if seen is not None and seen[name] in values:
                return seen
            LOOK_AGAIN.wait(0.03)
        raise AssertionError(f"{name} never became {values}: {seen}")

    return reached


def events(tmp_path):
    home = open_home(tmp_path / ".fanwise")
    reader = home.reader("long")
    try:
        return [(event.kind, dict(event.data)) for event in reader.controls()]
    finally:
        reader.close()
        home.close()


def sent_between(server, since, until):
    return [line for line in server.ledger() if since <= line["arrived_wall"] < until]


def hurry(tmp_path):
    """Lets the run end soon."""
    order = Order(verb="set", change=Change(max_concurrency=100))
    ask(order, location=str(tmp_path / ".fanwise"), run_id="long")


def most_at_once(lines):
    """Most requests in work at the arrival of one of these."""
    return max(
        sum(
            one["arrived"] <= line["arrived"]
            and (one["ended"] or line["arrived"]) >= line["arrived"]
            for one in lines
        )
        for line in lines
    )


def test_a_paused_run_sends_nothing_until_it_is_resumed(begin, fanwise, state, server, tmp_path):
    process = begin("-j", "5")
    paused = fanwise("pause", "long")
    now = time.time()
    assert paused.returncode == 0, paused.stderr
    assert "fanwise resume long" in paused.stderr
    assert state("in_flight", 0)["state"] == "paused"
    LOOK_AGAIN.wait(1.0)
    assert sent_between(server, now + 0.2, now + 100) == []
    done = state("in_flight", 0)["items_done"]
    assert done < ROWS
    resumed = fanwise("resume", "long")
    assert resumed.returncode == 0, resumed.stderr
    assert "goes on" in resumed.stderr
    hurry(tmp_path)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Paused" in err
    assert "Going on" in err
    assert len(server.ledger()) == ROWS
    noted = events(tmp_path)
    assert [kind for kind, _ in noted] == ["run.paused", "run.resumed", "limits.set"]
    assert all(data["by"]["uid"] == os.geteuid() for _, data in noted)
    assert all(data["by"]["pid"] not in {None, process.pid} for _, data in noted)


def test_limits_that_are_set_hold_at_once_and_for_a_resume(begin, fanwise, state, server, tmp_path):
    process = begin("-j", "2", rows=1000)
    fanwise("set", "long", "-j", "8")
    raised = time.time()
    state("in_flight", 8)
    lowered = fanwise("set", "long", "--max-concurrency", "3", "--json")
    assert json.loads(lowered.stdout)["concurrency_limit"] == 3
    fallen = time.time()
    state("in_flight", 3, 2, 1)
    LOOK_AGAIN.wait(0.5)
    drained = fanwise("drain", "long")
    assert drained.returncode == 0, drained.stderr
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "at most 8 calls at once" in err
    assert most_at_once(sent_between(server, raised, fallen)) > 3
    assert most_at_once(sent_between(server, fallen + 0.3, fallen + 100)) <= 3
    assert [data.get("max_concurrency") for _, data in events(tmp_path)] == [8, 3, None]
    begun = len(server.ledger())
    again = fanwise("set", "long", "-j", "200")
    assert "when it is resumed" in again.stderr
    assert fanwise("resume", "long", "-q").returncode == 0
    assert most_at_once(server.ledger()[begun:]) > 8
    assert len(server.ledger()) == 1000


def test_a_drained_run_keeps_what_was_in_flight_and_goes_on(begin, fanwise, server, tmp_path):
    process = begin("-j", "5")
    drained = fanwise("drain", "long", "--json")
    assert json.loads(drained.stdout) == {"run_id": "long", "status": "interrupted"}
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "fanwise resume long" in err
    sent = len(server.ledger())
    assert sent < ROWS
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == sent
    assert fanwise("resume", "long", "-q", "-j", "100").returncode == 0
    assert len(server.ledger()) == ROWS


@pytest.mark.parametrize("before", [(), ("pause",)])
def test_a_live_run_is_cancelled_for_good(before, begin, fanwise, server):
    process = begin("-j", "5")
    for verb in before:
        fanwise(verb, "long")
    done = fanwise("cancel", "long", "--json")
    assert json.loads(done.stdout) == {"run_id": "long", "status": "cancelled"}
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert json.loads(fanwise("list", "--json").stdout)["runs"][0]["status"] == "cancelled"
    assert len(server.ledger()) < ROWS
    assert fanwise("resume").returncode == 2  # nobody goes on with it by himself
    refused = fanwise("set", "long", "-j", "5")
    assert refused.returncode == 2
    assert "cancelled already" in refused.stderr


def test_the_socket_of_a_killed_owner_is_in_nobodys_way(begin, fanwise, server, tmp_path):
    process = begin("-j", "10")
    (path,) = [p for p in paths(tmp_path) if p.exists()]
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert path.exists()
    paused = fanwise("pause", "long")
    assert paused.returncode == 0
    assert "Nobody works on long" in paused.stderr
    assert fanwise("set", "long", "-j", "30", "--rpm", "60000").returncode == 0
    drained = fanwise("drain", "long")
    assert "long is interrupted" in drained.stderr
    assert [kind for kind, _ in events(tmp_path)] == ["run.paused", "limits.set", "run.drained"]
    again = fanwise("resume", "long", "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["items"]["succeeded"] == ROWS
    assert not path.exists()
    assert most_at_once(server.ledger()[-150:]) > 10


def paths(tmp_path) -> list[Path]:
    return list(sockets_of(str(tmp_path / ".fanwise"), "long", env=os.environ))


def test_nonsense_on_the_socket_is_answered_and_the_run_goes_on(begin, fanwise, tmp_path):
    process = begin("-j", "5")
    (path,) = [p for p in paths(tmp_path) if p.exists()]
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0
    for line in (b"no json\n", b'{"verb": "explode"}\n', b'{"verb": "set"}\n', b"[]\n",
                 b'{"verb": "set", "rpm": -1}\n', b'{"verb": "pause", "rpm": 5}\n'):  # fmt: skip
        answer = json.loads(say(path, line))
        assert answer["ok"] is False
        assert answer["error"]["code"] == "config"
    assert say(path, b"x" * 200_000 + b"\n") == b""
    assert say(path, b'{"verb": "sta') == b""
    hurry(tmp_path)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert [kind for kind, _ in events(tmp_path)] == ["limits.set"]


def say(path, line):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(10)
        connection.connect(os.fspath(path))
        try:
            connection.sendall(line)
            connection.shutdown(socket.SHUT_WR)
            return connection.makefile("rb").readline()
        except (BrokenPipeError, ConnectionResetError):
            return b""


async def test_a_finished_run_cannot_be_steered(fanwise, make_run):
    run_id = await make_run(["one"])
    for words in (("drain",), ("set", "-j", "5")):
        refused = fanwise(words[0], run_id, *words[1:])
        assert refused.returncode == 2, refused.stderr
        assert "finished already" in refused.stderr


async def test_set_wants_a_limit_and_a_possible_one(fanwise, make_run):
    run_id = await make_run(["one", "two"], stop_after=1)
    nothing = fanwise("set", run_id)
    assert nothing.returncode == 2
    assert "--budget-usd" in nothing.stderr
    for words in (("-j", "9-1-2"), ("--tpm", "inf")):
        refused = fanwise("set", run_id, *words)
        assert refused.returncode == 2, words
        assert "impossible" in refused.stderr or "infinite" in refused.stderr


def test_a_budget_is_set_and_a_watcher_sees_the_pause(begin, fanwise, start_fanwise, tmp_path):
    process = begin("-j", "4")
    refused = fanwise("set", "long", "--budget-usd", "5")
    assert refused.returncode == 2
    assert "price of openai/one is unknown" in refused.stderr
    ask(Order(verb="pause"), location=str(tmp_path / ".fanwise"), run_id="long")
    watching = start_fanwise("watch", "long")
    seen = watching.stderr.readline()
    assert "A pause" in seen or "a pause" in seen
    ask(Order(verb="cancel"), location=str(tmp_path / ".fanwise"), run_id="long")
    process.communicate(timeout=60)
    watching.communicate(timeout=60)
    assert [kind for kind, _ in events(tmp_path)] == ["run.paused", "run.cancelled"]
