"""Numbers made up by the rules: right in shape and check digit, of no parcel anybody sent.

For sample mail, tests and benchmarks.
"""

from __future__ import annotations

import random
import string

from fanwise.pipelines.scan.tracking.formats import FORMATS, Format

# ``#`` is a digit, ``@`` a letter, ``*`` either; anything else stands for itself.
_SHAPES = {
    ("UPS", "package"): "1Z******03########",
    ("UPS", "waybill"): "K##########",
    ("", "S10"): "RB#########GB",
    ("Amazon", "Logistics"): "TBA############",
    ("Amazon", "international"): "C1#########",
    ("DHL", "piece"): "JJD01##############",
    ("DHL", "eCommerce"): "GM################",
    ("DHL", "Express"): "##########",
    ("DHL", "parcel, 20 digits"): "00340434############",
    ("DHL", "parcel UK, 14 digits"): "6012##########",
    ("DHL", "parcel, 12 digits"): "############",
    ("Yodel", "parcel"): "JJD0002############",
    ("OnTrac", "parcel"): "C1#############",
    ("LaserShip", "1LS"): "1LS7###########",
    ("LaserShip", "1LSCX"): "1LSCX@@#######@",
    ("LaserShip", "LX"): "LX########",
    ("Canpar", "parcel"): "D576###############001",
    ("Purolator", "PIN"): "@@@#########",
    ("Purolator", "parcel"): "############",
    ("GOFO Express", "parcel"): "GFUS##############",
    ("Landmark Global", "parcel"): "LTN########N1",
    ("Spee-Dee", "parcel"): "SP##################",
    ("YunExpress", "parcel"): "YT################",
    ("DPD", "label"): "00#########################@",
    ("DPD", "parcel"): "##############@",
    ("DPD", "parcel without check character"): "0#############",
    ("USPS", "package barcode"): "9400##################",
    ("USPS", "package barcode with ZIP"): "420#####9261##################",
    ("USPS", "20 digits"): "0307################",
    ("USPS", "20 digits, 91 implied"): "7196################",
    ("FedEx", "Express"): "############",
    ("FedEx", "Express, 34 digits"): "1001##############################",
    ("FedEx", "ASTRA"): "3297############################",
    ("FedEx", "Ground"): "###############",
    ("FedEx", "Ground SSCC-18"): "0#################",
    ("FedEx", "Ground 96"): "9611##################",
    ("FedEx", "Ground GSN"): "9622##############################",
    ("FedEx", "SmartPost"): "9261##################",
    ("Canada Post", "parcel"): "################",
    ("Old Dominion", "PRO"): "###########",
    ("XPO", "PRO"): "#########",
    ("Hermes", "parcel"): "##############",
    ("InPost", "parcel"): "6#######################",
    ("GLS", "parcel"): "###########",
    ("PostNL", "parcel"): "3SABCD#########",
    ("La Poste", "Colissimo"): "6A###########",
    ("Swiss Post", "parcel"): "99################",
    ("Yamato", "parcel"): "############",
    ("Poczta Polska", "parcel"): "001590##############",
    ("Evri", "parcel"): "H00AAA##########",
}

_MOST_TRIES = 10_000  # a check character fits one time in 36

_ALPHABETS = {
    "#": string.digits,
    "@": string.ascii_uppercase,
    "*": string.digits + string.ascii_uppercase,
}


def inventable() -> list[Format]:
    """The formats that numbers can be made up for; the first row of each carrier and service."""
    rows: dict[tuple[str, str], Format] = {}
    for row in FORMATS:
        if (row.carrier, row.service) in _SHAPES:
            rows.setdefault((row.carrier, row.service), row)
    return list(rows.values())


def invent(row: Format, chance: random.Random, *, country: str = "GB", letters: str = "RB") -> str:
    """A number of a format.

    Args:
        row: One of :func:`inventable`.
        chance: Source of the digits.
        country: The last two letters of an S10 number.
        letters: The first two letters of an S10 number.
    """
    shape = _SHAPES[row.carrier, row.service]
    if row.service == "S10":
        shape = f"{letters}#########{country}"
    for _ in range(_MOST_TRIES):
        number = "".join(
            chance.choice(_ALPHABETS[sign]) if sign in _ALPHABETS else sign for sign in shape
        )
        if row.fits(number):
            return number
    raise AssertionError(f"{row.carrier} {row.service}: the shape {shape} fits no number")
