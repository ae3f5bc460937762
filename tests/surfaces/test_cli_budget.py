"""Budgets on the command line: refused early, ended with code 4, gone on with a larger one."""

import json
import shlex

import pytest

from support.program import read_lines, run, write_lines

PRICED = "sim/gpt-4o-mini"
ASK = ("-p", "Say {{ word }}")


@pytest.fixture
def table(tmp_path):
    write_lines(tmp_path / "in.jsonl", [{"id": f"r{n}", "word": f"word {n}"} for n in range(60)])
    return tmp_path


def test_a_budget_ends_a_run_with_code_4_and_the_command_it_names_goes_on(table):
    flags = ("-m", PRICED, *ASK, "-o", "out.jsonl", "--opt", "latency=0.02")
    done = run("run", "in.jsonl", *flags, "--budget-calls", "40", "--json", cwd=table)
    assert done.returncode == 4, done.stderr
    assert "Traceback" not in done.stderr
    summary = json.loads(done.stdout)
    assert summary["status"] == "interrupted"
    assert summary["items"]["succeeded"] == len(read_lines(table / "out.jsonl")) == 40
    assert summary["budget"] == {"calls": {"spent": 40, "limit": 40}}
    assert "The budget of 40 calls is used up" in done.stderr
    named = shlex.split(done.stderr.split("To go on with a larger one: fanwise ")[1])
    assert named[-2:] == ["--budget-calls", "80"]
    again = run(*named, "--json", cwd=table)
    assert again.returncode == 0, again.stderr
    lines = read_lines(table / "out.jsonl")
    assert sorted(line["id"] for line in lines) == sorted(f"r{n}" for n in range(60))
    assert json.loads(again.stdout)["attempts"] == 60


def test_money_is_never_spent_beyond_the_budget(table):
    flags = ("-m", PRICED, *ASK, "-o", "out.jsonl", "--opt", "latency=0.02")
    done = run("run", "in.jsonl", *flags, "--budget-usd", "0.0004", "--json", cwd=table)
    assert done.returncode == 4, done.stderr
    summary = json.loads(done.stdout)
    assert 0 < summary["cost_usd"] <= 0.0004
    assert "Budget: " in done.stderr
    shown = run("show", summary["run_id"], cwd=table)
    assert "of $0.0004" in shown.stdout


def test_a_budget_of_money_on_an_unknown_price_is_refused_before_a_run_is_made(table):
    for command in (("run", "in.jsonl", *ASK), ("scan", "--sample")):
        done = run(*command, "-m", "sim/default", "--budget-usd", "1", cwd=table)
        assert done.returncode == 2, done.stderr
        assert "the price of sim/default is unknown" in done.stderr
        assert "--budget-tokens" in done.stderr
    assert run("list", "--json", cwd=table).stdout.count("run_id") == 0


def test_a_scan_ends_at_its_budget_too(table):
    flags = ("--sample", "-m", "sim/default", "-o", "out.jsonl", "--opt", "latency=0.01")
    done = run("scan", *flags, "--budget-calls", "20", "--json", cwd=table)
    assert done.returncode == 4, done.stderr
    assert json.loads(done.stdout)["calls"] == 20
    again = run("resume", "--budget-calls", "100000", "--json", cwd=table)
    assert again.returncode in {0, 3}, again.stderr


@pytest.mark.parametrize("flag", ["--budget-usd=0", "--budget-tokens=0", "--budget-calls=-1"])
def test_an_impossible_budget_is_refused(flag, table):
    done = run("run", "in.jsonl", "-m", PRICED, *ASK, flag, cwd=table)
    assert done.returncode == 2
    assert flag.partition("=")[0] in done.stderr
