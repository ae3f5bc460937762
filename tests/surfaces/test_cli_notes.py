"""Writing notes from the command line."""

import json
import signal
from pathlib import Path

import pytest

from fanwise.cli.flags import InputFlags, ModelFlags, OutputFlags, WorkFlags
from fanwise.cli.notes import NotesFlags, notes
from fanwise.errors import ConfigError, InvalidFields

NAMES = ("basic-summary", "study-notes", "quick-reference")
MANY = tuple(word for name in NAMES for word in ("-t", name))


def command(source: str | None = "a.vtt", **more: object) -> int:
    given: dict = {"flags": NotesFlags(), "sample": False, "list_templates": False, "plan": False}
    work = WorkFlags(inputs=InputFlags(source=source))
    return notes(**{**given, "work": work, **more})


def test_the_sample_gives_markdown_in_the_order_asked_for_and_a_report(fanwise):
    done = fanwise("notes", "--sample", *MANY)
    assert done.returncode == 0, done.stderr
    titles = [line for line in done.stdout.splitlines() if line.startswith("# ")]
    assert titles == ["# Summary (standard)", "# Study notes (standard)",
                      "# Quick reference (standard)"]  # fmt: skip
    assert "Written by builtin/rules" in done.stdout
    assert "100% of the recording cited" in done.stderr
    assert "What limited it" in done.stderr
    again = fanwise("notes", "--sample", *MANY, "--json", "-q")
    found = json.loads(again.stdout)["notes"]
    assert all(one["reused"] for one in found["templates"])
    assert found["coverage"] == 1


def test_failures_give_code_3_and_are_tried_again_alone(fanwise):
    flags = ("-m", "sim/instant", "--max-attempts", "1", "-q", "--json", "--verbosity", "all")
    done = fanwise("notes", "--sample", *MANY, *flags, "--opt", "error-500=0.2", "--opt", "seed=3")
    assert done.returncode == 3, done.stderr
    before = json.loads(done.stdout)["notes"]
    assert before["status"] == "partial"
    assert [one["template"] for one in before["templates"]] == list(NAMES)
    again = fanwise("notes", "--sample", *MANY, *flags, "--opt", "seed=3")
    after = json.loads(again.stdout)["notes"]
    assert again.returncode == 0, again.stderr
    assert after["status"] == "success"


def test_a_killed_run_goes_on_and_pays_for_nothing_twice(fanwise, start_fanwise, tmp_path):
    flags = ("-m", "sim/default", "--opt", "latency=0.4", "--opt", "sigma=0", "-j", "2")
    words = ("notes", "--sample", *MANY, "--verbosity", "all", *flags, "-o", "notes.html")
    process = start_fanwise(*words)
    for line in process.stderr:
        if "Summary is complete" in line:
            break
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=20)
    again = fanwise("resume", "--json", "-q")
    assert again.returncode == 0, again.stderr
    found = json.loads(again.stdout)
    assert found["notes"]["status"] == "success"
    assert found["calls"] == 9
    assert found["attempts"] <= 9 + 2  # those that were in flight at the kill
    page = (tmp_path / "notes.html").read_text()
    assert page.count("<h1>") == 9


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"source": None}, "no recording was named"),
        ({"sample": True}, "brings its own recording"),
        ({"models": ModelFlags(schema="x.json")}, "their own schema"),
        ({"inputs": InputFlags(source="a.vtt", limit=3)}, "of one recording"),
        ({"output": OutputFlags(ordered=True)}, "in the order of -t"),
        ({"output": OutputFlags(output_file="notes.odt")}, "no kind of file"),
        ({"output": OutputFlags(output_file="/nowhere/notes.md")}, "cannot be a file"),
    ],
)
def test_what_means_nothing_here_is_said(more, reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.vtt").write_text("WEBVTT\n\n00:00.000 --> 00:01.000\nHello.\n")
    options = {"inputs": InputFlags(source="a.vtt"), **more}
    outer = {name: options.pop(name) for name in ("sample",) if name in options}
    if "source" in options:
        options["inputs"] = InputFlags(source=options.pop("source"))
    with pytest.raises(ConfigError, match=reason):
        command(work=WorkFlags(**options), **outer)


def test_every_wrong_field_is_told_at_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flags = NotesFlags(template=["summary"], verbosity="long", stagger=-1, mode="audio")
    with pytest.raises(InvalidFields) as raised:
        command(flags=flags)
    assert set(raised.value.fields) == {"templates", "verbosity", "stagger_s", "mode"}
    with pytest.raises(InvalidFields, match=r"source: .*no address of a YouTube video"):
        command("https://example.com/watch?v=dQw4w9WgXcQ")


def test_templates_are_listed_and_a_plan_sends_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert command(None, list_templates=True) == 0
    assert "research-paper" in capsys.readouterr().out
    flags = NotesFlags(template=["all"], verbosity="all")
    work = WorkFlags(models=ModelFlags(model=["sim/fast"]))
    assert command(None, work=work, flags=flags, sample=True, plan=True) == 0
    assert "18" in capsys.readouterr().out
    assert not (tmp_path / ".fanwise" / "runs").exists()
