"""Who works in parallel at all: a flag for everybody, a percentage for a part."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from fanwise.errors import ConfigError

_YES = {"1", "true", "yes", "on", ""}
_NO = {"0", "false", "no", "off"}


def flag_allows(name: str, env: Mapping[str, str]) -> bool:
    """Whether a feature flag of the environment allows parallel work; unset allows it.

    Raises:
        ConfigError: It is neither yes nor no.
    """
    value = env.get(name, "").strip().lower()
    if value in _NO:
        return False
    if value in _YES:
        return True
    raise ConfigError(
        f"{name}={value!r} is neither true nor false", hint=f"set {name}=false or {name}=true"
    )


def bucket_of(key: str) -> int:
    """A key's place among 100, the same on every machine and in every process."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest()) % 100


def in_rollout(key: str, percent: float) -> bool:
    """Whether a key belongs to the part that works in parallel; who is in at 10 is in at 20."""
    return bucket_of(key) < percent
