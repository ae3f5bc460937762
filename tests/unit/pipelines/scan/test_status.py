import pytest

from fanwise.errors import ConfigError
from fanwise.pipelines.scan.status import STATUSES, Status, next_status


@pytest.mark.parametrize("reported", STATUSES)
def test_before_delivery_every_report_counts(reported: Status) -> None:
    for current in STATUSES:
        if current != "delivered":
            assert next_status(current, reported) == reported


@pytest.mark.parametrize(
    ("reported", "after"),
    [
        ("pending", "delivered"),
        ("in_transit", "delivered"),
        ("out_for_delivery", "delivered"),
        ("delivered", "delivered"),
        ("exception", "exception"),
        ("failed_attempt", "failed_attempt"),
    ],
)
def test_after_delivery_only_trouble_counts(reported: str, after: str) -> None:
    assert next_status("delivered", reported) == after


def test_an_unknown_status_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="in_transit"):
        next_status("pending", "lost")
