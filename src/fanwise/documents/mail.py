"""Mail out of mbox files, maildirs and .eml files, one message after another.

A message that is broken is given like any other, with what is wrong with it and whatever could be
read: it neither ends the stream nor gets lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from fanwise.documents.headers import Head, addresses, instant, message_ids, own_id, read_head
from fanwise.documents.maildir import (
    mail_files,
    maildir_files,
    read_delivered,
)
from fanwise.documents.mbox import RawMessage, lost, read_mbox, read_whole
from fanwise.documents.mime import Attachment, read_body
from fanwise.documents.replies import split_reply
from fanwise.documents.sources import STDIN, existing
from fanwise.errors import InputError

_KNOWN_FIELDS = frozenset({"from", "date", "subject", "message-id", "received", "to", "sender"})
_MAX_REFERENCES = 100
_FIELD_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*[!-9;-~]{1,100}[ \t]*:")
_FORWARD_SUBJECT = re.compile(
    r"^\s*(?:(?:re|aw|sv|antw)\s*:\s*)*(?:fwd?|wg|tr|rv|enc|doorst|vb|vs|vl|pd|i|转发|轉寄)\s*[:：]",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailMessage:
    """One message.

    Args:
        message_id: Its ``Message-ID`` without brackets; a hash of the message where it has none.
        in_reply_to: The id of the message it answers.
        references: Ids of the thread above it, oldest first, at most 100.
        subject: Its subject, decoded.
        sender: The sender's address in lower case; empty where there is none.
        sender_name: The sender's name as shown to readers.
        recipients: Addresses of ``To`` and ``Cc`` in lower case, at most 100.
        date: When it was sent, epoch seconds; ``None`` where that is unknown.
        text: What the sender wrote and forwarded, without quotations and signature.
        quoted: What it quotes of earlier messages.
        signature: What stands below ``-- ``.
        attachments: Parts that are no text of the message.
        place: ``file:line`` of an mbox, else the file.
        offset: The byte in the file where it begins.
        broken: What is wrong with it; ``None`` where nothing is. ``text`` then holds whatever
            could be read.
    """

    message_id: str
    in_reply_to: str | None
    references: Sequence[str]
    subject: str
    sender: str
    sender_name: str
    recipients: Sequence[str]
    date: float | None
    text: str
    quoted: str
    signature: str
    attachments: Sequence[Attachment]
    place: str
    offset: int
    broken: str | None


def read_mail(source: str | Path) -> Iterator[MailMessage]:
    """The messages of a mailbox, in its order; memory holds one of them at a time.

    Args:
        source: An mbox file, an ``.eml`` file, a maildir, or a directory with any of them in or
            below it.

    Raises:
        InputError: At the call, where the source is missing, empty or no mail. Single messages
            never raise: see ``MailMessage.broken``.
    """
    return (parsed(raw) for raw in raw_messages(source))


def raw_messages(source: str | Path) -> Iterator[RawMessage]:
    """The messages of a mailbox as bytes; see :func:`read_mail`."""
    if str(source) == STDIN:
        raise InputError(
            "mail cannot be read from standard input",
            hint="name an mbox file, a maildir or an .eml file",
        )
    path = existing(source)
    if path.is_dir():
        first = next(mail_files(path), None)
        if first is None:
            raise InputError(
                "there is no mail in the directory",
                source=str(source),
                hint="a maildir has cur and new in it; else .eml and .mbox files are looked for",
            )
        return _of_directory(path)
    return _of_file(path, kind=_file_kind(path))


def _of_directory(path: Path) -> Iterator[RawMessage]:
    for found in mail_files(path):
        if found.is_dir():
            for file in maildir_files(found):
                yield read_delivered(file)
            continue
        try:
            kind = _file_kind(found)
        except InputError as error:  # one bad file among many is a broken message, not the end
            yield lost(found, error.message)
            continue
        yield from _of_file(found, kind=kind)


def _of_file(path: Path, *, kind: str) -> Iterator[RawMessage]:
    if kind == "mbox":
        yield from read_mbox(path)
    else:
        yield read_whole(path)


def _file_kind(path: Path) -> str:
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"cannot be read: {reason}", source=str(path), hint="check its permissions"
        ) from error
    if not head.strip():
        raise InputError("the file is empty", source=str(path), hint="is it the right file?")
    if head[:2] == b"\x1f\x8b":
        raise InputError("the mailbox is gzipped", source=str(path), hint=f"gunzip -k {path}")
    if head.lstrip().startswith(b"From ") or path.suffix.lower() in {".mbox", ".mbx"}:
        return "mbox"
    if _FIELD_START.match(head) or path.suffix.lower() == ".eml":
        return "eml"
    raise InputError(
        "neither an mbox nor a message: it begins with "
        f"{head[:30].decode('utf-8', errors='replace')!r}",
        source=str(path),
        offset=0,
        hint="export the mail as mbox, maildir or .eml",
    )


def place_of(raw: RawMessage) -> str:
    """Where a message stands, for people."""
    return str(raw.path) if raw.alone else f"{raw.path}:{raw.line}"


def identity_of(raw: RawMessage, head: Head) -> str:
    """A message's id: its own, else a hash of the whole message."""
    own = own_id(head.raw("message-id"))
    return own or hashed(raw.data)


def hashed(data: bytes) -> str:
    """The id of a message that bears none."""
    return f"{blake2b(data, digest_size=12).hexdigest()}@without-message-id"


def forwards(subject: str) -> bool:
    """Whether a subject says that the message forwards another."""
    return _FORWARD_SUBJECT.match(subject) is not None


def parsed(raw: RawMessage) -> MailMessage:
    """A message out of its bytes; never raises."""
    try:
        return _parsed(raw)
    except Exception as error:  # noqa: BLE001 - whatever a stranger wrote must not end the stream
        return _unreadable(raw, f"cannot be parsed: {type(error).__name__}: {error}")


def _parsed(raw: RawMessage) -> MailMessage:
    head = read_head(raw.data)
    problems = [raw.problem] if raw.problem else []
    if not _KNOWN_FIELDS.intersection(name for name, _ in head.fields):
        problems.append("no headers")
    elif head.damaged:
        problems.append("damaged headers")
    body = read_body(raw.data, head)
    problems.extend(body.problems)
    subject = head.text("subject")
    reply = split_reply(body.text, forwarded=forwards(subject))
    senders = addresses(head.all("from") or head.all("sender"))
    name, address = senders[0] if senders else ("", "")
    above = message_ids(head.raw("in-reply-to"))
    return MailMessage(
        message_id=identity_of(raw, head),
        in_reply_to=above[0] if above else None,
        references=tuple(message_ids(head.raw("references"))[-_MAX_REFERENCES:]),
        subject=subject,
        sender=address,
        sender_name=name,
        recipients=tuple(a for _, a in addresses([*head.all("to"), *head.all("cc")])),
        date=instant(head),
        text=reply.text,
        quoted=reply.quoted,
        signature=reply.signature,
        attachments=tuple(body.attachments),
        place=place_of(raw),
        offset=raw.offset,
        broken="; ".join(problems) or None,
    )


def _unreadable(raw: RawMessage, problem: str) -> MailMessage:
    return MailMessage(
        message_id=identity_of(raw, Head((), 0)),
        in_reply_to=None,
        references=(),
        subject="",
        sender="",
        sender_name="",
        recipients=(),
        date=None,
        text="",
        quoted="",
        signature="",
        attachments=(),
        place=place_of(raw),
        offset=raw.offset,
        broken=problem,
    )
