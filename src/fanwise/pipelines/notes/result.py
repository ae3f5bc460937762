"""What a job has come to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import fanwise as fw
from fanwise.pipelines.notes.links import watch_url
from fanwise.pipelines.notes.records import Note, Source, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateResult:
    """What one template has come to.

    Args:
        template: Its id.
        status: ``complete`` or ``error``; ``pending`` or ``processing`` where the job ended early.
        note: The note, where there is one.
        error: Why there is none, in one line.
        progress: 0 to 100.
        started_at, completed_at: Epoch seconds.
        reused: Whether an earlier job of the same content had written it.
    """

    template: str
    status: Status
    note: Note | None = None
    error: str = ""
    progress: float = 0.0
    started_at: float | None = None
    completed_at: float | None = None
    reused: bool = False

    def as_json(self) -> dict[str, Any]:
        """All of it as plain JSON."""
        return {
            "template": self.template,
            "status": self.status,
            "progress": self.progress,
            "started_at": self.started_at,
            "completed_at": self.completed_at,
            "reused": self.reused,
            "error": self.error or None,
            "note": None if self.note is None else self.note.as_json(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class NotesResult:
    """What a job has come to.

    Args:
        status: ``success``; ``partial`` where some templates failed; ``error`` where all did.
        run_id: The run.
        source: The recording.
        results: One a template, in the order of the job.
        passages: How many ranges the recording was cut into.
        parts: Of each part that was condensed, its first and last passage and its time range.
        mode: How templates were worked on where guardrails looked on: ``parallel`` …; else empty.
        report: The run's performance report.
    """

    status: Literal["success", "partial", "error"]
    run_id: str
    source: Source
    results: Sequence[TemplateResult]
    passages: int = 0
    parts: Sequence[Mapping[str, Any]] = ()
    mode: str = ""
    report: fw.types.Report | None = None

    @property
    def notes(self) -> list[Note]:
        """The notes that there are, in the order of the job."""
        return [one.note for one in self.results if one.note is not None]

    @property
    def coverage(self) -> float | None:
        """Share of the recording's passages that every note cites at every depth: the lowest."""
        shares = [note.coverage for note in self.notes if note.coverage is not None]
        return min(shares) if shares else None

    def as_json(self) -> dict[str, Any]:
        """All of it as plain JSON."""
        report = self.report
        figures = {} if report is None else {
            name: getattr(report, name)
            for name in ("wall_s", "sequential_s", "savings_s", "speedup", "critical_path_s")
        }  # fmt: skip
        return {
            "status": self.status,
            "run_id": self.run_id,
            "source": {
                "id": self.source.id,
                "title": self.source.title,
                "author": self.source.author,
                "language": self.source.language,
                "duration_s": self.source.duration_s,
                "video": self.source.video or None,
                "url": watch_url(self.source.video) if self.source.video else None,
            },
            "models": sorted({model for note in self.notes for model in note.models}),
            "passages": self.passages,
            "parts": [dict(part) for part in self.parts],
            "coverage": self.coverage,
            "mode": self.mode or None,
            "templates": [one.as_json() for one in self.results],
            "report": figures or None,
        }


def of_row(row: Mapping[str, Any]) -> TemplateResult:
    """What a row of the status table says."""
    found = row["result"]
    return TemplateResult(
        template=row["template"],
        status=row["status"],
        note=Note.from_json(json.loads(found)) if found else None,
        error=row["error"] or "",
        progress=row["progress"],
        started_at=row["started_at"],
        completed_at=row["completed_at"],
        reused=True,
    )


def reason_of(error: BaseException | None) -> str:
    """Why, in one line."""
    if isinstance(error, fw.errors.FanwiseError):
        return f"{error.code}: {error}"[:500]
    return f"{type(error).__name__}: {error}"[:500]
