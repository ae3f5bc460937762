"""Conversations of a Front inbox, through its Core API.

https://dev.frontapp.com/reference/search-conversations lists them, newest activity first;
https://dev.frontapp.com/reference/list-conversation-messages has their messages.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, cast
from urllib.parse import parse_qs, quote, urlsplit

import fanwise as fw
from fanwise.pipelines.scan.sources import Listed

BASE_URL = "https://api2.frontapp.com"
TOKEN_ENV = "FRONT_API_TOKEN"  # noqa: S105 - a name, not a secret
RPM = 50.0
PAGE_SIZE = 100
MOST_A_PAGE = 100
_MESSAGE_PAGES = 50
_SEARCH_SHARE = 0.4  # of the plan's requests a minute may be searches

_HINTS = {
    401: f"check {TOKEN_ENV}",
    403: f"the token of {TOKEN_ENV} needs conversations:read and messages:read",
    404: "check the inbox, or the search",
    429: "state the limit that your plan has: --front-rpm 50, 100 or 200",
}


class FrontInbox:
    """What a search in Front finds.

    Pages are fetched one after another while conversations of earlier ones are being read, all of
    it under one limiter of its own. Front allows 50, 100 or 200 requests a minute for a whole
    company; a refusal pauses every request for as long as Front asks for.

    Args:
        search: An inbox (``inb_123``), or a search as Front writes it (``inbox:inb_1 tag:tag_4``).
        token: An API token. It is sent to ``base_url`` only, wherever a next page is said to be.
        rpm: Requests a minute, above 0; Front lets 40 % of them be searches.
        after: Only conversations with a message since then, epoch seconds.
        page_size: Conversations a page, 1 to 100.
        max_pages: At most so many pages; ``None`` for all.
        base_url: Where the API is.
        client: How it is asked, instead of the client that the rest describes.

    Raises:
        ConfigError: There is no token, or a number is out of its bounds.
    """

    def __init__(
        self,
        search: str,
        *,
        token: str,
        rpm: float = RPM,
        after: float | None = None,
        page_size: int = PAGE_SIZE,
        max_pages: int | None = None,
        base_url: str = BASE_URL,
        client: fw.types.ApiClient | None = None,
    ) -> None:
        if not search.strip():
            raise fw.errors.ConfigError(
                "the search in Front is empty", hint="name an inbox, such as inb_123"
            )
        if not token:
            raise fw.errors.ConfigError(
                "there is no token for Front", hint=f"put an API token into {TOKEN_ENV}"
            )
        if not 1 <= page_size <= MOST_A_PAGE:
            raise fw.errors.ConfigError(
                f"page_size is {page_size}", hint=f"Front gives 1 to {MOST_A_PAGE} a page"
            )
        if max_pages is not None and max_pages < 1:
            raise fw.errors.ConfigError(f"max_pages is {max_pages}", hint="give 1 or more")
        self._search = search.strip() if ":" in search else f"inbox:{search.strip()}"
        self._after = after
        self._page_size = page_size
        self._max_pages = max_pages
        self._client = client or fw.types.ApiClient(
            base_url,
            name="Front",
            headers={"authorization": f"Bearer {token}"},
            limits=fw.Limits(rpm=rpm),
            hints=_HINTS,
        )
        self._search_every_s = 60.0 / (_SEARCH_SHARE * rpm)
        self._entered = False
        self._total: int | None = None

    def __repr__(self) -> str:
        return f"<FrontInbox {self._search!r}>"

    @property
    def name(self) -> str:
        return f"front:{self._search}"

    @property
    def total(self) -> int | None:
        """How many conversations there are; ``None`` before the first page."""
        return self._total

    def statistics(self) -> Mapping[str, float]:
        """Requests that were sent and refused, and the seconds they waited for a permit."""
        found = self._client.statistics()
        return {
            "requests": found.granted,
            "refused": found.refused,
            "queued_s": round(found.queued_s, 3),
        }

    async def aclose(self) -> None:
        """Closes its connections."""
        if self._entered:
            self._entered = False
            await self._client.__aexit__(None, None, None)

    async def pages(self) -> AsyncIterator[Sequence[Listed]]:
        await self._open()
        search = self._search
        if self._after is not None:
            search += f" after:{int(self._after)}"
        path = f"/conversations/search/{quote(search, safe='')}"
        query = {"limit": str(self._page_size)}
        seen: set[str] = set()
        number = 0
        clock = asyncio.get_running_loop()
        next_at = clock.time()
        while True:
            await asyncio.sleep(max(0.0, next_at - clock.time()))
            next_at = clock.time() + self._search_every_s
            page = _object(await self._client.get(path, query=query), "a page of conversations")
            number += 1
            self._count(page)
            found = [self._listed(_object(one, "a conversation")) for one in _results(page)]
            fresh = [one for one in found if one.id not in seen]  # activity shifts pages
            seen.update(one.id for one in fresh)
            if fresh:
                yield fresh
            token = _next_token(page)
            if token is None or number == self._max_pages:
                return
            query = {"limit": str(self._page_size), "page_token": token}

    async def fetch(self, listed: Listed) -> fw.documents.Conversation:
        await self._open()
        path = f"/conversations/{quote(listed.handle, safe='')}/messages"
        query: dict[str, str] = {"limit": str(MOST_A_PAGE)}
        found: list[Mapping[str, Any]] = []
        for _ in range(_MESSAGE_PAGES):
            page = _object(await self._client.get(path, query=query), "a page of messages")
            found += [_object(one, "a message") for one in _results(page)]
            token = _next_token(page)
            if token is None:
                break
            query = {"limit": str(MOST_A_PAGE), "page_token": token}
        else:
            raise fw.errors.InputError(
                f"the conversation has more than {_MESSAGE_PAGES * MOST_A_PAGE:,} messages",
                source=self.name,
                hint="this is an archive rather than a conversation: leave it out of the search",
            )
        written = [one for one in found if not one.get("is_draft")]
        written.sort(key=lambda one: _number(one.get("created_at")) or 0.0)
        messages = tuple(_message(one) for one in written)
        subjects = (message.subject for message in messages if message.subject)
        return fw.documents.Conversation(
            id=listed.id,
            subject=next(subjects, ""),
            messages=messages,
            latest_at=listed.latest_at,
            latest_id=listed.latest_id,
        )

    async def _open(self) -> None:
        if not self._entered:
            self._entered = True
            await self._client.__aenter__()

    def _count(self, page: Mapping[str, Any]) -> None:
        total = page.get("_total")
        if isinstance(total, int):
            most = total if self._max_pages is None else self._max_pages * self._page_size
            self._total = min(total, most)

    def _listed(self, found: Mapping[str, Any]) -> Listed:
        id_ = str(found.get("id") or "")
        if not id_:
            raise fw.errors.InputError("Front listed a conversation without an id")
        at = _latest_at(found)
        if self._after is not None:  # Front has looked at the time already
            at = max(self._after, at or 0.0)
        return Listed(id=f"front:{id_}"[:64], latest_id=_latest_id(found), latest_at=at, handle=id_)


def _latest_id(found: Mapping[str, Any]) -> str:
    """What changes with each new message: the newest one's id, else the time of the last change."""
    related = _part(_part(found, "_links"), "related")
    link = str(related.get("last_message") or "")
    newest = urlsplit(link).path.rpartition("/")[2] or str(
        _part(found, "last_message").get("id") or ""
    )
    if newest:
        return newest[:64]
    said = [found.get(name) for name in ("updated_at", "waiting_since", "created_at", "status")]
    return blake2b(repr(said).encode(), digest_size=12).hexdigest()


def _latest_at(found: Mapping[str, Any]) -> float | None:
    times = [
        _number(_part(found, "last_message").get("created_at")),
        _number(found.get("updated_at")),
        _number(found.get("created_at")),
    ]
    return next((at for at in times if at is not None), None)


def _message(found: Mapping[str, Any]) -> fw.documents.MailMessage:
    """A message of Front's as one of ours."""
    people = [_object(one, "a recipient") for one in _list(found.get("recipients"))]
    nobody: Mapping[str, Any] = {}
    sender = next((one for one in people if one.get("role") == "from"), nobody)
    author = _part(found, "author")
    name = sender.get("name") or " ".join(
        str(author[part]) for part in ("first_name", "last_name") if author.get(part)
    )
    body, text = str(found.get("body") or ""), str(found.get("text") or "")
    id_ = str(found.get("id") or "")
    return fw.documents.compose_message(
        message_id=id_,
        subject=str(found.get("subject") or ""),
        sender=str(sender.get("handle") or author.get("email") or ""),
        sender_name=str(name or ""),
        recipients=[str(one.get("handle")) for one in people if one.get("role") in {"to", "cc"}],
        date=_number(found.get("created_at")),
        html=body if "<" in body else "",
        text=body if body and "<" not in body else text,
        in_reply_to=_replied_to(found),
        attachments=[_attachment(one) for one in _list(found.get("attachments"))],
        place=f"front:{id_}",
    )


def _replied_to(found: Mapping[str, Any]) -> str | None:
    related = _part(_part(found, "_links"), "related")
    link = str(related.get("message_replied_to") or "")
    return urlsplit(link).path.rpartition("/")[2] or None


def _attachment(found: object) -> fw.documents.Attachment:
    given = _object(found, "an attachment")
    size = given.get("size")
    return fw.documents.Attachment(
        name=str(given.get("filename") or ""),
        content_type=str(given.get("content_type") or ""),
        size=size if isinstance(size, int) else 0,
    )


def _next_token(page: Mapping[str, Any]) -> str | None:
    """The token of the next page. Of its address nothing else is used: our own is asked again."""
    link = str(_part(page, "_pagination").get("next") or "")
    return next(iter(parse_qs(urlsplit(link).query).get("page_token", ())), None)


def _results(page: Mapping[str, Any]) -> list[Any]:
    found = page.get("_results")
    if not isinstance(found, list):
        raise fw.errors.InputError("Front answered with something else than a list of results")
    return cast("list[Any]", found)


def _object(found: object, what: str) -> Mapping[str, Any]:
    if not isinstance(found, Mapping):
        raise fw.errors.InputError(f"Front answered with something else than {what}")
    return cast("Mapping[str, Any]", found)


def _part(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = found.get(name)
    return cast("Mapping[str, Any]", part) if isinstance(part, Mapping) else {}


def _list(found: object) -> list[Any]:
    return cast("list[Any]", found) if isinstance(found, list) else []


def _number(found: object) -> float | None:
    return float(found) if isinstance(found, (int, float)) else None
