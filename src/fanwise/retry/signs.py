"""The words by which providers say what is wrong."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fanwise.retry.body import ErrorBody

_NO_CREDIT_NAMES: Final = frozenset(
    {
        "insufficient_quota",
        "billing_not_active",
        "billing_hard_limit_reached",
        "billing_error",
        "insufficient_balance",
        "insufficient_credits",
        "payment_required",
        "access_terminated",
        "account_deactivated",
    }
)
_RATE_NAMES: Final = frozenset(
    {
        "rate_limit_exceeded",
        "rate_limit_error",
        "rate_limited",
        "ratelimitexceeded",
        "ratelimitreached",
        "userratelimitexceeded",
        "too_many_requests",
        "toomanyrequests",
        "toomanyrequestsexception",
        "throttlingexception",
        "throttled",
        "resource_exhausted",
    }
)
_CAPACITY_NAMES: Final = frozenset(
    {"overloaded_error", "overloaded", "engine_overloaded", "service_tier_capacity_exceeded"}
)
_NO_CREDIT: Final = re.compile(
    r"credit balance is too low|insufficient (?:funds|balance|credits)", re.IGNORECASE
)
_RATE: Final = re.compile(
    r"rate.?limit (?:is )?(?:reached|exceeded|hit)|too many (?:requests|tokens)"
    r"|request was throttled|exceeded (?:the )?(?:call|token|request)s? rate limit",
    re.IGNORECASE,
)
_CAPACITY: Final = re.compile(
    r"overloaded|over capacity|capacity (?:is )?exceeded|at capacity", re.IGNORECASE
)
_PER_DAY: Final = re.compile(r"\b(?:per[ -]day|RPD|TPD)\b|ByDay\b|\bper 86400 ?s")
_NOTHING: Final = re.compile(r"\blimit: 0\b")
_KEY_NAMES: Final = frozenset(
    {"invalid_api_key", "authentication_error", "api_key_invalid", "unauthenticated"}
)
_KEY: Final = re.compile(
    r"API key (?:is )?(?:not valid|expired|invalid)|(?:invalid|incorrect) (?:x-)?api.?key",
    re.IGNORECASE,
)
_SIZES: Final = re.compile(r"Limit:? (\d+),(?: Used:? \d+,)? Requested:? ~?(\d+)", re.IGNORECASE)


def says_no_credit(body: ErrorBody) -> bool:
    """The account cannot pay, or is closed."""
    return bool(body.names & _NO_CREDIT_NAMES or _NO_CREDIT.search(body.message))


def says_day_is_used_up(body: ErrorBody) -> bool:
    """A quota that is counted by the day is used up."""
    named = any("perday" in quota.lower() for quota in body.quota_ids)
    return named or bool(_PER_DAY.search(body.message))


def says_nothing_is_granted(body: ErrorBody) -> bool:
    """The quota itself is 0: the account's plan does not hold this model."""
    return bool(_NOTHING.search(body.message))


def says_key_refused(status: int, body: ErrorBody) -> bool:
    """The key is none, or none any more: 401, and the 400 and 403 that say so."""
    if status not in {400, 401, 403}:
        return False
    return status == 401 or bool(body.names & _KEY_NAMES or _KEY.search(body.message))


def says_never_fits(body: ErrorBody) -> tuple[int, int] | None:
    """What the request needs and the whole limit, where the first is more than the second."""
    found = _SIZES.search(body.message)
    if found is None or int(found[2]) <= int(found[1]):
        return None
    return int(found[2]), int(found[1])


def says_rate(body: ErrorBody) -> bool:
    """A rate limit was hit."""
    return bool(body.names & _RATE_NAMES or _RATE.search(body.message))


def says_capacity(body: ErrorBody) -> bool:
    """The provider has more to do than it can."""
    return bool(body.names & _CAPACITY_NAMES or _CAPACITY.search(body.message))
