"""The mailbox of the service scanned for shipments."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel, Field

from fanwise.errors import StateError
from fanwise.service.inputs import SETTING
from fanwise.service.routes.common import hub_of
from fanwise.service.routes.seeding import SeedRoute, answered, ask, result_of, seed_documented
from fanwise.service.views import links

router = APIRouter(prefix="/api/front", tags=["scan"], route_class=SeedRoute)

FRONT = "front:"


class ScanAsked(BaseModel):
    """Which conversations are looked at, and how."""

    after: str | float | None = Field(
        None, description="Only with a message since: a date or epoch seconds."
    )
    batchSize: int | None = Field(  # noqa: N815 - its clients' name
        None, description="Conversations a batch. Without it the limits alone set the pace."
    )
    pageSize: int | None = Field(None, description="Conversations a page of Front.")  # noqa: N815
    maxPages: int | None = Field(None, description="At most so many pages of Front.")  # noqa: N815
    forceRescan: bool = Field(False, description="Look at scanned ones too.")  # noqa: N815
    model: str | None = Field(None, description="provider/model; the service's own by default.")

    def job(self, *, mail: str, model: str) -> dict[str, Any]:
        """The fields of the job.

        Raises:
            StateError: The service has no mailbox.
        """
        if not mail:
            raise StateError(
                "this service has no mailbox to scan",
                hint="start it with --mail PATH, imaps://… or front:INBOX",
            )
        found: dict[str, Any] = {
            "model": self.model or model,
            "force": self.forceRescan,
            "after": self.after,
        }
        if self.batchSize is not None:
            found |= {"strategy": "fixed", "batch_size": self.batchSize, "batch_delay_ms": 0}
        if not mail.startswith(FRONT):
            return found | {"source": {SETTING: "mail"}}
        pages = {"page_size": self.pageSize, "max_pages": self.maxPages}
        found |= {name: value for name, value in pages.items() if value is not None}
        return found | {"front": mail.removeprefix(FRONT)}


@router.post(
    "/scan",
    responses=seed_documented() | {202: {"description": "Accepted; the run is named."}},
    summary="Scan the service's mailbox for shipments",
)
async def scan(
    request: Request, asked: ScanAsked, prefer: Annotated[str, Header(max_length=200)] = ""
) -> Response:
    """The summary of the scan, once it is done; with `Prefer: respond-async` its run at once."""
    settings = hub_of(request).settings
    run = await ask(request, "scan", asked.job(mail=settings.mail, model=settings.default_model))
    if "respond-async" in prefer.lower():
        where = links(run.run_id)
        found = {"success": True, "run_id": run.run_id, "links": where}
        answer = answered(found, run_id=run.run_id, status=202)
        answer.headers["location"] = where["self"]
        answer.headers["preference-applied"] = "respond-async"
        return answer
    summary = await result_of(request, run)
    if isinstance(summary, Response):
        return summary
    return answered({"success": summary["status"] != "error", **summary}, run_id=run.run_id)
