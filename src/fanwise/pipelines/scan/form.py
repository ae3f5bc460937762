"""What people are asked for: a mailbox and who reads it."""

from __future__ import annotations

from fanwise.pipelines import MODEL_PARAMETERS, Field
from fanwise.pipelines.fields import RULES_MODEL
from fanwise.pipelines.scan.strategies import STRATEGIES

FIELDS = (
    Field(
        name="source",
        label="Mail",
        kind="file",
        accept=".mbox,.eml",
        help="An mbox or a single mail.",
    ),
    Field(
        name="front",
        label="or an inbox of Front",
        help="Such as inb_123, or a search; the service's FRONT_API_TOKEN is used.",
        extra=True,
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
    Field(
        name="dry_run",
        label="Write nothing",
        kind="bool",
        default=False,
        extra=True,
        help="The model is asked all the same.",
    ),
    Field(
        name="strategy",
        label="How many at once",
        kind="choice",
        choices=STRATEGIES,
        default="adaptive",
        extra=True,
        help="adaptive lets the limits decide; parallel-batches may be refused by the provider.",
    ),
    MODEL_PARAMETERS,
)
