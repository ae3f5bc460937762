"""The formats of tracking numbers, one row each, from what the carriers publish about them.

``weight`` is what the shape alone is worth as evidence, before any check digit or context: 0 for a
run of digits that an order number has as well, 0.7 for letters and digits that hardly anything else
looks like. How weights become a confidence stands in :mod:`~fanwise.pipelines.scan.tracking.find`.

Of two rows that fit a number equally well the upper one wins.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fanwise.pipelines.scan.tracking import check_digits as cd
from fanwise.pipelines.scan.tracking.posts import COUNTRIES, post_of

_CHECK_WORTH = 0.45
_STRONG_CHECK_WORTH = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One shape of number of one carrier.

    Args:
        carrier: The carrier's name as results show it.
        service: Which of its numbers this is, for people.
        pattern: Matches the whole compact number.
        lengths: Every length the pattern can match.
        weight: Worth of the shape alone, 0 to 1.
        check: The check digit, where the carrier has one.
        check_worth: Worth of a check digit that is right, 0 to 1.
    """

    carrier: str
    service: str
    pattern: re.Pattern[str]
    lengths: tuple[int, ...]
    weight: float
    check: cd.Check | None = None
    check_worth: float = 0.0

    @property
    def standing(self) -> float:
        """What a number of this format is worth without any context."""
        return 1 - (1 - self.weight) * (1 - self.check_worth)

    def fits(self, number: str) -> bool:
        """Whether a compact number has this shape and, where there is one, the check digit."""
        if self.pattern.fullmatch(number) is None:
            return False
        return self.check is None or self.check(number)

    def carrier_of(self, number: str) -> str:
        """The carrier's name; for an S10 number the post of its country."""
        return self.carrier or post_of(number[-2:])


def _row(
    carrier: str,
    service: str,
    *,
    pattern: str,
    lengths: tuple[int, ...],
    weight: float,
    check: cd.Check | None = None,
    strong: bool = False,
) -> Format:
    worth = _STRONG_CHECK_WORTH if strong else _CHECK_WORTH
    return Format(
        carrier=carrier,
        service=service,
        pattern=re.compile(pattern, re.ASCII),
        lengths=lengths,
        weight=weight,
        check=check,
        check_worth=worth if check else 0.0,
    )


def _without_zip(number: str) -> bool:
    """A package barcode's check digit covers what follows ``420`` and a ZIP of 5 or 9 digits."""
    match = _IMPB.fullmatch(number)
    return match is not None and cd.gs1(match.group("item"))


_IMPB = re.compile(r"(?:420\d{5}(?:\d{4})?)?(?P<item>9[1-5](?:\d{20}|\d{24}))")
_IMPB_PLAIN = r"9[1-5](?:\d{20}|\d{24})"
_IMPB_ROUTED = r"420\d{5}(?:\d{4})?9[1-5](?:\d{20}|\d{24})"
_S10 = r"[A-Z]{2}\d{9}(?:" + "|".join(sorted(COUNTRIES)) + ")"

_LETTERED = (
    _row(
        "UPS",
        "package",
        pattern=r"1Z[0-9A-Z]{15}\d",
        lengths=(18,),
        weight=0.6,
        check=cd.part(cd.alternating_2, 2),
    ),
    _row(
        "UPS",
        "waybill",
        pattern=r"[AHJKTV]\d{10}",
        lengths=(11,),
        weight=0.2,
        check=cd.part(cd.alternating_2, 1),
    ),
    _row(
        "UPS", "Mail Innovations", pattern=r"MI\d{12,28}", lengths=tuple(range(14, 31)), weight=0.3
    ),
    _row("", "S10", pattern=_S10, lengths=(13,), weight=0.45, check=cd.s10),
    _row("Amazon", "Logistics", pattern=r"TB[A-Z]\d{12}", lengths=(15,), weight=0.7),
    _row("Amazon", "international", pattern=r"C\d{10}", lengths=(11,), weight=0.2),
    _row("DHL", "piece", pattern=r"JJD\d{10,18}", lengths=tuple(range(13, 22)), weight=0.7),
    _row("DHL", "piece", pattern=r"JD0\d{17}", lengths=(20,), weight=0.5),
    _row("DHL", "piece", pattern=r"JD\d{10,18}", lengths=tuple(range(12, 21)), weight=0.3),
    _row("DHL", "piece", pattern=r"JVGL\d{10,20}", lengths=tuple(range(14, 25)), weight=0.7),
    _row("DHL", "eCommerce", pattern=r"GM\d{11,20}", lengths=tuple(range(13, 23)), weight=0.6),
    _row("DHL", "eCommerce", pattern=r"[LR]X\d{11,20}", lengths=tuple(range(13, 23)), weight=0.3),
    _row("Yodel", "parcel", pattern=r"J?JD0002\d{12}", lengths=(18, 19), weight=0.72),
    _row("Yodel", "parcel", pattern=r"J?JD\d{16}", lengths=(18, 19), weight=0.45),
    _row(
        "OnTrac",
        "parcel",
        pattern=r"[CD]\d{14}",
        lengths=(15,),
        weight=0.45,
        check=cd.alternating_2,
    ),
    _row("LaserShip", "1LS", pattern=r"1LS7\d{11}(?:\d1)?", lengths=(15, 17), weight=0.75),
    _row("LaserShip", "1LSCX", pattern=r"1LSCX[0-9A-Z]{10}", lengths=(15,), weight=0.75),
    _row("LaserShip", "LX", pattern=r"L[A-Z]\d{8}", lengths=(10,), weight=0.2),
    _row("Canpar", "parcel", pattern=r"[DLS]\d{21}", lengths=(22,), weight=0.7),
    _row("Purolator", "PIN", pattern=r"[A-Z]{3}\d{9}", lengths=(12,), weight=0.2),
    _row("GOFO Express", "parcel", pattern=r"GFUS\d{14}", lengths=(18,), weight=0.75),
    _row("Landmark Global", "parcel", pattern=r"LTN\d{7,9}N\d", lengths=(12, 13, 14), weight=0.75),
    _row("Spee-Dee", "parcel", pattern=r"SP\d{18}", lengths=(20,), weight=0.7),
    _row("YunExpress", "parcel", pattern=r"YT\d{16}", lengths=(18,), weight=0.7),
    _row(
        "DPD",
        "label",
        pattern=r"\d{27}[A-Z]",
        lengths=(28,),
        weight=0.3,
        check=cd.mod_37_36,
        strong=True,
    ),
    _row(
        "DPD",
        "parcel",
        pattern=r"\d{14}[A-Z]",
        lengths=(15,),
        weight=0.05,
        check=cd.mod_37_36,
        strong=True,
    ),
    _row(
        "PostNL", "parcel", pattern=r"3S[A-Z]{4}\d{7,11}", lengths=tuple(range(13, 18)), weight=0.6
    ),
    _row("DHL", "parcel", pattern=r"3S[A-Z]{3,4}\d{9}", lengths=(14, 15), weight=0.55),
    _row("Evri", "parcel", pattern=r"[CHT]\d{2}[0-9A-Z]{2}A\d{10}", lengths=(16,), weight=0.5),
    _row("La Poste", "Colissimo", pattern=r"\d[A-Z]\d{11}", lengths=(13,), weight=0.35),
    _row("SF Express", "parcel", pattern=r"SF\d{12,13}", lengths=(14, 15), weight=0.6),
    _row("FedEx", "door tag", pattern=r"DT\d{12}", lengths=(14,), weight=0.35),
    _row("GLS", "track id", pattern=r"[A-Z]{2}[0-9A-Z]{2}[A-Z0-9]{4}", lengths=(8,), weight=0.0),
)

_NUMERIC = (
    _row(
        "USPS",
        "package barcode with ZIP",
        pattern=_IMPB_ROUTED,
        lengths=(30, 34, 38),
        weight=0.55,
        check=_without_zip,
    ),
    _row(
        "USPS",
        "package barcode",
        pattern=_IMPB_PLAIN,
        lengths=(22, 26),
        weight=0.3,
        check=_without_zip,
    ),
    _row(
        "FedEx",
        "SmartPost",
        pattern=r"(?:420\d{5})?92\d{20}",
        lengths=(22, 30),
        weight=0.2,
        check=_without_zip,
    ),
    _row("DHL", "eCommerce", pattern=_IMPB_PLAIN, lengths=(22, 26), weight=0.2, check=_without_zip),
    _row(
        "DHL",
        "eCommerce with ZIP",
        pattern=_IMPB_ROUTED,
        lengths=(30, 34, 38),
        weight=0.5,
        check=_without_zip,
    ),
    _row(
        "UPS",
        "Mail Innovations",
        pattern=_IMPB_PLAIN,
        lengths=(22, 26),
        weight=0.2,
        check=_without_zip,
    ),
    _row(
        "USPS",
        "20 digits",
        pattern=r"\d{20}",
        lengths=(20,),
        weight=0.1,
        check=cd.gs1,
    ),
    _row(
        "USPS",
        "20 digits, 91 implied",
        pattern=r"7\d{19}",
        lengths=(20,),
        weight=0.1,
        check=cd.implied("91", cd.gs1),
    ),
    _row(
        "FedEx",
        "SmartPost, 92 implied",
        pattern=r"61\d{18}",
        lengths=(20,),
        weight=0.1,
        check=cd.implied("92", cd.gs1),
    ),
    _row("FedEx", "Express", pattern=r"\d{12}", lengths=(12,), weight=0.05, check=cd.fedex_12),
    _row(
        "FedEx",
        "Express, 34 digits",
        pattern=r"\d{34}",
        lengths=(34,),
        weight=0.3,
        check=cd.part(cd.fedex_12, 22),
    ),
    _row(
        "FedEx",
        "ASTRA",
        pattern=r"\d{16}\d{12}\d{4}",
        lengths=(32,),
        weight=0.3,
        check=cd.part(cd.fedex_12, 16, 28),
    ),
    _row("FedEx", "Ground", pattern=r"\d{15}", lengths=(15,), weight=0.05, check=cd.gs1),
    _row(
        "FedEx",
        "Ground SSCC-18",
        pattern=r"(?:00)?\d{18}",
        lengths=(18, 20),
        weight=0.05,
        check=cd.gs1,
    ),
    _row(
        "FedEx",
        "Ground 96",
        pattern=r"96\d{20}",
        lengths=(22,),
        weight=0.3,
        check=cd.part(cd.gs1, 7),
    ),
    _row(
        "FedEx",
        "Ground GSN",
        pattern=r"96\d{32}",
        lengths=(34,),
        weight=0.4,
        check=cd.part(cd.fedex_12, 22),
    ),
    _row(
        "DPD",
        "label",
        pattern=r"\d{28}",
        lengths=(28,),
        weight=0.1,
        check=cd.mod_37_36,
        strong=True,
    ),
    _row(
        "DPD",
        "parcel",
        pattern=r"\d{15}",
        lengths=(15,),
        weight=0.05,
        check=cd.mod_37_36,
        strong=True,
    ),
    _row("DHL", "Express", pattern=r"\d{10}", lengths=(10,), weight=0.0, check=cd.mod_7),
    _row(
        "DHL", "parcel, 20 digits", pattern=r"00340\d{15}", lengths=(20,), weight=0.4, check=cd.gs1
    ),
    _row(
        "DHL", "parcel, 12 digits", pattern=r"\d{12}", lengths=(12,), weight=0.0, check=cd.identcode
    ),
    _row("DHL", "parcel UK, 14 digits", pattern=r"\d{14}", lengths=(14,), weight=0.15),
    _row("Canada Post", "parcel", pattern=r"\d{16}", lengths=(16,), weight=0.05, check=cd.gs1),
    _row("Purolator", "parcel", pattern=r"\d{12}", lengths=(12,), weight=0.05, check=cd.luhn),
    _row("Old Dominion", "PRO", pattern=r"\d{11}", lengths=(11,), weight=0.05, check=cd.luhn),
    _row("XPO", "PRO", pattern=r"\d{9}", lengths=(9,), weight=0.0, check=cd.mod_7),
    _row("Hermes", "parcel", pattern=r"\d{14}", lengths=(14,), weight=0.05, check=cd.gs1),
    _row("DPD", "parcel without check character", pattern=r"\d{14}", lengths=(14,), weight=0.12),
    _row("GLS", "parcel", pattern=r"\d{11,12}", lengths=(11, 12), weight=0.0),
    _row("InPost", "parcel", pattern=r"\d{24}", lengths=(24,), weight=0.25),
    _row(
        "Poczta Polska",
        "parcel",
        pattern=r"00[1-9]590\d{14}",
        lengths=(20,),
        weight=0.3,
        check=cd.gs1,
    ),
    _row("Swiss Post", "parcel", pattern=r"99\d{16}", lengths=(18,), weight=0.3),
    _row("Österreichische Post", "parcel", pattern=r"10\d{20}", lengths=(22,), weight=0.2),
    _row("Yamato", "parcel", pattern=r"\d{12}", lengths=(12,), weight=0.0, check=cd.mod_7),
    _row("Sagawa", "parcel", pattern=r"\d{12}", lengths=(12,), weight=0.0, check=cd.mod_7),
    _row(
        "Japan Post", "parcel", pattern=r"\d{11,12}", lengths=(11, 12), weight=0.0, check=cd.mod_7
    ),
    _row("Evri", "parcel", pattern=r"\d{16}", lengths=(16,), weight=0.0),
    _row("TNT", "consignment", pattern=r"\d{9}", lengths=(9,), weight=0.0),
    _row("UPS", "number without letters", pattern=r"\d{9}|\d{12}", lengths=(9, 12), weight=0.0),
)

FORMATS: tuple[Format, ...] = _LETTERED + _NUMERIC


def _by_length(formats: tuple[Format, ...]) -> dict[int, tuple[Format, ...]]:
    lengths = sorted({length for row in formats for length in row.lengths})
    return {n: tuple(row for row in formats if n in row.lengths) for n in lengths}


LETTERED = _by_length(_LETTERED)
NUMERIC = _by_length(_NUMERIC)
SHORTEST = min(*LETTERED, *NUMERIC)
LONGEST = max(*LETTERED, *NUMERIC)


def matching(number: str) -> list[Format]:
    """The formats a compact number fits, check digit included, in the order of the table."""
    table = NUMERIC if number.isdigit() else LETTERED
    return [row for row in table.get(len(number), ()) if row.fits(number)]


def shaped_like(number: str) -> list[Format]:
    """The formats whose shape a compact number has, whatever its check digit."""
    table = NUMERIC if number.isdigit() else LETTERED
    return [row for row in table.get(len(number), ()) if row.pattern.fullmatch(number)]
