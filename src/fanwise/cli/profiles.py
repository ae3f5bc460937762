"""``--opt``: sampling parameters, and for ``sim/`` models parts of their profile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fanwise.records import NOTHING, Json

if TYPE_CHECKING:
    from fanwise.cli.options import RunOptions
    from fanwise.simulator.profile import SimProfile

# Parameters of the chat dialect. Only in company of a sim/ model does it matter which ones there
# are: any other name is then one of the simulator's. ``seed`` is the simulator's there.
_SAMPLING = frozenset(
    {
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "metadata",
        "min_p",
        "modalities",
        "n",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "reasoning_effort",
        "repetition_penalty",
        "response_format",
        "service_tier",
        "stop",
        "store",
        "temperature",
        "tool_choice",
        "tools",
        "top_k",
        "top_logprobs",
        "top_p",
        "user",
        "verbosity",
    }
)


def parameters_and_profile(
    options: RunOptions,
) -> tuple[Mapping[str, Json], SimProfile | None]:
    """What of ``--opt`` goes into requests, and the profile of the simulated provider.

    Returns:
        The parameters, and the profile; ``None`` where no model is simulated or nothing was said
        of it, so that each model's name says its profile.

    Raises:
        ConfigError: The simulator knows no such option, or not such a value.
    """
    names = [model.replace(":", "/", 1) for model in options.models]
    simulated = [name.removeprefix("sim/") for name in names if name.startswith("sim/")]
    if not simulated:
        return options.opt, None
    parameters = {name: value for name, value in options.opt.items() if name in _SAMPLING}
    rest = {name: _text(value) for name, value in options.opt.items() if name not in _SAMPLING}
    if not rest:
        return parameters or NOTHING, None
    from fanwise.engine.simulated import profile_of
    from fanwise.simulator.profile import profile_from_options

    return parameters, profile_from_options(rest, base=profile_of(simulated[0]))


def _text(value: Json) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else f"{value}"
