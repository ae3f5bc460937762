"""Plans from the command line, and a run after them."""

from __future__ import annotations

import json

import pytest

PROMPT = ("-p", "Summarise: {{ text }}")


@pytest.fixture
def table(tmp_path):
    """A table of so many rows."""

    def write(count: int) -> str:
        path = tmp_path / f"rows{count}.jsonl"
        rows = ({"id": n, "text": f"Sentence number {n} of them all."} for n in range(count))
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path.name

    return write


def planned(fanwise, *words: str) -> dict:
    done = fanwise("plan", *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_people_read_time_limit_and_gain(fanwise, table):
    done = fanwise("plan", table(40), "-m", "sim/slow", *PROMPT, "-j", "4")
    assert done.returncode == 0, done.stderr
    facts = dict(line.split("  ", 1) for line in done.stdout.splitlines() if line.strip())
    assert facts["limited by"].strip() == "-j"
    assert "-j 8 instead of 4" in done.stdout
    assert "between" in facts["time"]
    assert "its profile says" in facts["known from"]


def test_the_same_options_lead_to_the_run_that_was_planned(fanwise, table):
    words = (table(60), "-m", "sim/gpt-4o-mini", *PROMPT, "--opt", "latency=0.1")
    found = planned(fanwise, *words)
    assert json.loads(fanwise("list", "--json").stdout)["runs"] == []
    run = json.loads(fanwise("run", *words, "-q", "-o", "out.jsonl", "--json").stdout)
    assert run["calls"] == found["calls"] == 60
    assert run["tokens"]["input_tokens"] == found["input_tokens"]["likely"]
    assert run["tokens"]["output_tokens"] == found["output_tokens"]["likely"]
    assert run["cost_usd"] == pytest.approx(found["cost_usd"][1], rel=0.01)


def test_what_a_run_has_measured_is_what_the_next_plan_goes_by(fanwise, start_fanwise, table):
    limits = ("--opt", "latency=0.05", "--opt", "rpm=6000")
    server = start_fanwise("simulate", "fast", "--port", "0", "--json", *limits)
    url = json.loads(server.stdout.readline())["base_url"]
    words = (table(40), "-m", "openai/gpt-4o-mini", *PROMPT, "--base-url", url)
    assert planned(fanwise, *words)["basis"] == "assumed"
    done = fanwise("run", *words, "-q", "-o", "out.jsonl")
    assert done.returncode == 0, done.stderr
    found = planned(fanwise, *words)
    assert found["basis"] == "measured"
    assert "6,000 requests a minute" in found["known"]["openai/gpt-4o-mini"]


def test_a_scan_is_planned_by_its_own_command(fanwise):
    done = fanwise("scan", "--sample", "--plan", "-m", "sim/gpt-4o-mini", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["calls"] > 100
    assert found["outlook"]["likely_s"] > 0
    assert json.loads(fanwise("list", "--json").stdout)["runs"] == []
