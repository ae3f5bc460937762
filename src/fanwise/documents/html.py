"""Text out of the HTML of mail, in bounded time: mail is written by strangers.

The tree comes from lexbor, whose work grows with the square of the nesting and of a tag's
attributes, and which by the HTML standard repeats unclosed formatting elements in every paragraph.
Formatting elements are therefore read as plain spans, and a large document is first rewritten with
few attributes and bounded depth.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

MAX_HTML_CHARS = 4 * 1024 * 1024
_TRUSTED_CHARS = 128 * 1024  # up to here the worst document costs about a second
_MAX_DEPTH = 120
_MAX_HREF = 2000


def _tags(names: str) -> frozenset[str]:
    return frozenset(names.split())


_BLOCKS = _tags(
    "address article aside blockquote body caption center dd details dialog dir div dl dt fieldset"
    " figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr html li main menu nav ol p"
    " pre section summary table tbody tfoot thead tr ul"
)
_SPACED = _tags("p h1 h2 h3 h4 h5 h6 table ul ol pre blockquote hr")
_DROPPED = _tags(
    "script style head title template noscript object embed iframe svg math select textarea audio"
    " video canvas"
)
_VOID = _tags("area base br col embed hr img input link meta param source track wbr")
# These cannot nest without one of the others between them, or close their like.
_SHALLOW = _tags("a p li dt dd tr td th tbody thead tfoot option html head body")
_FORMATTING = re.compile(
    r"<(/?)(?:b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)(?=[\s/>])", re.IGNORECASE
)
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all|opacity\s*:\s*0(?![.\d])"
    r"|max-height\s*:\s*0(?![.\d])",
    re.IGNORECASE,
)
_FONT_SIZE = re.compile(r"font-size\s*:\s*([\d.]*)", re.IGNORECASE)
_TAG = re.compile(r"<!--|-->|<![^<>]*>|<(/?)([a-zA-Z][\w:-]{0,40})([^<>]*)>|<")
_KEPT_ATTRIBUTE = re.compile(
    r"""\b(href|style|class|type|alt|hidden)\b(?:\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+))?""",
    re.IGNORECASE,
)
_SPACE = re.compile(r"[ \t\r\n\f]+")


def html_text(html: str, *, before: int = 0) -> str:
    """What a reader of the page would see, as lines of text.

    Scripts, styles and hidden elements are dropped; a link is followed by its address in
    parentheses; a row of a table is a line; cited replies are prefixed with ``>``.

    Args:
        html: The page.
        before: Characters of other pages of the same message; of all together at most 4 MB are
            read.
    """
    html = html[: max(0, MAX_HTML_CHARS - before)]
    if before + len(html) > _TRUSTED_CHARS:
        html = _tamed(html)
    root = LexborHTMLParser(_FORMATTING.sub(r"<\1span", html)).root
    if root is None:
        return ""
    out = _Lines()
    _walk(root, out)
    return out.text()


@dataclass(slots=True)
class _Open:
    """An element whose end is still to come."""

    tag: str
    tiny: bool
    href: str = ""
    cited: bool = False
    mark: int = 0


@dataclass(slots=True)
class _Lines:
    """Lines under construction, with runs of white space made one blank."""

    done: list[str] = field(default_factory=list[str])
    parts: list[str] = field(default_factory=list[str])
    quotes: int = 0
    pre: int = 0

    def add(self, text: str) -> None:
        if self.pre:
            first, *others = text.split("\n")
            self.parts.append(first)
            for line in others:
                self.end_line()
                self.parts.append(line)
            return
        text = _SPACE.sub(" ", text)
        if text == " " and (not self.parts or self.parts[-1][-1:] == " "):
            return
        if text:
            self.parts.append(text)

    def end_line(self, *, blank: bool = False) -> None:
        line = "".join(self.parts)
        self.parts.clear()
        line = line.rstrip() if self.pre else line.strip()
        if line or self.pre:
            self.done.append("> " * min(self.quotes, 5) + line)
        if blank and self.done and self.done[-1]:
            self.done.append("")

    def text(self) -> str:
        self.end_line()
        return "\n".join(self.done).strip("\n")


def _walk(root: LexborNode, out: _Lines) -> None:
    """Depth first without recursion: a document may be nested thousands of levels deep."""
    stack: list[_Open] = []
    node = root
    while True:
        entered = _enter(node, out, stack)
        below = node.child if entered else None
        if below is not None:
            node = below
            continue
        if entered:
            _leave(stack.pop(), out)
        after = node.next
        while after is None:
            above = node.parent
            if above is None or not stack:
                return
            _leave(stack.pop(), out)
            node = above
            after = node.next
        node = after


def _enter(node: LexborNode, out: _Lines, stack: list[_Open]) -> bool:
    """Writes what stands before a node's children. False where there is nothing to go into."""
    tag = node.tag or ""
    tiny = stack[-1].tiny if stack else False
    if tag == "-text":
        if not tiny:
            out.add(node.text_content or "")
        return False
    if tag == "-document":
        stack.append(_Open(tag=tag, tiny=False))
        return True
    if tag in _DROPPED or tag.startswith(("-", "!")):
        return False
    attributes = node.attributes
    style = attributes.get("style") or ""
    if "hidden" in attributes or (style and _HIDDEN.search(style)):
        return False
    stack.append(_Open(tag=tag, tiny=_is_tiny(style, tiny)))
    _begin(stack[-1], attributes, out)
    return True


def _begin(element: _Open, attributes: dict[str, str | None], out: _Lines) -> None:
    tag = element.tag
    if tag == "a":
        element.href = (attributes.get("href") or "").strip()[:_MAX_HREF]
        element.mark = len(out.parts)
    elif tag == "br":
        out.end_line()
    elif tag in {"td", "th"}:
        if "".join(out.parts).strip():
            out.parts.append("  ")
    elif tag == "img" and not element.tiny:
        out.add(attributes.get("alt") or "")
    elif tag in _BLOCKS:
        out.end_line(blank=tag in _SPACED)
    if tag == "li":
        out.parts.append("- ")
    elif tag == "pre":
        out.pre += 1
    elif tag == "blockquote" and _is_citation(attributes):
        element.cited = True
        out.quotes += 1


def _leave(element: _Open, out: _Lines) -> None:
    tag = element.tag
    if tag == "a" and element.href.lower().startswith(("http://", "https://")):
        shown = "".join(out.parts[element.mark :])
        if element.href not in shown and not element.tiny:
            out.parts.append(f" ({element.href})")
    elif tag in _BLOCKS:
        out.end_line(blank=tag in _SPACED)
    if tag == "pre":
        out.pre -= 1
    if element.cited:
        out.quotes -= 1


def _is_citation(attributes: dict[str, str | None]) -> bool:
    return attributes.get("type") == "cite" or "gmail_quote" in (attributes.get("class") or "")


def _is_tiny(style: str, inherited: bool) -> bool:
    """Whether text is written too small to be seen: layouts set 0 and reset it further in."""
    found = _FONT_SIZE.search(style) if style else None
    if found is None:
        return inherited
    try:
        return float(found[1]) == 0
    except ValueError:
        return False


def _tamed(html: str) -> str:
    """The document with the attributes that matter, bounded depth and no stray ``<``."""
    taming = _Taming()
    return _TAG.sub(taming.tag, html)


class _Taming:
    """Rewrites one tag after another; knows which elements are open."""

    def __init__(self) -> None:
        self._open: list[str] = []
        self._counts: Counter[str] = Counter()
        self._in_comment = False

    def tag(self, found: re.Match[str]) -> str:
        matched, closing, name, rest = found[0], found[1], found[2], found[3]
        if matched in {"<!--", "-->"}:
            self._in_comment = matched == "<!--"
            return matched
        if self._in_comment or matched.startswith("<!"):
            return ""
        if name is None:
            return "&lt;"
        name = name.lower()
        if name not in _VOID and name not in _SHALLOW and not self._nests(name, closing=closing):
            return ""
        if closing:
            return f"</{name}>"
        pairs = _KEPT_ATTRIBUTE.findall(rest[:8000])[:8]
        kept = [f"{key}={value}" if value else key for key, value in pairs]
        return f"<{name} {' '.join(kept)}>"

    def _nests(self, name: str, *, closing: str) -> bool:
        """Whether the tag opens an element within the depth, or closes an open one."""
        if not closing:
            if len(self._open) >= _MAX_DEPTH:
                return False
            self._open.append(name)
            self._counts[name] += 1
            return True
        if not self._counts[name]:
            return False
        closed = ""
        while closed != name:  # what was left open inside it ends with it
            closed = self._open.pop()
            self._counts[closed] -= 1
        return True
