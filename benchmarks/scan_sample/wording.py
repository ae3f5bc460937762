"""Texts, carriers and ways of writing for the sample."""

from __future__ import annotations

import random
import re
from datetime import date, datetime, timedelta
from pathlib import Path

from fanwise.pipelines.scan.tracking.invent import invent, inventable

# By region: the carrier's name as people write it, the format's carrier and service, and for S10
# numbers the letters and the country.
CARRIERS = {
    region: [tuple(one.split("|")) for one in text.split(";")]
    for region, text in {
        "us": "UPS|UPS|package;UPS Ground|UPS|package;FedEx|FedEx|Express;FedEx Ground|FedEx|Ground"
        ";Fedex|FedEx|Express;USPS Priority Mail|USPS|package barcode;OnTrac|OnTrac|parcel"
        ";LaserShip|LaserShip|LX;DHL Express|DHL|Express;Spee-Dee Delivery|Spee-Dee|parcel"
        ";GOFO|GOFO Express|parcel",
        "ca": "Canada Post|Canada Post|parcel;Purolator|Purolator|parcel;Canpar|Canpar|parcel",
        "uk": "Royal Mail||S10|KX|GB;DPD|DPD|parcel without check character;Evri|Evri|parcel"
        ";Yodel|Yodel|parcel;UPS|UPS|package;DHL Parcel UK|DHL|parcel UK, 14 digits",
        "de": "DHL|DHL|parcel, 20 digits;DHL|DHL|parcel, 12 digits;DHL|DHL|piece"
        ";DPD|DPD|parcel without check character;GLS|GLS|parcel;Hermes|Hermes|parcel"
        ";UPS|UPS|package;Deutsche Post||S10|RR|DE",
        "fr": "Colissimo|La Poste|Colissimo;Chronopost||S10|XY|FR"
        ";DPD|DPD|parcel without check character;UPS|UPS|package;GLS|GLS|parcel",
        "es": "Correos||S10|PQ|ES;DHL Express|DHL|Express;UPS|UPS|package",
        "it": "Poste Italiane||S10|RA|IT;GLS|GLS|parcel;UPS|UPS|package",
        "nl": "PostNL|PostNL|parcel;DPD|DPD|parcel without check character",
        "pl": "InPost|InPost|parcel;Poczta Polska|Poczta Polska|parcel;UPS|UPS|package",
        "ja": "ヤマト運輸|Yamato|parcel;日本郵便||S10|EM|JP",
        "freight": "Old Dominion|Old Dominion|PRO;XPO|XPO|PRO",
        "amazon": "Amazon|Amazon|Logistics",
    }.items()
}

# Carriers whose formats the rules do not know: name, and the shape of a number.
OTHER_FREIGHT = [
    ("R+L Carriers", "I#########"),
    ("Estes", "###-#######"),
    ("Dachser", "4##########"),
]

PAGES = {
    "UPS": "https://www.ups.com/track?loc=en_US&tracknum={number}&requester=ST/trackdetails",
    "FedEx": "https://www.fedex.com/fedextrack/?trknbr={number}&trkqual=~FDEG",
    "USPS": "https://tools.usps.com/go/TrackConfirmAction?tLabels={number}",
    "DHL": "https://www.dhl.de/de/privatkunden/dhl-sendungsverfolgung.html?piececode={number}",
    "DPD": "https://tracking.dpd.de/status/de_DE/parcel/{number}",
    "Royal Mail": "https://www.royalmail.com/track-your-item#/tracking-results/{number}",
    "PostNL": "https://jouw.postnl.nl/track-and-trace/{number}-NL-5611AB",
}

_MONTHS = {
    "en": "January February March April",
    "de": "Januar Februar März April",
    "fr": "janvier février mars avril",
    "es": "enero febrero marzo abril",
    "it": "gennaio febbraio marzo aprile",
    "nl": "januari februari maart april",
    "pl": "stycznia lutego marca kwietnia",
    "ja": "1 2 3 4",
}
_TODAY = {
    "en": ("today", "yesterday"),
    "de": ("heute", "gestern"),
    "fr": ("aujourd'hui", "hier"),
    "es": ("hoy", "ayer"),
    "it": ("oggi", "ieri"),
    "nl": ("vandaag", "gisteren"),
    "pl": ("dzisiaj", "wczoraj"),
    "ja": ("本日", "昨日"),
}


def blocks() -> dict[tuple[str, str], list[str]]:
    """The blocks of ``texts.txt`` by kind and language."""
    found: dict[tuple[str, str], list[str]] = {}
    text = Path(__file__).with_name("texts.txt").read_text("utf-8")
    for block in re.split(r"^== ", text, flags=re.MULTILINE)[1:]:
        head, _, body = block.partition("\n")
        kind, language = head.split()
        found.setdefault((kind, language), []).append(body.strip("\n"))
    return found


class Parcel:
    """One invented parcel: how it is written in a mail, and what is true of it."""

    def __init__(self, region: str, chance: random.Random, *, known: bool = True) -> None:
        if not known:
            self.said, shape = chance.choice(OTHER_FREIGHT)
            self.written = "".join(
                chance.choice("0123456789") if sign == "#" else sign for sign in shape
            )
            self.number = self.written.replace("-", "")
            self.carrier = self.said
            return
        said, carrier, service, *s10 = chance.choice(CARRIERS[region])
        row = next(row for row in inventable() if (row.carrier, row.service) == (carrier, service))
        letters, country = s10 or ("RB", "GB")
        self.said = said
        self.number = invent(row, chance, letters=letters, country=country)
        self.carrier = row.carrier_of(self.number)
        self.written = _written(self.number, service, chance)


def _written(number: str, service: str, chance: random.Random) -> str:
    style = chance.random()
    if style < 0.55:
        return number
    if service == "S10":
        return f"{number[:2]} {number[2:5]} {number[5:8]} {number[8:11]} {number[11:]}"
    if service == "package" and number.startswith("1Z"):
        spaced = " ".join(
            (number[:2], number[2:5], number[5:8], number[8:10], number[10:14], number[14:])
        )
        return spaced if style < 0.9 else number.lower()
    if (number.isdigit() and len(number) % 4 == 0) or len(number) > 18:
        sign = " " if style < 0.9 else "-"
        return sign.join(number[i : i + 4] for i in range(0, len(number), 4))
    return number


def day_in_words(day: date, language: str, sent: datetime, chance: random.Random) -> str:
    """A day as somebody writing in that language at that moment would put it."""
    back = (sent.date() - day).days
    if back in (0, 1) and chance.random() < 0.6:
        return _TODAY[language][back]
    month = _MONTHS[language].split()[day.month - 1]
    if language == "ja":
        return f"{day.year}年{day.month}月{day.day}日"
    if language == "en":
        forms = [
            f"{day.day} {month} {day.year}",
            f"{month} {day.day}, {day.year}",
            day.isoformat(),
            f"{month} {day.day}",
        ]
    elif language == "de":
        forms = [f"{day:%d.%m.%Y}", f"{day.day}. {month} {day.year}", f"{day:%d.%m.}"]
    elif language == "es":
        forms = [f"{day.day} de {month} de {day.year}", f"{day:%d/%m/%Y}"]
    elif language == "pl":
        forms = [f"{day.day} {month} {day.year}", f"{day:%d.%m.%Y}"]
    else:
        forms = [f"{day.day} {month} {day.year}", f"{day:%d/%m/%Y}", f"{day:%d-%m-%Y}"]
    return chance.choice(forms)


def eta_in_words(sent: datetime, language: str, chance: random.Random) -> str:
    day = sent.date() + timedelta(days=chance.randint(1, 4))
    month = _MONTHS[language].split()[day.month - 1]
    if language == "ja":
        return f"{day.month}月{day.day}日"
    return f"{day:%d.%m.%Y}" if language in ("de", "pl") else f"{day.day} {month}"


def look_alike(chance: random.Random) -> str:
    """A number of something else; every third one has some carrier's check digit."""
    if chance.random() < 0.35:
        services = ["Express", "Ground", "PRO", "parcel, 12 digits"]
        rows = [
            row
            for row in inventable()
            if row.service in services and row.pattern.pattern.startswith(r"\d")
        ]
        return invent(chance.choice(rows), chance)
    length = chance.choice([7, 8, 9, 10, 10, 11, 12, 12, 13, 14])
    return str(chance.randint(10 ** (length - 1), 10**length - 1))
