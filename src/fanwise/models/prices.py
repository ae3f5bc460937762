"""What tokens cost, by the price list of ``genai-prices``; offline, as old as the package."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from fanwise.models.names import canonical_model
from fanwise.records import Usage

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot

_MILLION = Decimal(1_000_000)
_FREE = Decimal(0)
# Our names of providers where the price list has others.
_LISTED_AS = {"gemini": "google", "xai": "x-ai"}
_DATE = re.compile(r"20\d\d-[01]\d-[0-3]\d")
_UNPRICED_PROVIDERS = frozenset({"ollama", "vllm", "llamacpp", "lmstudio"})


@dataclass(frozen=True, slots=True)
class _Tier:
    """US dollars a token that hold from ``above`` input tokens on."""

    above: int
    read: Decimal
    cached: Decimal
    written: Decimal | None


class Prices:
    """Prices of models, looked up once a model and then computed in about a microsecond.

    The list is the one inside the installed ``genai-prices``: nothing is fetched. A price that
    changes with the time of day is taken as it was at the first look.

    Args:
        now: The instant whose prices count, for lists with dated prices; the present if left out.
    """

    __slots__ = ("_now", "_snapshot", "_tiers")

    def __init__(self, *, now: datetime | None = None) -> None:
        self._now = now
        self._snapshot: DataSnapshot | None = None
        self._tiers: dict[str, tuple[_Tier, ...]] = {}

    def __repr__(self) -> str:
        return f"Prices({len(self._tiers)} models looked up)"

    def cost_usd(self, model: str, usage: Usage) -> Decimal | None:
        """What these tokens cost, in US dollars.

        Args:
            model: ``provider/model``. ``builtin/rules`` is free; ``sim/NAME`` is priced as the
                model it stands for.
            usage: The tokens that the provider reported.

        Returns:
            ``None`` where the model's price or the tokens are unknown; never 0 for unknown.
        """
        tiers = self._tiers.get(model)
        if tiers is None:
            tiers = self._tiers[model] = self._look_up(canonical_model(model))
        read, written = usage.input_tokens, usage.output_tokens
        if not tiers or read is None:
            return None
        tier = tiers[0]
        if len(tiers) > 1:
            tier = next(tier for tier in reversed(tiers) if tier.above < read or not tier.above)
        cached = min(usage.cached_input_tokens or 0, read)
        cost = tier.read * (read - cached)
        if cached:
            cost += tier.cached * cached
        if tier.written is None:
            return cost if not written else None
        return None if written is None else cost + tier.written * written

    def known(self, model: str) -> bool:
        """Whether the model's price is known, so that a budget in money can hold it."""
        tiers = self._tiers.get(model)
        if tiers is None:
            tiers = self._tiers[model] = self._look_up(canonical_model(model))
        return bool(tiers)

    def date(self) -> date:
        """The newest day that the price list speaks of: it is at least as recent as that.

        The package states no date of its own. Reads the whole list, some 20 ms: call it once.
        """
        today = (self._now or datetime.now(tz=UTC)).date()
        days = set(self._days())
        return max((day for day in days if day <= today), default=min(days))

    def _days(self) -> Iterator[date]:
        for provider in self._data().providers:
            yield from _mentioned(provider.price_comments)
            for model in provider.models:
                yield from _mentioned(model.price_comments)
                if isinstance(model.prices, list):
                    for dated in model.prices:
                        start = getattr(dated.constraint, "start_date", None)
                        if start is not None:
                            yield start

    def _data(self) -> DataSnapshot:
        if self._snapshot is None:
            # Heavy (some 0.2 s): only for who asks for a price.
            from genai_prices.data import providers
            from genai_prices.data_snapshot import DataSnapshot

            self._snapshot = DataSnapshot(providers=providers, from_auto_update=False)
        return self._snapshot

    def _look_up(self, model: str) -> tuple[_Tier, ...]:
        provider, slash, name = model.partition("/")
        if provider == "builtin":
            return (_Tier(0, _FREE, _FREE, _FREE),)
        if not slash or provider in _UNPRICED_PROVIDERS:
            return ()
        listed = None if provider == "sim" else _LISTED_AS.get(provider, provider)
        if listed is None and "/" in name:
            return self._look_up(name)
        try:
            _, found = self._data().find_provider_model(name, None, listed, None)
        except LookupError:
            return ()
        return _tiers_of(found.get_prices(self._now or datetime.now(tz=UTC)))


def _tiers_of(price: Any) -> tuple[_Tier, ...]:
    """The price of plain text tokens; nothing where the list has none for them."""
    read, cached, written = price.input_mtok, price.cache_read_mtok, price.output_mtok
    if read is None or price.requests_kcount is not None:
        return ()
    starts = {0}
    for part in (read, cached, written):
        starts.update(tier.start for tier in getattr(part, "tiers", ()))
    return tuple(
        _Tier(
            above,
            _rate(read, above),
            _rate(read if cached is None else cached, above),
            None if written is None else _rate(written, above),
        )
        for above in sorted(starts)
    )


def _rate(part: Any, above: int) -> Decimal:
    """US dollars a token for input above a threshold."""
    if isinstance(part, Decimal):
        return part / _MILLION
    price: Decimal = part.base
    for tier in part.tiers:
        if tier.start <= above and above:
            price = tier.price
    return price / _MILLION


def _mentioned(comment: str | None) -> Iterator[date]:
    for text in _DATE.findall(comment or ""):
        try:
            yield date.fromisoformat(text)
        except ValueError:
            continue
