"""Bad input in every form: one error that says what, where and how to mend it, an exit code, and
nothing lost that was there before.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from support.answers import text_of
from support.program import RunFile, environment, read_lines, run, start, write_lines
from support.server import serving

GOOD = '{"id": "a", "text": "x"}\n{"id": "b", "text": "y"}\n'
BATCH = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m"}}
FILES: dict[str, str | bytes] = {
    "good.jsonl": GOOD,
    "empty.jsonl": "",
    "header.csv": "id,text\n",
    "latin.jsonl": GOOD.encode() + '{"id": "c", "text": "café"}\n'.encode("latin-1"),
    "latin.csv": "id,text\na,café\n".encode("latin-1"),
    "half.jsonl": GOOD + '{"id": "c", "te',
    "array.jsonl": GOOD + "[1, 2]\n",
    "number.jsonl": "17\n",
    "twice.jsonl": GOOD + '{"id": "a", "text": "z"}\n',
    "twice.csv": "id,text\na,1\nb,2\na,3\n",
    "columns.csv": "id,text,text\na,1,2\n",
    "ragged.csv": "id,text\na,1\nb,2,3,4\n",
    "nul.csv": b"id,text\na,\x00\n",
    "torn.parquet": b"PAR1 and then nothing",
    "batch.jsonl": json.dumps(BATCH) + "\n",
    "twice.batch.jsonl": (json.dumps(BATCH) + "\n") * 2,
    "broken.json": "{not json",
    "list.json": "[1]",
    "wrong.json": '{"type": "objekt"}',
    "notes.txt": "mine, not to be overwritten\n",
}
ROWS = ("-m", "sim/instant", "-p", "{{ text }}")
ASK = ("run", "good.jsonl", "-o", "o.jsonl")
P = ("-p", "{{ text }}")

# What is typed, the exit code, and what the error has to say.
MISUSES: dict[str, tuple[tuple[str, ...], int, tuple[str, ...]]] = {
    # the input
    "missing file": (("run", "god.jsonl", *ROWS), 2, ("god.jsonl: there is no such file", "good")),
    "directory": (("run", "folder", *ROWS), 2, ("folder: is a directory", "name a file")),
    "empty file": (("run", "empty.jsonl", *ROWS), 2, ("empty.jsonl: holds no rows",)),
    "only a header": (("run", "header.csv", *ROWS), 2, ("header.csv: holds no rows",)),
    "encoding": (("run", "latin.jsonl", *ROWS), 2, ("line 3, byte", "0xe9", "iconv")),
    "encoding of csv": (("run", "latin.csv", *ROWS), 2, ("line 2, byte", "0xe9", "iconv")),
    "half a line": (("run", "half.jsonl", *ROWS), 2, ("half.jsonl, line 3", "cut off")),
    "no object": (("run", "array.jsonl", *ROWS), 2, ("array.jsonl, line 3", "JSON array")),
    "a number": (("run", "number.jsonl", *ROWS), 2, ("number.jsonl, line 1", "object")),
    "an id twice": (("run", "twice.jsonl", *ROWS), 2, ("lines 1 and 3", "id 'a'")),
    "an id twice in csv": (("run", "twice.csv", *ROWS), 2, ("lines 2 and 4", "id 'a'")),
    "a column twice": (("run", "columns.csv", *ROWS), 2, ("line 1", "'text' twice")),
    "too many fields": (("run", "ragged.csv", *ROWS), 2, ("ragged.csv, line 3", "quote")),
    "binary": (("run", "nul.csv", *ROWS), 2, ("nul.csv, line 2, byte 10", "NUL")),
    "a spreadsheet": (("run", "book.xlsx", *ROWS), 2, ("book.xlsx", "convert")),
    "torn parquet": (("run", "torn.parquet", *ROWS), 2, ("torn.parquet: not a whole Parquet",)),
    "batch id twice": (("run", "twice.batch.jsonl"), 2, ("lines 1 and 2", "'a'")),
    "prompt for batch": (("run", "batch.jsonl", *ROWS), 2, ("Batch lines", "leave out")),
    "no input": (("run", *ROWS), 2, ("no input was named", "fanwise run table.csv")),
    # the question
    "no prompt": ((*ASK, "-m", "sim/instant"), 2, ("no prompt", "-p TEXT")),
    "unknown column": ((*ASK, "-m", "sim/instant", "-p", "{{ txt }}"), 2, ("line 1", "mean text")),
    "broken template": ((*ASK, "-m", "sim/instant", "-p", "{{ text"), 2, ("line 1", "{{ column")),
    "missing template": ((*ASK, "-m", "sim/instant", "-t", "none"), 2, ("none cannot be read",)),
    "schema: missing": ((*ASK, *ROWS, "--schema", "none"), 2, ("none cannot be read",)),
    "schema: not JSON": ((*ASK, *ROWS, "--schema", "broken.json"), 2, ("broken.json is not JSON",)),
    "schema: a list": ((*ASK, *ROWS, "--schema", "list.json"), 2, ("list.json is no JSON object",)),
    "schema: wrong": ((*ASK, *ROWS, "--schema", "wrong.json"), 2, ("wrong.json", "objekt")),
    # the model
    "no model": ((*ASK, *P), 2, ("no model is named", "-m openai/gpt-4o-mini")),
    "unknown provider": ((*ASK, *P, "-m", "opnai/gpt-4o"), 2, ("'opnai'", "mean openai/gpt-4o")),
    "no provider": ((*ASK, *P, "-m", "gpt-4o"), 2, ("'gpt-4o'", "provider/model")),
    "unknown simulation": ((*ASK, *P, "-m", "sim/none"), 2, ("sim/none", "sim/fast")),
    "no rules": ((*ASK, *P, "-m", "builtin/rules"), 2, ("no rules for prompts", "sim/fast")),
    "base url": ((*ASK, *P, "-m", "openai/x", "--base-url", "host:9"), 2, ("'host:9'", "http://")),
    # how much and how fast
    "-j 0": ((*ASK, *ROWS, "-j", "0"), 2, ("--max-concurrency", "'0'", "1 or more")),
    "-j range": ((*ASK, *ROWS, "-j", "50-20-5"), 2, ("--max-concurrency", "do not fall")),
    "-j word": ((*ASK, *ROWS, "-j", "many"), 2, ("--max-concurrency", "'many'", "1-20-500")),
    "--rpm 0": ((*ASK, *ROWS, "--rpm", "0"), 2, ("--rpm", "greater than 0")),
    "--rpm nan": ((*ASK, *ROWS, "--rpm", "nan"), 2, ("--rpm", "greater than 0")),
    "--timeout soon": ((*ASK, *ROWS, "--timeout", "soon"), 2, ("--timeout", "15m")),
    "--max-attempts 0": ((*ASK, *ROWS, "--max-attempts", "0"), 2, ("--max-attempts", "1")),
    # where to
    "output directory": (("run", "good.jsonl", *ROWS, "-o", "folder"), 2, ("is a directory",)),
    "no directory": (("run", "good.jsonl", *ROWS, "-o", "no/o.jsonl"), 2, ("mkdir -p",)),
    "input as output": (("run", "good.jsonl", *ROWS, "-o", "good.jsonl"), 2, ("the input itself",)),
    "foreign output": (("run", "good.jsonl", *ROWS, "-o", "notes.txt"), 2, ("something else",)),
    "journal: a file": ((*ASK, *ROWS, "--journal", "notes.txt"), 5, ("notes.txt", "--journal")),
    "journal: mysql": ((*ASK, *ROWS, "--journal", "mysql://u:pw@h/d"), 2, ("postgresql://",)),
    "journal: nobody": (
        (*ASK, *ROWS, "--journal", "postgresql://u:secret@127.0.0.1:1/d"),
        5,
        ("127.0.0.1:1/d", "is the server running"),
    ),
    # the command
    "unknown command": (("rnu", "good.jsonl"), 2, ("'rnu'", "'run'")),
    "unknown flag": (("run", "good.jsonl", "--modell", "x"), 2, ("--modell", "--model")),
    "run id": ((*ASK, *ROWS, "--run-id", "../x"), 2, ("'../x'", "letters, digits")),
    "run that ended": ((*ASK, *ROWS, "--run-id", "earlier"), 2, ("earlier", "retry")),
    "unknown run": (("resume", "none"), 2, ("no run 'none'", "fanwise list")),
    "nothing to resume": (("resume",), 2, ("unfinished", "fanwise retry")),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with every kind of bad file in it, and a run that was done before."""
    folder = tmp_path_factory.mktemp("bad")
    for name, content in FILES.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (folder / "folder").mkdir()
    with zipfile.ZipFile(folder / "book.xlsx", "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/worksheets/sheet1.xml", "<worksheet>" + "<row/>" * 500)
    done = run("run", "good.jsonl", *ROWS, "--run-id", "earlier", "-o", "e.jsonl", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def assert_one_clear_error(done: Any, *, code: int, says: tuple[str, ...]) -> None:
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error:") == 1
    assert "fault of Fanwise" not in done.stderr
    assert "hint:" in done.stderr
    for words in says:
        assert words in done.stderr


def everything_in(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", MISUSES)
def test_misuse_has_one_clear_error_and_leaves_everything_as_it_was(folder, name):
    words, code, says = MISUSES[name]
    before = everything_in(folder)
    done = run(*words, cwd=folder)
    assert_one_clear_error(done, code=code, says=says)
    assert done.stdout == ""
    assert "secret" not in done.stderr
    after = everything_in(folder)
    assert {path for path in after if not path.endswith("catalog.db")} == set(before) - {
        str(folder / ".fanwise" / "catalog.db")
    }
    assert all(after[path] == before[path] for path in after if not path.endswith("catalog.db"))


def test_an_error_is_also_data_where_data_was_asked_for(folder):
    done = run("run", "half.jsonl", *ROWS, "--json", cwd=folder)
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert error["kind"] == "input"
    assert "line 3" in error["message"]
    assert error["hint"]


def test_standard_input_without_rows_is_an_error_too(tmp_path):
    assert_one_clear_error(
        run("run", "-", *ROWS, cwd=tmp_path), code=2, says=("standard input", "no rows")
    )


def test_rows_that_lack_a_column_fail_alone(tmp_path):
    rows = [{"id": "a", "text": "x"}, {"id": "b", "txt": "y"}, {"id": "c", "text": "z"}]
    write_lines(tmp_path / "in.jsonl", rows)
    done = run("run", "in.jsonl", *ROWS, "-o", "o.jsonl", "--quiet", cwd=tmp_path)
    assert done.returncode == 3
    lines = {line["id"]: line for line in read_lines(tmp_path / "o.jsonl")}
    assert "'text'" in lines["b"]["error"]["message"]
    assert lines["a"]["error"] is lines["c"]["error"] is None


@pytest.fixture
def unused_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def table(folder: Path, count: int = 60) -> Path:
    return write_lines(folder / "in.jsonl", [{"id": n, "text": f"t{n}"} for n in range(count)])


def asking(base_url: str) -> tuple[str, ...]:
    asked = ("run", "in.jsonl", "-m", "openai/one", *P, "-o", "o.jsonl", "--quiet")
    return (*asked, "--base-url", base_url)


def assert_answered(path: Path, count: int = 60) -> None:
    lines = {line["id"]: line["output"] for line in read_lines(path)}
    assert lines == {str(n): text_of("one", f"t{n}") for n in range(count)}


def test_a_missing_key_costs_nothing(tmp_path):
    table(tmp_path)
    done = run(*asking("https://127.0.0.1:1/v1"), cwd=tmp_path, env={"OPENAI_API_KEY": ""})
    # A server of one's own may need none; OpenAI's needs one.
    assert done.returncode == 1
    done = run("run", "in.jsonl", "-m", "openai/one", *P, cwd=tmp_path, env={"OPENAI_API_KEY": ""})
    assert_one_clear_error(done, code=2, says=("OPENAI_API_KEY is not set", "export"))


def test_a_wrong_key_stops_the_run_and_the_right_one_goes_on(tmp_path):
    table(tmp_path)
    with serving(key="right") as server:
        done = run(*asking(server.base_url), cwd=tmp_path, env={"OPENAI_API_KEY": "wrong-one"})
        assert_one_clear_error(done, code=1, says=("refused the key (401)", "OPENAI_API_KEY"))
        assert "wrong-one" not in done.stderr
        assert len(server.ledger()) <= 20  # no more than were in flight
        again = run("resume", "-q", cwd=tmp_path, env={"OPENAI_API_KEY": "right"})
        assert again.returncode == 0, again.stderr
    assert_answered(tmp_path / "o.jsonl")
    kept = b"".join(everything_in(tmp_path).values())
    assert b"wrong-one" not in kept


def test_an_unreachable_server_stops_the_run_and_it_goes_on_when_there_is_one(
    tmp_path, unused_port
):
    table(tmp_path)
    base_url = f"http://127.0.0.1:{unused_port}/v1"
    done = run(*asking(base_url), cwd=tmp_path)
    says = (f"connection refused by 127.0.0.1:{unused_port}", "--base-url")
    assert_one_clear_error(done, code=1, says=says)
    with serving(port=unused_port) as server:
        assert run("resume", "-q", cwd=tmp_path).returncode == 0
        assert len(server.ledger()) == 60
    assert_answered(tmp_path / "o.jsonl")


def test_a_server_that_dies_on_the_way_costs_no_answer(tmp_path):
    table(tmp_path, 120)
    with serving(latency_ms=(20, 60)) as server:
        process = start(*asking(server.base_url), cwd=tmp_path)
        server.wait_for(lambda counts: counts["outcomes"].get("served", 0) >= 40)
        port = int(server.base_url.rpartition(":")[2].partition("/")[0])
    # Nobody answers: what is left waits behind a breaker until somebody does, or it is interrupted.
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=40) == 130
    assert "Traceback" not in (tmp_path / "stderr").read_text()
    answered = [line for line in read_lines(tmp_path / "o.jsonl") if line["error"] is None]
    assert len(answered) >= 20
    with serving(port=port) as server:
        assert run("resume", "-q", cwd=tmp_path).returncode == 0
        sent = {line["prompt"] for line in server.ledger()}
    assert not sent & {line["item"]["text"] for line in answered}
    assert_answered(tmp_path / "o.jsonl", 120)


@pytest.fixture
def mail_server() -> Iterator[int]:
    """Something that listens and does not speak HTTP."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def greet() -> None:
            while True:
                try:
                    peer, _ = listening.accept()
                except OSError:
                    return
                with peer:
                    peer.sendall(b"220 mail.example ESMTP ready\r\n")

        threading.Thread(target=greet, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


def test_a_server_that_speaks_no_http_is_named(tmp_path, mail_server):
    table(tmp_path, 3)
    done = run(*asking(f"http://127.0.0.1:{mail_server}/v1"), cwd=tmp_path)
    assert_one_clear_error(done, code=1, says=(f"127.0.0.1:{mail_server}", "base URL"))


def test_a_damaged_run_is_named_and_the_others_are_not_touched(tmp_path):
    table(tmp_path, 5)
    for name in ("whole", "hurt"):
        words = ("-m", "sim/instant", *P, "--run-id", name, "-o", f"{name}.jsonl", "--quiet")
        assert run("run", "in.jsonl", *words, cwd=tmp_path).returncode == 0
    (tmp_path / ".fanwise" / "runs" / "hurt.db").write_bytes(b"this is no database " * 500)
    done = run("show", "hurt", cwd=tmp_path)
    assert_one_clear_error(done, code=5, says=("hurt.db",))
    listed = run("list", "--json", cwd=tmp_path)
    assert listed.returncode == 0
    assert "whole" in listed.stdout
    assert len(run("export", "whole", cwd=tmp_path).stdout.splitlines()) == 5


def test_a_journal_that_may_not_be_written_is_still_read(tmp_path, in_own_mounts):
    table(tmp_path, 5)
    asked = "in.jsonl -m sim/instant -p '{{ text }}' --journal disk/j"
    script = f"""
        {PROGRAM} run {asked} -q > first || exit
        mount -o remount,ro disk
        {PROGRAM} run {asked} > out 2> refused
        echo $? > code
        {PROGRAM} export --journal disk/j > read || exit
        {PROGRAM} list --json --journal disk/j > listed || exit
    """
    in_own_mounts(script, size="20m")
    refused = (tmp_path / "refused").read_text()
    assert (tmp_path / "code").read_text() == "5\n", refused
    assert "read-only" in refused.lower()
    assert "Traceback" not in refused
    assert len(read_lines(tmp_path / "read")) == 5
    assert len(json.loads((tmp_path / "listed").read_text())["runs"]) == 1


def test_a_full_disk_ends_the_run_with_its_own_code_and_loses_nothing(tmp_path, in_own_mounts):
    rows = [{"id": n, "text": f"t{n} " + "long " * 100} for n in range(600)]
    write_lines(tmp_path / "in.jsonl", rows)
    with serving(latency_ms=(0, 10)) as server:
        asked = f"-m openai/one -p '{{{{ text }}}}' -j 20 -o o.jsonl --base-url {server.base_url}"
        script = f"""
            {PROGRAM} run in.jsonl {asked} --journal disk/j -q > out 2> refused
            echo $? > code
            cp o.jsonl then.jsonl
            cp disk/j/runs/*.db* kept/
            mount -o remount,size=60m disk
            {PROGRAM} resume --journal disk/j -q > out2 2> err2
        """
        (tmp_path / "kept").mkdir()
        in_own_mounts(script, size="1500k")
        sent: dict[str, int] = {}
        for line in server.ledger():
            sent[line["prompt"]] = sent.get(line["prompt"], 0) + 1
    refused = (tmp_path / "refused").read_text()
    assert (tmp_path / "code").read_text() == "5\n", refused
    assert "disk full" in refused
    assert "fanwise resume" in refused
    assert "Traceback" not in refused
    then = read_lines(tmp_path / "then.jsonl")
    kept = RunFile(next((tmp_path / "kept").glob("*.db")))
    assert {line["id"] for line in then} <= kept.ended_items()
    lines = {line["id"]: line for line in read_lines(tmp_path / "o.jsonl")}
    assert len(lines) == 600, (tmp_path / "err2").read_text()
    assert all(line["output"] == text_of("one", line["item"]["text"]) for line in lines.values())
    assert set(sent) == {row["text"] for row in rows}
    # Only what had no durable outcome was sent once more. That is not bounded by -j: an answer
    # that waits for its commit has given its place to the next call, and a slow disk has many wait.
    unsettled = {row["text"] for row in rows if str(row["id"]) in kept.unsettled_calls()}
    again = {prompt: count for prompt, count in sent.items() if count > 1}
    assert again.keys() <= unsettled, again.keys() - unsettled
    assert set(again.values()) <= {2}


PROGRAM = f"{sys.executable} -m fanwise"


@pytest.fixture
def in_own_mounts(tmp_path: Path) -> Any:
    """Runs a shell script in ``tmp_path`` with a small disk of its own at ``disk``."""
    unshare = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    if shutil.which("unshare") is None or shutil.which("mount") is None:
        pytest.skip("unshare and mount are needed to make a small disk")
    (tmp_path / "disk").mkdir()
    trial = "mount -t tmpfs -o size=1m tmpfs disk"
    possible = subprocess.run(
        [*unshare, "sh", "-c", trial], cwd=tmp_path, capture_output=True, check=False
    )
    if possible.returncode != 0:
        pytest.skip("this machine does not let a process mount a disk of its own")

    def go(script: str, *, size: str) -> None:
        mounted = f"mount -t tmpfs -o size={size} tmpfs disk\n{script}"
        subprocess.run(
            [*unshare, "sh", "-c", mounted],
            cwd=tmp_path,
            check=True,
            timeout=60,
            env=environment(),
        )

    return go
