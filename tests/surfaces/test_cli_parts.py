"""The parts of the command line that need no process: CSV, interrupts, options."""

import asyncio
import csv
import io
import os
import signal

import pytest

from fanwise.cli.csvout import write_csv
from fanwise.cli.display import ago, plural, to_json
from fanwise.cli.flags import (
    AgainFlags,
    HomeFlags,
    InputFlags,
    LimitFlags,
    ModelFlags,
    ProgressFlags,
    WorkFlags,
)
from fanwise.cli.options import RunOptions, read_options, restored
from fanwise.cli.profiles import parameters_and_profile
from fanwise.cli.signals import Interrupts, obeying
from fanwise.engine.watching import _cause
from fanwise.errors import ConfigError


@pytest.fixture(autouse=True)
def nothing_configured(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nowhere"))
    for name in [name for name in os.environ if name.startswith("FANWISE_")]:
        monkeypatch.delenv(name)


# CSV


def test_csv_has_a_column_for_each_key_of_item_and_output():
    rows = [
        {
            "id": "1",
            "item": {"q": "=x"},
            "model": "m",
            "output": "yes",
            "error": None,
            "cached": False,
        },
        {"id": "2", "item": {"z": [1]}, "model": "m", "output": {"score": -3}, "error": None},
        {"id": "3", "item": None, "output": None, "error": {"kind": "rejected", "message": "no"}},
    ]
    file = io.StringIO()
    assert write_csv(lambda: rows, file) == 3
    file.seek(0)
    read = list(csv.DictReader(file))
    assert read[0]["item.q"] == "'=x"
    assert read[0]["output"] == "yes"
    assert (read[1]["output.score"], read[1]["item.z"]) == ("-3", "[1]")
    assert read[2]["error"] == "rejected: no"


# interrupts


def test_each_request_to_stop_goes_a_step_further():
    done: list[str] = []
    interrupts = Interrupts(
        drain=lambda: done.append("drain"),
        stop=lambda: done.append("stop"),
        abandon=lambda: done.append("abandon"),
    )
    for _ in range(4):
        interrupts.request()
    assert done == ["drain", "stop", "abandon", "abandon"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_are_obeyed_inside_the_block_only(number):
    async def main() -> int:
        reached = asyncio.Event()
        interrupts = Interrupts(drain=reached.set, stop=lambda: None)
        with obeying(interrupts):
            os.kill(os.getpid(), number)
            async with asyncio.timeout(5):
                await reached.wait()
        return interrupts.count

    before = signal.getsignal(number)
    assert asyncio.run(main()) == 1
    assert signal.getsignal(number) is before


# options


def test_options_survive_the_journal_and_take_new_limits():
    options = read_options(
        WorkFlags(
            home=HomeFlags(journal="j", json=True),
            inputs=InputFlags(source="table.csv", limit=5),
            models=ModelFlags(model=["sim/fast"], opt=["temperature=0"]),
            limits=LimitFlags(max_concurrency="7", rpm=60),
            progress=ProgressFlags(quiet=True),
        )
    )
    stored = __import__("json").loads(to_json(options.stored()))
    flags = AgainFlags(
        home=HomeFlags(journal="other"),
        limits=LimitFlags(max_concurrency="3", timeout="2m"),
        accept_changes=True,
    )
    again = restored(stored, flags)
    assert again.models == ("sim/fast",)
    assert again.source == options.source
    assert (again.limit, again.opt, again.rpm) == (5, {"temperature": 0}, 60)
    assert (again.max_concurrency, again.timeout_s) == (3, 120)
    assert (again.journal, again.json, again.quiet) == ("other", False, False)
    assert again.accept_changes


def test_a_limit_that_was_not_given_again_keeps_the_runs_own(monkeypatch):
    monkeypatch.setenv("FANWISE_MAX_CONCURRENCY", "99")
    stored = RunOptions(max_concurrency=7).stored()
    again = restored(stored, AgainFlags())
    assert again.max_concurrency == 7


def test_a_range_of_concurrency_survives_the_journal():
    stored = RunOptions(max_concurrency=(1, 20, 500)).stored()
    again = restored(__import__("json").loads(to_json(stored)), AgainFlags())
    assert again.max_concurrency == (1, 20, 500)


def test_stored_options_hold_no_key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    options = read_options(WorkFlags(home=HomeFlags(), models=ModelFlags(model=["openai/x"])))
    assert "sk-secret" not in to_json(options.stored())


def test_two_inputs_are_refused():
    with pytest.raises(ConfigError, match="two inputs"):
        read_options(
            WorkFlags(home=HomeFlags(), inputs=InputFlags(source="a.csv", input_file="b.csv"))
        )


def test_the_simulators_part_of_opt_becomes_its_profile():
    options = RunOptions(
        models=("sim/limited",), opt={"temperature": 0, "latency": 0.5, "rpm": 60, "seed": 3}
    )
    parameters, profile = parameters_and_profile(options)
    assert parameters == {"temperature": 0}
    assert profile is not None
    assert (profile.latency_s, profile.rpm, profile.seed, profile.slots) == (0.5, 60, 3, 50)


def test_without_a_word_on_it_a_simulated_model_keeps_its_own_profile():
    assert parameters_and_profile(RunOptions(models=("sim/fast",)))[1] is None


def test_any_parameter_goes_to_a_real_model():
    options = RunOptions(models=("openai/x",), opt={"latency": 1})
    assert parameters_and_profile(options) == ({"latency": 1}, None)


def test_an_unknown_option_of_the_simulator_is_corrected():
    with pytest.raises(ConfigError) as caught:
        parameters_and_profile(RunOptions(models=("sim/fast",), opt={"latencey": 1}))
    assert "latency" in caught.value.hint


# words


def test_ages_and_counts():
    assert [ago(0, now=s) for s in (5, 65, 7200, 200_000)] == ["5 s", "1 min", "2 h", "2 d"]
    assert [plural(n, "run") for n in (0, 1, 1200)] == ["0 runs", "1 run", "1,200 runs"]


def test_what_held_a_watched_run_back_is_what_grew_most():
    assert _cause({"rate": 5.0, "nothing": 1.0}, {"rate": 5.2, "nothing": 3.0}) == "nothing"
    assert _cause({}, {}) == "nothing"
