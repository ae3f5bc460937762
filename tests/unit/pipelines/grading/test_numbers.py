"""Quantities in text, the final answer of a solution, and when two quantities are equal."""

from fractions import Fraction

import pytest

from fanwise.pipelines.grading.compare import equal
from fanwise.pipelines.grading.final import final_answer
from fanwise.pipelines.grading.numbers import quantities, tidy


def values(text: str) -> list[Fraction]:
    return [one.value for one in quantities(tidy(text), words=True)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("18", 18),
        ("-5", -5),
        ("−5", -5),
        ("minus 5", -5),
        ("1,234,567", 1_234_567),
        ("1.234.567", 1_234_567),
        ("1 234 567".replace(" ", "\u202f"), 1_234_567),
        ("1'234.50", "1234.5"),
        ("1.234,50", "1234.5"),
        ("12,5", "12.5"),
        (".75", "0.75"),
        ("3/4", "3/4"),
        ("1 3/4", "7/4"),
        ("1½", "3/2"),
        ("⅔", "2/3"),
        (r"\frac{3}{4}", "3/4"),
        (r"$\dfrac{1}{2}$", "1/2"),
        ("1.5e3", 1500),
        ("6.02 × 10^23", 602 * 10**21),
        (r"3 \times 10^{-2}", "3/100"),
        ("2·10⁶", 2_000_000),
        ("2*10**3", 2000),
        ("50%", "1/2"),
        ("12.5 percent", "1/8"),
        ("$1,250.00", 1250),
        ("-$5", -5),
        ("$-5", -5),
        ("$2.5 million", 2_500_000),
        ("$3M", 3_000_000),
        ("5k", 5000),
        ("twelve", 12),
        ("twenty-five dollars", 25),
        ("three hundred and five", 305),
        ("two thousand four hundred", 2400),
        ("two and a half", "5/2"),
        ("three quarters", "3/4"),
        ("half", "1/2"),
        ("a dozen", 12),
        ("negative seven", -7),
        ("5 ft 6 in", "5.5"),
    ],
)
def test_numbers_are_read_as_people_and_programs_write_them(text, value):
    assert values(text) == [Fraction(value)]


@pytest.mark.parametrize("text", ["H2O", "5:30", "none of them", "", "9" * 5000])
def test_what_is_no_number_is_not_read_as_one(text):
    assert values(text) == []


def test_a_minus_between_two_numbers_is_no_sign():
    assert values("16 - 3 = 13") == [16, 3, 13]
    assert values("1,2,3") == [1, 2, 3]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("18", "18.0"),
        ("2,125", "2125"),
        ("0.5", "1/2"),
        ("50%", "0.5"),
        ("50", "50%"),
        ("90 min", "1.5 h"),
        ("120 minutes", "2 hours"),
        ("50 cents", "$0.50"),
        ("1500 m", "1.5 km"),
        ("18 dollars", "18"),
        ("18", "$18"),
        ("5 pounds", "£5"),
        ("20 degrees", "20 °C"),
        ("0.33", "1/3"),
        ("33.3333", "33.33"),
        ("17.99999999", "18"),
        ("0.1 kWh", "360 kJ"),
    ],
)
def test_equal_quantities_are_equal_however_they_are_written(answer, expected):
    one, other = quantities(tidy(answer))[0], quantities(tidy(expected))[0]
    assert equal(one, other)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("17", "18"),
        ("1000001", "1000000"),
        ("18 cm", "18 m"),
        ("18 kg", "18 m"),
        ("5 mW", "5 MW"),
        ("0.5%", "0.5"),
        ("0.3", "1/3"),
        ("3.54", "3.5"),
        ("$18", "18 cents"),
        ("8.333", "8"),
    ],
)
def test_other_quantities_are_not(answer, expected):
    one, other = quantities(tidy(answer))[0], quantities(tidy(expected))[0]
    assert not equal(one, other)


def test_a_percentage_may_be_given_without_its_sign_where_the_question_asks_for_per_cent():
    answer, expected = quantities("40%")[0], quantities("40")[0]
    assert not equal(answer, expected, question="What is the probability?")
    assert equal(answer, expected, question="What percentage is it?")


def test_a_tolerance_is_absolute_or_a_share():
    answer, expected = quantities("98")[0], quantities("100")[0]
    assert equal(answer, expected, tolerance="2")
    assert equal(answer, expected, tolerance="2%")
    assert not equal(answer, expected, tolerance="1.5")


def last(text: str, **more: str) -> list[str]:
    return [str(one) for one in final_answer(text, **more).candidates]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("16 - 3 = <<16-3=13>>13\nSo 13 * 2 = 26\nA: 26", "26"),
        ("Work 1 + 1.\n#### 1,042", "1,042"),
        (r"Thus $x = \boxed{\frac{3}{4}}$ and we are done after 5 steps.", "3/4"),
        ("The answer is 18 dollars because 9 * 2 is 18.", "18 dollars"),
        ("The answer is 12. Wait. The answer is 14.", "14"),
        ("Answer:\n42", "42"),
        ("a = 5\nb = 7\nSo a + b = 12", "12"),
        ("The area is A = 5 * 3 = 15", "15"),
        ("A: -5", "-5"),
        ("A: 5 1/2", "5 1/2"),
        ("Then 3 are left.\nA: 12.", "12"),
        ("**Answer: $1,200**", "$1,200"),
        ("Final answer = 3 + 4 = 7", "7"),
        ("She sells 9 eggs.\nShe makes 9 * 2 = $18 a day.", "$18"),
        ("He has twelve apples", "twelve"),
        ("First 3 bags. Then it costs 42 dollars.", "42 dollars"),
        ("Step 1: add 5\nStep 2: the total is 12", "12"),
    ],
)
def test_the_final_answer_of_a_solution_is_found(text, found):
    assert last(text) == [found]


@pytest.mark.parametrize(
    "text",
    [
        "For the thirteenth glass he pays 5 * 1",
        "So the price is $41.472 + $8.2944 = $<<41.472+8.",
        "The total is",
        "I do not know.",
        "",
    ],
)
def test_a_solution_without_a_result_has_no_final_answer(text):
    assert last(text) == []


def test_alternatives_are_all_named():
    assert last("The answer is 18 or 20.") == ["18", "20"]
    assert last("18 eggs or 20 eggs") == ["18", "20"]


def test_the_number_of_the_expected_measure_is_taken_where_a_sentence_holds_several():
    text = "In 3 hours she drives 150 km with 2 friends."
    assert last(text, measures="length") == ["150 km"]


def test_an_answer_of_many_megabytes_is_read_in_no_time():
    assert last("1" * 2_000_000) == []
    assert last("(1+" * 500_000 + "A: 5") == ["5"]
    assert last("<<" * 200_000 + "\nA: 5") == ["5"]
