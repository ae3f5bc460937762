"""How a run that was asked for over HTTP is carried out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field

from fanwise.limits.budget import Budget
from fanwise.limits.settings import Limits, read_concurrency
from fanwise.records import Json, Timeouts
from fanwise.retry.policy import Retry


class RunOptions(BaseModel):
    """Options of a run; what is left out is learned or unbounded."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    max_concurrency: int | str | None = Field(
        None,
        description="Calls in flight at once, or MIN-START-MAX to learn it within, or adaptive.",
        examples=["adaptive", 20, "1-20-500"],
    )
    rpm: float | None = Field(None, gt=0, description="Requests a minute, for each quota pool.")
    tpm: float | None = Field(None, gt=0, description="Tokens a minute, for each quota pool.")
    max_attempts: int = Field(3, ge=1, le=100, description="Sends of one call.")
    timeout_s: float | None = Field(None, gt=0, description="A whole call with its waits.")
    attempt_timeout_s: float | None = Field(None, gt=0, description="One attempt.")
    budget_usd: float | None = Field(None, gt=0, description="Dollars for the whole run.")
    budget_tokens: int | None = Field(None, gt=0, description="Tokens for the whole run.")
    budget_calls: int | None = Field(None, gt=0, description="Calls for the whole run.")
    cache: bool = Field(False, description="Whether answers of earlier runs count.")

    def settings(self) -> dict[str, Any]:
        """The options of ``fw.open_run``.

        Raises:
            ConfigError: A value is impossible.
        """
        timeouts = Timeouts()
        if self.attempt_timeout_s is not None:
            timeouts = Timeouts(
                attempt_s=self.attempt_timeout_s,
                first_byte_s=max(self.attempt_timeout_s, timeouts.first_byte_s),
            )
        budget = Budget(usd=self.budget_usd, tokens=self.budget_tokens, calls=self.budget_calls)
        found: dict[str, Any] = {
            "limits": Limits(
                concurrency=read_concurrency(self.max_concurrency or "adaptive"),
                rpm=self.rpm,
                tpm=self.tpm,
            ),
            "retry": Retry(max_attempts=self.max_attempts),
            "timeouts": timeouts,
            "budget": budget if budget.bounds_calls else None,
            "cache": self.cache,
        }
        if self.timeout_s is not None:
            found["total_s"] = self.timeout_s
        return found

    def stored(self) -> dict[str, Json]:
        """What was given, as JSON."""
        return cast("dict[str, Json]", self.model_dump(exclude_unset=True))


class LimitsChange(BaseModel):
    """New limits or a new budget of a run; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    max_concurrency: int | str | None = Field(None, examples=[50, "1-20-500"])
    rpm: float | None = Field(None, gt=0, examples=[600])
    tpm: float | None = Field(None, gt=0)
    budget_usd: float | None = Field(None, gt=0)

    def given(self) -> Mapping[str, Any]:
        """What was given, by name."""
        return self.model_dump(exclude_none=True)


Priority = Literal["interactive", "background"]
