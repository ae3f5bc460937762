"""Single messages that come from elsewhere than a mailbox: over IMAP, or as fields of a web API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fanwise.documents.html import MAX_HTML_CHARS, html_text
from fanwise.documents.mail import MailMessage, forwards, parsed
from fanwise.documents.mbox import RawMessage
from fanwise.documents.mime import Attachment
from fanwise.documents.replies import split_reply


def parse_message(data: bytes, *, place: str, problem: str = "") -> MailMessage:
    """A message out of its bytes, header and body; never raises, see ``MailMessage.broken``.

    Args:
        data: The whole message.
        place: Where it came from, for people.
        problem: What is wrong with it as a whole, such as that it was cut; empty for nothing.
    """
    raw = RawMessage(
        path=Path(place), offset=0, line=1, size=len(data), data=data, problem=problem, alone=True
    )
    return replace(parsed(raw), place=place)


def compose_message(
    *,
    message_id: str,
    subject: str,
    sender: str,
    sender_name: str = "",
    recipients: Sequence[str] = (),
    date: float | None,
    html: str = "",
    text: str = "",
    in_reply_to: str | None = None,
    attachments: Sequence[Attachment] = (),
    place: str,
) -> MailMessage:
    """A message out of fields that somebody else has taken apart already.

    Its text is parted from quotations and signature as that of any other mail.

    Args:
        message_id: Its id, the same whenever it is fetched.
        subject: Its subject.
        sender: The sender's address.
        sender_name: The sender's name as shown to readers.
        recipients: Addresses.
        date: When it was sent, epoch seconds; ``None`` where that is unknown.
        html: Its body as HTML, at most 4 MB of it; ``text`` is used where there is none.
        text: Its body as plain text.
        in_reply_to: The id of the message it answers.
        attachments: What hangs on it.
        place: Where it came from, for people.
    """
    body = html_text(html[:MAX_HTML_CHARS]) if html.strip() else text
    reply = split_reply(body, forwarded=forwards(subject))
    return MailMessage(
        message_id=message_id,
        in_reply_to=in_reply_to,
        references=() if in_reply_to is None else (in_reply_to,),
        subject=subject,
        sender=sender.lower(),
        sender_name=sender_name,
        recipients=tuple(recipients),
        date=date,
        text=reply.text,
        quoted=reply.quoted,
        signature=reply.signature,
        attachments=tuple(attachments),
        place=place,
        offset=0,
        broken=None,
    )
