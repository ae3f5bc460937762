from datetime import UTC, date, datetime

import pytest

from fanwise.pipelines.scan.dates import days_in, iso_day, shipped_day

SENT = datetime(2026, 3, 4, 10, 0, tzinfo=UTC).timestamp()  # a Wednesday


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("Shipped on 3 March 2026 with UPS", date(2026, 3, 3)),
        ("Ship date: 2026-03-03", date(2026, 3, 3)),
        ("shipped March 3rd, 2026", date(2026, 3, 3)),
        ("It left today", date(2026, 3, 4)),
        ("sent out yesterday", date(2026, 3, 3)),
        ("picked up on Monday", date(2026, 3, 2)),
        ("versendet am 03.03.2026", date(2026, 3, 3)),
        ("am 3. März verschickt", date(2026, 3, 3)),
        ("ist gestern rausgegangen", date(2026, 3, 3)),
        ("Versanddatum 3.3.26", date(2026, 3, 3)),
        ("expédié le 3 mars 2026", date(2026, 3, 3)),
        ("le colis est parti hier", date(2026, 3, 3)),
        ("enviado el 3 de marzo de 2026", date(2026, 3, 3)),
        ("el paquete salió ayer", date(2026, 3, 3)),
        ("spedito il 3 marzo 2026", date(2026, 3, 3)),
        ("verzonden op 3 maart 2026", date(2026, 3, 3)),
        ("paczka nadana 3 marca 2026", date(2026, 3, 3)),
        ("2026年3月3日に発送いたしました", date(2026, 3, 3)),
        ("shipped 03/02/2026", date(2026, 3, 2)),
        ("shipped 02/03/2026", date(2026, 3, 2)),
        ("shipped on 28 December", date(2025, 12, 28)),
    ],
)
def test_a_shipping_day_is_read_in_many_languages(text: str, day: date) -> None:
    assert shipped_day(text, number_at=-1, sent=SENT) == day


@pytest.mark.parametrize(
    "text",
    [
        "Expected delivery: 6 March 2026",
        "Invoice of 1 March 2026",
        "voraussichtliche Zustellung am 06.03.2026",
        "livraison prévue le 6 mars 2026",
        "please pay by 2026-03-10",
        "shipped 31.02.2026",
        "shipped 99/99/2026",
        "call 03.03.2026.4711",
        "shipped on 3 March 1999",
        "The parcel was sent.",
    ],
)
def test_other_days_are_no_shipping_days(text: str) -> None:
    assert shipped_day(text, number_at=-1, sent=SENT) is None


def test_of_several_shipping_days_the_one_nearest_to_the_number_counts() -> None:
    text = "Box 1 shipped 1 March 2026: AAA.\nBox 2 shipped 3 March 2026: BBB."
    assert shipped_day(text, number_at=text.index("AAA"), sent=SENT) == date(2026, 3, 1)
    assert shipped_day(text, number_at=text.index("BBB"), sent=SENT) == date(2026, 3, 3)


def test_without_the_messages_date_only_full_days_are_read() -> None:
    found = days_in("today, 3 March, and 2026-03-03", sent=None)
    assert [dated.day for dated in found] == [date(2026, 3, 3)]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-03-03", "2026-03-03"),
        ("2026-03-03T10:00:00Z", "2026-03-03"),
        ("3 March", None),
        ("2019-01-01", None),
        ("2027-01-01", None),
        ("", None),
        (None, None),
    ],
)
def test_a_models_day_is_taken_where_it_is_one_and_is_plausible(
    text: str | None, day: str | None
) -> None:
    assert iso_day(text, sent=SENT) == day


def test_long_text_of_dates_is_read_soon() -> None:
    assert len(days_in("3 March 2026, " * 5_000, sent=SENT)) == 5_000
