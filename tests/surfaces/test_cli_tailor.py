"""Tailoring from the command line."""

import json
from pathlib import Path

import pytest

from fanwise.cli.flags import (
    HomeFlags,
    LimitFlags,
    ModelFlags,
    OutputFlags,
    ProgressFlags,
    RunFlags,
)  # fmt: skip
from fanwise.cli.tailor import DraftFlags, TailorFlags, tailor
from fanwise.errors import ConfigError, InputError, InvalidFields, StateError
from support.tailoring import POSTING, RESUME


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "dana.txt").write_text(RESUME)
    (tmp_path / "job.txt").write_text(POSTING)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def asked(*resumes: str, flags=None, drafts=None, sample=False, plan=False, **more):
    """The command in this process."""
    return tailor(
        resumes=list(resumes),
        flags=flags or TailorFlags(job="job.txt"),
        drafts=drafts or DraftFlags(),
        sample=sample,
        plan=plan,
        models=ModelFlags(model=more.get("model"), schema=more.get("schema"), opt=more.get("opt")),
        limits=LimitFlags(),
        output=OutputFlags(output_file=more.get("output"), ordered=more.get("ordered")),
        run=RunFlags(),
        progress=ProgressFlags(quiet=True),
        home=HomeFlags(json=more.get("json", True)),
    )


def test_the_sample_gives_changes_scores_progress_and_a_report(fanwise):
    done = fanwise("tailor", "--sample", "--mode", "FULL")
    assert done.returncode == 0, done.stderr
    assert "dana_voss.txt, for Senior Backend Engineer, Parcel Tracking (by builtin/rules)" in (
        done.stdout
    )
    table = [line.split()[0] for line in done.stdout.splitlines()[-3:]]
    assert table == ["dana_voss.txt", "jon_hale.json", "mira_okafor.md"]
    assert "100 %" in done.stderr
    assert "What limited it" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


def test_json_is_one_object_and_a_draft_is_decided_on_afterwards(place, capsys):
    assert asked("dana.txt", flags=TailorFlags(job="job.txt", mode="full")) == 0
    found = json.loads(capsys.readouterr().out)["tailor"]
    assert found["summary"]["successRate"] == "100.0%"
    (one,) = found["results"]
    assert one["ats_after"]["total"] >= one["ats_before"]["total"]
    draft = one["draft"]
    assert asked(drafts=DraftFlags(draft=draft[:6], reject="all")) == 0
    rejected = json.loads(capsys.readouterr().out)
    assert {change["decision"] for change in rejected["diff"]} == {"rejected"}
    assert asked(drafts=DraftFlags(draft=draft, accept="1")) == 0
    assert json.loads(capsys.readouterr().out)["diff"][0]["decision"] == "accepted"
    assert asked(drafts=DraftFlags(draft=draft, undo=True)) == 0
    assert json.loads(capsys.readouterr().out)["diff"][0]["decision"] == "rejected"
    assert asked(drafts=DraftFlags(draft=draft), output="one.docx", json=False) == 0
    assert (place / "one.docx").read_bytes().startswith(b"PK")
    assert asked(drafts=DraftFlags(draft=draft, promote=True)) == 0
    assert asked(drafts=DraftFlags(drafts=True), json=False) == 0
    assert "promoted" in capsys.readouterr().out
    with pytest.raises(StateError, match="no draft"):
        asked(drafts=DraftFlags(draft="ffff"))
    assert (place / "dana.txt").read_text() == RESUME


def test_several_resumes_go_into_a_directory_under_their_names(place, capsys):
    (place / "erik.md").write_text(RESUME.replace("DANA VOSS", "# ERIK BO"))
    flags = TailorFlags(job="job.txt", file_format="docx")
    assert asked("dana.txt", "erik.md", flags=flags, output="out") == 0
    assert sorted(path.name for path in (place / "out").iterdir()) == ["dana.docx", "erik.docx"]
    assert json.loads(capsys.readouterr().out)["items"]["succeeded"] == 2


def test_scoring_alone_and_a_resume_that_cannot_be_read(place, capsys):
    (place / "bad.pdf").write_bytes(b"%PDF-1.4 nothing")
    flags = TailorFlags(job="job.txt", score=True)
    assert asked("dana.txt", "bad.pdf", flags=flags, json=False) == 3
    out = capsys.readouterr().out
    assert "damaged" in out
    assert "Terraform or Ansible" in out


def test_the_plan_sends_nothing(place, capsys):
    assert asked("dana.txt", plan=True, model=["sim/fast"]) == 0
    assert json.loads(capsys.readouterr().out)["calls"] == 2
    assert not (place / ".fanwise").exists()


def test_a_simulated_provider_with_limits_and_faults_is_got_through(place, capsys):
    opt = ["error-500=0.2", "seed=3", "latency=0.01"]
    assert asked("dana.txt", model=["sim/default"], opt=opt) == 0
    found = json.loads(capsys.readouterr().out)["tailor"]["results"][0]
    assert found["model"] == "sim/default"


@pytest.mark.parametrize(
    ("words", "error", "reason"),
    [
        ({"resumes": ()}, ConfigError, "no resume"),
        ({"flags": TailorFlags()}, ConfigError, "no job"),
        ({"resumes": ("none.pdf",)}, InputError, "none.pdf"),
        ({"sample": True}, ConfigError, "brings its own"),
        ({"schema": "x.json"}, ConfigError, "schemas"),
        ({"ordered": True}, ConfigError, "as they are done"),
        ({"output": "dana.txt"}, ConfigError, "never written over"),
        ({"output": "dana.odt"}, ConfigError, "no format"),
        ({"flags": TailorFlags(job="job.txt", tone="angry", length="long")}, InvalidFields, "tone"),
        ({"drafts": DraftFlags(accept="1")}, ConfigError, "no draft was named"),
        ({"drafts": DraftFlags(draft="a", undo=True, accept="1")}, ConfigError, "at a time"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_spent(place, words, error, reason):
    resumes = words.pop("resumes", ("dana.txt",))
    with pytest.raises(error) as raised:
        asked(*resumes, **words)
    assert reason in f"{raised.value} {raised.value.hint}"
    assert not (place / ".fanwise" / "store.db").exists() or "draft" in reason


def test_a_killed_run_is_resumed_and_sends_only_what_was_not_answered(
    fanwise, start_fanwise, place
):
    for number in range(4):
        text = RESUME.replace("12 services", f"{20 + number} services")
        (place / f"r{number}.txt").write_text(text)
    names = [f"r{number}.txt" for number in range(4)]
    flags = ("-m", "sim/default", "--opt", "latency=0.3", "-j", "1", "--run-id", "one")
    process = start_fanwise("tailor", *names, "--job", "job.txt", *flags)
    while line := process.stderr.readline():
        if "✓" in line:
            break
    process.kill()
    process.wait()
    again = fanwise("resume", "one", "--json", "-q")
    assert again.returncode == 0, again.stderr
    found = json.loads(again.stdout)
    assert found["tailor"]["summary"]["successCount"] == 4
    assert found["calls"] == 5  # one analysis and four resumes, however often it was begun
    assert found["attempts"] <= 6  # at most the one in flight at the kill went out again
    drafts = json.loads(fanwise("tailor", "--drafts", "--json").stdout)["drafts"]
    assert len(drafts) == 4
