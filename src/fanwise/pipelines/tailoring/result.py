"""What tailoring comes to: of one resume, and of a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fanwise.pipelines.tailoring.changes import applied
from fanwise.pipelines.tailoring.records import Change, Resume


@dataclass(frozen=True, slots=True, kw_only=True)
class Tailored:
    """What one resume came to.

    Args:
        id: The resume's id.
        kind: What document it was.
        base: The resume as it was read.
        changes: Each change with the gate's verdict and the decision; none of a resume that was
            only scored.
        before: Its score as JSON, parts and matches included.
        after: The score with the accepted changes; ``None`` where it was only scored.
        targets: Ceiling, target, keywords and gaps; ``None`` likewise.
        title: The job's title.
        analysed_by: The model of the job's analysis; ``rules`` where every model failed at it.
        model: The model whose changes these are; empty where it was only scored.
        draft: The id of the draft; empty where none was kept.
        warnings: What was passed over, refused, flagged, or done by rules in a model's place.
        performance: Times in seconds: ``total_s``, ``sequential_s``, ``savings_s``, ``speedup``,
            ``efficiency``, ``critical_path_s``, ``critical_path``, and each step's ``steps``.
    """

    id: str
    kind: str
    base: Resume
    before: Mapping[str, Any]
    title: str = ""
    changes: tuple[Change, ...] = ()
    after: Mapping[str, Any] | None = None
    targets: Mapping[str, Any] | None = None
    analysed_by: str = ""
    model: str = ""
    draft: str = ""
    warnings: tuple[str, ...] = ()
    performance: Mapping[str, Any] | None = None

    @property
    def resume(self) -> Resume:
        """The resume with the accepted changes."""
        return applied(self.base, self.changes)

    @property
    def recommended(self) -> list[Mapping[str, Any]]:
        """The job's keywords that the resume does not show: to be added where they are true."""
        keywords = (self.targets or {}).get("keywords", [])
        return [keyword for keyword in keywords if not keyword["present"]]

    def as_json(self) -> dict[str, Any]:
        """As JSON; the tailored resume included."""
        return {
            "id": self.id,
            "kind": self.kind,
            "title": self.title,
            "model": self.model,
            "analysed_by": self.analysed_by,
            "draft": self.draft,
            "ats_before": self.before,
            "ats_after": self.after,
            "targets": self.targets,
            "recommended_keywords": [keyword["name"] for keyword in self.recommended],
            "diff": [change.as_json() for change in self.changes],
            "warnings": list(self.warnings),
            "resume": self.resume.as_json(),
            "base": self.base.as_json(),
            "performance": self.performance,
            "performanceMetrics": _metrics(self.performance),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Tailored:
        """What :meth:`as_json` was made of."""
        return cls(
            id=value["id"],
            kind=value["kind"],
            title=value["title"],
            base=Resume.from_json(value["base"]),
            before=value["ats_before"],
            after=value["ats_after"],
            targets=value["targets"],
            changes=tuple(Change.from_json(one) for one in value["diff"]),
            analysed_by=value["analysed_by"],
            model=value["model"],
            draft=value["draft"],
            warnings=tuple(value["warnings"]),
            performance=value["performance"],
        )


def _metrics(performance: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The same figures in milliseconds and under the names that web clients know."""
    if performance is None:
        return None
    return {
        "totalDurationMs": round(1000 * performance["total_s"]),
        "sequentialTimeMs": round(1000 * performance["sequential_s"]),
        "savingsMs": round(1000 * performance["savings_s"]),
        "speedup": f"{performance['speedup']:.2f}x",
        "efficiency": f"{performance['efficiency']:.1%}",
        "criticalPathMs": round(1000 * performance["critical_path_s"]),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A resume that failed, and why."""

    id: str
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TailorResult:
    """What a batch came to.

    Args:
        run_id: The run.
        status: ``success`` where nothing failed, ``partial`` where something did, ``error`` where
            everything did.
        complete: Whether every resume has ended; where not, the run can be resumed.
        resumes: What succeeded, in the order in which the resumes were given.
        failures: What failed, likewise.
        total: Resumes that were given.
        duration_s: Wall time in seconds.
        background_failed: Pieces of background work (request log, metrics) that failed.
    """

    run_id: str
    status: str
    complete: bool
    resumes: Sequence[Tailored]
    failures: Sequence[Failure]
    total: int
    duration_s: float = 0.0
    background_failed: int = 0

    @property
    def success_rate(self) -> float:
        """Share of the resumes that succeeded."""
        return len(self.resumes) / self.total if self.total else 0.0

    def summary(self) -> dict[str, Any]:
        """The counts, and each resume by its name."""
        done = {
            one.id: {
                "status": "success",
                "before": one.before["total"],
                "after": one.after["total"] if one.after else None,
                "draft": one.draft,
            }
            for one in self.resumes
        }
        failed = {
            one.id: {"status": "error", "code": one.code, "message": one.message}
            for one in self.failures
        }
        return {
            "total": self.total,
            "successCount": len(self.resumes),
            "failureCount": len(self.failures),
            "successRate": f"{self.success_rate:.1%}",
            "resumes": {**done, **failed},
        }

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON."""
        return {
            "run_id": self.run_id,
            "status": self.status,
            "complete": self.complete,
            "summary": self.summary(),
            "results": [one.as_json() for one in self.resumes],
            "duration_s": round(self.duration_s, 3),
            "background_failed": self.background_failed,
        }
