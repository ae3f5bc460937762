"""Shipping dates in mail: in words and figures of many languages, or counted from the message."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

_MONTHS = """
january jan januar jänner januari janvier enero ene gennaio gen stycznia styczeń sty janeiro
february feb februar februari février fevrier févr febrero febbraio lutego luty lut fevereiro fev
march mar märz maerz mrz maart mrt mars marzo marca marzec março
april apr avril avr abril abr aprile kwietnia kwiecień kwi
may mai mei mayo maggio mag maja maj maio
june jun juni juin junio giugno giu czerwca czerwiec cze junho
july jul juli juillet juil julio luglio lug lipca lipiec lip julho
august aug août aout agosto ago sierpnia sierpień sie augustus augusti
september sep sept septembre septiembre settembre set września wrzesień wrz setembro
october oct oktober okt octobre octubre ottobre ott października październik paź outubro
november nov novembre noviembre novembre listopada listopad lis novembro
december dec dezember dez décembre decembre déc diciembre dic dicembre grudnia grudzień gru dezembro
"""
_MONTH = {
    word: number
    for number, line in enumerate(_MONTHS.strip().splitlines(), 1)
    for word in line.split()
}
_MONTH_WORD = "|".join(sorted(_MONTH, key=lambda word: (-len(word), word)))

_SHAPES = re.compile(
    rf"""(?<![\w.,/:-])(?:
      (?P<y1>(?:19|20)\d\d)[-/.](?P<m1>\d{{1,2}})[-/.](?P<d1>\d{{1,2}})
    | (?P<d2>\d{{1,2}})\.\s?(?P<m2>\d{{1,2}})\.(?:\s?(?P<y2>(?:19|20)\d\d|\d\d)(?!\d))?
    | (?P<a3>\d{{1,2}})[/-](?P<b3>\d{{1,2}})[/-](?P<y3>(?:19|20)\d\d|\d\d)
    | (?P<d4>\d{{1,2}})(?:st|nd|rd|th|er|º|°|\.)?[ ](?:de[ ]|of[ ])?(?P<m4>{_MONTH_WORD})\b\.?
      (?:,?[ ](?:de[ ])?(?P<y4>(?:19|20)\d\d))?
    | (?P<m5>{_MONTH_WORD})\b\.?[ ](?P<d5>\d{{1,2}})(?:st|nd|rd|th)?(?!\d|[:.]\d)
      (?:,?[ ](?P<y5>(?:19|20)\d\d))?
    )(?![\w/]|[-.,:]\d)
    | (?P<y6>(?:19|20)\d\d)年(?P<m6>\d{{1,2}})月(?P<d6>\d{{1,2}})日""",
    re.IGNORECASE | re.VERBOSE,
)

_TODAY_WORDS = (
    "today heute aujourd'hui aujourd’hui hoy oggi vandaag dziś dzisiaj hoje idag 本日 今日 今天"
)
_YESTERDAY_WORDS = "yesterday gestern hier ayer ieri gisteren wczoraj ontem igår 昨日 昨天"
_TODAY = frozenset(_TODAY_WORDS.split())
_YESTERDAY = frozenset(_YESTERDAY_WORDS.split())
_WEEKDAYS = (
    "monday montag lundi lunes lunedì maandag poniedziałek",
    "tuesday dienstag mardi martes martedì dinsdag wtorek",
    "wednesday mittwoch mercredi miércoles mercoledì woensdag środę środa",
    "thursday donnerstag jeudi jueves giovedì donderdag czwartek",
    "friday freitag vendredi viernes venerdì vrijdag piątek",
    "saturday samstag samedi sábado sabato zaterdag sobotę sobota",
    "sunday sonntag dimanche domingo domenica zondag niedzielę niedziela",
)
_WEEKDAY = {word: day for day, line in enumerate(_WEEKDAYS) for word in line.split()}
_RELATIVE = re.compile(
    r"(?<!\w)(?P<word>"
    + "|".join(sorted({*_TODAY, *_YESTERDAY, *_WEEKDAY}, key=lambda word: (-len(word), word)))
    + r")(?!\w)|(?P<cjk>本日|今日|今天|昨日|昨天)",
    re.IGNORECASE,
)

# Words that say of a date close by that it is the day of shipping, or that it is another one.
_SHIPPED = re.compile(
    r"shipped|ship date|ships|shipping date|shipment date|dispatch|despatch|sent|picked up|pick-?up"
    r"|collected|left\b|handed|posted|mailed|went out|gone out|tendered|departed|accepted at"
    r"|versandt|versendet|verschickt|versanddatum|versand am|abgeschickt|abgeholt|übergeben"
    r"|aufgegeben|rausgegangen|raus\b|verlassen|abgegangen"
    r"|expédi|envoyé|remis|date d.envoi|date d.expédition|parti[e]?\b|enlev|enlèvement"
    r"|enviad|envío el|fecha de envío|despachad|salió|salid|entregado al? (?:transport|mensaj)"
    r"|recogid|spedit|data di spedizione|data spedizione|affidat|partit|consegnat[oa] al corriere"
    r"|ritirat|inviat"
    r"|verzonden|verzenddatum|verstuurd|opgehaald|meegegeven|overgedragen"
    r"|nadan|wysłan|wysyłk|data nadania|wyszł|odebran|przekazan|発送|出荷|发货|寄出",
    re.IGNORECASE,
)
_NOT_SHIPPED = re.compile(
    r"arriv|expected|estimat|deliver|\beta\b|\bdue|invoice|order date|ordered|valid|payment|pay by"
    r"|placed|until|\bby\s*$|received|will be|voraussichtlich|lieferung|zustell|geliefert|rechnung"
    r"|bestellt|fällig|\bbis(?: zum)?\s*$|zahlbar|bestellung vom|eingang|ankunft"
    r"|livraison|livré|prévu|facture"
    r"|échéance|commande du|arrivée|entrega prev|llegar|factura|vencim|pedido del|prevista"
    r"|consegna prev|arriv|fattura|scaden|ordine del|geleverd|bezorg|verwacht|factuur|besteld"
    r"|vervald|dostaw|faktur|termin|zamówi|płatno|doręcz|お届け|到着|請求",
    re.IGNORECASE,
)
_NEAR = 60
_SENTENCE = re.compile(r"[.!?]\s|\n\s*\n|[;。]")


@dataclass(frozen=True, slots=True)
class Dated:
    """A day that a text names, and where."""

    start: int
    end: int
    day: date


def days_in(text: str, *, sent: float | None) -> list[Dated]:
    """The days a text names, in order.

    Args:
        text: Any text.
        sent: When the message was sent, epoch seconds: for days without a year, for "yesterday",
            and for telling 03/04 from 04/03 (the reading nearer to it is taken).
    """
    base = datetime.fromtimestamp(sent, UTC).date() if sent is not None else None
    found = [*_written(text, base), *(_relative(text, base) if base is not None else ())]
    return sorted(found, key=lambda dated: dated.start)


def _written(text: str, base: date | None) -> Iterator[Dated]:
    for match in _SHAPES.finditer(text):
        parts = {name[0]: value for name, value in match.groupdict().items() if value is not None}
        day = _day(parts, base)
        if day is not None:
            yield Dated(match.start(), match.end(), day)


def _day(parts: dict[str, str], base: date | None) -> date | None:
    year = int(parts["y"]) if "y" in parts else None
    if year is not None and year < 100:
        year += 2000
    if "a" in parts:
        readings = [(int(parts["b"]), int(parts["a"])), (int(parts["a"]), int(parts["b"]))]
    else:
        month = parts["m"]
        number = int(month) if month.isdigit() else _MONTH[month.lower()]
        readings = [(number, int(parts["d"]))]
    days = [day for month, number in readings for day in _dates(year, month, number, base)]
    if not days:
        return None
    if base is None:
        return days[0]
    return min(days, key=lambda day: abs(day - base))


def _dates(year: int | None, month: int, number: int, base: date | None) -> Iterator[date]:
    if year is not None:
        years: Sequence[int] = (year,)
    else:
        years = () if base is None else (base.year - 1, base.year, base.year + 1)
    for one in years:
        try:
            yield date(one, month, number)
        except ValueError:
            continue


def _relative(text: str, base: date) -> Iterator[Dated]:
    for match in _RELATIVE.finditer(text):
        word = match.group().lower()
        if word in _WEEKDAY:
            back = (base.weekday() - _WEEKDAY[word]) % 7
        else:
            back = 1 if word in _YESTERDAY else 0
        yield Dated(match.start(), match.end(), base - timedelta(days=back))


def shipped_day(text: str, *, number_at: int, sent: float | None) -> date | None:
    """The day a shipment was handed over, where the text says so.

    A day counts where a word of shipping stands close before or after it in the same sentence, and
    no word of delivery, order or invoice stands closer. Of several, the one nearest to the tracking
    number is taken.

    Args:
        text: The message.
        number_at: Where the tracking number stands in it; -1 where it stands elsewhere.
        sent: When the message was sent, epoch seconds.
    """
    base = None if sent is None else datetime.fromtimestamp(sent, UTC).date()
    days = [dated for dated in days_in(text, sent=sent) if _is_shipping(text, dated)]
    if base is not None:
        days = [d for d in days if base - timedelta(days=90) <= d.day <= base + timedelta(days=5)]
    if not days:
        return None
    if number_at < 0:
        return days[0].day
    return min(days, key=lambda d: min(abs(d.start - number_at), abs(d.end - number_at))).day


def _is_shipping(text: str, dated: Dated) -> bool:
    before = text[max(0, dated.start - _NEAR) : dated.start]
    after = text[dated.end : dated.end + _NEAR]
    cuts = list(_SENTENCE.finditer(before))
    before = before[cuts[-1].end() :] if cuts else before
    cut = _SENTENCE.search(after)
    after = after[: cut.start()] if cut else after
    yes = _distance(_SHIPPED, before, after)
    no = _distance(_NOT_SHIPPED, before, after)
    return yes is not None and (no is None or yes <= no)


def _distance(words: re.Pattern[str], before: str, after: str) -> int | None:
    """Characters between a day and the nearest of some words; before it counts double as near."""
    found = [len(before) - match.end() for match in words.finditer(before)]
    first = words.search(after)
    if first is not None:
        found.append(2 * first.start() + 4)
    return min(found, default=None)


def iso_day(text: str | None, *, sent: float | None) -> str | None:
    """A day as ``YYYY-MM-DD``; ``None`` where it is no day or out of the question.

    Args:
        text: What a model wrote.
        sent: When the newest message was sent: the day is neither more than 400 days before it
            nor more than 60 after.
    """
    if not text:
        return None
    try:
        day = date.fromisoformat(text.strip()[:10])
    except ValueError:
        return None
    if sent is not None:
        base = datetime.fromtimestamp(sent, UTC).date()
        if not base - timedelta(days=400) <= day <= base + timedelta(days=60):
            return None
    return day.isoformat()
