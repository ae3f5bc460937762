"""The verbs of the command line with ``--server``: what they show, write and end with."""

from __future__ import annotations

import asyncio
import json

import pytest
from typer.testing import CliRunner

from fanwise.cli.app import app
from support.program import read_lines, run, write_lines
from support.service import served


@pytest.fixture
def fanwise(monkeypatch, tmp_path):
    """Calls the command line in this process, in a thread, from another directory."""
    there = tmp_path / "there"
    there.mkdir()
    monkeypatch.chdir(there)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("FANWISE_SERVER", raising=False)

    async def call(service, *words, code=0):
        monkeypatch.setenv("FANWISE_TOKEN", service.token)
        given = [*words, "--server", service.url]
        done = await asyncio.to_thread(CliRunner().invoke, app, given)
        assert done.exit_code == code, done.output + done.stderr
        return done

    return call


def table(path, count=3):
    """A table of so many rows."""
    rows = [{"id": f"r{number}", "text": f"word{number}"} for number in range(count)]
    return str(write_lines(path, rows))


async def test_a_run_is_sent_followed_and_written(tmp_path, fanwise):
    async with served(tmp_path) as service:
        source, out = table(tmp_path / "in.jsonl"), tmp_path / "out.jsonl"
        ask = ("-m", "sim/fast", "-p", "Say {{ text }}")
        done = await fanwise(service, "run", source, *ask, "-o", str(out), "--json")
        summary = json.loads(done.stdout.splitlines()[-1])
        assert summary["items"]["succeeded"] == 3
        assert summary["output_file"] == str(out)
        lines = read_lines(out)
        assert {line["id"] for line in lines} == {"r0", "r1", "r2"}
        assert all(line["output"] for line in lines)
        # the same line as without a service
        local = tmp_path / "local.jsonl"
        await asyncio.to_thread(run, "run", source, *ask, "-o", local, cwd=tmp_path / "there")
        assert [sorted(line) for line in read_lines(local)] == [sorted(line) for line in lines]


async def test_runs_are_listed_shown_reported_on_and_exported(tmp_path, fanwise):
    async with served(tmp_path) as service:
        run_id = await service.start(3)
        await service.until(run_id, "finished")
        listed = json.loads((await fanwise(service, "list", "--json")).stdout)
        assert [row["run_id"] for row in listed["runs"]] == [run_id]
        assert listed["runs"][0]["status"] == "finished"
        assert run_id in (await fanwise(service, "list")).stdout
        shown = (await fanwise(service, "show")).stdout
        assert "succeeded" in shown
        assert run_id in shown
        item = json.loads((await fanwise(service, "show", run_id, "--item", "r1")).stdout)
        assert item["calls"][0]["attempts"][0]["verdict"] == "served"
        assert "speedup" in (await fanwise(service, "report", run_id[:12])).stdout.lower()
        page = tmp_path / "report.html"
        await fanwise(service, "report", "latest", "--html", str(page))
        assert page.read_text().startswith("<!")
        lines = (await fanwise(service, "export", "--ordered")).stdout.splitlines()
        assert [json.loads(line)["id"] for line in lines] == ["r0", "r1", "r2"]
        csv = tmp_path / "out.csv"
        await fanwise(service, "export", "-o", str(csv))
        assert csv.read_text().startswith("id,")
        await fanwise(service, "watch", run_id)


async def test_a_run_is_paused_changed_resumed_drained_and_gone_on_with(tmp_path, fanwise):
    async with served(tmp_path) as service:
        run_id = await service.start(30, model="sim/default", options={"max_concurrency": 2})
        await service.until_done(run_id, 1)
        assert "Paused" in (await fanwise(service, "pause", run_id)).stderr
        await service.until(run_id, "paused")
        await fanwise(service, "set", run_id, "-j", "30")
        await fanwise(service, "resume", run_id)
        await fanwise(service, "watch", run_id, "--quiet")
        assert (await service.get(f"/api/v1/runs/{run_id}"))["items"]["succeeded"] == 30
        other = await service.start(400, model="sim/slow", options={"max_concurrency": 2})
        await service.until_done(other, 1)
        await fanwise(service, "cancel", other)
        await service.until(other, "cancelled")
        await fanwise(service, "watch", other, "--quiet", code=1)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["show", "nothing"], "no run has the id"),
        (["run", "absent.jsonl", "-m", "sim/fast", "-p", "x"], "cannot be read"),
        (["set", "latest"], "no limit was named"),
        (["doctor"], "does not take --server"),
    ],
)
async def test_what_cannot_be_is_said_with_the_same_exit_code(tmp_path, fanwise, words, told):
    async with served(tmp_path) as service:
        await service.until(await service.start(1), "finished")
        done = await fanwise(service, *words, code=2)
        assert told in done.stderr


async def test_a_run_that_cannot_begin_ends_as_it_would_here(tmp_path, fanwise):
    async with served(tmp_path) as service:
        source = table(tmp_path / "in.jsonl")
        done = await fanwise(service, "run", source, "-m", "sim/fast", "-p", "{{ gone }}", code=2)
        assert "gone" in done.stderr
        listed = json.loads((await fanwise(service, "list", "--json")).stdout)
        assert listed["runs"][0]["status"] == "failed"


async def test_items_that_fail_are_exit_code_3(tmp_path, fanwise):
    async with served(tmp_path) as service:
        source = table(tmp_path / "in.jsonl")
        ask = ("-m", "sim/fast", "-p", "Say {{ text }}", "--attempt-timeout", "0.001")
        done = await fanwise(service, "run", source, *ask, "--max-attempts", "1", code=3)
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        assert {json.loads(line)["error"]["kind"] for line in lines} == {"timeout"}
        assert len(lines) == 3


async def test_who_has_no_token_or_no_service_is_told_so(tmp_path, fanwise):
    async with served(tmp_path) as service:
        env = {"FANWISE_SERVER": service.url}
        done = await asyncio.to_thread(run, "list", cwd=tmp_path / "there", env=env)
        assert done.returncode == 2
        assert "FANWISE_TOKEN" in done.stderr
        done = await asyncio.to_thread(run, "list", "--json", cwd=tmp_path, env=env)
        assert json.loads(done.stdout)["runs"] == []
        url = service.url
    done = await asyncio.to_thread(run, "list", "--server", url, cwd=tmp_path)
    assert done.returncode == 1
    assert "fanwise serve" in done.stderr
