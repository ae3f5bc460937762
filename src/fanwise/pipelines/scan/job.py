"""What a scan is asked to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from fanwise.errors import ConfigError
from fanwise.pipelines.scan.sources import ConversationSource
from fanwise.records import NOTHING, Json

RULES_MODEL = "builtin/rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanJob:
    """A mailbox, and how it is to be scanned.

    Args:
        source: An mbox, maildir or ``.eml`` file, a directory of such, or a source of one's own.
        model: Whom to ask, as ``provider/model``; the pipeline's own rules by default.
        force: Scan what was scanned before too.
        dry_run: Write nothing, neither tables nor journal. What a paid model answers is then paid
            for again by the scan that follows.
        after: Only conversations with a message since then: epoch seconds, a date, or its ISO
            form.
        limit: At most so many conversations.
        parameters: Sampling parameters by the provider's own names.

    Raises:
        ConfigError: ``after`` is no date, or ``limit`` is below 1.
    """

    source: str | Path | ConversationSource
    model: str = RULES_MODEL
    force: bool = False
    dry_run: bool = False
    after: float | str | date | None = None
    limit: int | None = None
    parameters: Mapping[str, Json] = NOTHING

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise ConfigError(f"limit is {self.limit}", hint="give 1 or more, or leave it out")
        _instant(self.after)

    @property
    def since(self) -> float | None:
        """``after`` in epoch seconds; a day without a time zone begins in UTC."""
        return _instant(self.after)


def _instant(after: float | str | date | None) -> float | None:
    if after is None or isinstance(after, (int, float)):
        return after
    try:
        day = datetime.fromisoformat(after if isinstance(after, str) else after.isoformat())
    except ValueError as error:
        raise ConfigError(
            f"{after!r} is no date", hint="write it as 2026-02-01 or 2026-02-01T08:00"
        ) from error
    return (day if day.tzinfo else day.replace(tzinfo=UTC)).timestamp()
