"""The program around its commands: help, errors, exit codes."""

import errno
import inspect
import json
import os
import subprocess
import sys
from importlib import import_module

import pytest
import typer
from typer.testing import CliRunner

from fanwise import __version__
from fanwise.cli import app as app_module
from fanwise.cli.app import app
from fanwise.cli.failures import ExitCode, describe, exit_code_of, printable
from fanwise.errors import (
    BudgetExhausted,
    ConfigError,
    Conflict,
    JournalUnavailable,
    RateLimited,
    RunAborted,
    StateError,
)

ENTRIES = app_module._ENTRIES


def test_help_names_every_command_with_its_summary():
    result = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "120"})
    assert result.exit_code == 0
    for entry in ENTRIES:
        assert entry.name in result.output
        assert entry.summary in result.output


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_a_commands_own_help_begins_with_its_summary(entry):
    module, _, name = entry.target.partition(":")
    target = getattr(import_module(module), name)
    doc = target.info.help if isinstance(target, typer.Typer) else inspect.getdoc(target)
    assert doc.splitlines()[0] == entry.summary
    result = CliRunner().invoke(app, [entry.name, "--help"])
    assert result.exit_code == 0
    assert f"fanwise {entry.name}" in result.output.replace("root", "fanwise")


def test_help_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from fanwise.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'pydantic', 'sqlalchemy', 'aiohttp', 'genai_prices', 'orjson', 'jinja2'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"


def test_version():
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"fanwise {__version__}\n")


def test_no_command_shows_the_help_and_is_a_usage_error():
    result = CliRunner().invoke(app, [])
    assert result.exit_code == ExitCode.USAGE
    assert "doctor" in result.output


def test_a_mistyped_command_is_corrected():
    result = CliRunner().invoke(app, ["doctr"])
    assert result.exit_code == ExitCode.USAGE
    assert result.stderr.startswith("error: ")
    assert "'doctor'" in result.stderr
    assert "hint: " in result.stderr


def test_a_usage_error_is_data_too_with_json():
    result = CliRunner().invoke(app, ["doctor", "--jornal", "x", "--json"])
    assert result.exit_code == ExitCode.USAGE
    error = json.loads(result.stdout)["error"]
    assert error["kind"] == "usage"
    assert "--jornal" in error["message"]
    assert "doctor --help" in error["hint"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), ExitCode.USAGE),
        (StateError("x"), ExitCode.USAGE),
        (BudgetExhausted("x"), ExitCode.LIMIT_REACHED),
        (JournalUnavailable("x"), ExitCode.JOURNAL),
        (Conflict("x"), ExitCode.JOURNAL),
        (RateLimited("x"), ExitCode.ERROR),
        (ValueError("x"), ExitCode.ERROR),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED),
    ],
)
def test_exit_codes_of_errors(error, code):
    assert exit_code_of(error) == code


def test_an_aborted_run_takes_the_code_of_its_cause():
    error = RunAborted("the run ended early")
    error.__cause__ = JournalUnavailable("disk full")
    assert exit_code_of(error) == ExitCode.JOURNAL
    assert exit_code_of(RunAborted("x")) == ExitCode.ERROR


def test_a_full_disk_is_described_with_what_to_do():
    kind, message, hint = describe(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "out.jsonl"))
    assert kind == "os"
    assert "out.jsonl" in message
    assert "space" in hint


def test_control_characters_of_data_do_not_reach_the_terminal():
    assert printable("a\x1b[2Jb\nc") == "a�[2Jb\nc"


def _run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from fanwise.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **env},
    )


def test_a_reader_that_goes_away_ends_the_program_quietly():
    program = f"{sys.executable} -c 'from fanwise.cli import main; main()'"
    done = subprocess.run(
        ["bash", "-c", f"{program} models | true; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    # Whether the program or the terminal library is the first to meet the closed pipe is chance.
    assert done.stdout.strip() in {"0", "1"}


def test_no_colour_off_a_terminal():
    done = _run("nonsense", FORCE_COLOR="")
    assert "\x1b" not in done.stdout + done.stderr


def test_doctor_finds_this_machine_fit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("FANWISE_NONSENSE", "1")
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert result.exit_code == 0
    found = {finding["name"]: finding for finding in json.loads(result.stdout)["findings"]}
    assert {"version", "python", "sqlite", "journal", "fsync", "event loop", "clock"} <= set(found)
    assert "OPENAI_API_KEY" in found["keys"]["value"]
    assert "sk-secret" not in result.stdout
    assert not (tmp_path / ".fanwise").exists()


def test_doctor_fails_where_no_journal_can_be_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(app, ["doctor", "--journal", "file", "--json"])
    assert result.exit_code == ExitCode.ERROR
    assert json.loads(result.stdout)["ok"] is False


def test_models_shows_names_of_keys_and_never_keys(monkeypatch):
    monkeypatch.setenv("GROQ_API_KEY", "sk-secret")
    result = CliRunner().invoke(app, ["models"])
    assert result.exit_code == 0
    assert "GROQ_API_KEY set" in result.stdout
    assert "sk-secret" not in result.stdout
    listed = json.loads(CliRunner().invoke(app, ["models", "--json"]).stdout)
    assert listed["simulated"].keys() >= {"sim/default", "sim/flaky"}
    assert listed["prices_as_of"].startswith("20")
