"""Causes and quantities in words for people."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from fanwise.records import BudgetUse, Cause, RunStatus

# Formatting characters that scripts and emoji need, and that move nothing.
_JOINERS = "\u200c\u200d"
MACHINE_BOUND = (
    "This machine was busy: answers waited here before they were read, so that the service time "
    "and the speedup are overstated."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitFacts:
    """The limits in force, as far as they can be named.

    Args:
        concurrency: Calls at once.
        rpm, tpm, input_tpm, output_tpm: Requests and tokens a minute; ``None`` where none is known.
        learned: Whether the concurrency was learned from the provider, and may move.
        learned_rpm: Requests a minute as they were learned; ``None`` where no rate was refused.
        concurrency_option: What sets the concurrency, for people: ``-j``; empty where nothing does.
    """

    concurrency: float | None = None
    rpm: float | None = None
    tpm: float | None = None
    input_tpm: float | None = None
    output_tpm: float | None = None
    learned: bool = False
    learned_rpm: float | None = None
    concurrency_option: str = ""


def what_limits(cause: Cause, *, facts: LimitFacts, in_flight: int) -> str:
    """One plain sentence on what holds the run back."""
    sentences: dict[Cause, str] = {
        "rate": _rate(facts),
        "tokens": _tokens(facts),
        "concurrency": _concurrency(facts, in_flight=in_flight),
        "retry wait": "Retries: calls wait before they are sent again",
        "budget": "The budget: calls wait for what those in flight leave of it",
        "paused": "A pause: nothing is sent until the run is resumed",
        "source": "The source: there is room for more calls than it brings items",
        "cpu": "This machine: its processor is busy",
        "nothing": "Nothing: all work is in flight" if in_flight else "Nothing",
    }
    return sentences[cause]


def _rate(facts: LimitFacts) -> str:
    learned = facts.learned_rpm
    if learned is not None and learned < (facts.rpm or math.inf):
        return f"The provider's rate limit, learned: {learned_limit(learned, None)}"
    if facts.rpm is None or facts.rpm == math.inf:
        return "The provider's rate limit"
    return f"The rate limit of {number(facts.rpm)} requests a minute"


def learned_limit(rpm: float | None, concurrency: float | None) -> str:
    """A limit that was learned: ``98/s``, ``30 a minute``, ``about 48 calls at once``, or nothing.

    Args:
        rpm: Requests a minute; ``None`` where no rate was refused: then it is the concurrency.
        concurrency: Calls at once.
    """
    if rpm is not None:
        return f"{number(rpm / 60)}/s" if rpm >= 60 else f"{number(rpm)} a minute"
    return "" if concurrency is None else f"about {number(concurrency)} calls at once"


def _tokens(facts: LimitFacts) -> str:
    named = (
        (facts.tpm, "tokens"),
        (facts.input_tpm, "input tokens"),
        (facts.output_tpm, "output tokens"),
    )
    for limit, what in named:
        if limit is not None and limit < math.inf:
            return f"The limit of {number(limit)} {what} a minute"
    return "The provider's token limit"


def _concurrency(facts: LimitFacts, *, in_flight: int) -> str:
    limit = facts.concurrency if facts.concurrency is not None else in_flight
    if facts.learned:
        return f"What the provider takes at once, learned: about {number(limit)} calls"
    calls = "call" if limit == 1 else "calls"
    by = f" ({facts.concurrency_option})" if facts.concurrency_option else ""
    return f"The limit of {number(limit)} {calls} at once{by}"


def run_ended(status: RunStatus) -> str:
    """What stands before a run's duration: ``Finished in``, ``Interrupted after``."""
    if status == "running":
        return "Running for"
    return f"{status.capitalize()} {'in' if status == 'finished' else 'after'}"


def number(value: float) -> str:
    """A count with a comma at each thousand; a fraction only where it is small enough to matter."""
    if value == math.inf:
        return "∞"
    if abs(value - round(value)) < 1e-9 or abs(value) >= 100:
        return f"{round(value):,}"
    return f"{value:.2g}" if abs(value) < 1 else f"{value:.1f}"


def compact(value: float) -> str:
    """A count in four or five characters: ``812``, ``14.9k``, ``221k``, ``3.20M``."""
    if value < 1000:
        return number(value)
    for size, unit in ((1e3, "k"), (1e6, "M"), (1e9, "G")):
        scaled = value / size
        if scaled < 999.5:
            places = 0 if scaled >= 99.95 else 1 if scaled >= 9.995 else 2
            return f"{scaled:.{places}f}{unit}"
    return f"{value:.2e}"


def duration(seconds: float | None) -> str:
    """A duration for people: ``340 ms``, ``4.2 s``, ``3 min 05 s``, ``2 h 07 min``, ``?``."""
    if seconds is None:
        return "?"
    sign, size_s = ("−", -seconds) if seconds < 0 else ("", seconds)
    return sign + _size(size_s)


def _size(size_s: float) -> str:
    if size_s in {0.0, math.inf}:
        return "∞" if size_s else "0 s"
    if size_s < 0.9995:
        return f"{size_s * 1000:.2g} ms" if size_s < 0.0095 else f"{size_s * 1000:.0f} ms"
    if size_s < 99.95:
        return f"{size_s:.1f} s"
    minutes, rest = divmod(round(size_s), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes:02d} min"


def money(usd: Decimal | None) -> str:
    """Dollars for people: cents, and three digits below a dollar; ``?`` where it is unknown."""
    if usd is None:
        return "?"
    size = abs(usd)
    if size >= 1 or usd == 0:
        return f"${usd:,.2f}" if usd else "$0"
    return f"${usd:.{2 - usd.adjusted()}f}" if size >= Decimal("0.0001") else "<$0.0001"


def budget(uses: Sequence[BudgetUse]) -> str:
    """What is used of a budget: ``$1.20 of $5.00, 7 of 100 calls``; empty without one."""
    return ", ".join(_used(use) for use in uses)


def _used(use: BudgetUse) -> str:
    if use.kind == "usd":
        spent, limit = money(Decimal(repr(use.spent))), money(Decimal(repr(use.limit)))
        return f"{spent} of {limit}"
    if use.kind == "wall_s":
        return f"{duration(use.spent)} of {duration(use.limit)}"
    return f"{number(use.spent)} of {number(use.limit)} {use.kind}"


def percent(share: float | None) -> str:
    """A share of 1 in percent; ``?`` where it is unknown."""
    if share is None:
        return "?"
    points = share * 100
    if 0 < abs(points) < 0.1:
        return "<0.1 %"
    # What is not quite all, or little, keeps a decimal: it must not look like all or nothing.
    whole = points == round(points) or 10 <= abs(points) < 99.5 or abs(points) >= 100
    return f"{points:.0f} %" if whole else f"{points:.1f} %"


def gained(efficiency: float | None) -> str:
    """An efficiency in percent; ``none`` where waits and work beside the calls outweighed them."""
    return "none" if efficiency is not None and efficiency < 0 else percent(efficiency)


def time_left(low_s: float | None, high_s: float | None) -> str:
    """The range of the time left: ``3.1 s – 4.5 s``, ``at least 3.1 s``, or ``?``."""
    if low_s is None:
        return "?"
    if high_s is None:
        return f"at least {duration(low_s)}"
    low, high = duration(low_s), duration(high_s)
    return low if low == high else f"{low} – {high}"


def plain(text: str, *, most: int = 500) -> str:
    """A text of unknown origin on one line: no control characters, no overrides of direction.

    What a model or a file says can then neither steer a terminal nor pose as another line.

    Args:
        text: The text.
        most: Longest result, in characters; what is cut off is marked by an ellipsis.
    """
    shown = "".join(_visible(letter) for letter in text[: most + 1])
    shown = " ".join(shown.split())
    return f"{shown[: most - 1]}…" if len(shown) > most else shown


def _visible(letter: str) -> str:
    if letter.isspace():
        return " "
    if letter in _JOINERS:
        return letter
    # Control, format (which holds the directional overrides), surrogate.
    return "�" if unicodedata.category(letter) in {"Cc", "Cf", "Cs"} else letter
