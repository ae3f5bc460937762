"""Jobs through the engine, over models of our own: no network, no waiting."""

import asyncio
import functools
import io
import json
import random

import pytest
from pydantic import BaseModel

import fanwise as fw
from fanwise.errors import ConfigError, InputError, Rejected, StateError
from fanwise.journal.memory_home import MemoryHome
from fanwise.pipelines.prompts.execute import execute, plan
from fanwise.pipelines.prompts.job import PromptsJob
from fanwise.pipelines.prompts.output import OutputFile
from fanwise.pipelines.prompts.template import Prompt
from fanwise.records import Response, Usage


class Model:
    """Answers ``re: PROMPT``; fails prompts that it was told to fail."""

    def __init__(self, *, failing=(), text=None):
        self.failing = set(failing)
        self.text = text
        self.requests = []

    async def __call__(self, request):
        self.requests.append(request)
        await asyncio.sleep(0)
        if request.body is not None:
            content = request.body["messages"][0]["content"]
            if content in self.failing:
                raise Rejected("this one is refused", status=400)
            answer = {"choices": [{"message": {"content": f"re: {content}"}}]}
            return Response(text="", status=200, request_id="req", body=answer, usage=Usage())
        prompt = str(request.messages[-1].content)
        if prompt in self.failing:
            raise Rejected("this one is refused", status=400)
        text = self.text or f"re: {prompt}"
        return Response(text=text, value=text, usage=Usage(input_tokens=5, output_tokens=2))

    @property
    def prompts(self):
        return [str(request.messages[-1].content) for request in self.requests]


@pytest.fixture
def home():
    return MemoryHome()


def opener(home, model, **options):
    options = {"resume": "never", "chance": random.Random(1), **options}
    models = {"test/m": model, "test/n": model}
    return functools.partial(fw.open_run, journal=home, models=models, **options)


def table(tmp_path, *rows):
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def job_of(source, **options):
    return PromptsJob(
        **{"source": source, "prompts": [Prompt("{{ x }}")], "models": ["test/m"], **options}
    )


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def rows(count):
    return [{"id": f"r{n}", "x": f"q{n}"} for n in range(count)]


async def test_every_row_has_one_line(tmp_path, home):
    out = tmp_path / "out.jsonl"
    result = await execute(
        job_of(table(tmp_path, *rows(300))),
        open_run=opener(home, Model(failing=["q7"])),
        output=OutputFile(out),
    )
    found = {line["id"]: line for line in lines(out)}
    assert len(found) == len(lines(out)) == 300
    assert found["r3"]["output"] == "re: q3"
    assert found["r3"]["item"] == {"id": "r3", "x": "q3"}
    assert found["r3"]["usage"] == {"input_tokens": 5, "output_tokens": 2}
    assert found["r7"]["output"] is None
    assert found["r7"]["error"]["status"] == 400
    assert (result.status, result.succeeded, result.failed) == ("completed", 299, 1)
    assert result.request_counts == {"total": 300, "completed": 299, "failed": 1}
    json.dumps(result.as_json())


async def test_lines_come_in_the_order_of_the_source_where_asked(tmp_path, home):
    out = tmp_path / "out.jsonl"
    job = job_of(table(tmp_path, *rows(200)), models=["test/m", "test/n"])
    await execute(job, open_run=opener(home, Model()), output=OutputFile(out), ordered=True)
    assert [line["id"] for line in lines(out)] == [
        f"r{n}@{model}" for n in range(200) for model in ("test/m", "test/n")
    ]


async def test_a_row_that_misses_a_later_column_fails_alone(tmp_path, home):
    out = tmp_path / "out.jsonl"
    source = table(tmp_path, {"id": "a", "x": 1}, {"id": "b", "y": 1})
    result = await execute(job_of(source), open_run=opener(home, Model()), output=OutputFile(out))
    assert (result.succeeded, result.failed) == (1, 1)
    error = next(line["error"] for line in lines(out) if line["id"] == "b")
    assert "'x'" in error["message"]


async def test_a_bad_last_row_costs_nothing(tmp_path, home):
    source = table(tmp_path, *rows(5))
    with source.open("a") as file:
        file.write('{"id": "half')
    model = Model()
    with pytest.raises(InputError, match="line 6"):
        await execute(job_of(source), open_run=opener(home, model))
    assert model.requests == []
    assert not home.runs()


@pytest.mark.parametrize("name", ["nothing.jsonl", "."])
async def test_a_source_that_is_no_file_opens_no_run(tmp_path, home, name):
    with pytest.raises(InputError):
        await execute(job_of(tmp_path / name), open_run=opener(home, Model()))
    assert not home.runs()


async def test_an_unusable_schema_costs_nothing(tmp_path, home):
    model = Model()
    job = job_of(table(tmp_path, *rows(2)), schema={"type": "nonsense"})
    with pytest.raises(ConfigError):
        await execute(job, open_run=opener(home, model))
    assert model.requests == []


class Verdict(BaseModel):
    good: bool


@pytest.mark.parametrize(
    "schema", [Verdict, Verdict.model_json_schema()], ids=["model", "definition"]
)
async def test_answers_of_a_schema_are_written_as_json(tmp_path, home, schema):
    out = tmp_path / "out.jsonl"
    await execute(
        job_of(table(tmp_path, *rows(2)), schema=schema),
        open_run=opener(home, Model(text='{"good": true}')),
        output=OutputFile(out),
    )
    assert [line["output"] for line in lines(out)] == [{"good": True}] * 2


def batch(count):
    return [
        {
            "custom_id": f"c{n}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": "m", "messages": [{"role": "user", "content": f"q{n}"}], "seed": n},
        }
        for n in range(count)
    ]


async def test_batch_lines_go_out_as_they_are(tmp_path, home):
    out = tmp_path / "out.jsonl"
    given = batch(50)
    model = Model(failing=["q7"])
    result = await execute(
        PromptsJob(source=table(tmp_path, *given), models=["test/n"]),
        open_run=opener(home, model),
        output=OutputFile(out),
    )
    sent = [request.body for request in model.requests]
    assert sorted(sent, key=lambda b: b["seed"]) == [line["body"] for line in given]
    assert {request.endpoint for request in model.requests} == {"chat/completions"}
    answers = {line["custom_id"]: line for line in lines(out)}
    assert len(answers) == 49
    assert answers["c3"]["response"] == {
        "status_code": 200,
        "request_id": "req",
        "body": {"choices": [{"message": {"content": "re: q3"}}]},
    }
    (failed,) = lines(tmp_path / "out.errors.jsonl")
    assert failed["custom_id"] == "c7"
    assert failed["response"]["status_code"] == 400
    assert result.request_counts == {"total": 50, "completed": 49, "failed": 1}
    assert result.error_file == str(tmp_path / "out.errors.jsonl")


async def test_two_lines_with_one_body_are_two_requests(tmp_path, home):
    one, two = batch(1)[0], batch(1)[0]
    two["custom_id"] = "again"
    model = Model()
    job = PromptsJob(source=table(tmp_path, one, two), models=["test/m"])
    await execute(job, open_run=opener(home, model), output=OutputFile(tmp_path / "o.jsonl"))
    assert len(model.requests) == 2
    assert {line["custom_id"] for line in lines(tmp_path / "o.jsonl")} == {"c0", "again"}


async def interrupted(tmp_path, home, model, count, *, after, **options):
    """A first session that ends early, as a drained run does."""
    out = OutputFile(tmp_path / "out.jsonl")
    runs = []

    class Opening:
        def __init__(self, name):
            self.opening = opener(home, model, limits=fw.Limits(concurrency=4))(name)

        async def __aenter__(self):
            runs.append(await self.opening.__aenter__())
            return runs[-1]

        async def __aexit__(self, *details):
            await self.opening.__aexit__(*details)

    seen = []

    def drain(outcome):
        seen.append(outcome.item_id)
        if len(seen) == after:
            runs[0].drain()

    job = job_of(table(tmp_path, *rows(count)))
    result = await execute(job, open_run=Opening, output=out, on_outcome=drain, **options)
    assert result.status == "incomplete"
    return result


@pytest.mark.parametrize("ordered", [False, True])
async def test_a_resumed_run_ends_with_one_line_an_item(tmp_path, home, ordered):
    model = Model(failing=["q2"])
    first = await interrupted(tmp_path, home, model, 60, after=20, ordered=ordered)
    path = tmp_path / "out.jsonl"
    before = lines(path)
    assert 20 <= len(before) < 60
    with path.open("ab") as file:
        file.write(b'{"id":"r5","ite')
    model.failing.clear()
    sent = len(model.requests)
    result = await execute(
        job_of(tmp_path / "in.jsonl"),
        open_run=opener(home, model, resume=first.run_id),
        output=OutputFile(path),
        home=home,
        ordered=ordered,
    )
    assert result.status == "completed"
    assert result.run_id == first.run_id
    assert (result.succeeded, result.failed) == (60, 0)
    ids = [line["id"] for line in lines(path)]
    assert sorted(ids) == sorted(f"r{n}" for n in range(60))
    if ordered:
        assert ids == [f"r{n}" for n in range(60)]
    assert all(line["error"] is None for line in lines(path))
    answered = sum(line["error"] is None for line in before)
    assert len(model.requests) - sent == 60 - answered


async def test_a_row_edited_or_removed_since_has_its_latest_line_only(tmp_path, home):
    model = Model()
    first = await interrupted(tmp_path, home, model, 60, after=40)
    done = [line["id"] for line in lines(tmp_path / "out.jsonl")]
    edited, removed = done[0], done[1]
    changed = [
        {**row, "x": "new words"} if row["id"] == edited else row
        for row in rows(60)
        if row["id"] != removed
    ]
    result = await execute(
        job_of(table(tmp_path, *changed)),
        open_run=opener(home, model, resume=first.run_id),
        output=OutputFile(tmp_path / "out.jsonl"),
        home=home,
    )
    found = {line["id"]: line for line in lines(tmp_path / "out.jsonl")}
    assert len(lines(tmp_path / "out.jsonl")) == len(found) == 59
    assert found[edited]["output"] == "re: new words"
    assert removed not in found
    assert result.stale == [removed]


async def test_a_resumed_run_writes_every_line_to_standard_output(tmp_path, home):
    model = Model()
    first = await interrupted(tmp_path, home, model, 40, after=10)
    out = io.BytesIO()
    await execute(
        job_of(tmp_path / "in.jsonl"),
        open_run=opener(home, model, resume=first.run_id),
        output=OutputFile("-", stdout=out),
    )
    assert len(out.getvalue().splitlines()) == 40


async def test_a_resumed_run_into_a_file_needs_its_journal(tmp_path, home):
    model = Model()
    first = await interrupted(tmp_path, home, model, 40, after=10)
    with pytest.raises(StateError, match="home"):
        await execute(
            job_of(tmp_path / "in.jsonl"),
            open_run=opener(home, model, resume=first.run_id),
            output=OutputFile(tmp_path / "out.jsonl"),
        )


async def test_standard_input_streams_into_a_run(tmp_path, home):
    stdin = io.BytesIO(b"x\none\ntwo\n")
    told = []

    async def listen(outcome):
        told.append(outcome.value)

    job = job_of("-", stdin=stdin)
    result = await execute(job, open_run=opener(home, Model()), on_outcome=listen)
    assert sorted(told) == ["re: one", "re: two"]
    assert result.output_file is None


async def test_equal_rows_are_items_of_their_own(tmp_path, home):
    same = {"x": "q"}
    out = tmp_path / "out.jsonl"
    job = job_of(table(tmp_path, same, same, same))
    await execute(job, open_run=opener(home, Model()), output=OutputFile(out))
    assert len({line["id"] for line in lines(out)}) == 3


async def test_a_plan_counts_calls_and_sends_nothing(tmp_path):
    job = job_of(table(tmp_path, *rows(20)), models=["openai/gpt-4o-mini", "groq/llama-3.1-8b"])
    planned = await plan(job)
    assert (planned.items, planned.calls, planned.at_least) == (40, 40, False)
    assert planned.models == {"openai/gpt-4o-mini": 20, "groq/llama-3.1-8b": 20}
    assert planned.input_tokens.low <= planned.input_tokens.likely <= planned.input_tokens.high
    planned = await plan(PromptsJob(source=table(tmp_path, *batch(3))))
    assert planned.models == {"openai/m": 3}
