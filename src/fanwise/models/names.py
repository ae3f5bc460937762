"""How models are named: ``provider/model``, also written ``provider:model``."""

from __future__ import annotations

from fanwise.errors import ConfigError

_HOW = "write provider/model, such as openai/gpt-4o-mini; `fanwise models` lists the providers"


def split_model(model: str) -> tuple[str, str]:
    """The provider and the model of a name.

    The first ``/`` or ``:`` divides them, so that ``ollama/llama3:8b`` and
    ``openrouter/openai/gpt-4o`` keep the rest of theirs.

    Raises:
        ConfigError: The name has no two parts.
    """
    slash, colon = model.find("/"), model.find(":")
    if slash < 0 or 0 <= colon < slash:
        slash = colon
    provider, name = model[: max(slash, 0)].strip().lower(), model[slash + 1 :].strip()
    if slash < 0 or not provider or not name:
        raise ConfigError(
            f"{model!r} names no model: the provider or the model is missing",
            hint=f"did you mean openai/{model}? {_HOW}" if slash < 0 and model.strip() else _HOW,
        )
    return provider, name


def canonical_model(model: str) -> str:
    """``provider/model`` of any accepted spelling; a name without a provider stays as it is."""
    slash, colon = model.find("/"), model.find(":")
    if colon >= 0 and (slash < 0 or colon < slash):
        return f"{model[:colon]}/{model[colon + 1 :]}"
    return model


def endpoint_path(endpoint: str) -> str:
    """An endpoint's path below the base URL: ``/v1/chat/completions`` is ``chat/completions``."""
    return endpoint.strip("/").removeprefix("v1/")
