"""Models to choose from in a form: what works here at once, and whose keys are at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fanwise.models.providers import PROVIDERS

_REHEARSALS = ("sim/default", "sim/fast", "sim/slow", "sim/limited", "sim/flaky")
_RULES = "builtin/rules"
_CHOSEN = "FANWISE_MODEL"


def model_suggestions(env: Mapping[str, str], *, rules: bool) -> Sequence[str]:
    """Names, and beginnings of names, of models that can be asked.

    Args:
        env: Where keys are; only whether they are there is looked at.
        rules: Whether the pipeline has rules of its own.
    """
    chosen = [env[_CHOSEN]] if env.get(_CHOSEN) else []
    reached = [
        f"{provider.name}/"
        for provider in PROVIDERS
        if any(env.get(name) for name in (provider.key_env, *provider.more_key_envs))
        or (not provider.needs_key and env.get(provider.base_url_env))
    ]
    return [*chosen, *([_RULES] if rules else []), *reached, *_REHEARSALS]
