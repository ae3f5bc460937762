"""Durations and instants as servers write them."""

from __future__ import annotations

import pytest

from fanwise.durations import http_date_s, iso_date_s


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:01:00Z", 60.0),
        ("1970-01-01T01:00:30+01:00", 30.0),
        (" 1970-01-01T00:00:01.5Z ", 1.5),
        ("1970-01-01T00:00:07", 7.0),
        ("soon", None),
        ("", None),
    ],
)
def test_an_instant_of_rfc_3339_is_read(text: str, expected: float | None) -> None:
    assert iso_date_s(text) == expected


def test_an_http_date_is_read() -> None:
    assert http_date_s("Thu, 01 Jan 1970 00:02:00 GMT") == 120.0
    assert http_date_s("yesterday") is None
