"""The Markdown of models, read once for all exports: no HTML, no pictures, only web links."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token


@cache
def reader() -> MarkdownIt:
    """The reader of Markdown."""
    from markdown_it import MarkdownIt

    found = MarkdownIt("commonmark", {"html": False, "linkify": False})
    found.enable("table").disable(["image", "html_block", "html_inline", "reference"])
    found.validateLink = is_web_link  # type: ignore[method-assign]
    return found


def is_web_link(url: str) -> bool:
    """Whether an address is one of the web."""
    return url.lower().startswith(("https://", "http://"))


def tokens_of(markdown: str) -> Sequence[Token]:
    """The blocks of a text."""
    return reader().parse(markdown)
