"""``fanwise models``: providers, whether their keys are there, prices, simulated models."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fanwise.cli.display import put, put_json, put_table
from fanwise.cli.failures import ExitCode
from fanwise.cli.flags import HomeFlags
from fanwise.cli.options import environment

if TYPE_CHECKING:
    from fanwise.models.registry import ProviderListing
    from fanwise.simulator.profile import SimProfile


def models(*, home: HomeFlags) -> int:
    """List providers, keys, price date and simulated models.

    A model is written provider/model, such as openai/gpt-4o-mini. Of keys only the names of their
    environment variables are shown; "counts as" is the provider's way of counting what limits are
    of. Sends nothing.
    """
    from fanwise.limits.profiles.known import profile_of
    from fanwise.models.http.transport import open_transport
    from fanwise.models.prices import Prices
    from fanwise.models.registry import Registry
    from fanwise.simulator.profile import named_profiles

    listing = Registry(open_transport, env=environment()).listing()
    priced_at = Prices().date().isoformat()
    profiles = {name: _behaviour(profile) for name, profile in named_profiles().items()}
    counts_as = {p.name: profile_of(p.name).name for p in listing}
    if home.json:
        put_json(
            {
                "providers": [
                    {**dataclasses.asdict(p), "profile": counts_as[p.name]} for p in listing
                ],
                "builtin": ["builtin/rules"],
                "simulated": {f"sim/{name}": shown for name, shown in profiles.items()},
                "prices_as_of": priced_at,
            }
        )
        return ExitCode.OK
    put_table(
        ("provider", "key", "dialect", "counts as", "address", "note"),
        [
            (f"{p.name}/…", _key(p), p.dialect, counts_as[p.name], p.base_url, p.note or p.title)
            for p in listing
        ],
    )
    put("")
    put_table(
        ("without a key", "how it behaves"),
        [
            ("builtin/rules", "the pipelines' own rules; no network"),
            *((f"sim/{name}", _in_words(shown)) for name, shown in profiles.items()),
            ("sim/MODEL", "simulated as sim/default, at the prices of a real MODEL (gpt-4o-mini)"),
        ],
    )
    put("")
    put(f"Prices of {priced_at} or newer. Where a price is unknown, cost is shown as ?")
    return ExitCode.OK


def _key(provider: ProviderListing) -> str:
    if not provider.needs_key and not provider.has_key:
        return "none needed"
    if not provider.has_key:
        return f"{provider.key_env} missing"
    more = len(provider.keys) - 1
    return f"{provider.keys[0]} set" + (f" and {more} more" if more else "")


def _behaviour(profile: SimProfile) -> Mapping[str, Any]:
    """The settings of a profile that differ from the plain one, by name."""
    settings: dict[str, Any] = dataclasses.asdict(profile)
    plain = dataclasses.asdict(type(profile)())
    settings |= settings.pop("faults")
    plain |= plain.pop("faults")
    return {name: value for name, value in settings.items() if value != plain[name]}


def _in_words(shown: Mapping[str, Any]) -> str:
    return "simulated: " + (
        " ".join(f"{name}={value:g}" for name, value in shown.items()) or "0.3 s an answer"
    )
