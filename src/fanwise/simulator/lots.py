"""What chance deals to a request: by the profile's seed and the request's content alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fanwise.simulator.chance import digest, lognormal, uniform

if TYPE_CHECKING:
    from fanwise.simulator.profile import FaultKind, SimProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """One draw: what goes wrong, if anything, and the time to the first byte in seconds."""

    fault: FaultKind | None
    latency_s: float


def certain(profile: SimProfile) -> Lot | None:
    """What every request draws, where nothing is left to chance."""
    if profile.latency_sigma == 0.0 and profile.faults.total == 0.0:
        return Lot(fault=None, latency_s=profile.latency_s)
    return None


def lots_key(profile: SimProfile, place: str, content: bytes) -> int:
    """What the draws of a request depend on.

    Args:
        profile: Whose seed counts.
        place: The model, or the path where there is none.
        content: The request's body.
    """
    return digest(profile.seed, place, content)


def lot(profile: SimProfile, key: int, number: int) -> Lot:
    """The draw of a request that has met so many faults before."""
    return Lot(
        fault=profile.faults.pick(uniform(key, number, "fault")),
        latency_s=lognormal(profile.latency_s, profile.latency_sigma, key, number, "latency"),
    )
