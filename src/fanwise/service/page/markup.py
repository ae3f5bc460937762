"""The Markdown of models as HTML: none of its own tags, no picture, links to the web alone."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_WORDS = re.compile(r"\s+|\w+|[^\w\s]")
_LONGEST = 20_000


@cache
def _reader() -> MarkdownIt:
    from markdown_it import MarkdownIt

    found = MarkdownIt("commonmark", {"html": False, "linkify": False})
    found.enable("table").disable(["image", "html_block", "html_inline", "reference"])
    found.validateLink = _is_web_link  # type: ignore[method-assign]
    return found


def _is_web_link(url: str) -> bool:
    return url.lower().startswith(("https://", "http://"))


def markdown(text: str, *, below: int = 3) -> Markup:
    """A text as HTML. A picture is a link to where it lies: nothing is fetched for looking.

    Args:
        text: Markdown.
        below: The level that its highest heading has on the page.
    """
    reader = _reader()
    tokens = reader.parse(text)
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(6, int(token.tag[1]) + below - 1)}"
        for inner in token.children or ():
            if inner.type == "link_open":
                inner.attrSet("rel", "noopener noreferrer nofollow")
                inner.attrSet("target", "_blank")
    html = reader.renderer.render(tokens, reader.options, {})
    return Markup(html)  # noqa: S704 - every text in it went through the reader's escaping


def differing(before: str, after: str) -> tuple[Markup, Markup]:
    """Two texts as HTML, with what only one of them says in ``<del>`` and ``<ins>``."""
    if len(before) + len(after) > _LONGEST:
        return _wrapped("del", before), _wrapped("ins", after)
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    left: list[Markup] = []
    right: list[Markup] = []
    for what, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if what == "equal":
            left.append(_joined(old[a:b]))
            right.append(_joined(new[c:d]))
            continue
        if b > a:
            left.append(_wrapped("del", "".join(old[a:b])))
        if d > c:
            right.append(_wrapped("ins", "".join(new[c:d])))
    return Markup("").join(left), Markup("").join(right)


def _joined(words: Sequence[str]) -> Markup:
    return escape("".join(words))


def _wrapped(tag: str, text: str) -> Markup:
    return Markup(f"<{tag}>{escape(text)}</{tag}>")  # noqa: S704 - the text is escaped
