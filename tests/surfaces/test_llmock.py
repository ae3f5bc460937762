"""Against llmock, a provider that nobody here wrote: it breaks on demand and grades its client.

The `llmock` fixture is its own pytest plugin's: a real server on loopback, clean for each test.
"""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import pytest
from pydantic import BaseModel

import fanwise as fw
from fanwise.errors import AttemptTimeout, Parked, Rejected, ServerError
from fanwise.models.http.transport import open_transport
from fanwise.models.registry import Registry
from fanwise.models.structured import parse, schema_of
from fanwise.records import Delta, Failure, Request, Response, Timeouts

MODEL = "openai/gpt-4o-mini"
SHORT = Timeouts(between_chunks_s=0.3, attempt_s=10.0)
# Waits as short as the server's clock can tell apart.
QUICK = fw.Retry(base_s=0.2, cap_s=0.4)


class Invoice(BaseModel):
    number: str
    total: float
    lines: list[str]
    paid: bool | None = None


@asynccontextmanager
async def endpoint(llmock, model=MODEL, **options):
    """An endpoint on its own: one attempt, no retry."""
    registry = Registry(open_transport, env={"OPENAI_API_KEY": "test"})
    try:
        yield registry.resolve(model, base_url=llmock.base_url(), **options)
    finally:
        await registry.aclose()


async def once(llmock, *, request=None, tokens=None):
    request = request or Request(model=MODEL, messages=[fw.user("Write a haiku")])
    async with endpoint(llmock) as model:
        on_token = None if tokens is None else tokens.append
        return await model.send(request, timeouts=SHORT, on_token=on_token)


def run_at(llmock, **options):
    """A run whose openai/… models are served by llmock."""
    return fw.open_run(
        "llmock",
        journal=":memory:",
        base_url=llmock.base_url(),
        env={"OPENAI_API_KEY": "test"},
        timeouts=SHORT,
        **{"retry": QUICK, **options},
    )


async def asked(llmock, *, items=("Write a haiku",), deltas=None, schema=None, **options):
    """The outcomes of a run that asks one question an item."""

    async def ask(ctx: fw.Context, prompt: str):
        on_delta = None if deltas is None else deltas.append
        return await ctx.call(MODEL, prompt, schema=schema, on_delta=on_delta)

    async with run_at(llmock, **options) as run:
        return await run.map(ask, items).collect()


# ── one attempt ──────────────────────────────────────────────────────────────────────────────


async def test_a_plain_answer(llmock):
    llmock.reply("An old silent pond")
    answer = await once(llmock)
    assert (answer.text, answer.finish_reason) == ("An old silent pond", "stop")
    assert answer.usage.input_tokens
    assert answer.usage.output_tokens
    assert llmock.last_request.path == "/v1/chat/completions"


async def test_an_answer_under_a_schema(llmock):
    schema = schema_of(Invoice)
    request = Request(model=MODEL, messages=[fw.user("Invoice?")], schema=schema)
    answer = await once(llmock, request=request)
    parsed = parse(answer.text, schema)
    assert isinstance(parsed.value, Invoice)
    assert not parsed.repaired


async def test_a_streamed_answer(llmock):
    tokens = []
    llmock.reply("An old silent pond. A frog jumps into the pond.")
    answer = await once(llmock, tokens=tokens)
    assert "".join(tokens) == answer.text == "An old silent pond. A frog jumps into the pond."
    assert len(tokens) > 1
    assert answer.usage.output_tokens
    assert answer.first_token_s is not None


async def test_a_batch_line_is_answered_whole(llmock):
    request = Request(
        model=MODEL,
        endpoint="/v1/embeddings",
        body={"model": "text-embedding-3-small", "input": "hello"},
    )
    answer = await once(llmock, request=request)
    assert answer.body["data"][0]["embedding"]
    assert answer.usage.input_tokens


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429, 500, 502, 503, 529])
@pytest.mark.parametrize("streamed", [False, True])
async def test_an_error_status_is_a_failure_with_its_evidence(llmock, status, streamed):
    llmock.fail(status, message="by order of the test", retry_after=2 if status == 429 else None)
    failure = await once(llmock, tokens=[] if streamed else None)
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.status) == ("status", status)
    assert "by order of the test" in failure.message
    if status == 429:
        assert failure.headers["retry-after"] == "2"


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("disconnect", "reset"),
        ("truncate", "protocol"),
        ("corrupt", "protocol"),
        ("stall", "timeout"),
    ],
)
async def test_a_broken_stream_is_a_failure(llmock, fault, kind):
    getattr(llmock, fault)(after_chunks=2)
    tokens = []
    failure = await once(llmock, tokens=tokens)
    assert isinstance(failure, Failure)
    assert failure.kind == kind
    assert tokens


async def test_a_wrong_path_is_a_404_that_says_so(llmock):
    registry = Registry(open_transport, env={})
    model = registry.resolve(MODEL, base_url=f"{llmock.url}/no/such/path")
    request = Request(model=MODEL, messages=[fw.user("x")])
    failure = await model.send(request, timeouts=SHORT)
    await registry.aclose()
    assert (failure.kind, failure.status) == ("status", 404)


async def test_a_base_url_without_its_version_works(llmock):
    registry = Registry(open_transport, env={})
    model = registry.resolve(MODEL, base_url=llmock.url)
    answer = await model.send(Request(model=MODEL, messages=[fw.user("x")]), timeouts=SHORT)
    await registry.aclose()
    assert isinstance(answer, Response)


# ── whole runs, and llmock's verdict on them ─────────────────────────────────────────────────


async def test_many_calls_are_answered_once_each(llmock):
    outcomes = await asked(
        llmock, items=[f"Question {number}" for number in range(100)], retry=fw.Retry()
    )
    assert all(outcome.ok for outcome in outcomes)
    verdict = llmock.verdict()
    assert (len(verdict.calls), verdict.attempts) == (100, 100)
    verdict.assert_ok(strict=True)


async def test_a_value_under_a_schema(llmock):
    [outcome] = await asked(llmock, schema=Invoice)
    assert isinstance(outcome.value, Invoice)


async def test_an_answer_that_does_not_fit_is_asked_for_again(llmock):
    llmock.reply('{"number": "7"')
    [outcome] = await asked(llmock, schema=Invoice)
    assert isinstance(outcome.value, Invoice)
    again = llmock.requests[1].body["messages"]
    assert "$" in again[-1]["content"]


async def test_rate_limits_are_waited_out(llmock):
    llmock.rate_limit(times=3, retry_after=0.2)
    outcomes = await asked(llmock, items=["one", "two", "three"])
    assert all(outcome.ok for outcome in outcomes)
    llmock.assert_resilient(strict=True)


@pytest.mark.parametrize("status", [500, 503])
async def test_passing_failures_are_retried_with_backoff(llmock, status):
    llmock.fail(status, times=2)
    [outcome] = await asked(llmock)
    assert outcome.ok
    assert outcome.attempts == 3
    codes = {finding.code for finding in llmock.verdict().findings}
    assert codes <= {"no_backoff"}, llmock.verdict().render()


@pytest.mark.parametrize("status", [400, 403, 404, 422])
async def test_what_cannot_succeed_is_sent_once(llmock, status):
    llmock.fail(status, times=None)
    [outcome] = await asked(llmock)
    assert isinstance(outcome.error, Rejected)
    assert outcome.error.status == status
    assert llmock.verdict().attempts == 1
    llmock.assert_resilient(strict=True)


async def test_a_key_that_is_refused_ends_the_run_at_once(llmock):
    llmock.fail(401, times=None)
    items = [f"Question {number}" for number in range(50)]
    with pytest.raises(Rejected, match="refused the key"):
        await asked(llmock, items=items, limits=fw.Limits(concurrency=1))
    assert llmock.verdict().attempts <= 2
    llmock.assert_resilient(strict=True)


async def test_a_prompt_that_is_too_long_is_sent_once(llmock):
    llmock.context_overflow(times=None)
    [outcome] = await asked(llmock)
    assert isinstance(outcome.error, Rejected)
    assert "maximum context length" in outcome.error.message
    assert llmock.verdict().attempts == 1


@pytest.mark.parametrize(("status", "kind"), [(500, ServerError), (503, Parked)])
async def test_an_outage_is_given_up_without_a_storm(llmock, status, kind):
    llmock.outage(status=status)
    [outcome] = await asked(llmock, retry=fw.Retry(base_s=0.01, cap_s=0.02, patience_s=2.0))
    assert isinstance(outcome.error, kind)
    assert outcome.error.status == status
    codes = {finding.code for finding in llmock.verdict().findings}
    assert not codes & {"gave_up", "retry_storm"}, llmock.verdict().render()


@pytest.mark.parametrize("fault", ["disconnect", "truncate", "corrupt", "stall"])
async def test_a_broken_stream_is_begun_again_and_says_so(llmock, fault):
    getattr(llmock, fault)(after_chunks=2)
    llmock.reply("An old silent pond. A frog jumps into the pond.", times=2)
    deltas: list[Delta] = []
    [outcome] = await asked(llmock, deltas=deltas)
    assert outcome.value == "An old silent pond. A frog jumps into the pond."
    restarts = [place for place, delta in enumerate(deltas) if delta.kind == "restart"]
    assert len(restarts) == 1
    shown = "".join(delta.text for delta in deltas[restarts[0] + 1 :])
    assert shown == outcome.value
    # A server that has written all of a corrupted stream before it sees the connection close warns
    # that nobody stopped reading; which of the two comes first is chance.
    llmock.assert_resilient(strict=fault != "corrupt")


async def test_a_stream_that_never_gets_whole_is_never_accepted(llmock):
    llmock.truncate(after_chunks=2, times=None)
    [outcome] = await asked(llmock, deltas=[])
    assert not outcome.ok
    assert "ends before the answer does" in outcome.error.message
    assert llmock.verdict().attempts == 3


async def test_a_stall_that_lasts_is_a_timeout(llmock):
    llmock.stall(after_chunks=1, times=None)
    [outcome] = await asked(llmock, deltas=[], retry=fw.Retry(max_attempts=1))
    assert isinstance(outcome.error, AttemptTimeout)
    assert "no_read_timeout" not in {finding.code for finding in llmock.verdict().findings}


async def test_an_agreed_rate_is_kept(llmock):
    llmock.limits(rpm=1200)
    outcomes = await asked(
        llmock,
        items=[f"Question {number}" for number in range(40)],
        limits=fw.Limits(concurrency=20, rpm=1200),
    )
    assert all(outcome.ok for outcome in outcomes)
    llmock.assert_resilient(strict=True)


# ── the program ──────────────────────────────────────────────────────────────────────────────


def test_the_program_asks_for_every_row(llmock, fanwise, tmp_path):
    rows = [{"id": f"r{number}", "topic": f"topic {number}"} for number in range(20)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    schema = {
        "type": "object",
        "properties": {"title": {"type": "string"}, "words": {"type": "integer"}},
        "required": ["title", "words"],
    }
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    llmock.rate_limit(times=2, retry_after=0.1)
    common = ("--base-url", llmock.base_url(), "--quiet")
    env = {"OPENAI_API_KEY": "test"}
    plain = fanwise(
        "run", "rows.jsonl", "-m", MODEL, "-p", "About {{ topic }}", "-o", "plain.jsonl", *common,
        env=env,
    )  # fmt: skip
    assert plain.returncode == 0, plain.stderr
    typed = fanwise(
        "run", "rows.jsonl", "-m", MODEL, "-p", "A title for {{ topic }}", "--schema",
        "schema.json", "-o", "typed.jsonl", *common, env=env,
    )  # fmt: skip
    assert typed.returncode == 0, typed.stderr
    for name, kind in (("plain.jsonl", str), ("typed.jsonl", dict)):
        lines = [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]
        assert sorted(line["id"] for line in lines) == sorted(row["id"] for row in rows)
        assert all(isinstance(line["output"], kind) for line in lines)
    llmock.assert_resilient(strict=True)
