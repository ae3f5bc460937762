"""Owners that are steered in other ways: over PostgreSQL, by a signal, with a budget of money."""

from __future__ import annotations

import json
import os

import pytest

from fanwise.engine.steering.address import sockets_of
from fanwise.journal.home import open_home


@pytest.fixture
def begin(tmp_path, start_fanwise):
    """``begin("ID")`` starts a simulated run and returns once it has 10 results."""

    def started(run_id, *, env=None):
        lines = [json.dumps({"id": f"r{n}", "word": f"w{n}"}) for n in range(2000)]
        (tmp_path / "table.jsonl").write_text("\n".join(lines) + "\n")
        flags = ("-m", "sim/gpt-4o-mini", "--opt", "latency=0.1", "-p", "Say {{ word }}", "-j", "4")
        words = ("run", "table.jsonl", *flags, "-o", "out.jsonl", "--run-id", run_id)
        process = start_fanwise(*words, env=env)
        process.wait_for_lines(10)
        return process

    return started


def controls(location, run_id):
    home = open_home(location)
    reader = home.reader(run_id)
    try:
        return [(event.kind, dict(event.data)) for event in reader.controls()]
    finally:
        reader.close()
        home.close()


def test_a_budget_of_money_is_set_where_the_price_is_known(begin, fanwise, tmp_path):
    process = begin("priced")
    done = fanwise("set", "priced", "--budget-usd", "5")
    assert done.returncode == 0, done.stderr
    assert "from now on: a budget of $5" in done.stderr
    enough = fanwise("set", "priced", "--budget-usd", "0.0000001")
    assert enough.returncode == 0, enough.stderr
    _, err = process.communicate(timeout=60)
    assert process.returncode == 4, err  # it was spent already: the run ends with what it has
    place = tmp_path / ".fanwise"
    changes = [
        data["budget_usd"] for kind, data in controls(place, "priced") if "budget_usd" in data
    ]
    assert [float(usd) for usd in changes] == [5.0, 1e-7]


def test_an_owner_without_a_socket_is_asked_by_a_signal(begin, fanwise, tmp_path):
    process = begin("deaf")
    for path in sockets_of(str(tmp_path / ".fanwise"), "deaf", env=os.environ):
        path.unlink(missing_ok=True)
    refused = fanwise("pause", "deaf")
    assert refused.returncode == 5, refused.stderr  # a pause has no signal
    assert "cannot be asked from here" in refused.stderr
    drained = fanwise("drain", "deaf")
    assert drained.returncode == 0, drained.stderr
    assert f"Asked process {process.pid} to stop" in drained.stderr
    assert "deaf is interrupted" in drained.stderr
    process.communicate(timeout=60)
    assert process.returncode in {130, 143}


@pytest.mark.postgres
def test_a_run_in_postgresql_is_steered(begin, fanwise, postgres_url):
    env = {"FANWISE_JOURNAL": postgres_url}
    process = begin("pg-steered", env=env)
    assert fanwise("set", "pg-steered", "-j", "7", env=env).returncode == 0
    paused = fanwise("pause", "pg-steered", env=env)
    assert paused.returncode == 0, paused.stderr
    drained = fanwise("drain", "pg-steered", env=env)
    assert drained.returncode == 0, drained.stderr
    assert "pg-steered is interrupted" in drained.stderr
    process.communicate(timeout=60)
    assert process.returncode == 130
    kinds = [kind for kind, _ in controls(postgres_url, "pg-steered")]
    assert [kind for kind in kinds if kind != "limits.learned"] == [
        "limits.set",
        "run.paused",
        "run.drained",
    ]
