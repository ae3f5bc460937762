"""Servers that refuse, stall, lie and break: every item ends, no wrong answer is taken, and nobody
is asked again before the time he named.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from support.answers import SCHEMA, text_of, value_of
from support.hints import FORMS
from support.program import environment, read_lines, run, write_lines
from support.server import CONTENT, FAULTS, REFUSALS, TRANSIENT, Server, serving

ATTEMPTS = 3
CONTENT_ATTEMPTS = 2


def rows(count: int) -> list[dict[str, Any]]:
    return [{"id": f"i{n}", "text": f"hostile {n} {'word ' * (n % 7)}"} for n in range(count)]


def go(server: Server, *more: object, cwd: Path, codes: tuple[int, ...] = (0,)) -> dict[str, Any]:
    asked = ("-m", "openai/one", "-p", "{{ text }}", "--base-url", server.base_url)
    done = run("run", "in.jsonl", *asked, "-o", "out.jsonl", "--json", "--quiet", *more, cwd=cwd)
    assert done.returncode in codes, done.stderr
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout)


def by_prompt(ledger: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in ledger:
        found[line["prompt"]].append(line)
    return found


def assert_no_wait_was_undercut(ledger: list[dict[str, Any]]) -> None:
    """No request came again before the time that its refusal named."""
    for sends in by_prompt(ledger).values():
        for refused, following in pairwise(sends):
            named = refused["not_before_wall"]
            early_s = 0.0 if named is None else named - following["arrived_wall"]
            # Two clocks of one machine may differ by a millisecond over these waits.
            assert early_s <= 0.001, f"{refused['form']}: {early_s:.3f} s early"


def test_a_known_limit_is_kept_with_hardly_a_refusal(tmp_path):
    write_lines(tmp_path / "in.jsonl", rows(300))
    with serving(rate=100, burst=20, latency_ms=(20, 80)) as server:
        summary = go(server, "--rpm", 6000, "-j", 100, cwd=tmp_path)
        outcomes = server.counts()["outcomes"]
    assert outcomes.pop("refused", 0) <= 2
    assert outcomes == {"served": 300}
    assert summary["items"]["succeeded"] == 300
    assert summary["limited_by"][0]["cause"] == "rate"


@pytest.mark.parametrize("form", ["seconds", "fraction", "ms", "date", "sentence"])
def test_an_unknown_limit_is_found_out_and_no_wait_it_names_is_undercut(tmp_path, form):
    write_lines(tmp_path / "in.jsonl", rows(30))
    with serving(rate=30, burst=8, forms=[form]) as server:
        summary = go(server, "-j", 20, cwd=tmp_path)
        ledger = server.ledger()
    assert summary["items"]["succeeded"] == 30
    assert Counter(line["outcome"] for line in ledger)["served"] == 30
    assert summary["rate_limited"] == len(ledger) - 30 > 0
    assert_no_wait_was_undercut(ledger)


def test_a_server_with_few_slots_serves_everything_in_the_end(tmp_path):
    write_lines(tmp_path / "in.jsonl", rows(60))
    with serving(slots=8, latency_ms=(10, 30), forms=["fraction", "absent"]) as server:
        summary = go(server, "-j", 16, cwd=tmp_path)
        ledger = server.ledger()
    assert summary["items"]["succeeded"] == 60
    assert Counter(line["outcome"] for line in ledger)["served"] == 60
    assert_no_wait_was_undercut(ledger)


@pytest.mark.parametrize("schema", [False, True], ids=["plain", "schema"])
def test_among_all_faults_every_item_ends_and_no_answer_is_wrong(tmp_path, schema):
    write_lines(tmp_path / "in.jsonl", rows(300))
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    shape = ("--schema", "schema.json") if schema else ()
    # A stalled or crawling answer ends by our deadline, a dripping one in time.
    with serving(
        share=0.15, forms=[*FORMS, "huge"], latency_ms=(5, 60), stall_s=20, seed=5
    ) as server:
        words = ("-j", 60, "--attempt-timeout", "1.5s", *shape)
        summary = go(server, *words, cwd=tmp_path, codes=(0, 3))
        ledger = server.ledger()
    answered = read_lines(tmp_path / "out.jsonl")
    assert Counter(line["id"] for line in answered) == Counter(f"i{n}" for n in range(300))
    met = Counter(line["outcome"] for line in ledger)
    assert len(met.keys() & set(FAULTS)) >= (len(FAULTS) if schema else len(FAULTS) - 2) - 4
    sends = by_prompt(ledger)
    assert set(sends) == {row["text"] for row in rows(300)}
    for line in answered:
        text = line["item"]["text"]
        assert_is_fair(line, sends[text], right=value_of if schema else text_of)
    failed = sum(1 for line in answered if line["error"])
    hopeless = sum(1 for line in ledger if line.get("form") == "huge")
    assert summary["items"]["failed"] == failed <= 6 + hopeless
    assert summary["attempts"] == len(ledger)
    assert summary["rate_limited"] == met["429"]
    assert summary["models"][0]["refusals"] == sum(met[name] for name in REFUSALS)
    assert_no_wait_was_undercut(ledger)
    assert_repeats_say_so(sends)


def assert_repeats_say_so(sends: dict[str, list[dict[str, Any]]]) -> None:
    """Equal bodies of one call have one idempotency key; no two requests share one."""
    bodies: dict[str, set[str]] = defaultdict(set)
    for found in sends.values():
        for send in found:
            bodies[send["idempotency_key"]].add(json.dumps(send["body"], sort_keys=True))
    assert all(len(found) == 1 for found in bodies.values())
    assert len(bodies) == len(set.union(*bodies.values()))


def assert_is_fair(line: dict[str, Any], sends: list[dict[str, Any]], *, right: Any) -> None:
    """An item's line agrees with what the server did to its sends, and they are bounded."""
    outcomes = [send["outcome"] for send in sends]
    broken = [outcome for outcome in outcomes if outcome in TRANSIENT]
    invalid = [outcome for outcome in outcomes if outcome in CONTENT]
    assert line["attempts"] == len(sends)
    assert len(broken) <= ATTEMPTS
    assert len(invalid) <= CONTENT_ATTEMPTS
    assert all(outcome not in {"served", "drip"} for outcome in outcomes[:-1])
    assert all(send.get("form") != "huge" for send in sends[:-1])
    if line["error"] is None:
        assert outcomes[-1] in {"served", "drip"}, "a faulty answer was accepted"
        assert line["output"] == right("one", line["item"]["text"])
    else:
        assert line["output"] is None
        spent = len(broken) == ATTEMPTS or len(invalid) == CONTENT_ATTEMPTS
        assert spent or sends[-1]["form"] == "huge"
        assert line["error"]["message"]


@pytest.mark.parametrize("fault", [*TRANSIENT, "cut_content", "wrong_schema"])
def test_a_fault_that_never_ends_fails_its_items_and_is_never_taken_for_an_answer(tmp_path, fault):
    write_lines(tmp_path / "in.jsonl", rows(4))
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    words = ("--schema", "schema.json", "--attempt-timeout", "300ms", "--max-attempts", 2)
    with serving(share=1.0, faults=[fault], stall_s=20) as server:
        summary = go(server, *words, cwd=tmp_path, codes=(3,))
        ledger = server.ledger()
    assert summary["items"]["failed"] == 4
    assert Counter(line["prompt"] for line in ledger) == {row["text"]: 2 for row in rows(4)}
    assert {line["outcome"] for line in ledger} == {fault}
    for line in read_lines(tmp_path / "out.jsonl"):
        assert line["output"] is None
        assert line["error"]["kind"] not in {"internal", "exception"}
        assert len(line["error"]["message"]) > 20


def test_a_wait_that_nobody_grants_ends_its_own_item_only(tmp_path):
    write_lines(tmp_path / "in.jsonl", rows(40))
    with serving(share=1.0, faults=["429"], faulty=1, forms=["huge"]) as server:
        go(server, "-j", 5, cwd=tmp_path, codes=(3,))
        ledger = server.ledger()
    assert len(ledger) == 40
    (failed,) = (line for line in read_lines(tmp_path / "out.jsonl") if line["error"])
    assert failed["error"]["kind"] == "parked"
    assert "1000000000 s" in failed["error"]["message"]


STREAMING = """
import asyncio, json, sys
import fanwise as fw

async def main():
    shown = {}

    async def ask(ctx, row):
        shown[row["id"]] = []
        on_delta = lambda delta: shown[row["id"]].append((delta.kind, delta.text))
        return await ctx.call("openai/one", row["text"], on_delta=on_delta)

    rows = [{"id": f"i{n}", "text": f"stream {n} " + "word " * 20} for n in range(40)]
    timeouts = fw.types.Timeouts(between_chunks_s=0.6, first_byte_s=0.6)
    retry = fw.Retry(max_attempts=8, base_s=0.05)
    how = dict(journal=":memory:", base_url=sys.argv[1], timeouts=timeouts, retry=retry)
    async with fw.open_run("streams", **how) as run:
        for outcome in await run.map(ask, rows).collect():
            print(json.dumps([outcome.item["text"], outcome.value, shown[outcome.item_id]]))

asyncio.run(main())
"""


def test_a_stream_that_breaks_is_begun_anew_and_what_was_shown_of_it_is_void(tmp_path):
    faults = ["short_body", "truncated_json", "body_stall", "duplicate", "reset", "stall", "500"]
    with serving(share=0.4, faults=faults, stall_s=20, seed=2) as server:
        done = subprocess.run(
            [sys.executable, "-c", STREAMING, server.base_url],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=tmp_path,
            env=environment(),
        )
        broken = sum(line["outcome"] != "served" for line in server.ledger())
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == 40
    assert broken > 10
    restarts = 0
    for text, value, deltas in results:
        assert value == text_of("one", text)
        last = max((n for n, (kind, _) in enumerate(deltas) if kind == "restart"), default=-1)
        assert "".join(piece for _, piece in deltas[last + 1 :]) == value
        restarts += sum(kind == "restart" for kind, _ in deltas)
    assert restarts > 3
