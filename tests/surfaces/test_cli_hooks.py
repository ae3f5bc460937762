"""Hooks from the command line."""

import json
import re
import signal

import pytest

from fanwise.cli.flags import (
    HomeFlags,
    LimitFlags,
    ModelFlags,
    OutputFlags,
    ProgressFlags,
    RunFlags,
)  # fmt: skip
from fanwise.cli.hooks import HooksFlags, IdeasFlags, hooks
from fanwise.cli.hooks_output import shown
from fanwise.errors import ConfigError, InputError, InvalidFields

IDEA = "We stopped writing weekly reports and nobody noticed for two months."


def asked(idea=None, *, sample=False, plan=False, flags=None, **more):
    """The command in this process, up to where it would begin."""
    return hooks(
        idea=idea,
        ideas=more.get("ideas", IdeasFlags()),
        sample=sample,
        plan=plan,
        flags=flags or HooksFlags(),
        models=ModelFlags(model=more.get("model"), schema=more.get("schema")),
        limits=LimitFlags(),
        output=OutputFlags(output_file=more.get("output"), ordered=more.get("ordered")),
        run=RunFlags(),
        progress=ProgressFlags(),
        home=HomeFlags(json=True),
    )


def test_an_idea_alone_gives_a_table_progress_and_a_report(fanwise):
    done = fanwise("hooks", IDEA, "-m", "builtin/rules", "-m", "sim/instant", "--compare")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["score", "sure", "form", "words", "model", "hook"]
    assert sum("weekly reports" in line for line in lines[1:11]) == 10
    assert "place  score" in done.stdout
    assert "which looks at form and word choice alone" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    percents = [int(found) for found in re.findall(r"^ *(\d+) %  ", done.stderr, re.MULTILINE)]
    assert percents == sorted(percents)
    assert (percents[0], percents[-1]) == (5, 100)
    assert "What limited it" in done.stderr


def test_json_is_one_object_with_everything(fanwise):
    done = fanwise("hooks", IDEA, "--json", "-q", "--focus", "clarity", "--type", "story")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["items"]["succeeded"] == 1
    (result,) = summary["hooks"]["results"]
    assert result["weights"]["clarity"] == 0.6
    assert len(result["models"][0]["hooks"]) == 5
    assert result["judge"] == result["winner"] == "builtin/rules"
    assert done.stderr == ""


def test_a_table_gives_a_line_a_result_in_one_run(fanwise, tmp_path):
    rows = [{"id": f"i{n}", "post_idea": f"{IDEA} {n}", "mood": "any"} for n in range(3)]
    (tmp_path / "ideas.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = fanwise("hooks", "ideas.jsonl", "-o", "out.jsonl", "--limit", "2", "-q", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["hooks"] == {"ideas": 2, "success": 2, "partial": 0, "error": 0}
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert {line["id"] for line in lines} == {"i0", "i1"}
    text = "".join(json.dumps(row) + "\n" for row in rows[:1])
    piped = fanwise("hooks", "-i", "-", "-q", stdin=text)
    assert [json.loads(line)["id"] for line in piped.stdout.splitlines()] == ["i0"]


def test_failures_give_code_3_and_a_retry_asks_for_what_is_missing(fanwise):
    flags = ("-m", "sim/instant", "--judge", "sim/fast", "--max-attempts", "1", "-q", "--json")
    done = fanwise("hooks", "--sample", *flags, "--opt", "error-500=0.3", "--opt", "seed=4")
    assert done.returncode == 3, done.stderr
    summary = json.loads(done.stdout)
    assert summary["items"]["failed"] > 0
    assert summary["hooks"]["success"] < 3
    again = fanwise("retry", "--max-attempts", "9", "-q", "--json")
    assert again.returncode == 0, again.stderr
    after = json.loads(again.stdout)
    assert after["hooks"]["success"] == 3
    assert after["calls"] == 18  # none of those that were served was asked for again


def test_a_killed_run_goes_on_without_asking_again(fanwise, start_fanwise, tmp_path):
    rows = [{"id": f"i{n}", "post_idea": f"{IDEA} {n}"} for n in range(30)]
    (tmp_path / "ideas.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ("hooks", "-i", "ideas.jsonl", "-m", "sim/fast", "--judge", "sim/fast", "-o",
             "out.jsonl", "-j", "4", "-q")  # fmt: skip
    process = start_fanwise(*words)
    process.wait_for_lines(5, file="out.jsonl")
    process.send_signal(signal.SIGKILL)
    process.wait()
    again = fanwise("resume", "-j", "50", "--json", "-q")
    assert again.returncode == 0, again.stderr
    summary = json.loads(again.stdout)
    assert summary["hooks"]["success"] == 30
    assert summary["calls"] == 180
    # Whatever was in flight at the kill went out once more, and nothing else did.
    assert summary["attempts"] <= 180 + 4
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert len(lines) == len({line["id"] for line in lines}) == 30


def test_every_wrong_field_is_named_at_once():
    flags = HooksFlags(judge="x", focus=["speed"], repeats=9, content_type="poem")
    with pytest.raises(InvalidFields) as caught:
        asked("short", flags=flags, model=["a"])
    assert set(caught.value.fields) == {
        "post_idea", "content_type", "models", "focus_skills", "judge", "repeats",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "no idea was given"),
        ({"idea": IDEA, "ideas": IdeasFlags(input_file="x.jsonl")}, "an idea and a table"),
        ({"idea": IDEA, "sample": True}, "--sample brings its own ideas"),
        ({"idea": IDEA, "schema": "s.json"}, "hooks have their own schema"),
        ({"idea": IDEA, "ordered": True}, "ideas are shown as they are done"),
    ],
)
def test_flags_that_mean_nothing_here_are_refused(given, said):
    with pytest.raises(ConfigError, match=said):
        asked(**given)


def test_wrong_rows_are_found_before_anything_is_sent(tmp_path):
    table = tmp_path / "ideas.csv"
    table.write_text(
        f"post_idea,target_audience\n{IDEA},expert\nshort,\n{IDEA},nobody\n{IDEA},expert\n"
    )
    with pytest.raises(InputError) as caught:
        asked(str(table))
    assert "line 3: post_idea has 5 characters" in caught.value.message
    assert "line 4: target_audience is 'nobody'" in caught.value.message
    assert "line 5: is the same idea as line 2" in caught.value.message


def test_a_plan_says_what_it_costs_and_sends_nothing(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flags = HooksFlags(judge="openai/gpt-4o", validator="openai/gpt-4o-mini")
    assert asked(IDEA, plan=True, flags=flags, model=["openai/gpt-4o-mini"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["calls"] == 11
    assert found["cost_usd"] is not None
    assert not (tmp_path / ".fanwise").exists()


async def test_text_of_models_cannot_steer_a_terminal():
    from support.hooks_models import by_rules, carried_out, job_of

    def hostile(request, answer):
        return {"hooks": [{**hook, "text": f"\x1b[2J {hook['text']}"} for hook in answer["hooks"]]}

    result = await carried_out(
        job_of("a/one"), {"a/one": by_rules(hostile), "judge/one": by_rules()}
    )
    assert "\x1b" not in shown(result, alone=True)


async def test_scores_have_colours_on_a_terminal_alone(monkeypatch):
    from support.hooks_models import by_rules, carried_out, job_of

    models = {"a/one": by_rules(), "judge/one": by_rules()}
    result = await carried_out(job_of("a/one"), models)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b" not in shown(result, alone=True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[3" in shown(result, alone=True)
    assert "\x1b" not in shown(result, alone=False)  # it has to pass above the panel


def test_the_name_of_a_table_that_is_not_there_is_no_idea(fanwise):
    done = fanwise("hooks", "ideas-of-mine.csv")
    assert done.returncode == 2, done.stdout
    assert "ideas-of-mine.csv: there is no such file" in done.stderr
