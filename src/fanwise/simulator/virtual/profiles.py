"""A simulated provider of the real HTTP server, as one of virtual time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fanwise.simulator.virtual.spec import Advice, Allowance, ProviderSpec, Slots, Speed

if TYPE_CHECKING:
    from fanwise.simulator.profile import SimProfile

_LOOPBACK_S = 0.002


def spec_of(profile: SimProfile, *, reserves: bool = False) -> ProviderSpec:
    """The provider that behaves like ``sim/…`` with this profile, without sockets.

    Faults that the server answers with a broken body or no answer are taken as answers of 500.

    Args:
        profile: How the server behaves.
        reserves: Whether requests state how many tokens they want at most: the server then charges
            those, else what was used.
    """
    allowances: list[Allowance] = []
    if profile.rpm < math.inf:
        burst_s = profile.burst / profile.rpm * 60.0
        allowances.append(Allowance(dimension="requests", per_minute=profile.rpm, burst_s=burst_s))
    if profile.tpm < math.inf:
        size = profile.tpm / 10.0 if profile.token_burst is None else profile.token_burst
        allowances.append(
            Allowance(
                dimension="tokens",
                per_minute=profile.tpm,
                burst_s=size / profile.tpm * 60.0,
                charge="reserved" if reserves else "used",
            )
        )
    slots = None
    if profile.slots < math.inf:
        full = "503" if profile.slots_status == 503 else "429"
        slots = Slots(count=int(profile.slots), when_full=full)
    advice: Advice = "integer" if profile.retry_after == "date" else profile.retry_after
    return ProviderSpec(
        allowances=tuple(allowances),
        slots=slots,
        speed=Speed(
            first_token_s=profile.latency_s,
            sigma=profile.latency_sigma,
            per_token_s=profile.per_token_s,
            network_s=_LOOPBACK_S,
            refusal_s=_LOOPBACK_S,
        ),
        advice=advice,
        states_limits=profile.rate_headers,
        error_share=min(0.99, profile.faults.total),
    )
