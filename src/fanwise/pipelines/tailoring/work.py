"""One resume through the graph: from its document to a draft with scores before and after."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import fanwise as fw
from fanwise.pipelines.tailoring import tables
from fanwise.pipelines.tailoring.analyses import Analyses
from fanwise.pipelines.tailoring.analysis import (
    JobAnalysis,
    analysis_by_rules,
    checked_analysis,
)
from fanwise.pipelines.tailoring.answer import changes_of
from fanwise.pipelines.tailoring.asking import asked, version_for
from fanwise.pipelines.tailoring.ats import AtsScore, score
from fanwise.pipelines.tailoring.changes import applied
from fanwise.pipelines.tailoring.drafts import base_row
from fanwise.pipelines.tailoring.gate import summary_of
from fanwise.pipelines.tailoring.job import ResumeInput, TailorJob
from fanwise.pipelines.tailoring.jsonresume import read_json_resume
from fanwise.pipelines.tailoring.parse import parse_resume, unwrapped
from fanwise.pipelines.tailoring.posting import Posting, read_posting
from fanwise.pipelines.tailoring.profile import profile_of
from fanwise.pipelines.tailoring.prompt import analysis_messages, tailor_messages
from fanwise.pipelines.tailoring.records import Change, Resume
from fanwise.pipelines.tailoring.result import Tailored
from fanwise.pipelines.tailoring.rules import analysis_rules, tailor_rules
from fanwise.pipelines.tailoring.targets import Targets, targets_of

_MOST_READERS = 4
_LEAST_CHARS, _MOST_CHARS = 80, 60_000

Tell = Callable[[str, str], Awaitable[None]]
"""Is told that a step of a resume begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A resume that was read, with what it is held against."""

    kind: str
    resume: Resume
    base: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Draftable:
    """What the tailoring step has come to."""

    changes: tuple[Change, ...]
    model: str
    warnings: tuple[str, ...]


class Work:
    """What all resumes of a job share, and the steps of each.

    Args:
        job: What to do.
        store: Where drafts and analyses are kept; ``None`` for nowhere.
        now: Time in epoch seconds.
        tell: Is told of steps that begin.
    """

    def __init__(
        self,
        job: TailorJob,
        *,
        store: fw.Store | None,
        now: Callable[[], float],
        tell: Tell,
    ) -> None:
        self.job = job
        self._store = store
        self._now = now
        self._tell = tell
        self._text = "\n".join(unwrapped(job.job_description))
        self._posting: Posting = read_posting(self._text)
        self._readers = asyncio.Semaphore(_MOST_READERS)
        self._analyses = Analyses(store, max_age_s=job.analysis_max_age_s, now=now)
        self.run_id = ""

    @property
    def _saves(self) -> bool:
        return self._store is not None and self.job.save

    @property
    def today(self) -> date:
        """The day until which a post held at present counts."""
        return datetime.fromtimestamp(self._now(), UTC).date()

    async def item(self, ctx: fw.Context, given: ResumeInput) -> dict[str, Any]:
        """One resume, as the item of a run: the graph, and its result as JSON."""
        graph = self.graph()
        result = await graph.run({"resume": given}, ctx=ctx)
        if result.error is not None:
            raise result.error
        return self._tailored(given, result).as_json()

    def graph(self) -> fw.Graph:
        """The steps. A step starts when what its parameters name is there, and not sooner."""
        graph = fw.Graph("tailoring")
        graph.add(self.validate)
        graph.add(self.ats_score)
        if self.job.embedding_model is not None:
            graph.add(self.embedding, optional=True)
        if self.job.score_only:
            return graph
        graph.add(self.job_analysis)
        graph.add(self.targets)
        graph.add(self.tailor)
        graph.add(self.rescore)
        if self._saves:
            graph.add(self.save_draft)
        return graph

    # steps

    async def validate(self, resume: ResumeInput) -> Read:
        """Reads the document, off the event loop, and parses the resume that it is."""
        await self._tell(resume.id, "validate")
        async with self._readers:
            document = await fw.documents.read_document(resume.source, name=resume.name)
        chars = len(document.text)
        if not _LEAST_CHARS <= chars <= _MOST_CHARS:
            raise fw.errors.InputError(
                f"it has {chars:,} characters",
                source=resume.name,
                hint=f"a resume has {_LEAST_CHARS} to {_MOST_CHARS:,}",
            )
        if document.kind == "json":
            found = read_json_resume(document.text, name=resume.name)
        else:
            found = parse_resume(document.text)
        if not found.sections:
            raise fw.errors.InputError(
                "it has neither headings such as Experience, Education or Skills, nor text below a "
                "name",
                source=resume.name,
                hint="is it a resume? give each section a heading on a line of its own",
            )
        return Read(kind=document.kind, resume=found, base=base_row(found, name="", at=0)["base"])

    async def ats_score(self, resume: ResumeInput, validate: Read) -> AtsScore:
        """The score as the resume stands."""
        await self._tell(resume.id, "ats_score")
        return self._score(validate.resume)

    async def job_analysis(
        self, ctx: Any, resume: ResumeInput, validate: Read
    ) -> tuple[JobAnalysis, list[str]]:
        """What the job asks for: by a model, once for all resumes; by rules where all fail."""
        await self._tell(resume.id, "job_analysis")
        del validate  # nothing is spent on a resume that cannot be read
        return await self.analysis(ctx)

    async def analysis(self, ctx: Any) -> tuple[JobAnalysis, list[str]]:
        """The analysis of the job, from earlier today or from a model."""
        job = self.job
        failures: list[str] = []

        async def ask() -> tuple[Any, str]:
            answer, model, failed = await asked(
                ctx,
                analysis_messages(self._text),
                models=job.models,
                schema="tailoring_analysis",
                rules=analysis_rules,
                parameters=job.parameters,
                label="analyse",
            )
            failures.extend(failed)
            return answer, model

        try:
            found, warnings = await self._analyses.get(
                self._text,
                models=job.models,
                parameters=job.parameters,
                version=" ".join(version_for(model) for model in job.models),
                ask=ask,
            )
        except fw.errors.CallError as error:
            found, warnings = checked_analysis(
                analysis_by_rules(self._text), self._text, model="rules"
            )
            failures.append(f"the job was analysed by rules: {error.message}"[:300])
        return found, [*failures, *warnings]

    async def targets(
        self,
        resume: ResumeInput,
        validate: Read,
        ats_score: AtsScore,
        job_analysis: tuple[JobAnalysis, list[str]],
    ) -> Targets:
        """Gaps, ceiling, target and keywords."""
        await self._tell(resume.id, "targets")
        return self._targets(validate.resume, ats_score, job_analysis[0])

    async def tailor(
        self,
        ctx: Any,
        resume: ResumeInput,
        validate: Read,
        targets: Targets,
        job_analysis: tuple[JobAnalysis, list[str]],
    ) -> Draftable:
        """Changes, each held against the resume by the fabrication gate."""
        await self._tell(resume.id, "tailor")
        answer, model, failures = await self._asked_for_changes(
            ctx, validate.resume, targets, title=job_analysis[0].title
        )
        changes, warnings = changes_of(
            answer, validate.resume, posting_text=self._text, mode=self.job.mode
        )
        told = (*job_analysis[1], *failures, *warnings, *summary_of(changes))
        return Draftable(changes=changes, model=model, warnings=told)

    async def rescore(self, resume: ResumeInput, validate: Read, tailor: Draftable) -> AtsScore:
        """The score with the accepted changes."""
        await self._tell(resume.id, "rescore")
        return self._score(applied(validate.resume, tailor.changes))

    async def save_draft(
        self,
        resume: ResumeInput,
        validate: Read,
        tailor: Draftable,
        ats_score: AtsScore,
        targets: Targets,
    ) -> str:
        """Keeps the draft; the base is never written over."""
        await self._tell(resume.id, "save_draft")
        assert self._store is not None
        at = self._now()
        draft = self.draft_id(resume)
        row = {
            "draft": draft,
            "base": validate.base,
            "name": resume.id,
            "title": self._posting.title,
            "posting": self._text,
            "settings": self.job.settings,
            "model": tailor.model,
            "run_id": self.run_id,
            "changes": [change.as_json() for change in tailor.changes],
            "scores": {"before": ats_score.total, "target": targets.target},
            "status": "draft",
            "promoted_to": None,
            "created_at": at,
            "updated_at": at,
        }
        base = base_row(validate.resume, name=resume.id, at=at)
        await self._store.write(lambda c: tables.keep_draft(c, base, row))
        return draft

    async def embedding(self, ctx: Any, resume: ResumeInput, validate: Read) -> int:
        """The resume's embedding beside its base: name and contacts left out. Returns its size."""
        await self._tell(resume.id, "embedding")
        model = self.job.embedding_model
        assert model is not None
        response = await ctx.respond(
            model,
            body={"model": model.partition("/")[2], "input": validate.resume.body[:24_000]},
            endpoint="embeddings",
            label="embed",
        )
        vector = response.body["data"][0]["embedding"]
        if self._store is not None:
            row = {"base": validate.base, "model": model, "vector": vector}
            await self._store.write(lambda c: tables.replace_row(c, tables.embeddings, row))
        return len(vector)

    # what steps share

    async def count(self, ctx: fw.Context, given: ResumeInput) -> int:
        """The calls of one resume and nothing else: what a plan counts."""
        read = await self.validate(given)
        if self.job.score_only:
            return 0
        analysis, _ = await self.analysis(ctx)
        targets = self._targets(read.resume, self._score(read.resume), analysis)
        await self._asked_for_changes(ctx, read.resume, targets, title=analysis.title)
        return 1

    async def _asked_for_changes(
        self, ctx: Any, resume: Resume, targets: Targets, *, title: str
    ) -> tuple[Any, str, list[str]]:
        job = self.job
        messages = tailor_messages(
            resume, self._text, title=title, targets=targets, settings=job.settings
        )
        return await asked(
            ctx,
            messages,
            models=job.models,
            schema="tailoring_changes",
            rules=tailor_rules,
            parameters=job.parameters,
            label="tailor",
        )

    def _score(self, resume: Resume) -> AtsScore:
        return score(resume, self._posting, posting_text=self._text, today=self.today)

    def _targets(self, resume: Resume, before: AtsScore, analysis: JobAnalysis) -> Targets:
        profile = profile_of(resume, today=self.today)
        return targets_of(before, analysis, self._posting, profile, mode=self.job.mode)

    def draft_id(self, given: ResumeInput) -> str:
        """The same again when a run is resumed, another in another run."""
        return hashlib.sha256(f"{self.run_id}\n{given.id}".encode()).hexdigest()[:16]

    def _tailored(self, given: ResumeInput, result: fw.types.GraphResult) -> Tailored:
        read: Read = result["validate"]
        before: AtsScore = result["ats_score"]
        performance = _performance(result)
        shared: dict[str, Any] = {
            "id": given.id,
            "kind": read.kind,
            "base": read.resume,
            "before": before.as_json(),
            "title": self._posting.title,
            "performance": performance,
        }
        lost: list[str] = []
        if "embedding" in result and not result.outcomes["embedding"].ok:
            lost.append(f"no embedding was made: {result.outcomes['embedding'].error}"[:300])
        if self.job.score_only:
            return Tailored(**shared, warnings=(*before.notes, *lost))
        tailored: Draftable = result["tailor"]
        after: AtsScore = result["rescore"]
        return Tailored(
            **shared,
            changes=tailored.changes,
            after=after.as_json(),
            targets=result["targets"].as_json(),
            analysed_by=result["job_analysis"][0].model,
            model=tailored.model,
            draft=result["save_draft"] if self._saves else "",
            warnings=(*tailored.warnings, *after.notes, *lost),
        )


def _performance(result: fw.types.GraphResult) -> dict[str, Any]:
    found = dict(result.report.to_json())
    del found["parallelism"]
    found["steps"] = {name: outcome.service_s for name, outcome in result.outcomes.items()}
    return found
