"""What one provider's limits are made of, as data, and the few rules that read it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from fanwise.records import NO_USAGE, NOTHING, Cost, Dimension, Usage
from fanwise.records.quick import maker

Holds = Literal["cap", "larger", "expected"]
_make_cost = maker(Cost)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One provider's way of counting.

    Args:
        name: The provider's name, such as ``openai``.
        dimensions: What it has quotas of.
        holds: Output tokens that it sets aside when a request comes in. ``cap``: the request's own
            cap (``max_tokens``) beside the input. ``larger``: the larger one of cap and input,
            instead of their sum. ``expected``: none; what is really written counts, so that what
            is expected is held.
        refunds: Whether it gives back what was set aside and not used.
        counts_cached: Whether input tokens read from its cache count.
        counts_output: Whether output tokens count.
        output_weight: What one output token counts, in tokens.
        periods_s: Seconds that a limit in its headers is for, where the header does not say and it
            is not a minute.
        refills: Whether its quotas refill evenly, so that the time to a full one tells the period.
    """

    name: str
    dimensions: tuple[Dimension, ...] = ("requests", "tokens")
    holds: Holds = "cap"
    refunds: bool = True
    counts_cached: bool = True
    counts_output: bool = True
    output_weight: float = 1.0
    periods_s: Mapping[Dimension, float] = NOTHING
    refills: bool = False

    def reserve(self, *, input_tokens: int, output_tokens: int, output_cap: int | None) -> Cost:
        """What a request takes from the quotas when it is sent.

        Args:
            input_tokens: Estimate of its input tokens.
            output_tokens: Estimate of its output tokens, whatever its cap.
            output_cap: The most it may write, where it says so; over all of its answers.
        """
        if not self.counts_output:
            return Cost(requests=1, input_tokens=input_tokens)
        if output_cap is None:
            held = output_tokens
        elif self.holds == "cap":
            held = output_cap
        elif self.holds == "larger":
            held = max(0, output_cap - input_tokens)
        else:
            held = min(output_cap, output_tokens)
        if self.output_weight != 1.0 and (output_cap is None or self.holds != "cap"):
            held = math.ceil(held * self.output_weight)
        return _make_cost(requests=1, input_tokens=input_tokens, output_tokens=held)

    def counted(self, usage: Usage, *, capped: bool) -> Usage:
        """What a served request has taken from the quotas, of what it is reported to have used.

        Args:
            usage: As the provider reports it.
            capped: Whether the request named the most it may write.

        Returns:
            The usage that the quotas are put right by; where it is unknown, what was reserved
            stands.
        """
        if usage is NO_USAGE or (capped and not self.refunds):
            return NO_USAGE
        read, written = usage.input_tokens, usage.output_tokens
        if not self.counts_cached and read is not None and usage.cached_input_tokens:
            read = max(0, read - usage.cached_input_tokens)
        if not self.counts_output:
            written = 0
        elif self.output_weight != 1.0 and written is not None:
            written = math.ceil(written * self.output_weight)
        if read is usage.input_tokens and written is usage.output_tokens:
            return usage
        return Usage(input_tokens=read, output_tokens=written)
