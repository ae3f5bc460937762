import io
import json

import pytest

from fanwise.errors import ConfigError, InputError
from fanwise.pipelines.prompts.job import PromptsJob
from fanwise.pipelines.prompts.template import Prompt

ASK = Prompt("Say {{ x }}")


def table(tmp_path, *rows, name="in.jsonl"):
    path = tmp_path / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def line(custom_id, **more):
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}
    return {
        "custom_id": custom_id,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": body,
        **more,
    }


def test_an_item_is_a_row_for_one_model_and_one_prompt(tmp_path):
    job = PromptsJob(
        source=table(tmp_path, {"id": "a", "x": 1}, {"id": "b", "x": 2}),
        prompts=[ASK],
        models=["openai:gpt-4o"],
    )
    assert [(item.id, item.model) for item in job.items()] == [
        ("a", "openai/gpt-4o"),
        ("b", "openai/gpt-4o"),
    ]
    assert job.count() == 2


def test_ids_say_which_model_and_which_prompt(tmp_path):
    source = table(tmp_path, {"id": "a", "x": 1})
    models = ["openai/m", "sim/fast"]
    job = PromptsJob(source=source, prompts=[ASK], models=models)
    assert [item.id for item in job.items()] == ["a@openai/m", "a@sim/fast"]
    prompts = [Prompt("Say {{ x }}", name="say"), Prompt("Sing {{ x }}", name="sing")]
    job = PromptsJob(source=source, prompts=prompts, models=models[:1])
    assert [item.id for item in job.items()] == ["a@openai/m#say", "a@openai/m#sing"]
    job = PromptsJob(source=source, prompts=prompts, models=models)
    assert job.count() == len({item.id for item in job.items()}) == 4


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"prompts": [ASK]}, "no model"),
        ({"prompts": [ASK], "models": ["openai/m", "openai:m"]}, "given twice"),
        ({"prompts": [ASK, Prompt("Say {{ x }}")], "models": ["openai/m"]}, "given twice"),
        ({"prompts": [ASK], "models": ["builtin/rules"]}, "no rules"),
    ],
)
def test_an_impossible_job_is_refused_at_construction(options, word):
    with pytest.raises(ConfigError, match=word) as caught:
        PromptsJob(source="-", **options)
    assert caught.value.hint


def test_a_column_missing_in_the_first_row_is_found_before_anything_is_sent(tmp_path):
    source = table(tmp_path, {"question": "q"})
    job = PromptsJob(source=source, prompts=[Prompt("{{ questoin }}")], models=["openai/m"])
    with pytest.raises(InputError, match=r"in\.jsonl, line 1.*questoin") as caught:
        job.count()
    assert "did you mean question" in caught.value.hint


def test_what_is_wrong_at_the_end_of_the_file_is_found_before_anything_is_sent(tmp_path):
    job = PromptsJob(
        source=table(tmp_path, {"id": 1, "x": 1}, {"id": 2, "x": 1}, {"id": 1, "x": 1}),
        prompts=[ASK],
        models=["openai/m"],
    )
    with pytest.raises(InputError, match="lines 1 and 3"):
        job.count()


def test_rows_without_a_prompt_are_refused(tmp_path):
    job = PromptsJob(source=table(tmp_path, {"x": 1}), models=["openai/m"])
    with pytest.raises(InputError, match="no prompt"):
        job.count()


def test_batch_lines_go_to_the_provider_with_their_own_model(tmp_path):
    source = table(tmp_path, line("a"), line("b", body={"model": "org/llama", "messages": []}))
    items = list(PromptsJob(source=source).items())
    assert [(i.id, i.model, i.batch) for i in items] == [
        ("a", "openai/gpt-4o-mini", "openai"),
        ("b", "openai/org/llama", "openai"),
    ]
    items = list(PromptsJob(source=source, models=["groq/other"]).items())
    assert [i.model for i in items] == ["groq/gpt-4o-mini", "groq/org/llama"]


def test_a_batch_line_without_a_model_gets_the_one_that_was_given(tmp_path):
    source = table(tmp_path, line("a", body={"messages": []}))
    (item,) = PromptsJob(source=source, models=["groq/other"]).items()
    assert item.model == "groq/other"
    with pytest.raises(InputError, match="names no model"):
        PromptsJob(source=source).count()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"prompts": [ASK], "models": ["openai/m"]}, "bring their own"),
        ({"schema": {"type": "object"}}, "bring their own"),
        ({"models": ["openai/a", "openai/b"]}, "one provider"),
    ],
)
def test_batch_lines_take_no_prompts_and_one_provider(tmp_path, options, word):
    with pytest.raises(InputError, match=word):
        PromptsJob(source=table(tmp_path, line("a")), **options).count()


def test_one_file_holds_rows_or_batch_lines(tmp_path):
    job = PromptsJob(source=table(tmp_path, line("a"), {"x": 1}))
    with pytest.raises(InputError, match="line 2: the first line is a Batch line"):
        job.count()


def test_anthropic_lines_go_to_anthropic_unless_told_otherwise(tmp_path):
    source = tmp_path / "batch.jsonl"
    source.write_text('{"custom_id": "a", "params": {"model": "claude"}}\n', encoding="utf-8")
    (item,) = PromptsJob(source=source).items()
    assert item.model == "anthropic/claude"


def test_anthropic_lines_are_recognised(tmp_path):
    source = table(tmp_path, {"custom_id": "a", "params": {"model": "claude", "messages": []}})
    (item,) = PromptsJob(source=source, models=["anthropic/x"]).items()
    assert (item.id, item.model, item.batch) == ("a", "anthropic/claude", "anthropic")


def test_standard_input_is_read_once(tmp_path):
    job = PromptsJob(
        source="-", stdin=io.BytesIO(b'{"x": 1}\n'), prompts=[ASK], models=["openai/m"]
    )
    assert not job.rereadable
    assert len(list(job.items())) == 1
    assert PromptsJob(source=table(tmp_path, {"x": 1})).rereadable
