"""Model names in every accepted spelling."""

import pytest

from fanwise.errors import ConfigError
from fanwise.models.names import canonical_model, endpoint_path, split_model


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("openai/gpt-4o-mini", ("openai", "gpt-4o-mini")),
        ("openai:gpt-4o-mini", ("openai", "gpt-4o-mini")),
        ("OpenAI/gpt-4o", ("openai", "gpt-4o")),
        ("ollama/llama3:8b", ("ollama", "llama3:8b")),
        ("ollama:llama3:8b", ("ollama", "llama3:8b")),
        ("openrouter/openai/gpt-4o", ("openrouter", "openai/gpt-4o")),
        ("openrouter:openai/gpt-4o", ("openrouter", "openai/gpt-4o")),
    ],
)
def test_the_first_mark_divides_a_name(name, parts):
    assert split_model(name) == parts


@pytest.mark.parametrize("name", ["", "gpt-4o", "/gpt-4o", "openai/", ":x", " / "])
def test_a_name_needs_both_parts(name):
    with pytest.raises(ConfigError, match="names no model"):
        split_model(name)


def test_a_bare_model_is_asked_back_about():
    with pytest.raises(ConfigError, match=r"did you mean openai/gpt-4o\?"):
        split_model("gpt-4o")


def test_one_spelling_stands_for_all():
    assert canonical_model("openai:gpt-4o") == "openai/gpt-4o"
    assert canonical_model("ollama/llama3:8b") == "ollama/llama3:8b"
    assert canonical_model("mine") == "mine"


def test_an_endpoint_is_the_same_with_and_without_its_version():
    assert endpoint_path("/v1/chat/completions") == endpoint_path("chat/completions")
