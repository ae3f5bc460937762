"""How a scan went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from fanwise.pipelines.scan.tables import Changes
from fanwise.records import Json

MOST_ERRORS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanError:
    """A conversation that failed, and why. Holds nothing of what its mail says."""

    conversation: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanSummary:
    """The account of one scan.

    Args:
        status: ``success`` where nothing failed, ``partial`` where something did, ``error`` where
            nothing else was done.
        run_id: The run.
        complete: Whether the source was read to its end; where not, the run can be resumed.
        dry_run: Whether nothing was written.
        processed: Conversations read and understood.
        already_scanned: Conversations left out because nothing has come since the last scan.
        added: Shipments found for the first time.
        updated: Known shipments that something was learned about.
        skipped: Known shipments that nothing new was said of.
        no_tracking: Processed conversations without a tracking number.
        failed: Conversations that failed; the next scan tries them again.
        total: Conversations seen in the source.
        errors: The first 100 failures.
        duration_ms: Wall time in milliseconds.
        model: Who answered, as ``provider/model``.
        strategy: How conversations were let out.
        warnings: What is risky about it.
        mail_api: Requests to a mail server or API with limits of its own; empty for files.
    """

    status: Literal["success", "partial", "error"]
    run_id: str = ""
    complete: bool = True
    dry_run: bool = False
    processed: int = 0
    already_scanned: int = 0
    added: int = 0
    updated: int = 0
    skipped: int = 0
    no_tracking: int = 0
    failed: int = 0
    total: int = 0
    errors: Sequence[ScanError] = ()
    duration_ms: int = 0
    model: str = ""
    strategy: str = "adaptive"
    warnings: Sequence[str] = ()
    mail_api: Mapping[str, float] = field(default_factory=dict[str, float])

    def as_json(self) -> dict[str, Json]:
        """The summary as plain JSON."""
        return {
            "status": self.status,
            "run_id": self.run_id,
            "complete": self.complete,
            "dry_run": self.dry_run,
            "processed": self.processed,
            "already_scanned": self.already_scanned,
            "added": self.added,
            "updated": self.updated,
            "skipped": self.skipped,
            "no_tracking": self.no_tracking,
            "failed": self.failed,
            "total": self.total,
            "errors": [
                {"conversation": error.conversation, "message": error.message}
                for error in self.errors
            ],
            "duration_ms": self.duration_ms,
            "model": self.model,
            "strategy": self.strategy,
            "warnings": list(self.warnings),
            "mail_api": dict(self.mail_api),
        }


@dataclass(slots=True)
class Tally:
    """The counts of a scan while it runs."""

    run_id: str = ""
    processed: int = 0
    already_scanned: int = 0
    added: int = 0
    updated: int = 0
    skipped: int = 0
    no_tracking: int = 0
    failed: int = 0
    total: int = 0
    errors: list[ScanError] = field(default_factory=list[ScanError])

    def took(self, changes: Changes, *, shipments: int) -> None:
        """Counts a conversation that was processed."""
        self.processed += 1
        self.added += changes.added
        self.updated += changes.updated
        self.skipped += changes.skipped
        self.no_tracking += shipments == 0

    def fails(self, conversation: str, message: str) -> None:
        """Counts a conversation that failed."""
        self.failed += 1
        if len(self.errors) < MOST_ERRORS:
            self.errors.append(ScanError(conversation=conversation, message=message))

    def summary(
        self,
        *,
        duration_s: float,
        complete: bool,
        dry_run: bool,
        aborted: bool = False,
        **more: Any,
    ) -> ScanSummary:
        """The account as it stands; ``aborted`` says that an exception ended the scan, and ``more``
        are further fields of the summary.
        """
        status: Literal["success", "partial", "error"] = "success"
        if self.failed or aborted:
            status = "partial" if self.processed else "error"
        return ScanSummary(
            status=status,
            run_id=self.run_id,
            complete=complete,
            dry_run=dry_run,
            processed=self.processed,
            already_scanned=self.already_scanned,
            added=self.added,
            updated=self.updated,
            skipped=self.skipped,
            no_tracking=self.no_tracking,
            failed=self.failed,
            total=self.total,
            errors=tuple(self.errors),
            duration_ms=round(duration_s * 1000),
            **more,
        )
