"""``fanwise run`` from outside: every row has its own answer, once, whatever comes back when."""

from __future__ import annotations

import csv
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from support.answers import SCHEMA, digest_of, text_of, value_of
from support.program import read_lines, run, write_lines
from support.server import Server, serving

LINES = 500


@pytest.fixture(scope="module")
def server():
    """Answers come back in another order than they were asked for."""
    with serving(latency_ms=(0, 150)) as running:
        yield running


def batch_line(number: int, **body: Any) -> dict[str, Any]:
    question = {"role": "user", "content": f"question {number}: {digest_of(str(number))}"}
    return {
        "custom_id": f"request-{number}",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": "gpt-test", "messages": [question], **body},
    }


def content_of(line: dict[str, Any]) -> str:
    return line["response"]["body"]["choices"][0]["message"]["content"]


def right_content(line: dict[str, Any]) -> str:
    return text_of("gpt-test", line["body"]["messages"][0]["content"])


def sends(server: Server, *, having: str = "") -> Counter[str]:
    """How often each prompt was sent."""
    return Counter(line["prompt"] for line in server.ledger() if having in line["prompt"])


def go(server: Server, *words: object, cwd: Path, code: int = 0, **how: Any) -> dict[str, Any]:
    """Runs the program against the server and returns its summary."""
    command = ("run", *words, "--base-url", server.base_url, "--json", "--quiet")
    done = run(*command, cwd=cwd, **how)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("ordered", [False, True], ids=["as completed", "ordered"])
def test_500_batch_lines_have_500_right_answers_and_are_sent_once(tmp_path, ordered):
    asked = [batch_line(number, temperature=0.5, user="u") for number in range(LINES)]
    random.Random(3).shuffle(asked)
    write_lines(tmp_path / "in.jsonl", asked)
    with serving(latency_ms=(0, 150)) as server:
        order = "--ordered" if ordered else "--as-completed"
        summary = go(server, "in.jsonl", "-o", "out.jsonl", "-j", "100", order, cwd=tmp_path)
        ledger = server.ledger()
    answered = read_lines(tmp_path / "out.jsonl")

    assert summary["items"] | {"cached": 0} == summary["items"]
    assert (summary["items"]["total"], summary["items"]["succeeded"]) == (LINES, LINES)
    assert (summary["calls"], summary["attempts"]) == (LINES, LINES)
    assert [line["outcome"] for line in ledger] == ["served"] * LINES
    # Sent as they are, one send each.
    bodies = Counter(json.dumps(line["body"], sort_keys=True) for line in ledger)
    assert bodies == Counter(json.dumps(line["body"], sort_keys=True) for line in asked)

    by_id = {line["custom_id"]: line for line in answered}
    assert len(answered) == len(by_id) == LINES
    for line in asked:
        answer = by_id[line["custom_id"]]
        assert answer.keys() == {"id", "custom_id", "response", "error"}
        assert answer["error"] is None
        assert answer["response"].keys() == {"status_code", "request_id", "body"}
        assert answer["response"]["status_code"] == 200
        assert answer["response"]["body"]["object"] == "chat.completion"
        assert content_of(answer) == right_content(line)
    assert len({line["id"] for line in answered}) == LINES
    order_in = [line["custom_id"] for line in asked]
    order_out = [line["custom_id"] for line in answered]
    assert (order_out == order_in) == ordered
    assert not (tmp_path / "out.errors.jsonl").exists()


def test_failed_batch_lines_go_to_the_error_file_and_only_there(tmp_path):
    asked = [batch_line(number) for number in range(60)]
    write_lines(tmp_path / "in.jsonl", asked)
    with serving(share=0.3, faults=["400"], seed=4) as server:
        summary = go(server, "in.jsonl", "-o", "out.jsonl", cwd=tmp_path, code=3)
        ledger = server.ledger()
    refused = {line["prompt"] for line in ledger if line["outcome"] != "served"}
    assert 0 < len(refused) < 60
    assert len(ledger) == 60
    good = read_lines(tmp_path / "out.jsonl")
    bad = read_lines(tmp_path / "out.errors.jsonl")
    of_prompt = {line["body"]["messages"][0]["content"]: line["custom_id"] for line in asked}
    assert {line["custom_id"] for line in bad} == {of_prompt[prompt] for prompt in refused}
    assert Counter(line["custom_id"] for line in good + bad) == Counter(of_prompt.values())
    assert all(line["error"] is None for line in good)
    for line in bad:
        assert line["error"]["code"] == "rejected"
        assert "max_tokens is too large" in line["error"]["message"]
        assert line["response"]["status_code"] == 400
    assert summary["items"]["failed"] == len(bad)


def test_equal_batch_bodies_are_two_requests_with_two_answers(tmp_path, server):
    line = batch_line(990)
    write_lines(tmp_path / "in.jsonl", [line, line | {"custom_id": "the same again"}])
    go(server, "in.jsonl", "-o", "out.jsonl", cwd=tmp_path)
    answered = read_lines(tmp_path / "out.jsonl")
    assert {line["custom_id"] for line in answered} == {"request-990", "the same again"}
    assert sends(server, having="question 990:").total() == 2


def test_batch_lines_for_another_endpoint_go_there(tmp_path, server):
    line = {
        "custom_id": "e1",
        "method": "POST",
        "url": "/v1/embeddings",
        "body": {"model": "embed-test", "input": "a sentence"},
    }
    write_lines(tmp_path / "in.jsonl", [line])
    go(server, "in.jsonl", "-o", "out.jsonl", cwd=tmp_path)
    (answer,) = read_lines(tmp_path / "out.jsonl")
    assert answer["response"]["body"]["object"] == "list"
    assert len(answer["response"]["body"]["data"][0]["embedding"]) == 16


ROWS = [
    {"id": f"row/{n}", "name": f'Ann "{n}", née Ö', "text": f"line one\nnumber {n}"}
    for n in range(150)
]


def write_table(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".jsonl":
        return write_lines(path, rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
@pytest.mark.parametrize("with_ids", [True, False], ids=["with ids", "without ids"])
def test_every_row_of_a_table_has_its_own_answer(tmp_path, server, kind, with_ids):
    mark = f"{kind} {with_ids}"
    rows = [row if with_ids else {k: v for k, v in row.items() if k != "id"} for row in ROWS]
    rows = [row | {"text": f"{row['text']} {mark}"} for row in rows]
    if not with_ids:
        rows.append(rows[0])  # an equal row is one more item, not a repetition
    source = write_table(tmp_path / f"table.{kind}", rows)
    prompt = "Tell {{ name }} about: {{ text }}"
    summary = go(
        server, source, "-m", "openai/one", "-p", prompt, "-o", "out.jsonl", "-j", 60, cwd=tmp_path
    )
    answered = read_lines(tmp_path / "out.jsonl")
    assert len(answered) == len(rows) == summary["items"]["succeeded"]
    asked = Counter(json.dumps(row, sort_keys=True) for row in rows)
    assert Counter(json.dumps(line["item"], sort_keys=True) for line in answered) == asked
    assert len({line["id"] for line in answered}) == len(rows)
    for line in answered:
        item = line["item"]
        assert line["output"] == text_of("one", f"Tell {item['name']} about: {item['text']}")
        assert line["error"] is None
        assert line["model"] == "openai/one"  # equal rows under way at once may share a send
        assert line["usage"]["output_tokens"] == len(line["output"])
        assert line["attempts"] <= 1
        if with_ids:
            assert line["id"] == item["id"]
    sent = sends(server, having=mark)
    # Equal rows share one answer where they are under way at the same time.
    equal = 0 if with_ids else sent.pop(f"Tell {rows[0]['name']} about: {rows[0]['text']}")
    assert set(sent.values()) == {1}
    assert equal <= 2


def test_two_models_and_two_prompts_are_four_answers_a_row_and_none_is_crossed(tmp_path, server):
    rows = [{"id": f"r{n}", "word": f"cross{n}"} for n in range(80)]
    write_lines(tmp_path / "in.jsonl", rows)
    (tmp_path / "first.txt").write_text("First: {{ word }}")
    (tmp_path / "second.txt").write_text("Second: {{ word }}")
    words = ("in.jsonl", "-m", "openai/alpha", "-m", "openai/beta")
    words += ("-t", "first.txt", "-t", "second.txt", "-o", "out.jsonl", "-j", 80)
    summary = go(server, *words, cwd=tmp_path)
    assert summary["items"]["total"] == summary["calls"] == summary["attempts"] == 320
    answered = read_lines(tmp_path / "out.jsonl")
    assert len({line["id"] for line in answered}) == len(answered) == 320
    outputs = Counter((line["item"]["id"], line["model"], line["output"]) for line in answered)
    assert outputs == Counter(
        (row["id"], f"openai/{model}", text_of(model, f"{prompt}: {row['word']}"))
        for row in rows
        for model in ("alpha", "beta")
        for prompt in ("First", "Second")
    )


def test_answers_under_a_schema_are_values_of_it(tmp_path, server):
    write_lines(tmp_path / "in.jsonl", [{"id": n, "word": f"schema{n}"} for n in range(50)])
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    words = ("-m", "openai/one", "-p", "{{ word }}", "--schema", "schema.json", "-o", "out.jsonl")
    go(server, "in.jsonl", *words, cwd=tmp_path)
    answered = read_lines(tmp_path / "out.jsonl")
    assert len(answered) == 50
    for line in answered:
        assert line["output"] == value_of("one", line["item"]["word"])


def test_a_table_on_standard_input_and_results_on_standard_output(tmp_path, server):
    rows = "".join(json.dumps({"id": f"s{n}", "word": f"pipe{n}"}) + "\n" for n in range(40))
    words = ("-m", "openai/one", "-p", "{{ word }}", "--base-url", server.base_url)
    done = run("run", "-", *words, cwd=tmp_path, stdin=rows)
    assert done.returncode == 0, done.stderr
    answered = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answered) == 40
    for line in answered:
        assert line["output"] == text_of("one", line["item"]["word"])
    assert "\x1b" not in done.stdout + done.stderr


def test_retrying_a_run_without_failures_sends_nothing(tmp_path):
    write_lines(tmp_path / "in.jsonl", [{"id": n, "word": f"again{n}"} for n in range(30)])
    words = ("in.jsonl", "-m", "openai/one", "-p", "{{ word }}", "-o", "out.jsonl")
    with serving() as server:
        first = go(server, *words, cwd=tmp_path)
        before = len(server.ledger())
        done = run("retry", first["run_id"], "--json", "--quiet", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert len(server.ledger()) == before
    assert len(read_lines(tmp_path / "out.jsonl")) == 30


def test_retry_sends_only_what_failed_and_mends_its_lines(tmp_path):
    rows = [{"id": f"r{n}", "word": f"retry{n}"} for n in range(60)]
    write_lines(tmp_path / "in.jsonl", rows)
    words = ("in.jsonl", "-m", "openai/one", "-p", "{{ word }}", "-o", "out.jsonl")
    with serving(share=0.4, faults=["500"], faulty=len(rows), seed=9) as server:
        first = go(server, *words, "--max-attempts", 1, cwd=tmp_path, code=3)
        failed = {line["id"] for line in read_lines(tmp_path / "out.jsonl") if line["error"]}
        assert len(failed) == first["items"]["failed"] > 5
        before = server.ledger()
        done = run("retry", first["run_id"], "--json", "--quiet", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        later = server.ledger()[len(before) :]
    assert {line["prompt"].replace("retry", "r") for line in later} == failed
    assert json.loads(done.stdout)["items"]["failed"] == 0
    answered = read_lines(tmp_path / "out.jsonl")
    assert sorted(line["id"] for line in answered) == sorted(row["id"] for row in rows)
    for line in answered:
        assert line["error"] is None
        assert line["output"] == text_of("one", line["item"]["word"])
