"""What a scan is asked to do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from dataclasses import fields as fields_of
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any, Self

import fanwise as fw
from fanwise.pipelines import fields as check
from fanwise.pipelines.fields import RULES_MODEL
from fanwise.pipelines.scan.sources import ConversationSource, is_source
from fanwise.pipelines.scan.strategies import STRATEGIES, Pacing

FRONT_RPM = 50.0
MOST_A_PAGE = 100
_HINT = "each field above says what it takes"
_SPELLINGS = {
    "batchSize": "batch_size",
    "pageSize": "page_size",
    "maxPages": "max_pages",
    "BATCH_DELAY_MS": "batch_delay_ms",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanJob:
    """A mailbox, and how it is to be scanned.

    Args:
        source: An mbox, maildir or ``.eml`` file, a directory of such; an IMAP folder as
            ``imaps://user@host/folder``; or a source of one's own. ``None`` where ``front`` is
            given.
        front: An inbox of Front (``inb_123``), or a search as Front writes it.
        model: Whom to ask, as ``provider/model``; the pipeline's own rules by default.
        force: Scan what was scanned before too.
        dry_run: Write nothing, neither tables nor journal. What a paid model answers is then paid
            for again by the scan that follows.
        after: Only conversations with a message since then: epoch seconds, a date, or its ISO
            form.
        limit: At most so many conversations.
        page_size: Conversations a page of Front, 1 to 100.
        max_pages: At most so many pages of Front.
        front_rpm: Requests a minute that Front's plan allows the company: 50, 100 or 200.
        strategy: ``adaptive``, ``fixed``, ``larger``, ``semaphore`` or ``parallel-batches``.
        batch_size: Another size than the strategy's own, 1 to 1000.
        batch_delay_ms: The pause between two batches in milliseconds.
        rpm: Requests a minute that the model's provider allows. With a strategy or one of these
            figures the job's own limits hold instead of those of the run's options.
        tpm: Tokens a minute that it allows.
        tpd: Tokens a day that it allows: one scan uses no more.
        parameters: Sampling parameters by the provider's own names.

    Raises:
        InvalidFields: Fields that are wrong, with one reason for each of them.
    """

    source: str | Path | ConversationSource | None = None
    front: str | None = None
    model: str = RULES_MODEL
    force: bool = False
    dry_run: bool = False
    after: float | str | date | None = None
    limit: int | None = None
    page_size: int = MOST_A_PAGE
    max_pages: int | None = None
    front_rpm: float = FRONT_RPM
    strategy: str = "adaptive"
    batch_size: int | None = None
    batch_delay_ms: float | None = None
    rpm: float | None = None
    tpm: float | None = None
    tpd: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        check.refuse("scan", dict(_faults(self)), hint=_HINT)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """The job that JSON describes; null leaves a field out.

        ``batchSize``, ``pageSize``, ``maxPages`` and ``BATCH_DELAY_MS`` are other spellings.

        Raises:
            InvalidFields: One reason for each field that is wrong; unknown fields are wrong too.
        """
        known = [one.name for one in fields_of(cls)]
        wrong: dict[str, str] = {}
        taken: dict[str, Any] = {}
        for given, value in fields.items():
            name = _SPELLINGS.get(given, given)
            if value is None:
                continue
            if name not in known:
                wrong[given] = f"there is no such field; there are {', '.join(known)}"
            elif name in taken:
                wrong[given] = f"is given twice, as {name} too"
            else:
                taken[name] = value
        if "source" in taken and not isinstance(taken["source"], str):
            wrong["source"] = f"is {check.shown(taken.pop('source'))}; it is the path of a mailbox"
            taken.setdefault("front", "given")  # so that its absence is not told as well
        return check.made("scan", lambda: cls(**taken), wrong, hint=_HINT)

    def as_json(self) -> dict[str, Any]:
        """What :meth:`from_json` makes this job of again.

        Raises:
            ConfigError: Its source is an object, which JSON cannot hold.
        """
        found = {one.name: getattr(self, one.name) for one in fields_of(self)}
        if self.source is not None:
            if not isinstance(self.source, (str, Path)):
                raise fw.errors.ConfigError(
                    f"a {type(self.source).__name__} cannot be written as JSON",
                    hint="name the source by a path, an imaps:// address or front=…",
                )
            found["source"] = str(self.source)
        if isinstance(self.after, date):
            found["after"] = self.after.isoformat()
        return found | {"parameters": dict(self.parameters)}

    @property
    def since(self) -> float | None:
        """``after`` in epoch seconds; a day without a time zone begins in UTC."""
        return instant(self.after)

    @property
    def pacing(self) -> Pacing:
        """How conversations are let out."""
        return Pacing(
            strategy=self.strategy,
            batch_size=self.batch_size,
            batch_delay_ms=self.batch_delay_ms,
        )


def instant(after: object) -> float | None:
    """A moment as epoch seconds; ``None`` for none.

    Raises:
        ValueError: It is none.
    """
    if after is None or (isinstance(after, (int, float)) and not isinstance(after, bool)):
        if after is not None and not math.isfinite(after):
            raise ValueError
        return after
    if not isinstance(after, (str, date)):
        raise ValueError  # noqa: TRY004 - told in one way, whatever is wrong with it
    day = datetime.fromisoformat(after if isinstance(after, str) else after.isoformat())
    return (day if day.tzinfo else day.replace(tzinfo=UTC)).timestamp()


def _faults(job: ScanJob) -> Iterator[tuple[str, str]]:
    """Fields with what is wrong with them. Nothing is known of their types yet."""
    yield from _source_faults(job)
    yield "model", check.model(job.model)
    for name in ("force", "dry_run"):
        yield name, check.switch(getattr(job, name))
    try:
        instant(job.after)
    except (ValueError, OverflowError):
        yield "after", f"{check.shown(job.after)} is no date; write 2026-02-01 or 2026-02-01T08:00"
    yield "page_size", check.count(job.page_size, most=MOST_A_PAGE)
    for name, most in (("limit", None), ("max_pages", None), ("batch_size", 1000), ("tpd", None)):
        yield name, check.optional(getattr(job, name), partial(check.count, most=most))
    yield "front_rpm", check.number(job.front_rpm, least=1)
    for name in ("rpm", "tpm"):
        yield name, check.optional(getattr(job, name), partial(check.number, above=True))
    yield "batch_delay_ms", check.optional(job.batch_delay_ms, partial(check.number, most=600_000))
    yield from _strategy_faults(job)
    yield "parameters", check.mapping(job.parameters)


def _source_faults(job: ScanJob) -> Iterator[tuple[str, str]]:
    source: Any = job.source
    front: Any = job.front
    if front is not None and (not isinstance(front, str) or not front.strip()):
        yield "front", f"is {check.shown(front)}; it is an inbox such as inb_123, or a search"
    if source is None:
        if front is None:
            yield "source", "is missing; name a mailbox, or an inbox of Front in front"
    elif front is not None:
        yield "front", "is given beside source; a scan reads one of them"
    elif isinstance(source, (str, Path)):
        if not str(source).strip():
            yield "source", "is empty; name a mailbox"
    elif not is_source(source):
        kind = type(source).__name__
        yield (
            "source",
            f"a {kind} is no source of mail; give a path, or an object with name, pages, fetch",
        )


def _strategy_faults(job: ScanJob) -> Iterator[tuple[str, str]]:
    strategy: Any = job.strategy
    if strategy not in STRATEGIES:
        yield "strategy", check.choice(strategy, STRATEGIES)
        return
    if strategy == "adaptive":
        for name in ("batch_size", "batch_delay_ms"):
            if getattr(job, name) is not None:
                yield name, f"means nothing to adaptive; name a strategy: {STRATEGIES[1]}"
    elif strategy in {"semaphore", "parallel-batches"} and job.batch_delay_ms:
        yield "batch_delay_ms", f"means nothing to {strategy}: no batch waits for another"
