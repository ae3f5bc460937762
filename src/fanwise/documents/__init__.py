"""Text and rows out of files. Names load their module when they are first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanwise.lazy import lazily

if TYPE_CHECKING:
    from fanwise.documents.document import Document, DocumentKind, read_document
    from fanwise.documents.identity import identified, row_id
    from fanwise.documents.mail import MailMessage, read_mail
    from fanwise.documents.mime import Attachment
    from fanwise.documents.onemessage import compose_message, parse_message
    from fanwise.documents.row import Row, batch_kind
    from fanwise.documents.rows import read_rows
    from fanwise.documents.threads import (
        Conversation,
        MailIndex,
        Thread,
        ThreadIndex,
        conversation_of,
        conversations,
    )
    from fanwise.documents.transcripts import Cue, Transcript, parse_transcript, read_transcript

_HOMES = {
    "Attachment": "mime",
    "Document": "document",
    "DocumentKind": "document",
    "read_document": "document",
    "Row": "row",
    "read_rows": "rows",
    "batch_kind": "row",
    "identified": "identity",
    "row_id": "identity",
    "MailMessage": "mail",
    "read_mail": "mail",
    "Conversation": "threads",
    "MailIndex": "threads",
    "Thread": "threads",
    "ThreadIndex": "threads",
    "conversation_of": "threads",
    "compose_message": "onemessage",
    "parse_message": "onemessage",
    "conversations": "threads",
    "Cue": "transcripts",
    "Transcript": "transcripts",
    "parse_transcript": "transcripts",
    "read_transcript": "transcripts",
}

__all__ = [
    "Attachment",
    "Conversation",
    "Cue",
    "Document",
    "DocumentKind",
    "MailIndex",
    "MailMessage",
    "Row",
    "Thread",
    "ThreadIndex",
    "Transcript",
    "batch_kind",
    "compose_message",
    "conversation_of",
    "conversations",
    "identified",
    "parse_message",
    "parse_transcript",
    "read_document",
    "read_mail",
    "read_rows",
    "read_transcript",
    "row_id",
]

__getattr__ = lazily(__name__, _HOMES)
