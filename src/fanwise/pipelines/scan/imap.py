"""Conversations of an IMAP folder (RFC 9051), through ``imap-tools``.

The folder is opened read-only (EXAMINE) and messages are fetched with PEEK, so that no flag
changes. The library blocks, and works in threads of this source alone, one a connection.
"""

from __future__ import annotations

import asyncio
import imaplib
import re
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any, Final, TypeVar, cast
from urllib.parse import unquote, urlsplit

import fanwise as fw
from fanwise.pipelines.scan.sources import Listed

T = TypeVar("T")

PASSWORD_ENV = "FANWISE_IMAP_PASSWORD"  # noqa: S105 - a name, not a secret
CONNECTIONS = 3
HEADS_A_BATCH = 500
BODIES_A_BATCH = 20
PAGE = 200
MOST_BYTES = 25 * 1024 * 1024
_TIMEOUT_S = 60.0
_GOODBYE_S = 2.0
_TRIES = 3
_WAIT_S = 0.2
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_UID = re.compile(rb"\bUID (\d+)")
_HEADS: Final = (
    "(UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID IN-REPLY-TO REFERENCES DATE SUBJECT FROM SENDER "
    "TO CC RECEIVED)])"
)
_BODIES: Final = f"(UID BODY.PEEK[]<0.{MOST_BYTES}>)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImapAddress:
    """A folder on a server, out of ``imaps://user@host:port/folder``.

    Args:
        user: Who logs in.
        host: The server.
        port: 993 for ``imaps``, 143 for ``imap``, unless stated.
        folder: ``INBOX`` unless stated.
        security: ``tls``, ``starttls``, or ``none`` (``imap`` on this very machine).
        name: The address, without a password, for people.
    """

    user: str
    host: str
    port: int
    folder: str
    security: str
    name: str


def read_address(text: str) -> ImapAddress:
    """An address out of its text.

    Raises:
        ConfigError: It is none, or holds a password.
    """
    form = "write it as imaps://USER@HOST/FOLDER; an @ in USER is %40"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise fw.errors.ConfigError(
            f"the IMAP address cannot be read: {error}", hint=form
        ) from None
    if parts.password is not None:
        raise fw.errors.ConfigError(
            "the IMAP address holds a password, which would be kept in the journal",
            hint=f"leave it out and put it into {PASSWORD_ENV}",
        )
    if parts.scheme not in {"imap", "imaps"} or not parts.hostname or not parts.username:
        raise fw.errors.ConfigError(f"{text!r} names no IMAP user and host", hint=form)
    secure = parts.scheme == "imaps"
    plain = "none" if parts.hostname in _LOOPBACK else "starttls"
    return ImapAddress(
        user=unquote(parts.username),
        host=parts.hostname,
        port=port or (993 if secure else 143),
        folder=unquote(parts.path.strip("/")) or "INBOX",
        security="tls" if secure else plain,
        name=text,
    )


class ImapMailbox:
    """What is in a folder on an IMAP server.

    The heads of all messages are read first, 500 at a time, since only they say which messages
    belong together (``References``, ``In-Reply-To``). Then conversations are read as they are
    wanted, 20 messages at a time, over a few connections.

    Args:
        address: ``imaps://user@host/folder``; ``imap://`` demands STARTTLS but on this machine.
        password: The user's.
        connections: At most so many at once, 1 to 10.

    Raises:
        ConfigError: The address is none or holds a password, there is no password, or the extra
            ``imap`` is not installed.
    """

    def __init__(self, address: str, *, password: str, connections: int = CONNECTIONS) -> None:
        self._address = read_address(address)
        if not password:
            raise fw.errors.ConfigError(
                f"there is no password for {address}", hint=f"put it into {PASSWORD_ENV}"
            )
        if not 1 <= connections <= 10:
            raise fw.errors.ConfigError(f"connections is {connections}", hint="give 1 to 10")
        _library()
        self._password = password
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="fanwise-imap")
        self._lock = threading.Lock()
        self._idle: list[Any] = []
        self._busy: list[Any] = []
        self._closed = False
        self._validity: bytes | None = None
        self._requests = 0
        self._total: int | None = None

    def __repr__(self) -> str:
        return f"<ImapMailbox {self.name}>"

    @property
    def name(self) -> str:
        return self._address.name

    @property
    def total(self) -> int | None:
        """How many conversations there are; ``None`` before the first page."""
        return self._total

    def statistics(self) -> Mapping[str, float]:
        """Commands that were sent."""
        return {"requests": self._requests}

    async def pages(self) -> AsyncIterator[Sequence[Listed]]:
        index = fw.documents.ThreadIndex()
        uids: list[int] = []
        known = await self._do(_all_uids)
        for start in range(0, len(known), HEADS_A_BATCH):
            batch = known[start : start + HEADS_A_BATCH]
            heads = await self._do(partial(_fetched, uids=batch, wanted=_HEADS))
            for uid, head in heads:
                index.add(head)
                uids.append(uid)
        threads = await asyncio.to_thread(lambda: list(index.threads()))
        self._total = len(threads)
        for page in _in_pages(threads):
            yield [
                Listed(
                    id=thread.id,
                    latest_id=thread.latest_id,
                    latest_at=thread.latest_at,
                    messages=thread.count,
                    handle=(thread, tuple(uids[number] for number in thread.messages)),
                )
                for thread in page
            ]

    async def fetch(self, listed: Listed) -> fw.documents.Conversation:
        handle: tuple[fw.documents.Thread, tuple[int, ...]] = listed.handle
        thread, uids = handle
        found: dict[int, fw.documents.MailMessage] = {}
        for start in range(0, len(uids), BODIES_A_BATCH):
            batch = sorted(uids[start : start + BODIES_A_BATCH])
            found |= await self._do(partial(self._parsed, uids=batch))
        if not found:
            raise fw.errors.InputError(
                "the conversation has gone from the folder since it was listed",
                source=self.name,
                hint="somebody moved or deleted it; the next scan no longer lists it",
            )
        return fw.documents.conversation_of(thread, [found[uid] for uid in uids if uid in found])

    async def aclose(self) -> None:
        """Logs out, and ends its threads."""
        await asyncio.to_thread(self._end)

    def _parsed(self, box: Any, uids: Sequence[int]) -> dict[int, fw.documents.MailMessage]:
        place = f"{self.name};UID="
        return {
            uid: fw.documents.parse_message(
                data,
                place=f"{place}{uid}",
                problem="longer than 25 MB" if len(data) >= MOST_BYTES else "",
            )
            for uid, data in _fetched(box, uids, _BODIES, each=True)
        }

    async def _do(self, work: Callable[[Any], T]) -> T:
        """Does something over a connection; once more over a new one where it broke off."""
        loop = asyncio.get_running_loop()
        for tried in range(1, _TRIES + 1):
            try:
                return await loop.run_in_executor(self._threads, self._with_box, work)
            except (OSError, imaplib.IMAP4.abort) as error:
                if tried == _TRIES or isinstance(error, ssl.SSLCertVerificationError):
                    raise self._unreachable(error) from error
            except imaplib.IMAP4.error as error:
                raise self._unreachable(error) from error
            await asyncio.sleep(_WAIT_S * 2**tried)
        raise AssertionError

    def _with_box(self, work: Callable[[Any], T]) -> T:
        """In a thread: takes an idle connection or makes one, and gives it back if it works."""
        with self._lock:
            box = self._idle.pop() if self._idle else None
        if box is None:
            box = self._connected()
        with self._lock:
            self._busy.append(box)
            self._requests += 1
        try:
            found = work(box)
        except BaseException:
            with self._lock:
                self._busy.remove(box)
            _drop(box)
            raise
        with self._lock:
            self._busy.remove(box)
            self._idle.append(box)
        return found

    def _connected(self) -> Any:
        library, errors = _library()
        address = self._address
        if self._closed:
            raise imaplib.IMAP4.error("the source was closed")
        secured = ssl.create_default_context()
        if address.security == "tls":
            box = library.MailBox(address.host, address.port, _TIMEOUT_S, ssl_context=secured)
        elif address.security == "starttls":
            box = library.MailBoxStartTls(
                address.host, address.port, _TIMEOUT_S, ssl_context=secured
            )
        else:
            box = library.MailBoxUnencrypted(address.host, address.port, _TIMEOUT_S)
        try:
            box.login(address.user, self._password, initial_folder=None)
            box.folder.set(address.folder, readonly=True)
            self._check_validity(box)
        except errors.MailboxLoginError as error:
            _drop(box)
            raise fw.errors.InputError(
                f"{address.host} refused the user or the password",
                source=self.name,
                hint=f"check the user in the address and {PASSWORD_ENV} "
                "(many providers want a password made for this program)",
            ) from error
        except errors.MailboxFolderSelectError as error:
            _drop(box)
            raise fw.errors.InputError(
                f"there is no folder {address.folder!r}, or it cannot be opened",
                source=self.name,
                hint="name it as the server does, such as INBOX or Archive/2026",
            ) from error
        except BaseException:
            _drop(box)
            raise
        return box

    def _check_validity(self, box: Any) -> None:
        """Numbers of messages hold only as long as the folder's UIDVALIDITY does."""
        found = box.client.response("UIDVALIDITY")[1][0]
        with self._lock:
            before, self._validity = self._validity, self._validity or found
        if before is not None and found != before:
            raise fw.errors.InputError(
                "the server has renumbered the folder's messages",
                source=self.name,
                hint="start the scan again",
            )

    def _unreachable(self, error: Exception) -> fw.errors.InputError:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        return fw.errors.InputError(
            f"the mail server failed: {reason.replace(self._password, '[password]')}",
            source=self.name,
            hint="check the address and the network; the next scan goes on where this one ended",
        )

    def _end(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            busy = list(self._busy)
        for box in busy:
            _drop(box)
        for box in idle:
            try:
                box.client.sock.settimeout(_GOODBYE_S)
                box.logout()
            except Exception:  # noqa: BLE001 - a connection that is given up anyway
                _drop(box)
        self._threads.shutdown(wait=True, cancel_futures=True)


def _library() -> tuple[Any, Any]:
    try:
        return import_module("imap_tools"), import_module("imap_tools.errors")
    except ImportError as error:
        raise fw.errors.ConfigError(
            "reading an IMAP folder needs the extra 'imap'", hint="pip install 'fanwise[imap]'"
        ) from error


def _all_uids(box: Any) -> list[int]:
    found: list[str] = box.uids("ALL")
    return sorted(map(int, found))


def _fetched(
    box: Any, uids: Sequence[int], wanted: str, *, each: bool = False
) -> list[tuple[int, bytes]]:
    """What is wanted of some messages; those that have gone meanwhile are left out.

    Args:
        box: The connection.
        uids: In ascending order.
        wanted: What to fetch of each.
        each: Whether to name each message, and not the span from the first to the last.
    """
    span = ",".join(map(str, uids)) if each else f"{uids[0]}:{uids[-1]}"
    status, answered = box.client.uid("FETCH", span, wanted)
    if status != "OK":
        raise imaplib.IMAP4.error(f"FETCH was answered {status}")
    answer = cast("list[bytes | tuple[bytes, bytes] | None]", answered)
    found: list[tuple[int, bytes]] = []
    for place, part in enumerate(answer):
        if not isinstance(part, tuple):
            continue
        behind = answer[place + 1] if place + 1 < len(answer) else b""
        uid = _UID.search(part[0]) or (_UID.search(behind) if isinstance(behind, bytes) else None)
        if uid is not None:
            found.append((int(uid[1]), part[1]))
    return found


def _in_pages(
    threads: Sequence[fw.documents.Thread],
) -> list[Sequence[fw.documents.Thread]]:
    return [threads[start : start + PAGE] for start in range(0, len(threads), PAGE)]


def _drop(box: Any) -> None:
    """Closes a connection without a word; whoever waits on it is told by its end."""
    try:
        box.client.shutdown()
    except Exception:  # noqa: BLE001 - it is given up anyway
        return
