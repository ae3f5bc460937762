"""One recording, many kinds of notes, three depths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanwise.lazy import lazily
from fanwise.pipelines import Pipeline

if TYPE_CHECKING:
    from fanwise.pipelines.notes.catalogue import Section, Template, template
    from fanwise.pipelines.notes.job import NotesJob
    from fanwise.pipelines.notes.records import DepthNote, Note, Source, Written
    from fanwise.pipelines.notes.result import NotesResult, TemplateResult
    from fanwise.pipelines.notes.running import execute, notes, plan
    from fanwise.pipelines.notes.sources import Videos
    from fanwise.pipelines.notes.usage import StoreUsage, Usage, UsageExceeded
    from fanwise.pipelines.notes.video import video_id

_PACKAGE = "fanwise.pipelines.notes"

PIPELINE = Pipeline(
    name="notes",
    summary="Notes of a recording: six templates at three depths",
    module=_PACKAGE,
    sample="sample/sourdough.vtt",
    rules={
        "notes_note": f"{_PACKAGE}.rules:note_rules",
        "notes_part": f"{_PACKAGE}.rules:part_rules",
    },
    job=f"{_PACKAGE}.job:NotesJob",
    execute=f"{_PACKAGE}.running:execute",
    files=("source",),
    plan=f"{_PACKAGE}.running:plan",
    form=f"{_PACKAGE}.form:FIELDS",
)

_HOMES = {
    "DepthNote": "records",
    "Note": "records",
    "NotesJob": "job",
    "NotesResult": "result",
    "Section": "catalogue",
    "Source": "records",
    "StoreUsage": "usage",
    "Template": "catalogue",
    "TemplateResult": "result",
    "Usage": "usage",
    "UsageExceeded": "usage",
    "Videos": "sources",
    "Written": "records",
    "execute": "running",
    "notes": "running",
    "plan": "running",
    "template": "catalogue",
    "video_id": "video",
}

__all__ = [
    "PIPELINE",
    "DepthNote",
    "Note",
    "NotesJob",
    "NotesResult",
    "Section",
    "Source",
    "StoreUsage",
    "Template",
    "TemplateResult",
    "Usage",
    "UsageExceeded",
    "Videos",
    "Written",
    "execute",
    "notes",
    "plan",
    "template",
    "video_id",
]

__getattr__ = lazily(__name__, _HOMES)
