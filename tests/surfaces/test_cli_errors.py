"""What is said when something is wrong: the message, the hint, the exit code; and nothing is lost.

Commands run in this process, in a directory of their own, without keys. Those that only a process
of its own can show are in test_cli_run.
"""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fanwise.cli.app import app

TABLE = '{"id": "r0", "word": "one"}\n{"id": "r1", "word": "two"}\n'
BATCH = json.dumps(
    {
        "custom_id": "c0",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": "instant", "messages": [{"role": "user", "content": "x"}]},
    }
)
FILES = {
    "table.jsonl": TABLE,
    "batch.jsonl": BATCH + "\n",
    "empty.jsonl": "",
    "half.jsonl": '{"id": "r0"}\n{"id": ',
    "twice.jsonl": '{"id": "r0"}\n{"id": "r0"}\n',
    "ragged.csv": "a,b\n1\n",
    "latin.csv": b"name\nM\xfcller\n",
    "prompt.txt": "Say {{ word }}",
    "broken.txt": "Say {{ word",
    "schema.json": '{"type": "object"',
    "list.json": "[1]",
    "mail.txt": "no mail at all\n",
}
RUN = ("run", "table.jsonl", "-m", "sim/instant", "-p", "Say {{ word }}")


def run(*words: str, table: str = "table.jsonl") -> tuple[str, ...]:
    """A run that is right but for the words that are added."""
    return ("run", table, "-m", "sim/instant", *words)


# command, part of the message, part of the hint, exit code
CASES = [
    # input
    (run("-p", "x", table="nope.jsonl"), "nope.jsonl: there is no such file", "", 2),
    (run("-p", "x", table="tabel.jsonl"), "there is no such file", "table.jsonl", 2),
    (run("-p", "x", table="."), "is a directory", "name a file in it", 2),
    (run("-p", "x", table="empty.jsonl"), "holds no rows", "right file", 2),
    (run("-p", "x", table="half.jsonl"), "line 2", "delete its last line", 2),
    (run("-p", "x", table="twice.jsonl"), "lines 1 and 2", "own id", 2),
    (run("-p", "x", table="ragged.csv"), "ragged.csv, line 2", "", 2),
    (run("-p", "x", table="latin.csv"), "UTF-8", "iconv", 2),
    (("run", "-m", "sim/instant", "-p", "x"), "no input was named", "name a file", 2),
    ((*RUN, "-i", "batch.jsonl"), "two inputs", "name one", 2),
    # prompts
    (run("-p", "x", "-t", "prompt.txt"), "both -p and -t", "once", 2),
    (run(), "there is no prompt", "-p TEXT or -t FILE", 2),
    (run("-p", " "), "the prompt is empty", "-p TEXT", 2),
    (run("-t", "nope.txt"), "nope.txt cannot be read", "template", 2),
    (run("-t", "broken.txt"), "broken.txt, line 1", "{{ column }}", 2),
    (run("-p", "Say {{ wrod }}"), "'wrod'", "did you mean word?", 2),
    (run("-p", "x", "--schema", "nope.json"), "nope.json cannot be read", "JSON", 2),
    (run("-p", "x", "--schema", "schema.json"), "schema.json is not JSON", "", 2),
    (run("-p", "x", "--schema", "list.json"), "list.json is no JSON object", "", 2),
    # Batch lines
    (run("-m", "sim/fast", table="batch.jsonl"), "one provider", "one model", 2),
    (run("-p", "x", table="batch.jsonl"), "bring their own prompts", "leave out -p", 2),
    # models and keys
    (("run", "table.jsonl", "-p", "x"), "no model is named", "-m ", 2),
    (("run", "table.jsonl", "-p", "x", "-m", "opnai/x"), "no provider 'opnai'", "openai/x", 2),
    (("run", "table.jsonl", "-p", "x", "-m", "gpt"), "names no model", "provider/model", 2),
    (("run", "table.jsonl", "-p", "x", "-m", "sim/fats"), "sim/fats", "sim/fast", 2),
    (
        ("run", "table.jsonl", "-p", "x", "-m", "openai/gpt-4o"),
        "OPENAI_API_KEY is not set",
        "export OPENAI_API_KEY",
        2,
    ),
    (
        ("run", "table.jsonl", "-p", "x", "-m", "openai/x", "--api-key-env", "MY_KEY"),
        "MY_KEY holds no key",
        "export MY_KEY",
        2,
    ),
    (
        ("run", "table.jsonl", "-p", "x", "-m", "openai/x", "--base-url", "localhost:1"),
        "does not begin with http",
        "http://",
        2,
    ),
    (run("-p", "x", "-m", "builtin/rules"), "has no rules for prompts", "sim/", 2),
    (run("-p", "x", "-m", "sim:instant"), "given twice", "once", 2),
    # values
    (run("-p", "x", "--opt", "hot"), "no NAME=VALUE", "temperature=0", 2),
    (run("-p", "x", "--opt", "latencey=1"), "latencey", "did you mean latency?", 2),
    (run("-p", "x", "-j", "20-1-500"), "do not fall", "", 2),
    (run("-p", "x", "-j", "0"), "1 or more", "", 2),
    (run("-p", "x", "--rpm", "-1"), "--rpm is -1.0", "", 2),
    (run("-p", "x", "--rpm", "fast"), "--rpm", "fanwise run --help", 2),
    (run("-p", "x", "--timeout", "soon"), "--timeout is 'soon'", "", 2),
    (run("-p", "x", "--limit", "0"), "--limit", "", 2),
    (run("-p", "x", "--run-id", "a/b"), "'a/b' is no run id", "letters", 2),
    (run("-p", "x", "--nope"), "--nope", "fanwise run --help", 2),
    # output and journal
    (run("-p", "x", "-o", "no/out.jsonl"), "does not exist", "mkdir -p", 2),
    (run("-p", "x", "-o", "table.jsonl"), "the input itself", "another file", 2),
    (run("-p", "x", "-o", "prompt.txt"), "something else than results", "another file", 2),
    (run("-p", "x", "-o", "."), "is a directory", "a file in it", 2),
    (run("-p", "x", "--journal", "mysql://h/d"), "mysql://", "postgresql://", 2),
    (run("-p", "x", "--journal", "table.jsonl"), "table.jsonl", "--journal", 5),
    (("list", "--journal", "table.jsonl"), "cannot be listed", "--journal", 5),
    # runs
    (("show",), "there are no runs", "--journal", 2),
    (("show", "nope"), "no run 'nope'", "fanwise list", 2),
    (("resume",), "no run in .fanwise is unfinished", "fanwise retry", 2),
    (("retry", "nope"), "no run 'nope'", "fanwise list", 2),
    (("export", "nope"), "no run 'nope'", "fanwise list", 2),
    (("prune", "--older-than", "long"), "--older-than is 'long'", "30d", 2),
    (("cache", "clear"), "every cached answer", "--yes", 2),
    # the simulator and the scan
    (("simulate", "fats"), "sim/fats", "sim/fast", 2),
    (("simulate", "--opt", "rpn=3"), "'rpn'", "rpm", 2),
    (("simulate", "--opt", "rpm"), "no NAME=VALUE", "", 2),
    (("scan",), "no mailbox was named", "--sample", 2),
    (("scan", "nope.mbox"), "there is no such file", "", 2),
    (("scan", "-"), "standard input", "file", 2),
    (("scan", "mail.txt", "-m", "a/b", "-m", "c/d"), "a scan asks one model", "name one", 2),
    (("scan", "--sample", "mail.txt"), "brings its own mailbox", "leave out", 2),
    (("scan", "--sample", "--after", "soon"), "'soon' is no date; write 2026-02-01", "", 2),
    (("scan", "--sample", "--truth", "nope"), "truth file nope", "", 2),
    (("scan", "--sample", "--truth", "mail.txt"), "mail.txt, line 1", "", 2),
    (("scan", "--sample", "-o", "table.jsonl"), "something else than shipments", "another", 2),
    (("scan", "--sample", "--schema", "list.json"), "its own schema", "--schema", 2),
]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory with the files above, and no key."""
    for name, content in FILES.items():
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(data)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nowhere"))
    for name in list(os.environ):
        if name.startswith(("FANWISE_", "OPENAI_", "MY_KEY")):
            monkeypatch.delenv(name)
    return tmp_path


def named(case: object) -> str:
    return " ".join(case) if isinstance(case, tuple) else ""


@pytest.mark.parametrize(("words", "message", "hint", "code"), CASES, ids=named)
def test_an_error_says_what_and_how_to_mend_it(words, message, hint, code, place):
    done = CliRunner().invoke(app, [*words, "--json"], prog_name="fanwise")
    assert done.exit_code == code, done.output
    error = json.loads(done.stdout)["error"]
    assert message in error["message"]
    assert hint in error["hint"]
    assert f"error: {error['message']}" in done.stderr
    assert "Traceback" not in done.output
    for name, content in FILES.items():
        data = content if isinstance(content, bytes) else content.encode()
        assert (place / name).read_bytes() == data


@pytest.mark.parametrize("words", [case[0] for case in CASES if case[0][0] == "run"], ids=named)
def test_a_run_that_cannot_begin_leaves_nothing_behind(words, place):
    CliRunner().invoke(app, list(words))
    assert not list(Path(place).glob(".fanwise/runs/*.db"))


def test_a_bad_settings_file_stops_every_command(place):
    (place / "fanwise.toml").write_text("rmp = 3\n")
    for words in (RUN, ("list",), ("resume",)):
        done = CliRunner().invoke(app, list(words))
        assert done.exit_code == 2
        assert "fanwise.toml: unknown key 'rmp'" in done.stderr


def test_an_unreachable_server_ends_the_run_with_one_error(place):
    words = (
        "run",
        "table.jsonl",
        "-m",
        "openai/x",
        "-p",
        "x",
        "--base-url",
        "http://127.0.0.1:9/v1",
    )
    done = CliRunner().invoke(app, [*words, "--max-attempts", "1", "--json"])
    assert done.exit_code == 1
    error = json.loads(done.stdout)["error"]
    assert "127.0.0.1:9" in error["message"]
    assert "server running" in error["hint"]
