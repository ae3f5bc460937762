"""The score that needs no model."""

import pytest

from fanwise.pipelines.hooks import heuristic_score
from fanwise.pipelines.hooks.heuristics import (
    attention_score,
    emotion_score,
    length_score,
    readability_score,
    relevance_score,
    stem,
    word_count,
)


@pytest.mark.parametrize(
    ("words", "score"), [(0, 0), (3, 5), (6, 10), (9, 10), (12, 10), (18, 5), (24, 0), (60, 0)]
)
def test_six_to_twelve_words_are_best(words: int, score: float):
    assert length_score(words) == score


def test_words_are_counted_as_a_reader_counts_them():
    assert word_count("Don't ship on Fridays – ever.") == 5
    assert word_count("— !") == 0


def test_short_words_read_more_easily_than_long_ones():
    easy = readability_score("We lost two good people last week.")
    hard = readability_score(
        "Organisational communication necessitates interdepartmental synergies."
    )
    assert easy is not None
    assert hard is not None
    assert easy > 8
    assert 0 <= hard < 2


def test_what_cannot_be_told_is_unknown_and_leaves_the_mean_alone():
    found = heuristic_score("なぜ誰も報告書を読まないのか", idea="報告書")
    assert found.readability is None
    parts = (found.length, found.emotion, found.attention, found.relevance)
    assert found.overall == pytest.approx(sum(parts) / 4, abs=0.06)


def test_words_of_feeling_count_with_their_endings():
    assert emotion_score("A plan for the next quarter") == 0
    assert emotion_score("I regretted it") == 5
    assert emotion_score("The shocking secret of failure") == 8.75


def test_devices_that_stop_a_reader_count_and_weak_openings_cost():
    assert attention_score("Quarterly planning notes") == 0
    assert attention_score("Why nobody reads your 3 reports") == 10
    assert attention_score("Here are some reasons why") == 0


def test_relevance_is_what_hook_and_brief_share():
    assert relevance_score("New hires drown in week two", "Our new hires drown in paperwork") == 10
    assert relevance_score("Buy more coffee machines", "Our new hires are lost") == 0
    assert relevance_score("and then what?", "and then what?") == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [("reports", "report"), ("planning", "plan"), ("hires", "hire"), ("stories", "story")],
)
def test_forms_of_a_word_share_a_stem(one: str, other: str):
    assert stem(one) == stem(other)


def test_all_parts_stay_between_0_and_10():
    for text in ("!", "x", "why " * 50, "Nobody " * 9, "You lost 5 secrets, never again?"):
        found = heuristic_score(text, idea="something else")
        for part in (found.length, found.readability, found.emotion, found.attention,
                     found.relevance, found.overall):  # fmt: skip
            assert part is None or 0 <= part <= 10
