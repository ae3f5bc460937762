"""Running work from the command line, as processes: output, exit codes, signals, resume."""

import json
import os
import signal
import subprocess

import pytest

PROMPT = ("-p", "Say {{ word }}")


@pytest.fixture
def table(tmp_path):
    """``table(n)`` writes ``table.jsonl`` with n rows, ids ``r0``, ``r1``, …"""

    def write(rows: int) -> str:
        lines = [json.dumps({"id": f"r{n}", "word": f"word number {n}"}) for n in range(rows)]
        (tmp_path / "table.jsonl").write_text("\n".join(lines) + "\n")
        return "table.jsonl"

    return write


def lines_of(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def ids(text: str) -> list[str]:
    return sorted((line["id"] for line in lines_of(text)), key=lambda name: int(name[1:]))


def expected(rows: int) -> list[str]:
    return [f"r{n}" for n in range(rows)]


# results


def test_results_go_to_stdout_and_everything_else_to_stderr(fanwise, table):
    done = fanwise("run", table(12), "-m", "sim/instant", *PROMPT)
    assert done.returncode == 0, done.stderr
    assert ids(done.stdout) == expected(12)
    first = lines_of(done.stdout)[0]
    assert list(first) == [
        "id", "item", "model", "output", "error", "usage", "cost_usd", "attempts", "latency_ms",
        "cached",
    ]  # fmt: skip
    assert f"word number {first['id'][1:]}" in first["output"]
    assert "Finished in" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


def test_results_go_to_a_file(fanwise, table, tmp_path):
    done = fanwise("run", table(12), "-m", "sim/instant", *PROMPT, "-o", "out.jsonl")
    assert done.stdout == ""
    assert ids((tmp_path / "out.jsonl").read_text()) == expected(12)


def test_json_is_one_object_that_names_the_output(fanwise, table):
    done = fanwise("run", table(5), "-m", "sim/instant", *PROMPT, "-o", "out.jsonl", "--json", "-q")
    summary = json.loads(done.stdout)
    assert summary["status"] == "finished"
    assert summary["items"] == {
        "total": 5, "succeeded": 5, "failed": 0, "cancelled": 0, "cached": 0
    }  # fmt: skip
    assert summary["output_file"].endswith("out.jsonl")
    assert done.stderr == ""


def test_json_without_a_file_leaves_the_results_in_the_journal(fanwise, table):
    done = fanwise("run", table(5), "-m", "sim/instant", *PROMPT, "--json")
    summary = json.loads(done.stdout)
    assert f"fanwise export {summary['run_id']}" in done.stderr
    assert ids(fanwise("export").stdout) == expected(5)


def test_ordered_results_keep_the_order_of_the_input(fanwise, table):
    done = fanwise("run", table(60), "-m", "sim/fast", *PROMPT, "--ordered", "-q")
    assert [line["id"] for line in lines_of(done.stdout)] == expected(60)


def test_rows_from_standard_input_and_a_limit(fanwise):
    rows = "".join(json.dumps({"id": f"r{n}", "word": "x"}) + "\n" for n in range(9))
    done = fanwise("run", "-", "-m", "sim/instant", *PROMPT, "-q", "--limit", "4", stdin=rows)
    assert ids(done.stdout) == expected(4)


def test_several_models_and_templates(fanwise, table, tmp_path):
    for name in ("short", "long"):
        (tmp_path / f"{name}.txt").write_text(f"A {name} text on {{{{ word }}}}")
    models = ("-m", "sim/instant", "-m", "sim:fast")
    done = fanwise("run", table(2), *models, "-t", "short.txt", "-t", "long.txt", "-q")
    found = sorted(line["id"] for line in lines_of(done.stdout))
    assert len(found) == 8
    assert "r0@sim/fast#long.txt" in found


def test_batch_lines_are_answered_in_their_own_format(fanwise, tmp_path):
    body = {"model": "instant", "messages": [{"role": "user", "content": "hello"}]}
    line = {"method": "POST", "url": "/v1/chat/completions", "body": body}
    text = "".join(json.dumps({"custom_id": f"c{n}", **line}) + "\n" for n in range(3))
    (tmp_path / "batch.jsonl").write_text(text)
    done = fanwise("run", "batch.jsonl", "-m", "sim/instant", "-q")
    answers = lines_of(done.stdout)
    assert sorted(answer["custom_id"] for answer in answers) == ["c0", "c1", "c2"]
    assert all(answer["response"]["status_code"] == 200 for answer in answers)
    exported = fanwise("export", "--format", "csv").stdout.splitlines()
    assert exported[0].startswith("id,model,output,error")
    assert len(exported) == 4


def test_plan_sends_nothing_and_counts(fanwise, table):
    done = fanwise("plan", table(7), "-m", "openai/gpt-4o-mini", *PROMPT, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["items"], found["calls"]) == (7, 7)
    assert found["cost_usd"][0] > 0
    assert json.loads(fanwise("list", "--json").stdout)["runs"] == []


# exit codes


def test_failed_items_give_code_3_and_retry_sends_only_those(fanwise, table, tmp_path):
    flags = ("-m", "sim/instant", *PROMPT, "-o", "out.jsonl", "--max-attempts", "1")
    done = fanwise("run", table(40), *flags, "--opt", "error-500=0.3", "--opt", "seed=5", "--json")
    assert done.returncode == 3, done.stderr
    failed = json.loads(done.stdout)["items"]["failed"]
    assert 0 < failed < 40
    assert len(lines_of((tmp_path / "out.jsonl").read_text())) == 40
    before = json.loads(done.stdout)["attempts"]
    again = fanwise("retry", "--max-attempts", "20", "--json")
    assert again.returncode == 0, again.stderr
    summary = json.loads(again.stdout)
    assert summary["items"]["succeeded"] == 40
    assert summary["attempts"] - before >= failed
    assert summary["calls"] == 40
    assert ids((tmp_path / "out.jsonl").read_text()) == expected(40)


def test_a_deadline_gives_code_4_and_leaves_the_run_resumable(fanwise, table, tmp_path):
    flags = ("-m", "sim/default", *PROMPT, "-o", "out.jsonl", "--opt", "latency=0.1")
    done = fanwise("run", table(600), *flags, "-j", "20", "--deadline", "2s")
    assert done.returncode == 4, done.stderr
    assert "fanwise resume" in done.stderr
    again = fanwise("resume", "-j", "100", "--deadline", "1h")
    assert again.returncode == 0, again.stderr
    assert ids((tmp_path / "out.jsonl").read_text()) == expected(600)


def test_a_journal_that_cannot_be_written_gives_code_5(fanwise, table, tmp_path):
    (tmp_path / "file").write_text("")
    done = fanwise("run", table(2), "-m", "sim/instant", *PROMPT, "--journal", "file/x")
    assert done.returncode == 5, done.stderr
    assert done.stderr.startswith("error: ")


def test_a_run_that_is_worked_on_cannot_be_taken_over(fanwise, start_fanwise, table, tmp_path):
    flags = ("-m", "sim/slow", *PROMPT, "-o", "out.jsonl", "--run-id", "mine")
    process = start_fanwise("run", table(50), *flags, "--opt", "latency=1", "-j", "2")
    process.wait_for_lines(1)
    done = fanwise("resume", "mine", "--json")
    assert done.returncode == 5
    assert json.loads(done.stdout)["error"]["kind"] == "conflict"
    assert str(process.pid) in done.stderr
    assert json.loads(fanwise("list", "--json").stdout)["runs"][0]["status"] == "live"
    cancelled = fanwise("cancel", "mine")
    assert cancelled.returncode == 0, cancelled.stderr
    assert process.wait(timeout=30) == 130
    assert json.loads(fanwise("list", "--json").stdout)["runs"][0]["status"] == "cancelled"


def test_the_same_command_beside_itself_is_refused_and_names_the_run(
    fanwise, start_fanwise, table, tmp_path
):
    rows = table(50)
    flags = ("-m", "sim/slow", *PROMPT, "--opt", "latency=1", "-j", "2")
    process = start_fanwise("run", rows, *flags, "-o", "out.jsonl", "--run-id", "mine")
    process.wait_for_lines(1)
    second = fanwise("run", rows, *flags, "-o", "out.jsonl")
    assert second.returncode == 5
    assert "the same work is under way as mine" in second.stderr
    assert str(process.pid) in second.stderr
    assert len(json.loads(fanwise("list", "--json").stdout)["runs"]) == 1


def test_an_empty_standard_input_leaves_nothing_to_go_on_with(fanwise):
    done = fanwise("run", "-", "-m", "sim/instant", *PROMPT, stdin="")
    assert done.returncode == 2
    assert "holds no rows" in done.stderr
    resumed = fanwise("resume")
    assert resumed.returncode == 2
    assert "is unfinished" in resumed.stderr


# signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_drains_and_says_how_to_resume(
    number, fanwise, start_fanwise, table, tmp_path
):
    out = tmp_path / "out.jsonl"
    flags = ("-m", "sim/default", *PROMPT, "-o", "out.jsonl", "--opt", "latency=0.2")
    process = start_fanwise("run", table(300), *flags, "-j", "20")
    process.wait_for_lines(60)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    listed = json.loads(fanwise("list", "--json").stdout)["runs"][0]
    assert listed["status"] == "interrupted"
    assert f"fanwise resume {listed['run_id']}" in err
    summary = json.loads(fanwise("show", "--json").stdout)
    assert summary["ambiguous_count"] == 0  # what was in flight ended
    assert len(lines_of(out.read_text())) == summary["items"]["succeeded"]
    again = fanwise("resume", "--json", "-j", "100")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["items"]["succeeded"] == 300
    assert json.loads(again.stdout)["attempts"] == 300
    assert ids(out.read_text()) == expected(300)


def test_the_second_signal_stops_at_once_and_nothing_durable_is_lost(
    fanwise, start_fanwise, table, tmp_path
):
    out = tmp_path / "out.jsonl"
    flags = (
        "-m",
        "sim/default",
        *PROMPT,
        "-o",
        "out.jsonl",
        "--opt",
        "latency=20",
        "--opt",
        "sigma=0",
    )
    process = start_fanwise("run", table(30), *flags, "-j", "10", "--run-id", "slow")
    for _ in range(30):
        if '"sending"' in fanwise("show", "slow", "--item", "r0", "--json").stdout:
            break
    process.send_signal(signal.SIGINT)
    assert "Ctrl-C again" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=15)
    assert process.returncode == 130, err
    assert json.loads(fanwise("list", "--json").stdout)["runs"][0]["status"] == "interrupted"
    assert out.read_text() == ""


def test_a_drained_run_does_not_wait_for_a_pipe_that_stays_open(start_fanwise, tmp_path):
    out = tmp_path / "out.jsonl"
    flags = ("-m", "sim/instant", *PROMPT, "-o", "out.jsonl")
    process = start_fanwise("run", "-", *flags, stdin=subprocess.PIPE)
    process.stdin.write('{"id": "r0", "word": "x"}\n{"id": "r1"')
    process.stdin.flush()
    process.wait_for_lines(1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 130
    assert ids(out.read_text()) == ["r0"]


# crashes


@pytest.mark.parametrize("by", ["resume", "the same command"])
def test_kill_9_and_resume_give_every_line_once(by, fanwise, start_fanwise, table, tmp_path):
    out = tmp_path / "out.jsonl"
    command = ("run", table(400), "-m", "sim/default", *PROMPT, "-o", "out.jsonl", "-j", "40",
               "--opt", "latency=0.1")  # fmt: skip
    for goal in (40, 160):
        process = start_fanwise(*(command if by != "resume" or goal == 40 else ("resume",)))
        process.wait_for_lines(goal)
        process.kill()
        process.communicate()
        shown = ids(out.read_text())
        assert len(shown) == len(set(shown))
        durable = json.loads(fanwise("show", "--json").stdout)["items"]["succeeded"]
        assert durable >= len(shown)
    again = fanwise(*(command if by != "resume" else ("resume",)), "--json")
    assert again.returncode == 0, again.stderr
    summary = json.loads(again.stdout)
    assert ids(out.read_text()) == expected(400)
    assert summary["items"]["succeeded"] == 400
    assert len(summary["sessions"]) == 3
    assert summary["ambiguous_count"] <= 2 * 40
    for line in lines_of(out.read_text()):
        assert f"word number {line['id'][1:]}" in line["output"]
    assert len(json.loads(fanwise("list", "--json").stdout)["runs"]) == 1


def test_a_finished_run_is_not_begun_again_by_its_id(fanwise, table):
    flags = ("-m", "sim/instant", *PROMPT, "--run-id", "mine", "-q")
    assert fanwise("run", table(2), *flags).returncode == 0
    done = fanwise("run", "table.jsonl", *flags)
    assert done.returncode == 2
    assert "run mine exists and is finished" in done.stderr


def test_the_same_command_after_a_finished_run_begins_a_new_one(fanwise, table):
    for _ in range(2):
        fanwise("run", table(2), "-m", "sim/instant", *PROMPT, "-q")
    assert len(json.loads(fanwise("list", "--json").stdout)["runs"]) == 2


def test_a_changed_input_is_not_paid_for_without_a_word(fanwise, table, tmp_path):
    flags = ("-m", "sim/default", *PROMPT, "-o", "out.jsonl", "--opt", "latency=0.1", "-j", "4")
    assert fanwise("run", table(60), *flags, "--deadline", "800ms").returncode == 4
    changed = (tmp_path / "table.jsonl").read_text().replace("word number", "another word")
    (tmp_path / "table.jsonl").write_text(changed)
    refused = fanwise("resume", "--deadline", "1h")
    assert refused.returncode == 2
    assert "--accept-changes" in refused.stderr
    accepted = fanwise("resume", "--deadline", "1h", "--accept-changes", "-j", "60")
    assert accepted.returncode == 0, accepted.stderr
    answers = lines_of((tmp_path / "out.jsonl").read_text())
    assert len(answers) == 60
    assert all("another word" in answer["output"] for answer in answers)


# pipes and reports


def test_a_reader_that_goes_away_ends_a_run_quietly_and_resumably(fanwise, start_fanwise, table):
    process = start_fanwise("run", table(200), "-m", "sim/default", *PROMPT, "--opt", "latency=0.1")
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(timeout=30) == 130
    assert "Traceback" not in err
    assert "Broken" not in err
    assert "error" not in err
    assert json.loads(fanwise("list", "--json").stdout)["runs"][0]["status"] == "interrupted"


def test_export_into_a_reader_that_goes_away(fanwise, table, tmp_path):
    fanwise("run", table(3000), "-m", "sim/instant", *PROMPT, "-q", "-j", "200")
    program = " ".join(["exec", *map(repr, start_words())])
    done = subprocess.run(
        ["bash", "-c", f"({program} export latest) | head -n 1; echo ${{PIPESTATUS[0]}}"],
        cwd=tmp_path, capture_output=True, text=True, check=True, env=os.environ,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "0"


def start_words() -> list[str]:
    import sys

    return [sys.executable, "-c", "from fanwise.cli import main; main()"]


def test_report_as_text_json_and_one_html_file(fanwise, table, tmp_path):
    fanwise("run", table(10), "-m", "sim/fast", *PROMPT, "-q")
    assert "What limited it" in fanwise("report").stdout
    assert json.loads(fanwise("report", "--json").stdout)["calls"] == 10
    assert fanwise("report", "--html", "report.html").returncode == 0
    assert (tmp_path / "report.html").read_text().lower().startswith("<!doctype html>")


def test_watch_follows_a_run_of_another_process_to_its_end(fanwise, start_fanwise, table, tmp_path):
    flags = ("-m", "sim/default", *PROMPT, "-o", "out.jsonl", "--opt", "latency=0.05")
    process = start_fanwise("run", table(200), *flags, "-j", "10")
    process.wait_for_lines(1)
    done = fanwise("watch", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["items"]["succeeded"] == 200
    assert process.wait(timeout=30) == 0


def test_two_terminals_work_side_by_side(fanwise, start_fanwise, table):
    words = ("run", table(60), "-m", "sim/fast", *PROMPT, "-q")
    # The very same command beside itself would be refused, had the second no name of its own.
    processes = [start_fanwise(*words, "--run-id", name) for name in ("left", "right")]
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert ids(out) == expected(60)
    assert len(json.loads(fanwise("list", "--json").stdout)["runs"]) == 2


@pytest.mark.postgres
def test_a_journal_in_postgresql(fanwise, start_fanwise, table, tmp_path, postgres_url):
    env = {"FANWISE_JOURNAL": postgres_url}
    flags = ("-m", "sim/default", *PROMPT, "-o", "out.jsonl", "--opt", "latency=0.1", "-j", "10")
    process = start_fanwise("run", table(600), *flags, "--run-id", "mine-pg", env=env)
    process.wait_for_lines(120)
    taken = fanwise("resume", "mine-pg", env=env)
    assert taken.returncode == 5, taken.stderr
    process.kill()
    process.wait()
    again = fanwise("resume", "mine-pg", "-j", "100", "--json", env=env)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["items"]["succeeded"] == 600
    assert ids((tmp_path / "out.jsonl").read_text()) == expected(600)
    listed = json.loads(fanwise("list", "--json", env=env).stdout)["runs"]
    assert ("mine-pg", "finished") in [(run["run_id"], run["status"]) for run in listed]
    assert fanwise("doctor", env=env).returncode == 0
    assert not (tmp_path / ".fanwise").exists()
