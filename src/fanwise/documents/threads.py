"""Conversations: messages joined by what they answer.

Two passes. The first reads every message's head into a small index (some 400 bytes a message, no
bodies); the second reads the messages of one conversation at a time. Messages are joined by
``References`` and ``In-Reply-To``; a reply that has neither (some mailers write none) joins the
message of the same subject between the same two people, no more than 90 days apart.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path

from fanwise.documents.headers import Head, addresses, instant, message_ids, own_id, read_head
from fanwise.documents.mail import (
    MailMessage,
    hashed,
    identity_of,
    parsed,
    raw_messages,
)
from fanwise.documents.maildir import read_delivered
from fanwise.documents.mbox import RawMessage, read_stretch, read_whole
from fanwise.errors import InputError

MAX_MESSAGES = 500

_MAX_REFERENCES = 100
_MAX_PARTNERS = 5
_APART_S = 90 * 86400.0
_PREFIX = re.compile(
    r"^\s*(?:(re|aw|sv|vs|antw|odp|ynt|rif|r|ref|res|回复|答复|回覆)|fwd?|wg|tr|rv|enc|doorst|vb|vl|pd|i"
    r"|转发)(?:\[\d{1,3}\]|\(\d{1,3}\))?\s*[:：]\s*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A conversation before its messages are read.

    Args:
        id: A hash of the ``Message-ID`` of the conversation's first message: the same whenever
            the mailbox is read again, however many messages have come since. Of more than 500
            messages, each further 500 are a thread of their own, ``id#2`` and so on.
        count: Messages in it.
        latest_at: When the newest was sent, epoch seconds; ``None`` where no date is known.
        latest_id: A hash of the newest one's ``Message-ID``.
        messages: Their places in the index, oldest first.
    """

    id: str
    count: int
    latest_at: float | None
    latest_id: str
    messages: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """The messages of one thread, oldest first; the other fields as in :class:`Thread`."""

    id: str
    subject: str
    messages: Sequence[MailMessage]
    latest_at: float | None
    latest_id: str


def conversations(
    source: str | Path, *, wanted: Callable[[Thread], bool] | None = None
) -> Iterator[Conversation]:
    """The conversations of a mailbox, in the order of their first messages.

    Args:
        source: As for :func:`fanwise.documents.read_mail`.
        wanted: Asked before a conversation's messages are read; those it declines are left out.

    Raises:
        InputError: The source cannot be read, or changed while it was.
    """
    index = MailIndex(source)
    for thread in index.threads():
        if wanted is None or wanted(thread):
            yield index.read(thread)


class ThreadIndex:
    """Which conversation each message belongs to, out of the messages' heads alone.

    Messages are numbered as they are added, from 0; :attr:`Thread.messages` holds these numbers.
    """

    def __init__(self) -> None:
        self._date = array("d")
        self._node = array("q")
        self._links = _Links()
        self._pairs: dict[int, int] = {}
        self._orphans: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._node)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} messages)"

    def add(self, head: bytes) -> int:
        """Takes in a message.

        Args:
            head: Its header, or the whole of it.

        Returns:
            Its number.
        """
        fields = read_head(head)
        return self._take(fields, own_id(fields.raw("message-id")) or hashed(head))

    def _take(self, head: Head, identity: str) -> int:
        number = len(self)
        date = instant(head)
        subject, is_reply = plain_subject(head.text("subject", most=1000))
        self._date.append(math.nan if date is None else date)
        node = self._links.own(_key(identity), _key(subject))
        self._node.append(node)
        above = _above(head)
        self._links.chain([self._links.node(_key(name)) for name in above], node)
        if len(subject) > 3:
            self._join_by_subject(number, head, subject, joins=is_reply and not above)
        return number

    def threads(self) -> Iterator[Thread]:
        """The conversations, in the order of their first messages."""
        following = array("q", [-1]) * len(self)
        last: dict[int, int] = {}
        firsts: list[int] = []
        for message, node in enumerate(self._node):
            root = self._links.find(node)
            before = last.get(root)
            if before is None:
                firsts.append(message)
            else:
                following[before] = message
            last[root] = message
        last.clear()
        for first in firsts:
            members: list[int] = []
            at = first
            while at >= 0:
                members.append(at)
                at = following[at]
            members.sort(key=lambda m: (_or_last(self._date[m]), m))
            yield from self._parts(members)

    def _parts(self, members: list[int]) -> Iterator[Thread]:
        name = f"{self._links.key(self._links.top(self._node[members[0]])):016x}"
        for start in range(0, len(members), MAX_MESSAGES):
            part = members[start : start + MAX_MESSAGES]
            dated = [m for m in part if not math.isnan(self._date[m])]
            latest = dated[-1] if dated else part[-1]
            yield Thread(
                id=name if start == 0 else f"{name}#{start // MAX_MESSAGES + 1}",
                count=len(part),
                latest_at=self._date[latest] if dated else None,
                latest_id=f"{self._links.key(self._node[latest]):016x}",
                messages=tuple(part),
            )

    def _join_by_subject(self, number: int, head: Head, subject: str, *, joins: bool) -> None:
        senders = addresses(head.all("from"))
        partners = addresses([*head.all("to"), *head.all("cc")])[:_MAX_PARTNERS]
        if not senders:
            return
        node = self._node[number]
        for _, partner in partners:
            key = hash((subject, frozenset((senders[0][1], partner))))
            other = self._pairs.get(key) if joins else self._orphans.pop(key, None)
            if other is not None and self._near(number, other):
                self._links.join(node, self._node[other], above=joins)
                joins = False
            elif joins:
                self._orphans[key] = number
            self._pairs[key] = number

    def _near(self, one: int, other: int) -> bool:
        apart = abs(self._date[one] - self._date[other])
        return math.isnan(apart) or apart <= _APART_S


class MailIndex(ThreadIndex):
    """Where every message of a mailbox stands and which conversation it belongs to.

    Building it reads the whole mailbox once. It holds no open file.

    Args:
        source: As for :func:`fanwise.documents.read_mail`.

    Raises:
        InputError: The source is missing, empty or no mail.
    """

    def __init__(self, source: str | Path) -> None:
        super().__init__()
        self._files: list[str] = []
        self._file = array("q")  # per message: its file, where in it, how long, on which line
        self._offset = array("q")
        self._size = array("q")
        self._line = array("q")
        for raw in raw_messages(source):
            self._add(raw)
        self._pairs.clear()
        self._orphans.clear()

    def read(self, thread: Thread) -> Conversation:
        """The messages of a thread. Copies of one message (the same id and text) are given once.

        Raises:
            InputError: A file of the mailbox has changed since the index was built.
        """
        return conversation_of(thread, [parsed(self._raw(number)) for number in thread.messages])

    def _add(self, raw: RawMessage) -> None:
        name = str(raw.path)
        if not self._files or self._files[-1] != name:
            self._files.append(name)
        self._file.append(len(self._files) - 1)
        self._offset.append(-1 if raw.alone else raw.offset)
        self._size.append(raw.size)
        self._line.append(raw.line)
        head = read_head(raw.data)
        self._take(head, identity_of(raw, head))

    def _raw(self, number: int) -> RawMessage:
        path = Path(self._files[self._file[number]])
        if path.parent.name in {"cur", "new"}:
            return read_delivered(path)
        try:
            if self._offset[number] < 0:
                raw = read_whole(path)
            else:
                raw = read_stretch(
                    path,
                    offset=self._offset[number],
                    size=self._size[number],
                    line=self._line[number],
                )
        except OSError as error:
            raise _changed(path) from error
        key = _key(identity_of(raw, read_head(raw.data)))
        if not self._links.is_own(self._node[number], key):
            raise _changed(path)
        return raw


def conversation_of(thread: Thread, read: Sequence[MailMessage]) -> Conversation:
    """A conversation of messages that were read, oldest first; copies are given once."""
    messages: list[MailMessage] = []
    seen: set[tuple[str, int]] = set()
    for message in read:
        key = (message.message_id, hash(message.text))
        if key not in seen:
            seen.add(key)
            messages.append(message)
    subjects = (message.subject for message in messages if message.subject)
    return Conversation(
        id=thread.id,
        subject=next(subjects, ""),
        messages=tuple(messages),
        latest_at=thread.latest_at,
        latest_id=thread.latest_id,
    )


class _Links:
    """Nodes for message ids, seen or only referred to, joined into sets (union by size)."""

    def __init__(self) -> None:
        self._nodes: dict[int, int] = {}
        self._keys = array("Q")
        self._subjects = array("Q")  # 0 where the message itself has not been seen
        self._set = array("q")
        self._sizes = array("q")
        self._above = array("q")

    def node(self, key: int) -> int:
        """The node of a message id."""
        found = self._nodes.get(key)
        if found is None:
            found = self._nodes[key] = len(self._keys)
            self._keys.append(key)
            self._subjects.append(0)
            self._set.append(found)
            self._sizes.append(1)
            self._above.append(-1)
        return found

    def own(self, key: int, subject: int) -> int:
        """The node of a message. Some programs give all their messages one id: such a message,
        of another subject than the first, gets a node of its own.
        """
        node = self.node(key)
        if self._subjects[node] not in {0, subject}:
            node = self.node(_key(f"{key} {subject}"))
        self._subjects[node] = subject
        return node

    def is_own(self, node: int, key: int) -> bool:
        own = self._keys[node]
        return own in {key, _key(f"{key} {self._subjects[node]}")}

    def key(self, node: int) -> int:
        return self._keys[node]

    def chain(self, above: Sequence[int], node: int) -> None:
        """Joins a message to the messages above it, given oldest first."""
        for upper, lower in pairwise([*above, node]):
            self.join(lower, upper, above=True)

    def join(self, node: int, other: int, *, above: bool) -> None:
        """Makes two nodes one conversation; ``above`` says that the other one is the older."""
        upper, lower = (other, node) if above else (node, other)
        if upper != lower and self._above[lower] < 0 and self.top(upper) != lower:
            self._above[lower] = upper
        one, two = self.find(node), self.find(other)
        if one == two:
            return
        if self._sizes[one] < self._sizes[two]:
            one, two = two, one
        self._set[two] = one
        self._sizes[one] += self._sizes[two]

    def find(self, node: int) -> int:
        while self._set[node] != node:
            self._set[node] = self._set[self._set[node]]
            node = self._set[node]
        return node

    def top(self, node: int) -> int:
        """The oldest known message above a node."""
        for _ in range(1000):
            upper = self._above[node]
            if upper < 0:
                break
            node = upper
        return node


def plain_subject(subject: str) -> tuple[str, bool]:
    """A subject without its ``Re:`` and ``Fwd:`` in many languages, and whether it was a reply."""
    is_reply = False
    for _ in range(10):
        found = _PREFIX.match(subject)
        if found is None:
            break
        is_reply = is_reply or found[1] is not None
        subject = subject[found.end() :]
    return " ".join(subject.lower().split()), is_reply


def _above(head: Head) -> list[str]:
    """Ids of the messages above one, oldest first, without repetitions."""
    answered = message_ids(head.raw("in-reply-to"))[:1]
    references = message_ids(head.raw("references"))
    if len(references) > _MAX_REFERENCES:
        references = [references[0], *references[1 - _MAX_REFERENCES :]]
    return list(dict.fromkeys([*references, *answered]))


def _key(text: str) -> int:
    digest = blake2b(text.encode("utf-8", errors="replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") or 1


def _or_last(date: float) -> float:
    return math.inf if math.isnan(date) else date


def _changed(path: Path) -> InputError:
    return InputError(
        "the mailbox changed while it was being read",
        source=str(path),
        hint="start again when nothing writes to it",
    )
