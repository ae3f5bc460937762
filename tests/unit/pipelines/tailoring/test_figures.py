"""Figures in digits and in words have one form."""

import pytest

from fanwise.pipelines.tailoring.figures import numbers_in


@pytest.mark.parametrize(
    ("text", "figures"),
    [
        ("6 patients", {"6"}),
        ("six patients", {"6"}),
        ("sixty patients", {"60"}),
        ("sixty-five patients", {"65"}),
        ("twelve hundred users", {"1200"}),
        ("1,200 users", {"1200"}),
        ("1.2k users", {"1200"}),
        ("two hundred and five users", {"205"}),
        ("two dozen sites", {"24"}),
        ("a hundred sites", {"100"}),
        ("$2M", {"2000000"}),
        ("2 million dollars", {"2000000"}),
        ("2.5 million", {"2500000"}),
        ("40% faster", {"40%"}),
        ("40 % faster", {"40%"}),
        ("forty percent faster", {"40%"}),
        ("40 services", {"40"}),
        ("three or four", {"3", "4"}),
        ("five and six", {"5", "6"}),
        ("one of them", set()),
        ("2.0", {"2"}),
        ("10.5 years", {"10.5"}),
        ("since 2019", {"2019"}),
        ("release 1.2.3", {"1.2.3"}),
        ("someone often attended to tension", set()),
        ("100", {"100"}),
    ],
)
def test_a_figure_has_one_form(text: str, figures: set[str]) -> None:
    assert numbers_in(text) == figures
