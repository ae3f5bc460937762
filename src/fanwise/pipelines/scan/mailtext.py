"""A conversation as text for a prompt, and back again.

The text is fenced with a mark that the mail cannot forge; see :mod:`fanwise.pipelines.fences`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fanwise.pipelines.fences import mark_of as fence_mark

if TYPE_CHECKING:
    from fanwise.documents import Conversation, MailMessage

MAX_PART_CHARS = 40_000

_OPEN = re.compile(r"^===== mail data ([0-9a-f]{16}) begins =====$", re.MULTILINE)
_DATE = "%Y-%m-%d %H:%M"
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_HEAD = re.compile(r"(From|Date|Subject|Attachments): (.*)")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One message as the prompt shows it, and as the rules read it back.

    Args:
        sender: Name and address.
        sent: Epoch seconds, to the minute; ``None`` where unknown.
        subject: Its subject.
        attachments: Names of its attachments.
        text: What it says.
        signature: What stands below it.
        quoted: What it quotes, where the quoted message itself is not at hand.
    """

    sender: str
    sent: float | None
    subject: str
    attachments: str
    text: str
    signature: str
    quoted: str

    @property
    def whole(self) -> str:
        """Everything that may hold a number: subject, text, signature, quotation."""
        parts = (self.subject, self.text, self.signature, self.quoted)
        return "\n\n".join(part for part in parts if part)

    @property
    def address(self) -> str:
        """The sender's address; empty where there is none."""
        return self.sender.rpartition("<")[2].rstrip(">").strip() if "@" in self.sender else ""

    @property
    def name(self) -> str:
        """The sender's name; empty where there is none."""
        return self.sender.rpartition("<")[0].strip().strip('"')


def letters_of(conversation: Conversation) -> list[Letter]:
    """The messages of a conversation as letters, oldest first."""
    present = {message.message_id for message in conversation.messages}
    return [_letter(message, present) for message in conversation.messages]


def _letter(message: MailMessage, present: set[str]) -> Letter:
    name = _plain(message.sender_name)
    address = _plain(message.sender)
    quoted = "" if message.in_reply_to in present else message.quoted
    return Letter(
        sender=f"{name} <{address}>" if name and name != address else address,
        sent=None if message.date is None else message.date // 60 * 60,
        subject=_plain(message.subject),
        attachments=_plain(", ".join(a.name or a.content_type for a in message.attachments)),
        text=_body(message.text),
        signature=_body(message.signature),
        quoted=_body(quoted),
    )


def _plain(text: str) -> str:
    return " ".join(_CONTROL.sub(" ", text).split())[:1000]


def _body(text: str) -> str:
    return _CONTROL.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n")).strip("\n ")


def parts_of(letters: Sequence[Letter]) -> Iterator[list[Letter]]:
    """The letters in parts that fit a prompt: at most 40 000 characters each, cut at paragraphs.

    Nothing is left out: what is too long for one prompt goes into the next.
    """
    part: list[Letter] = []
    size = 0
    for letter in letters:
        for piece in _pieces(letter):
            length = len(piece.whole) + 300
            if part and size + length > MAX_PART_CHARS:
                yield part
                part, size = [], 0
            part.append(piece)
            size += length
    if part:
        yield part


def _pieces(letter: Letter) -> Iterator[Letter]:
    room = MAX_PART_CHARS - 2000
    if len(letter.whole) <= room:
        yield letter
        return
    bodies = [*_cut(letter.text, room), *_cut(letter.quoted, room)] or [""]
    for place, body in enumerate(bodies):
        last = place == len(bodies) - 1
        signature = letter.signature[:1500] if last else ""
        yield replace(letter, text=body, quoted="", signature=signature)


def _cut(text: str, room: int) -> Iterator[str]:
    """Pieces of a long text: at a blank line, else at a line end, else anywhere."""
    while len(text) > room:
        at = text.rfind("\n\n", room // 2, room)
        if at < 0:
            at = text.rfind("\n", room // 2, room)
        if at < 0:
            at = text.rfind(" ", room // 2, room)
        at = room if at < 0 else at
        yield text[:at]
        text = text[at:].lstrip("\n ")
    if text:
        yield text


def mark_of(letters: Sequence[Letter]) -> str:
    """The mark that fences these letters: 16 hexadecimal digits of a hash over all of them."""
    return fence_mark(
        part
        for letter in letters
        for part in (
            letter.sender,
            repr(letter.sent),
            letter.subject,
            letter.attachments,
            letter.text,
            letter.signature,
            letter.quoted,
        )
    )


def fenced(letters: Sequence[Letter]) -> str:
    """The letters as text between two lines that hold their mark."""
    mark = mark_of(letters)
    lines = [f"===== mail data {mark} begins ====="]
    for number, letter in enumerate(letters, 1):
        lines += [f"----- {mark} message {number} of {len(letters)} -----"]
        lines += [f"From: {letter.sender}"]
        if letter.sent is not None:
            sent = datetime.fromtimestamp(letter.sent, UTC)
            lines.append(f"Date: {sent.strftime(_DATE)} UTC, {_WEEKDAYS[sent.weekday()]}")
        lines.append(f"Subject: {letter.subject}")
        if letter.attachments:
            lines.append(f"Attachments: {letter.attachments}")
        lines += ["", letter.text]
        if letter.signature:
            lines += [f"----- {mark} signature -----", letter.signature]
        if letter.quoted:
            lines += [f"----- {mark} quoted -----", letter.quoted]
    lines.append(f"===== mail data {mark} ends =====")
    return "\n".join(lines)


def read_back(prompt: str) -> list[Letter]:
    """The letters out of a prompt's text; none where the prompt holds no fenced mail.

    The first opening line is ours: it stands before anything a stranger wrote.
    """
    opening = _OPEN.search(prompt)
    if opening is None:
        return []
    mark = opening.group(1)
    end = prompt.rfind(f"\n===== mail data {mark} ends =====")
    inner = prompt[opening.end() : end if end >= 0 else len(prompt)]
    pieces = re.split(rf"^----- {mark} message \d+ of \d+ -----\n", inner, flags=re.MULTILINE)
    return [_read_letter(piece, mark) for piece in pieces[1:]]


def _read_letter(piece: str, mark: str) -> Letter:
    head, _, body = piece.partition("\n\n")
    fields = {
        match.group(1): match.group(2)
        for match in (_HEAD.fullmatch(line) for line in head.split("\n"))
        if match is not None
    }
    body, _, quoted = body.rstrip("\n").partition(f"\n----- {mark} quoted -----\n")
    text, _, signature = body.partition(f"\n----- {mark} signature -----\n")
    sent = None
    if "Date" in fields:
        stated = fields["Date"].partition(" UTC")[0]
        sent = datetime.strptime(stated, _DATE).replace(tzinfo=UTC).timestamp()
    return Letter(
        sender=fields.get("From", ""),
        sent=sent,
        subject=fields.get("Subject", ""),
        attachments=fields.get("Attachments", ""),
        text=text.strip("\n"),
        signature=signature.strip("\n"),
        quoted=quoted.strip("\n"),
    )
