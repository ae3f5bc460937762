import random
import re

import pytest

from fanwise.pipelines.scan.tracking.find import MOST_NUMBERS, THRESHOLD, find
from fanwise.pipelines.scan.tracking.formats import FORMATS, Format, matching
from fanwise.pipelines.scan.tracking.invent import invent, inventable


def numbers(text: str) -> list[str]:
    return [found.number for found in find(text)]


def name_of(row: Format) -> str:
    return row.carrier or "Royal Mail"


@pytest.mark.parametrize("row", inventable(), ids=lambda row: f"{row.carrier} {row.service}")
def test_a_number_beside_its_carrier_and_a_label_is_found(row: Format) -> None:
    chance = random.Random(11)
    for _ in range(20):
        number = invent(row, chance)
        found = find(f"Shipped with {name_of(row)} yesterday, tracking number {number}, thanks.")
        assert [(one.number, one.carrier) for one in found] == [(number, name_of(row))]
        assert THRESHOLD <= found[0].confidence < 1


@pytest.mark.parametrize(
    "row",
    [row for row in inventable() if row.check and row.service != "20 digits, 91 implied"],
    ids=lambda row: f"{row.carrier} {row.service}",
)
def test_a_wrong_last_digit_is_refused_beside_the_carrier(row: Format) -> None:
    chance = random.Random(12)
    for _ in range(20):
        number = invent(row, chance)
        at = {"S10": 10, "ASTRA": 27}.get(row.service, len(number) - 1)
        other = "B" if number[at].isalpha() and number[at] != "B" else "C"
        if number[at].isdigit():
            other = str((int(number[at]) + 1) % 10)
        wrong = number[:at] + other + number[at + 1 :]
        if not matching(wrong):
            assert find(f"Your {name_of(row)} parcel {wrong} is on its way") == []
        else:  # another carrier's rule happens to fit: the named carrier speaks against it
            assert all(one.carrier == name_of(row) for one in find(f"{name_of(row)}: {wrong}"))


@pytest.mark.parametrize(
    "text",
    ["{}", "Please note {} for your records.", "We counted {} in stock.", "See {} below. Regards"],
)
def test_random_digits_without_context_are_left_alone(text: str) -> None:
    chance = random.Random(13)
    accepted = 0
    for _ in range(1500):
        digits = "".join(chance.choice("0123456789") for _ in range(chance.randint(8, 30)))
        accepted += bool(find(text.format(digits)))
    assert accepted / 1500 < 0.005


@pytest.mark.parametrize(
    "written",
    [
        "1Z 999 AA1 01 2345 6784",
        "1z999aa10123456784",
        "1Z-999-AA1-01-2345-6784",
        "1Z.999.AA1.01.2345.6784",
        "1 Z 9 9 9 A A 1 0 1 2 3 4 5 6 7 8 4",
        "1Z999AA1\u200b0123\u200b456784",
        "1Z999AA1\xad0123456784",
        "1Z\xa0999\xa0AA1\xa001\xa02345\xa06784",
        "1Z999AA1\n0123456784",
        "1Z999AA1=\n0123456784",
        "> 1Z999AA1\n> 0123456784",
        "(1Z999AA10123456784)",
        "#1Z999AA10123456784.",
        "\uff11\uff3a999AA10123456784",
    ],
)
def test_every_way_of_writing_a_number_gives_its_compact_form(written: str) -> None:
    assert numbers(f"Your parcel {written}\nThank you") == ["1Z999AA10123456784"]


@pytest.mark.parametrize(
    "text",
    [
        "FedEx hotline: 986578788855",
        "FedEx invoice no. 986578788855",
        "Your FedEx order 986578788855 was received",
        "FedEx Rechnungsnummer: 986578788855",
        "FedEx, Tel. +986578788855",
        "FedEx, commande n° 986578788855",
        "Numer zamówienia: 986578788855, kurier FedEx",
        "FedEx account no 986578788855",
        "DHL phone (331) 881-0025",
        "Call DHL on 331 881 0025",
        "DHL timestamp 20260303142211",
        "The DHL lot of 11111111111111",
        "Our IBAN is DE89 3704 0044 0532 0130 00, shipped by Canada Post",
        "Canada Post, paid with card 4242 4242 4242 4242",
        "USPS ID 550e8400-e29b-41d4-a716-986578788855 by FedEx",
        "FedEx charged 986578788855,00 for it",
        "FedEx <986578788855@mail.example>",
    ],
)
def test_labels_and_shapes_of_other_things_are_refused(text: str) -> None:
    assert numbers(text) == []


def test_a_bare_number_needs_context() -> None:
    assert numbers("986578788855") == []
    assert numbers("986578788855, as we discussed") == []
    assert numbers("tracking number 986578788855") == ["986578788855"]
    assert numbers("FedEx has 986578788855") == ["986578788855"]


@pytest.mark.parametrize(
    "label",
    [
        "Tracking number:",
        "Sendungsnummer:",
        "Numéro de suivi :",
        "Número de seguimiento:",
        "Numero di spedizione:",
        "Trackingcode:",
        "Numer przesyłki:",
        "Kollinummer",
        "追跡番号:",
        "运单号",
    ],
)
def test_labels_of_many_languages_announce_a_number(label: str) -> None:
    assert numbers(f"{label} 986578788855") == ["986578788855"]


def test_a_list_shares_its_label_and_a_following_label_counts() -> None:
    assert numbers("Tracking numbers: 986578788855, 799531274483 and 790535312317") == [
        "986578788855",
        "799531274483",
        "790535312317",
    ]
    assert numbers("986578788855 is your tracking number") == ["986578788855"]
    assert numbers("Order 986578788855 | Tracking 799531274483") == ["799531274483"]


def test_another_carrier_named_beside_it_speaks_against_a_weak_format() -> None:
    assert numbers("Your Amazon parcel 986578788855") == []
    assert numbers("Purolator parcel 986578788855") == []
    assert numbers("Amazon and FedEx: 986578788855") == ["986578788855"]


def test_the_named_carrier_decides_between_formats_that_both_fit() -> None:
    chance = random.Random(5)
    express = next(row for row in FORMATS if (row.carrier, row.service) == ("FedEx", "Express"))
    purolator = next(
        row for row in FORMATS if (row.carrier, row.service) == ("Purolator", "parcel")
    )
    number = next(n for n in iter(lambda: invent(express, chance), "") if purolator.fits(n))
    assert [one.carrier for one in find(f"FedEx tracking {number}")] == ["FedEx"]
    assert [one.carrier for one in find(f"Purolator tracking {number}")] == ["Purolator"]


def test_follow_ups_are_no_carrier() -> None:
    assert numbers("Our follow-ups: 123456789012 pop ups") == []
    assert numbers("UPS tracking number 123456789018") == ["123456789018"]


def test_a_number_inside_a_longer_word_or_number_is_left_alone() -> None:
    assert numbers("X1Z999AA10123456784") == []
    assert numbers("1Z999AA101234567840") == []
    assert numbers("FedEx tracking 9865787888551") == []


def test_links_to_carriers_pages_count() -> None:
    page = "https://www.fedex.com/fedextrack/?trknbr=986578788855&cntry=us"
    assert numbers(f"See {page} for more") == ["986578788855"]
    assert numbers("https://shop.example/item/986578788855?u=799531274483") == []
    wrapped = "https://click.example/r?u=https%3A%2F%2Fwww.ups.com%2Ftrack%3Ftracknum%3D1Z999AA10123456784"
    assert numbers(wrapped) == ["1Z999AA10123456784"]
    assert [one.number for one in find("Track it", links=[page])] == ["986578788855"]
    assert numbers("http://[bad/?tracknum=1") == []


def test_the_senders_host_names_its_carrier() -> None:
    text = "It left our depot: 986578788855 (box 1 of 1)"
    assert find(text) == []
    assert [one.number for one in find(text, sender="mail.fedex.com")] == []
    assert [f.carrier for f in find("Parcel 986578788855", sender="mail.fedex.com")] == ["FedEx"]


def test_at_most_twenty_are_returned_in_the_order_of_the_text() -> None:
    chance = random.Random(9)
    row = next(row for row in inventable() if row.service == "Logistics")
    made = [invent(row, chance) for _ in range(30)]
    found = numbers("\n".join(made))
    assert len(found) == MOST_NUMBERS
    assert found == [number for number in made if number in found]


def test_a_number_is_returned_once() -> None:
    text = "FedEx 986578788855. Again: tracking number 9865 7878 8855, yes 986578788855."
    assert numbers(text) == ["986578788855"]
    with_zip = "420787459400111206206406260787"
    assert numbers(f"USPS tracking {with_zip} or {with_zip[8:]}") == [with_zip[8:]]


@pytest.mark.parametrize(
    "hostile",
    [
        "1 " * 20_000,
        "1" * 40_000,
        "A 1 " * 10_000,
        "1Z" * 20_000,
        ("1A " * 45 + ", ") * 300,
        "tracking 986578788855, " * 1_500,
        "order no no no " * 3_000,
        "123456\n" * 6_000,
        "https://ups.com/?a=" * 2_000,
        "UPS " * 10_000,
        "<" * 40_000,
        "追跡番号123456789012 " * 2_000,
    ],
)
def test_hostile_text_ends_soon(hostile: str) -> None:
    # pytest-timeout is the judge: quadratic work on this would take minutes
    assert len(find(hostile)) <= MOST_NUMBERS


def test_every_pattern_is_linear_on_long_input() -> None:
    for row in FORMATS:
        assert row.pattern.fullmatch("9" * 100_000) is None
        assert not re.search(r"[+*]\)[+*{]", row.pattern.pattern)
