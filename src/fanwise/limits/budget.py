"""Budgets: what a run may spend, and the account that holds it to that.

Pure arithmetic on plain state. What a call may cost is *reserved* before it is sent and replaced by
what it really cost afterwards, so that calls under way at the same time cannot overspend together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Final, Literal

from fanwise.errors import ConfigError
from fanwise.records import BudgetKind, BudgetUse

_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a run may spend, over all of its sessions. What is left out has no bound.

    Args:
        usd: US dollars, above 0: a number, a string or a ``Decimal``.
        tokens: Tokens, input and output together, 1 or more.
        calls: Calls that are sent, each counted once whatever its attempts, 1 or more.
        wall_s: Seconds of work, above 0.

    Raises:
        ConfigError: A value is impossible.
    """

    usd: Decimal | float | str | None = None
    tokens: int | None = None
    calls: int | None = None
    wall_s: float | None = None

    def __post_init__(self) -> None:
        if self.usd is not None:
            object.__setattr__(self, "usd", _dollars(self.usd))
        for name in ("tokens", "calls"):
            _check_whole(name, getattr(self, name))
        wall_s = self.wall_s
        if wall_s is not None and not (_is_number(wall_s) and 0 < wall_s < math.inf):
            raise ConfigError(
                f"a budget of wall_s={wall_s!r} is impossible",
                hint="give seconds above 0, or leave it out for no bound",
            )

    @property
    def most_usd(self) -> Decimal | None:
        """``usd`` as it is kept; ``None`` where money has no bound."""
        assert self.usd is None or isinstance(self.usd, Decimal)
        return self.usd

    @property
    def bounds_calls(self) -> bool:
        """Whether calls have to be accounted for before they are sent."""
        return (self.usd, self.tokens, self.calls) != (None, None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """What something costs, or has cost."""

    usd: Decimal = _ZERO
    tokens: int = 0
    calls: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(
            usd=self.usd + other.usd,
            tokens=self.tokens + other.tokens,
            calls=self.calls + other.calls,
        )

    def __sub__(self, other: Amount) -> Amount:
        return Amount(
            usd=self.usd - other.usd,
            tokens=self.tokens - other.tokens,
            calls=self.calls - other.calls,
        )


NOTHING_SPENT: Final = Amount()
Admission = Literal["now", "later", "never"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Purse:
    """A budget, what is spent of it, and what is set aside for calls under way."""

    budget: Budget
    spent: Amount = NOTHING_SPENT
    reserved: Amount = NOTHING_SPENT

    def admits(self, cost: Amount) -> Admission:
        """Whether a call may be sent.

        Args:
            cost: The most that it is expected to cost.

        Returns:
            ``now``; ``later`` where calls under way may leave enough of what is set aside for them;
            ``never`` where not even that would do.
        """
        if self._lacking(self.spent + self.reserved + cost) is None:
            return "now"
        # With nothing under way nothing comes back, however the sums were rounded.
        under_way = self.reserved != NOTHING_SPENT
        return "later" if under_way and self.lacks(cost) is None else "never"

    def lacks(self, cost: Amount) -> BudgetKind | None:
        """What there is too little of, even if everything set aside came back."""
        return self._lacking(self.spent + cost)

    def _lacking(self, total: Amount) -> BudgetKind | None:
        budget = self.budget
        if budget.most_usd is not None and total.usd > budget.most_usd:
            return "usd"
        if budget.tokens is not None and total.tokens > budget.tokens:
            return "tokens"
        if budget.calls is not None and total.calls > budget.calls:
            return "calls"
        return None

    def reserve(self, cost: Amount) -> Purse:
        """Sets aside what a call may cost."""
        return replace(self, reserved=self.reserved + cost)

    def settle(self, reserved: Amount, *, actual: Amount) -> Purse:
        """Replaces what was set aside by what was spent."""
        return replace(self, reserved=self.reserved - reserved, spent=self.spent + actual)

    def use(self, *, worked_s: float) -> tuple[BudgetUse, ...]:
        """How much of each bound is used, in the order money, tokens, calls, time."""
        budget, spent, reserved = self.budget, self.spent, self.reserved
        rows: tuple[tuple[BudgetKind, float, float, float | None], ...] = (
            ("usd", float(spent.usd), float(reserved.usd), _float(budget.most_usd)),
            ("tokens", spent.tokens, reserved.tokens, budget.tokens),
            ("calls", spent.calls, reserved.calls, budget.calls),
            ("wall_s", worked_s, 0, budget.wall_s),
        )
        return tuple(
            BudgetUse(kind=kind, spent=used, reserved=held, limit=limit)
            for kind, used, held, limit in rows
            if limit is not None
        )


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _dollars(value: Decimal | float | str) -> Decimal:
    # A float is taken as it is written: 0.1 is ten cents.
    try:
        usd = value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation:
        usd = Decimal("NaN")
    if isinstance(value, bool) or not usd.is_finite() or usd <= 0:
        raise ConfigError(
            f"a budget of usd={value!r} is impossible",
            hint="give US dollars above 0, or leave it out for no bound",
        )
    return usd


def _check_whole(name: str, value: object) -> None:
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigError(
            f"a budget of {name}={value!r} is impossible",
            hint="give a whole number, 1 or more, or leave it out for no bound",
        )


UNBOUNDED: Final = Budget()
