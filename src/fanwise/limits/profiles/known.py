"""The profiles of the providers known by name, and the one that is safe for all others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from fanwise.limits.profiles.profile import Profile

_DAY_S: Final = 86_400.0

# Sources: the providers' pages on rate limits, as of autumn 2026; docs/providers.md names them.
GENERIC: Final = Profile(name="generic")
PROFILES: Final[Mapping[str, Profile]] = {
    profile.name: profile
    for profile in (
        GENERIC,
        Profile(name="openai", holds="larger", refunds=False, refills=True),
        Profile(name="azure", holds="cap", refunds=False),
        Profile(
            name="anthropic",
            dimensions=("requests", "input_tokens", "output_tokens"),
            holds="expected",
            counts_cached=False,
        ),
        Profile(
            name="gemini",
            dimensions=("requests", "input_tokens"),
            holds="expected",
            counts_output=False,
        ),
        Profile(name="groq", counts_cached=False, periods_s={"requests": _DAY_S}),
        Profile(name="mistral", holds="expected"),
        Profile(name="openrouter", dimensions=("requests",), holds="expected"),
        Profile(name="bedrock", counts_cached=False, output_weight=5.0),
    )
}
_HOSTS: Final = (
    (".openai.com", "openai"),
    (".anthropic.com", "anthropic"),
    (".googleapis.com", "gemini"),
    (".openai.azure.com", "azure"),
    (".services.ai.azure.com", "azure"),
    (".groq.com", "groq"),
    (".mistral.ai", "mistral"),
    (".openrouter.ai", "openrouter"),
    (".amazonaws.com", "bedrock"),
)


def profile_of(provider: str, *, origin: str = "") -> Profile:
    """The profile of where a model is served.

    Args:
        provider: The provider's name.
        origin: ``Endpoint.origin``: a base URL that was set explicitly, or a name. Another server
            that is asked in a provider's dialect does not count as that provider does: a host
            nobody knows has the generic profile.
    """
    if "://" in origin:
        host = f".{urlsplit(origin).hostname or ''}"
        provider = next((name for end, name in _HOSTS if host.endswith(end)), "generic")
    return PROFILES.get(provider, GENERIC)
