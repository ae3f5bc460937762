"""What people are asked for: a mailbox and who reads it; and what that would take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fanwise.pipelines import MODEL_PARAMETERS, Field
from fanwise.pipelines.scan.execute import plan
from fanwise.pipelines.scan.job import RULES_MODEL

if TYPE_CHECKING:
    import fanwise as fw
    from fanwise.pipelines.scan.job import ScanJob

FIELDS = (
    Field(
        name="source",
        label="Mail",
        kind="file",
        required=True,
        accept=".mbox,.eml",
        help="An mbox or a single mail.",
    ),
    Field(
        name="model",
        label="Model",
        kind="model",
        default=RULES_MODEL,
        help="Who reads the mails, as provider/model; builtin/rules needs no key.",
    ),
    Field(name="after", label="Since", help="Only mail since then, such as 2026-02-01."),
    Field(name="limit", label="Most conversations", kind="number", help="All where it is empty."),
    Field(
        name="force",
        label="Scan what was scanned before, too",
        kind="bool",
        default=False,
        extra=True,
    ),
    MODEL_PARAMETERS,
)


async def plan_of(job: ScanJob, **options: Any) -> fw.types.Plan:
    """What a job would ask for, cost and take; sends and writes nothing.

    Takes the options of ``fw.open_run`` by their names.
    """
    return await plan(
        job.source,
        model=job.model,
        after=job.after,
        limit=job.limit,
        parameters=job.parameters,
        **options,
    )
