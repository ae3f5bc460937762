"""A small server that speaks what the scan asks of Front's Core API, and keeps an account."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

TOKEN = "front-token-of-the-test"


@dataclass(slots=True)
class Front:
    """Conversations, newest activity first, in pages; refusals where a test wants them.

    Args:
        texts: What each conversation says, by its number.
        refusals: So many requests, from the second on, are answered 429.
        messages_a_page: How many messages come at once.
        foreign: Where links to next pages lead; the server's own address by default.
    """

    texts: Sequence[str]
    refusals: int = 0
    messages_a_page: int = 100
    foreign: str = ""
    asked: list[str] = field(default_factory=list)
    asked_at: list[float] = field(default_factory=list)
    refused: int = 0
    newest: dict[int, int] = field(default_factory=dict)
    fails: Mapping[int, int] = field(default_factory=dict)
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.raw_path)
        self.asked_at.append(asyncio.get_running_loop().time())
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._refuse(401, "unauthenticated")
        if len(self.asked) > 1 and self.refused < self.refusals:
            self.refused += 1
            answer = self._refuse(429, "rate limit exceeded")
            answer.headers["Retry-After"] = "1"
            return answer
        found = re.fullmatch(r"/conversations/cnv_(\d+)/messages", request.path)
        if found is not None:
            number = int(found[1])
            if number in self.fails:
                return self._refuse(self.fails[number], "no such conversation")
            return self._messages(request, number)
        if request.path.startswith("/conversations/search/"):
            return self._search(request)
        return self._refuse(404, "not found")

    def _refuse(self, status: int, message: str) -> web.Response:
        error = {"_error": {"status": status, "title": message, "message": message}}
        return web.json_response(error, status=status)

    def _search(self, request: web.Request) -> web.Response:
        query = request.path.removeprefix("/conversations/search/")
        assert "inbox:inb_7" in query
        after = re.search(r"after:(\d+)", query)
        numbers = [
            number
            for number in reversed(range(len(self.texts)))
            if after is None or self._at(number) > int(after[1])
        ]
        page, more = self._page(request, numbers)
        results = [self._conversation(number) for number in page]
        return web.json_response(
            {"_pagination": {"next": more}, "_total": len(numbers), "_results": results}
        )

    def _page(
        self, request: web.Request, found: list[int], most: int = 100
    ) -> tuple[list[int], str | None]:
        limit = min(int(request.query.get("limit", "50")), most)
        start = int(request.query.get("page_token", "t0").removeprefix("t"))
        if start + limit >= len(found):
            return found[start:], None
        base = self.foreign or self.url
        return found[start : start + limit], (
            f"{base}{request.rel_url.raw_path}?limit={limit}&page_token=t{start + limit}"
        )

    def _at(self, number: int) -> float:
        return 1_772_500_000.25 + 3600 * number

    def _conversation(self, number: int) -> dict[str, Any]:
        newest = (
            f"{self.url}/messages/msg_{number}_{self.newest.get(number, 1)}?referer=conversation"
        )
        return {
            "id": f"cnv_{number}",
            "subject": f"Order {number}",
            "status": "archived",
            "created_at": self._at(number),
            "_links": {"related": {"last_message": newest}},
        }

    def _messages(self, request: web.Request, number: int) -> web.Response:
        count = self.newest.get(number, 1)
        page, more = self._page(request, list(reversed(range(1, count + 1))), self.messages_a_page)
        return web.json_response(
            {"_pagination": {"next": more}, "_results": [self._message(number, m) for m in page]}
        )

    def _message(self, number: int, message: int) -> dict[str, Any]:
        return {
            "id": f"msg_{number}_{message}",
            "type": "email",
            "is_inbound": True,
            "is_draft": False,
            "created_at": self._at(number) + message,
            "subject": f"Order {number}",
            "author": None,
            "recipients": [
                {"handle": "jana@nordwerk-tools.example", "name": "Jana Petersen", "role": "from"},
                {"handle": "robin@assembly.example", "name": "Robin", "role": "to"},
            ],
            "body": f"<div><p>{self.texts[number]} ({message})</p></div>",
            "text": f"{self.texts[number]} ({message})",
            "attachments": [
                {"filename": "label.pdf", "content_type": "application/pdf", "size": 9}
            ],
        }


@asynccontextmanager
async def serving(front: Front) -> AsyncIterator[Front]:
    """Serves it on a free loopback port."""
    app = web.Application()
    app.router.add_get("/{path:.*}", front.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        front.url = f"http://{host}:{port}"
        yield front
    finally:
        await runner.cleanup()
