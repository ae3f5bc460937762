"""Tracking numbers in links: the carriers' own pages, and pages that track for many carriers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from fanwise.pipelines.scan.tracking.carriers import carrier_of_host, is_tracking_site, serves
from fanwise.pipelines.scan.tracking.formats import LONGEST, SHORTEST, Format, matching

URL = re.compile(r"""(?:https?://|(?<![\w@.])www\.)[^\s<>"'\])}|\\^`]{4,2000}""", re.IGNORECASE)

_NUMBER_PARAMETER = re.compile(
    r"(?:.*track.*|.*tracing.*|inquirynumber\d*|.*sendung.*|piececode|idc|awb|.*colis.*|codes?"
    r"|.*waybill.*|pro_?no|.*consignment.*|.*zending.*|numer|paket.*|barcode|.*shipment.*|tn|nums?"
    r"|.*suivi.*|.*spedizione.*|.*parcel.*|.*envio.*|qtc_tlabels\d*)",
    re.IGNORECASE,
)
_SEPARATORS = re.compile(r"[\s.\-+]")
_MOST_LINKS = 200
_NESTING = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkNumber:
    """A number found in a link.

    ``carrier`` is whose page the link opens, ``None`` for a page of many carriers.
    """

    number: str
    formats: tuple[Format, ...]
    carrier: str | None


def links_in(text: str) -> list[tuple[int, int, str]]:
    """Start, end and address of the links written out in a text; at most 200."""
    found: list[tuple[int, int, str]] = []
    for match in URL.finditer(text):
        address = match.group().rstrip(".,;:!?*_")
        found.append((match.start(), match.start() + len(address), address))
        if len(found) == _MOST_LINKS:
            break
    return found


def host_of(link: str) -> str:
    """The host of a link in lower case; empty where it cannot be read."""
    try:
        return urlsplit(link if "://" in link else "https://" + link).hostname or ""
    except ValueError:
        return ""


def numbers_in(links: Iterable[str]) -> list[LinkNumber]:
    """The tracking numbers in links, each number once, in order. Bad links are passed over."""
    found: dict[str, LinkNumber] = {}
    for count, link in enumerate(links):
        if count == _MOST_LINKS:
            break
        for number in _numbers(link, _NESTING):
            found.setdefault(number.number, number)
    return list(found.values())


def _numbers(link: str, nesting: int) -> Iterator[LinkNumber]:
    try:
        parts = urlsplit(link if "://" in link else "https://" + link)
        pairs = parse_qsl(parts.query, max_num_fields=60)
        pairs += parse_qsl(parts.fragment.partition("?")[2] or parts.fragment, max_num_fields=60)
        host = parts.hostname or ""
    except ValueError:
        return
    owner = carrier_of_host(host)
    if nesting:
        for _, value in pairs:
            if "://" in value:
                yield from _numbers(value, nesting - 1)
    known = owner is not None or is_tracking_site(host)
    values = [value for name, value in pairs if known or _NUMBER_PARAMETER.fullmatch(name)]
    if known:
        values += re.split(r"[/!#]", unquote(parts.path) + "/" + parts.fragment)
    for value in values:
        for piece in re.split(r"[,;|\s]+", value):
            yield from _number(piece, owner)
        yield from _number(value, owner)


def _number(text: str, owner: str | None) -> Iterator[LinkNumber]:
    if not SHORTEST <= len(text) <= LONGEST + 20 or not any(c.isdigit() for c in text):
        return
    number = _SEPARATORS.sub("", text).upper()
    formats = matching(number)
    if owner is not None:
        own = [row for row in formats if serves(owner, row.carrier_of(number))]
        formats = own or [row for row in formats if row.standing >= 0.65]
    if formats:
        yield LinkNumber(number=number, formats=tuple(formats), carrier=owner)
