"""Tracking numbers out of mail: supplier, carrier, number, order, date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanwise.lazy import lazily
from fanwise.pipelines import Pipeline

if TYPE_CHECKING:
    from fanwise.pipelines.scan.execute import execute, plan, scan
    from fanwise.pipelines.scan.front import FrontInbox
    from fanwise.pipelines.scan.imap import ImapMailbox
    from fanwise.pipelines.scan.job import ScanJob
    from fanwise.pipelines.scan.records import Dropped, Reading, Shipment
    from fanwise.pipelines.scan.scoring import Score, read_truth, score
    from fanwise.pipelines.scan.sources import ConversationSource, Listed, Mailbox
    from fanwise.pipelines.scan.summary import ScanError, ScanSummary
    from fanwise.pipelines.scan.webhooks import BadSignature, Reported, record_event, sign
    from fanwise.pipelines.scan.work import ScanItem

PIPELINE = Pipeline(
    name="scan",
    plan="fanwise.pipelines.scan.execute:plan_of",
    form="fanwise.pipelines.scan.form:FIELDS",
    summary="Shipments and their tracking numbers out of mail",
    module="fanwise.pipelines.scan",
    sample="sample/mail.mbox",
    truth="sample/truth.jsonl",
    rules={"scan_extraction": "fanwise.pipelines.scan.rules:rules"},
    job="fanwise.pipelines.scan.job:ScanJob",
    execute="fanwise.pipelines.scan.execute:execute",
    files=("source",),
)

_HOMES = {
    "BadSignature": "webhooks",
    "ConversationSource": "sources",
    "Dropped": "records",
    "FrontInbox": "front",
    "ImapMailbox": "imap",
    "Listed": "sources",
    "Mailbox": "sources",
    "Reading": "records",
    "Reported": "webhooks",
    "ScanError": "summary",
    "ScanItem": "work",
    "ScanJob": "job",
    "ScanSummary": "summary",
    "Score": "scoring",
    "Shipment": "records",
    "execute": "execute",
    "plan": "execute",
    "read_truth": "scoring",
    "record_event": "webhooks",
    "sign": "webhooks",
    "scan": "execute",
    "score": "scoring",
}

__all__ = [
    "PIPELINE",
    "BadSignature",
    "ConversationSource",
    "Dropped",
    "FrontInbox",
    "ImapMailbox",
    "Listed",
    "Mailbox",
    "Reading",
    "Reported",
    "ScanError",
    "ScanItem",
    "ScanJob",
    "ScanSummary",
    "Score",
    "Shipment",
    "execute",
    "plan",
    "read_truth",
    "record_event",
    "scan",
    "score",
    "sign",
]

__getattr__ = lazily(__name__, _HOMES)
