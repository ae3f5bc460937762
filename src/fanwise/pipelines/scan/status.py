"""The status of a shipment and how it changes."""

from __future__ import annotations

from typing import Literal, get_args

from fanwise.errors import ConfigError

Status = Literal[
    "pending", "in_transit", "out_for_delivery", "delivered", "exception", "failed_attempt"
]
STATUSES: tuple[Status, ...] = get_args(Status)

_AFTER_DELIVERY = frozenset({"exception", "failed_attempt"})


def next_status(current: Status, reported: str) -> Status:
    """The status after a carrier reported one.

    Reports come late and out of order. What is delivered stays so, unless the carrier reports that
    something went wrong after all; everything else follows the report.

    Args:
        current: The shipment's status.
        reported: What the carrier says.

    Raises:
        ConfigError: ``reported`` is no status.
    """
    if reported not in STATUSES:
        raise ConfigError(
            f"{reported!r} is no status of a shipment", hint="one of: " + ", ".join(STATUSES)
        )
    if current == "delivered" and reported not in _AFTER_DELIVERY:
        return current
    return reported
