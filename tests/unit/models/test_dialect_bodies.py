"""What each dialect of its own makes of a request."""

import orjson
import pytest

from fanwise.errors import PlanError
from fanwise.models.anthropic_messages import MessagesDialect, usage_of_message
from fanwise.models.gemini import GeminiDialect, usage_of_gemini
from fanwise.models.openai_chat import ChatDialect
from fanwise.models.openai_responses import ResponsesDialect
from fanwise.models.structured import schema_of
from fanwise.records import Message, Request, Schema, Usage, assistant, system, user

TURNS = (system("Be brief."), user("a"), Message(role="developer", content="In French."), user("b"))
IMAGE = [
    {"type": "text", "text": "What is it?"},
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
]
LINKED = [{"type": "image_url", "image_url": "https://h/x.png"}]
DIALECTS = {
    "chat": ChatDialect,
    "responses": ResponsesDialect,
    "messages": MessagesDialect,
    "gemini": GeminiDialect,
}


def body(name, *, model="m", messages=TURNS, stream=False, **parts):
    request = Request(model=f"p/{model}", messages=messages, **parts)
    return orjson.loads(DIALECTS[name](model).encode(request, stream=stream))


def schema(definition):
    return Schema(name="s", definition=definition)


CLOSED = {
    "type": "object",
    "properties": {"n": {"type": "integer", "minimum": 1}, "k": {"const": "x"}},
    "required": ["n", "k"],
    "additionalProperties": False,
}


def test_anthropic_takes_the_task_apart_from_the_turns():
    found = body("messages")
    assert found["system"] == "Be brief.\n\nIn French."
    assert found["messages"] == [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]


def test_gemini_takes_the_task_apart_from_the_turns():
    found = body("gemini", messages=(*TURNS, assistant("c")))
    assert found["systemInstruction"] == {"parts": [{"text": "Be brief."}, {"text": "In French."}]}
    assert [turn["role"] for turn in found["contents"]] == ["user", "user", "model"]
    assert "generationConfig" not in found
    assert "model" not in found


@pytest.mark.parametrize(
    ("model", "tokens"),
    [("claude-sonnet-4-5", 8192), ("claude-3-haiku-20240307", 4096), ("claude-3-5-haiku", 8192)],
)
def test_anthropic_is_told_a_cap_where_none_was_given(model, tokens):
    assert body("messages", model=model)["max_tokens"] == tokens


@pytest.mark.parametrize("given", ["max_tokens", "max_completion_tokens", "max_output_tokens"])
@pytest.mark.parametrize(
    ("name", "own"), [("messages", "max_tokens"), ("responses", "max_output_tokens")]
)
def test_the_cap_goes_by_the_name_of_the_dialect(name, own, given):
    found = body(name, parameters={given: 7})
    assert found[own] == 7
    assert given == own or given not in found


def test_geminis_parameters_go_where_it_has_them():
    found = body(
        "gemini",
        parameters={
            "max_tokens": 7,
            "temperature": 0.5,
            "top_p": 0.9,
            "stop": "END",
            "safetySettings": [],
            "generationConfig": {"thinkingConfig": {"thinkingBudget": 0}},
        },
    )
    assert found["generationConfig"] == {
        "maxOutputTokens": 7,
        "temperature": 0.5,
        "topP": 0.9,
        "stopSequences": ["END"],
        "thinkingConfig": {"thinkingBudget": 0},
    }
    assert found["safetySettings"] == []


def test_a_schema_that_anthropic_can_hold_to_is_the_answers_format():
    found = body("messages", model="claude-sonnet-4-5", schema=schema(CLOSED))
    sent = found["output_config"]["format"]["schema"]
    assert sent["properties"] == {"n": {"type": "integer"}, "k": {"const": "x"}}
    assert sent["additionalProperties"] is False
    assert "tools" not in found


def test_a_format_is_set_beside_what_else_the_output_is_told():
    found = body("messages", schema=schema(CLOSED), parameters={"output_config": {"effort": "low"}})
    assert set(found["output_config"]) == {"effort", "format"}


RECURSIVE = {
    "type": "object",
    "properties": {"below": {"$ref": "#/$defs/node"}},
    "required": ["below"],
    "additionalProperties": False,
    "$defs": {
        "node": {
            "type": "object",
            "properties": {"below": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
            "required": ["below"],
            "additionalProperties": False,
        }
    },
}


@pytest.mark.parametrize(
    ("model", "definition"),
    [
        ("claude-sonnet-4-5", {"type": "object"}),
        ("claude-sonnet-4-5", RECURSIVE),
        ("claude-sonnet-4-5", {**CLOSED, "patternProperties": {"^x": {}}}),
        ("claude-3-5-sonnet-20241022", CLOSED),
        ("claude-sonnet-4-20250514", CLOSED),
        ("claude-opus-4-0", CLOSED),
    ],
)
def test_any_other_schema_is_a_tool_that_has_to_be_called(model, definition):
    found = body("messages", model=model, schema=schema(definition))
    assert found["tools"][0]["input_schema"] == definition
    assert found["tool_choice"]["name"] == found["tools"][0]["name"] == "s"
    assert "output_config" not in found


@pytest.mark.parametrize("model", ["claude-opus-4-1", "claude-haiku-4-5-20251001", "claude-opus-5"])
def test_newer_models_know_formats(model):
    assert "output_config" in body("messages", model=model, schema=schema(CLOSED))


def test_the_schema_of_a_type_fits_as_a_format():
    found = body("messages", model="claude-sonnet-4-5", schema=schema_of(list[int]))
    assert "output_config" in found


def test_gemini_is_told_only_what_it_knows_of_schemas():
    found = body("gemini", schema=schema({**CLOSED, "$schema": "x", "minProperties": 1}))
    config = found["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    sent = config["responseJsonSchema"]
    assert sent["properties"] == {"n": {"type": "integer", "minimum": 1}, "k": {"enum": ["x"]}}
    assert not {"$schema", "minProperties"} & set(sent)


def test_responses_store_nothing_unless_asked_to():
    assert body("responses")["store"] is False
    assert body("responses", parameters={"store": True})["store"] is True


def test_a_format_of_responses_is_set_beside_what_else_the_text_is_told():
    found = body("responses", schema=schema(CLOSED), parameters={"text": {"verbosity": "low"}})
    assert found["text"]["verbosity"] == "low"
    assert found["text"]["format"]["name"] == "s"


def test_content_parts_go_by_the_names_of_the_dialect():
    shown = {name: body(name, messages=[user(IMAGE)]) for name in DIALECTS}
    assert shown["chat"]["messages"][0]["content"] == IMAGE
    assert shown["responses"]["input"][0]["content"] == [
        {"type": "input_text", "text": "What is it?"},
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
    ]
    source = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
    assert shown["messages"]["messages"][0]["content"] == [
        {"type": "text", "text": "What is it?"},
        {"type": "image", "source": source},
    ]
    assert shown["gemini"]["contents"][0]["parts"] == [
        {"text": "What is it?"},
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
    ]


def test_an_image_at_an_address_is_left_there():
    anthropic = body("messages", messages=[user(LINKED)])["messages"][0]["content"]
    assert anthropic[0]["source"] == {"type": "url", "url": "https://h/x.png"}
    gemini = body("gemini", messages=[user(LINKED)])["contents"][0]["parts"]
    assert gemini == [{"fileData": {"fileUri": "https://h/x.png"}}]


def test_parts_in_the_providers_own_form_stay_as_they_are():
    own = [{"type": "document", "source": {"type": "text", "data": "x"}}]
    assert body("messages", messages=[user(own)])["messages"][0]["content"] == own
    assert body("gemini", messages=[user([{"text": "x"}])])["contents"][0]["parts"] == [
        {"text": "x"}
    ]


@pytest.mark.parametrize(
    ("name", "parameter"),
    [
        ("messages", "system"),
        ("messages", "stream"),
        ("gemini", "contents"),
        ("responses", "input"),
    ],
)
def test_what_the_call_itself_sets_is_no_parameter(name, parameter):
    with pytest.raises(PlanError, match=parameter):
        body(name, parameters={parameter: 1})


@pytest.mark.parametrize("name", ["messages", "gemini"])
def test_a_role_that_the_provider_lacks_is_refused_with_a_way_out(name):
    with pytest.raises(PlanError, match="tool") as caught:
        body(name, messages=[Message(role="tool", content="x")])
    assert "part" in caught.value.hint


@pytest.mark.parametrize("name", ["chat", "responses", "messages", "gemini"])
def test_a_body_of_ones_own_may_not_ask_for_a_stream(name):
    with pytest.raises(PlanError, match="stream"):
        body(name, body={"stream": True})


@pytest.mark.parametrize("name", ["messages", "gemini"])
def test_a_body_for_another_dialect_is_not_sent(name):
    request = Request(model="p/m", body={"messages": []}, endpoint="/v1/chat/completions")
    with pytest.raises(PlanError) as caught:
        DIALECTS[name]("m").url("https://h/v1", request, stream=False)
    assert "openai/MODEL" in caught.value.hint


@pytest.mark.parametrize("model", ["../files", "a/b", "m:generateContent?x=", "", "a b"])
def test_a_models_name_leads_nowhere_else(model):
    with pytest.raises(PlanError):
        GeminiDialect(model).url("https://h/v1beta", Request(model="gemini/x"), stream=False)


def test_geminis_address_keeps_the_query_of_the_base_url():
    request = Request(model="gemini/m")
    dialect = GeminiDialect("m")
    assert dialect.url("https://h?a=1", request, stream=True) == (
        "https://h/v1beta/models/m:streamGenerateContent?a=1&alt=sse"
    )
    assert dialect.url("https://h/proxy", request, stream=False) == (
        "https://h/proxy/models/m:generateContent"
    )


def test_what_was_not_counted_stays_unknown():
    assert usage_of_message(None) == Usage()
    assert usage_of_message({"input_tokens": "7"}) == Usage()
    assert usage_of_gemini({}) == Usage()
    assert usage_of_gemini({"promptTokenCount": 3, "totalTokenCount": 3}) == Usage(
        input_tokens=3, output_tokens=0
    )
