"""Changes that are made only to what the client has seen."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
from fastapi import HTTPException, Request

from fanwise.service.views import plain


def matching(request: Request, current: Any) -> None:
    """Compares ``If-Match`` with the ETag of what there is now.

    Raises:
        HTTPException: 412: it has changed since the client read it.
    """
    wanted = request.headers.get("if-match", "").strip()
    if not wanted or wanted == "*":
        return
    body = orjson.dumps(plain(current), option=orjson.OPT_NON_STR_KEYS)
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    if tag not in wanted:
        raise HTTPException(412, "it has changed since it was read: read it again")
