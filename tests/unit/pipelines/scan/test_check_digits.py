"""Each check digit against numbers that the carriers or the standards print as examples."""

import random

import pytest

from fanwise.pipelines.scan.tracking import check_digits as cd

PUBLISHED = [
    (cd.fedex_12, "012345678983"),  # FedEx's own worked example
    (cd.part(cd.alternating_2, 2), "1Z12345E1512345676"),  # UPS's sample numbers
    (cd.part(cd.alternating_2, 2), "1Z999AA10123456784"),
    (cd.s10, "RR473124829GB"),  # the example of UPU S10
    (cd.gs1, "4006381333931"),  # an EAN-13
    (cd.gs1, "106141411234567897"),  # GS1's SSCC example
    (cd.luhn, "79927398713"),  # the usual example of ISO/IEC 7812
    (cd.mod_7, "81140743"),  # an air waybill's serial number
    (cd.mod_7, "123456789013"),  # Japan's 7DR
    (cd.identcode, "563102430313"),
    (cd.identcode, "218025809066"),
    (cd.mod_37_36, "A12425GABC1234002M"),  # the Global Release Identifier's example
]


@pytest.mark.parametrize(("check", "number"), PUBLISHED)
def test_a_published_example_has_the_right_check_digit(check: cd.Check, number: str) -> None:
    assert check(number)


@pytest.mark.parametrize(("check", "number"), PUBLISHED)
def test_another_last_character_is_refused(check: cd.Check, number: str) -> None:
    at = 10 if check is cd.s10 else len(number) - 1
    others = [d for d in "0123456789" if d != number[at]]
    if check is cd.mod_7:
        others = [d for d in others if d < "7"]
    accepted = [d for d in others if check(number[:at] + d + number[at + 1 :])]
    assert accepted == []


@pytest.mark.parametrize(
    ("check", "length"),
    [(cd.gs1, 16), (cd.luhn, 11), (cd.fedex_12, 12), (cd.mod_37_36, 15)],
)
def test_any_single_wrong_digit_is_noticed(check: cd.Check, length: int) -> None:
    chance = random.Random(7)
    made = 0
    while made < 40:
        number = "".join(chance.choice("0123456789") for _ in range(length))
        if not check(number) or (check is cd.fedex_12 and number[-1] == "0"):
            continue  # FedEx maps two remainders to 0, so that a 0 can hide one error
        made += 1
        for at in range(length):
            for digit in "0123456789":
                wrong = number[:at] + digit + number[at + 1 :]
                if digit != number[at]:
                    assert not check(wrong), (number, wrong)


def test_s10_maps_the_remainders_ten_and_eleven() -> None:
    chance = random.Random(3)
    seen = set()
    for _ in range(500):
        digits = "".join(chance.choice("0123456789") for _ in range(8))
        right = [d for d in "0123456789" if cd.s10(f"RR{digits}{d}DE")]
        assert len(right) == 1
        seen.add(right[0])
    assert seen == set("0123456789")


def test_implied_and_partial_checks_look_where_they_should() -> None:
    assert cd.implied("10614141", cd.gs1)("1234567897")
    assert cd.part(cd.mod_7, 2, 10)("xx81140743yy")
