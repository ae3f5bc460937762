"""Looking at runs: list, show, cancel, prune."""

import json
import os
import signal
import sqlite3
from contextlib import closing

import pytest

from fanwise.cli.homes import Holder, holder_of
from fanwise.journal.home import open_home

WORDS = ["one", "two", "bad", "four"]


def test_an_empty_place_says_how_to_begin(fanwise):
    done = fanwise("list")
    assert done.returncode == 0
    assert "fanwise run" in done.stdout
    assert json.loads(fanwise("list", "--json").stdout)["runs"] == []


async def test_list_has_a_line_for_each_run_newest_first(fanwise, make_run):
    first = await make_run(WORDS)
    second = await make_run(["one"])
    done = fanwise("list")
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [second, first]
    assert lines[2].split()[2:5] == ["finished", "4", "1"]
    listed = json.loads(fanwise("list", "--json").stdout)["runs"]
    assert [row["run_id"] for row in listed] == [second, first]
    assert (listed[1]["done"], listed[1]["failed"]) == (4, 1)
    assert listed[1]["cost_usd"] is None  # nobody knows the price of that model


async def test_an_unfinished_run_is_listed_as_interrupted(fanwise, make_run):
    await make_run(WORDS, stop_after=2)
    assert json.loads(fanwise("list", "--json").stdout)["runs"][0]["status"] == "interrupted"


async def test_a_damaged_run_is_named_and_hides_no_other(fanwise, make_run, tmp_path):
    run_id = await make_run(WORDS)
    (tmp_path / ".fanwise/runs/broken.db").write_bytes(b"not a database" * 100)
    done = fanwise("list")
    assert run_id in done.stdout
    assert "broken" in done.stderr


async def test_show_groups_errors_with_their_hint(fanwise, make_run):
    await make_run([*WORDS, "bad again"])
    done = fanwise("show")
    assert done.returncode == 0
    assert "2 items failed: the model takes no bad words" in done.stdout
    assert "hint: be polite" in done.stdout
    assert "w2, w4" in done.stdout
    assert "fanwise retry" in done.stdout


async def test_show_json_is_the_summary(fanwise, make_run):
    run_id = await make_run(WORDS)
    summary = json.loads(fanwise("show", run_id, "--json").stdout)
    assert summary["run_id"] == run_id
    assert summary["items"]["succeeded"] == 3
    assert summary["errors"][0]["item_ids"] == ["w2"]


async def test_show_item_has_every_attempt(fanwise, make_run):
    await make_run(WORDS)
    done = fanwise("show", "--item", "w2")
    assert "rejected: the model takes no bad words" in done.stdout
    assert "terminal" in done.stdout
    shown = json.loads(fanwise("show", "--item", "w0", "--json").stdout)
    assert shown["item"]["value"] == "you said one"
    assert [attempt["number"] for attempt in shown["calls"][0]["attempts"]] == [1]


async def test_an_unknown_item_is_an_error(fanwise, make_run):
    run_id = await make_run(WORDS)
    done = fanwise("show", "--item", "w9")
    assert done.returncode == 2
    assert f"error: run {run_id} has no item 'w9'" in done.stderr


@pytest.mark.parametrize("name", ["alpha-1", "alpha", "1", "latest"])
async def test_an_id_may_be_short(name, fanwise, make_run):
    await make_run(["one"], run_id="beta-2")
    await make_run(["one"], run_id="alpha-1")
    assert json.loads(fanwise("show", name, "--json").stdout)["run_id"] == "alpha-1"


async def test_an_ambiguous_id_names_the_candidates(fanwise, make_run):
    await make_run(["one"], run_id="alpha-1")
    await make_run(["one"], run_id="alpha-2")
    done = fanwise("show", "alpha")
    assert done.returncode == 2
    assert "alpha-1" in done.stderr
    assert "alpha-2" in done.stderr


async def test_cancel_marks_a_run_that_nobody_works_on(fanwise, make_run):
    run_id = await make_run(WORDS, stop_after=2)
    done = fanwise("cancel", run_id, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"run_id": run_id, "status": "cancelled"}
    assert json.loads(fanwise("list", "--json").stdout)["runs"][0]["status"] == "cancelled"
    again = fanwise("cancel", run_id)
    assert again.returncode == 2
    assert "cancelled already" in again.stderr


async def test_the_holder_of_a_run_is_known(make_run, tmp_path):
    run_id = await make_run(WORDS, stop_after=1)
    home = open_home(tmp_path / ".fanwise")
    journal = home.open(run_id)
    try:
        assert holder_of(home, run_id).pid == os.getpid()
    finally:
        await journal.close("interrupted")
    assert holder_of(home, run_id) == Holder()


async def test_prune_shows_first_and_deletes_when_told(fanwise, make_run):
    ended = await make_run(["one"])
    interrupted = await make_run(WORDS, stop_after=1)
    shown = fanwise("prune", "--older-than", "1ms")
    assert ended in shown.stdout
    assert interrupted not in shown.stdout
    assert "Would delete 1 run" in shown.stdout
    assert len(json.loads(fanwise("list", "--json").stdout)["runs"]) == 2
    deleted = fanwise("prune", "--older-than", "1ms", "--yes", "--json")
    assert json.loads(deleted.stdout)["run_ids"] == [ended]
    assert json.loads(deleted.stdout)["deleted"] is True
    left = json.loads(fanwise("list", "--json").stdout)["runs"]
    assert [run["run_id"] for run in left] == [interrupted]
    assert interrupted in fanwise("prune", "--older-than", "1ms", "--unfinished", "-y").stdout


async def test_young_runs_stay(fanwise, make_run):
    await make_run(["one"])
    assert "Would delete 0 runs" in fanwise("prune").stdout


def test_simulate_says_its_address_and_ends_on_a_signal(start_fanwise):
    process = start_fanwise("simulate", "--port", "0", "--latency", "0.01", "--json")
    told = json.loads(process.stdout.readline())
    assert told["base_url"].startswith("http://127.0.0.1:")
    assert told["profile"]["latency_s"] == 0.01
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert json.loads(out)["statistics"]["seen"] == 0


def test_a_journal_that_is_a_file(fanwise, tmp_path):
    (tmp_path / "file").write_text("")
    done = fanwise("list", "--journal", "file")
    assert done.returncode == 5
    assert "error: " in done.stderr
    assert "Traceback" not in done.stderr
    debugged = fanwise("list", "--journal", "file", env={"FANWISE_DEBUG": "1"})
    assert "Traceback" in debugged.stderr


async def test_reading_does_not_touch_a_run(fanwise, make_run, tmp_path):
    run_id = await make_run(WORDS)
    file = tmp_path / f".fanwise/runs/{run_id}.db"
    before = file.read_bytes()
    fanwise("list")
    fanwise("show", run_id)
    assert file.read_bytes() == before
    with closing(sqlite3.connect(file)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
