"""Keeps secrets out of messages."""

from __future__ import annotations

import re

_SECRETS = re.compile(
    r"""
      (?P<bearer>\b(?:bearer|basic)\s+)[\w.~+/=*-]{6,}
    | (?P<named>
          \b(?:x-)?(?:goog-)?api[_-]?key["']?\s*[:=]\s*["']?
        | \bauthorization["']?\s*[:=]\s*["']?
        | [?&](?:key|token|access_token|api_key)=
      )(?!(?:bearer|basic)\b)[^\s"'&,;]{4,}
    | (?P<url>://[^\s/:@]+:)[^\s/@]+(?=@)
    | (?<![A-Za-z0-9])(?:sk|pk|rk|gsk|xai|hf|pplx|tgp|nvapi|fw)[-_][\w*-]{8,}
    | \bAIza[\w-]{20,}
    | \beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*
    """,
    re.IGNORECASE | re.VERBOSE,
)


def redact(text: str) -> str:
    """The text with whatever looks like a key, a token or a password replaced by ``[secret]``."""
    return _SECRETS.sub(_mask, text)


def excerpt(text: str, *, most: int = 300) -> str:
    """One short line of a text, without its secrets.

    Args:
        text: Any text.
        most: Most characters kept, at least 1.
    """
    line = " ".join(redact(text).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _mask(match: re.Match[str]) -> str:
    kept = match["bearer"] or match["named"] or match["url"] or ""
    return f"{kept}[secret]"
