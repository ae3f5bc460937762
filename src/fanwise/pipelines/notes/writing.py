"""One template: asked, checked, asked again for what is missing, and put together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import fanwise as fw
from fanwise.pipelines.notes.catalogue import Template
from fanwise.pipelines.notes.check import Draft, missing_points
from fanwise.pipelines.notes.job import NotesJob, version_for
from fanwise.pipelines.notes.links import linked
from fanwise.pipelines.notes.passages import cut, ranges
from fanwise.pipelines.notes.prompt import note_messages, part_messages
from fanwise.pipelines.notes.records import Depth, DepthNote, Note, Part, Passage, Source
from fanwise.pipelines.notes.rules import note_rules, part_rules

MOST_ASKS = 3
"""How often one thing is asked for until it is whole."""

PASSES_ON = (fw.errors.CallError, fw.errors.PermitTimeout)
"""What makes the next model of a chain be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What everything is written from.

    Args:
        job: What is asked for.
        source: The recording.
        passages: What the model is shown of it.
        shape: What that is: ``transcript``, ``points`` or ``metadata``.
        on_foreign: Is told of an answer that was labelled as another template's.
    """

    job: NotesJob
    source: Source
    passages: Sequence[Passage]
    shape: str
    on_foreign: Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """Drafted depths, who answered, and how often it was asked."""

    draft: Draft
    models: Counter[str]
    asked: int


async def write_note(
    ctx: fw.Context,
    desk: Desk,
    template: Template,
    *,
    on_depths: Callable[[int], Awaitable[None]],
) -> Note:
    """The note of one template, at all depths of the job.

    Args:
        ctx: The item's context.
        desk: What it is written from.
        template: What is written.
        on_depths: Is told how many depths are done, each time one is.

    Raises:
        CallError: No model of the chain has answered; what was paid for is journalled.
        InvalidOutput: Sections are still missing after three answers.
    """
    depths = desk.job.depths
    done = 0

    async def counted(some: Sequence[Depth]) -> _Asked:
        nonlocal done
        found = await _drafted(ctx, desk, template, some)
        done += len(some)
        await on_depths(done)
        return found

    if desk.job.strategy == "one_call":
        found = [await counted(depths)]
    else:
        outcomes = await fw.settle([partial(counted, (depth,)) for depth in depths])
        for outcome in outcomes:
            if outcome.error is not None:
                raise outcome.error
        found = [outcome.value for outcome in outcomes]
    return _note(desk, template, found)


async def _drafted(
    ctx: fw.Context, desk: Desk, template: Template, depths: Sequence[Depth]
) -> _Asked:
    order = [passage.id for passage in desk.passages]
    draft = Draft(template, depths, order)
    models: Counter[str] = Counter()
    more: Mapping[str, Any] | None = None
    asked = 0
    for asked in range(1, MOST_ASKS + 1):
        wanted, gaps = draft.wanted(), draft.gaps()
        named = {name for names in gaps.values() for name in names}
        data = desk.passages if wanted else [one for one in desk.passages if one.id in named]
        answer, model = await ask(
            ctx,
            desk.job,
            note_messages(template, wanted, data, source=desk.source, shape=desk.shape, more=more),
            name=template.id,
            kind="note",
            sample=asked - 1,
            label=f"{template.id} {'+'.join(depths)}",
        )
        models[model] += 1
        draft.take(answer)
        if draft.foreign:
            desk.on_foreign(f"asked for {template.id}, answered as {draft.foreign[:40]}")
        gaps = draft.gaps()
        if not draft.wanted() and not gaps:
            break
        more = {
            "missing": draft.problems,
            "uncited": list(gaps.items()),
            "foreign": draft.foreign,
            "home": template.whole.id,
            "template": template.id,
        }
    lacking = draft.wanted()
    if lacking:
        depth, names = next(iter(lacking.items()))
        raise fw.errors.InvalidOutput(
            f"the {template.name.lower()} lacks {', '.join(names)} at depth {depth}, "
            f"after {asked} answers",
            hint="another model may keep to the template",
            model=models.most_common(1)[0][0],
        )
    return _Asked(draft=draft, models=models, asked=asked)


async def condense(ctx: fw.Context, job: NotesJob, part: Part, *, source: Source) -> dict[str, Any]:
    """The points of a part's passages by their ids.

    Raises:
        CallError: No model of the chain has answered.
        InvalidOutput: A passage is still missing after three answers.
    """
    wanted = [passage.id for passage in part.passages]
    points: dict[str, list[str]] = {}
    for asked in range(1, MOST_ASKS + 1):
        answer, _ = await ask(
            ctx,
            job,
            part_messages(part, wanted, source=source),
            name="",
            kind="part",
            sample=asked - 1,
            label=part.id,
        )
        for one in answer.passages:
            name = one.passage.strip().upper()
            if name in wanted and name not in points:
                points[name] = [" ".join(point.split()) for point in one.points if point.strip()]
        wanted = missing_points(wanted, points)
        if not wanted:
            return dict(points)
        for name in wanted:
            points.pop(name, None)
    raise fw.errors.InvalidOutput(
        f"{part.id} lacks the points of {', '.join(wanted[:8])} after {MOST_ASKS} answers",
        hint="another model may keep to the passages",
    )


async def ask(
    ctx: fw.Context,
    job: NotesJob,
    messages: Sequence[fw.types.Message],
    *,
    name: str,
    kind: str,
    sample: int,
    label: str,
) -> tuple[Any, str]:
    """The answer of the first model of the chain that gives one, and which that was.

    Raises:
        CallError, PermitTimeout: What kept the last one.
    """
    from fanwise.pipelines.notes.schema import NoteAnswer, PartAnswer

    last: Exception | None = None
    for model in job.models:
        try:
            answer = await ctx.call(
                model,
                messages,
                schema=NoteAnswer if kind == "note" else PartAnswer,
                parameters=job.parameters,
                rules=note_rules if kind == "note" else part_rules,
                version=version_for(model, name),
                sample=sample,
                label=label,
            )
        except PASSES_ON as error:
            last = error
        else:
            return answer, model
    assert last is not None
    raise last


def condensed(passages: Sequence[Passage], points: Mapping[str, Sequence[str]]) -> list[Passage]:
    """Passages that hold the points noted of them instead of what was said."""
    return [
        replace(passage, text="\n".join(f"- {point}" for point in points[passage.id]))
        for passage in passages
    ]


def passages_of(source: Source, job: NotesJob) -> list[Passage]:
    """What there is to cite of a recording.

    Raises:
        InputError: Only a description is to be used, and there is none.
    """
    if job.mode == "transcript":
        return cut(source.transcript)
    if not source.description.strip():
        raise fw.errors.InputError(
            "its publisher says nothing about it, and mode is metadata",
            source=job.source,
            hint="use mode transcript",
        )
    return cut(fw.documents.parse_transcript(source.description, "txt", source=job.source))


def _note(desk: Desk, template: Template, found: Sequence[_Asked]) -> Note:
    warnings: list[str] = []
    depths: list[DepthNote] = []
    uncovered: dict[str, Sequence[str]] = {}
    models: Counter[str] = Counter()
    order = [passage.id for passage in desk.passages]
    for one in found:
        models += one.models
        if one.draft.ignored:
            warnings.append(f"{one.draft.ignored} sections were none of the template's, left out")
        for depth, names in one.draft.gaps().items():
            uncovered[depth] = tuple(names)
            warnings.append(f"{depth}: no section cites {ranges(names, order=order)}")
        depths += [_linked(desk, one.draft.depth(name), warnings) for name in one.draft.depths]
    for less, more in pairwise(depths):
        if more.words <= less.words:
            warnings.append(f"{more.depth} is no longer than {less.depth}")
    return Note(
        template=template.id,
        depths=tuple(depths),
        models=tuple(model for model, _ in models.most_common()),
        passages=len(desk.passages),
        uncovered=uncovered,
        asked=sum(one.asked for one in found),
        warnings=tuple(warnings),
    )


def _linked(desk: Desk, depth: DepthNote, warnings: list[str]) -> DepthNote:
    """A depth whose times are links; times that there are not are warned of."""
    sections: list[Any] = []
    for section in depth.sections:
        text, outside = linked(
            section.markdown, video=desk.source.video, duration_s=desk.source.duration_s
        )
        sections.append(replace(section, markdown=text))
        if outside:
            times = ", ".join(outside[:3])
            warnings.append(f"{depth.depth}, {section.section}: beyond the recording: {times}")
    return replace(depth, sections=tuple(sections))
