"""From judgements to scores and rankings."""

from fractions import Fraction
from itertools import combinations
from typing import Any

import pytest

import fanwise as fw
from fanwise.pipelines.hooks import (
    CRITERIA,
    Comparison,
    Judgement,
    ModelResult,
    ScoredHook,
    weights_of,
)
from fanwise.pipelines.hooks import heuristic_score as heuristics_of
from fanwise.pipelines.hooks.criteria import overall_of
from fanwise.pipelines.hooks.family import family_of, same_family
from fanwise.pipelines.hooks.records import Criterion
from fanwise.pipelines.hooks.schema import CriterionScore, HookJudgement, JudgementCheck
from fanwise.pipelines.hooks.scoring import (
    comparison_of,
    cut_at,
    gap_of,
    judgement_of,
    near_duplicates,
    ranking_of,
    traits_of,
)


def sample(*scores: int, confidence: float = 0.8) -> HookJudgement:
    parts = {
        name: CriterionScore(reason=f"{name} is {score}", score=score, confidence=confidence)
        for name, score in zip(CRITERIA, scores, strict=True)
    }
    return HookJudgement(**parts)


def hook(text: str, overall: float | None, **scores: float) -> ScoredHook:
    judgement = None
    if overall is not None:
        criteria = {
            name: Criterion(score=scores.get(name, 5), reason=name, confidence=1)
            for name in CRITERIA
        }
        judgement = Judgement(model="j/j", overall=overall, confidence=1, criteria=criteria)
    return ScoredHook(
        text=text,
        technique="",
        rationale="",
        words=len(text.split()),
        in_bounds=True,
        heuristics=heuristics_of(text, idea=text),
        judgement=judgement,
        unscored=None if judgement else "overloaded: no",
    )


def model(name: str, *scores: float | None, heuristic: float = 5.0) -> ModelResult:
    hooks = [hook(f"{name} writes hook number {n}", score) for n, score in enumerate(scores)]
    known = [score for score in scores if score is not None]
    return ModelResult(
        model=name,
        hooks=hooks,
        score=sum(known) / len(known) if known else None,
        heuristic=heuristic,
        scored=len(known),
        write_usage=fw.types.Usage(),
        judge_usage=fw.types.Usage(),
    )


def test_weights_sum_to_exactly_one_whatever_is_in_focus():
    for count in range(4):
        for focus in combinations(CRITERIA, count):
            weights = weights_of(focus)
            assert sum(weights.values()) == 1
            assert set(weights) == set(CRITERIA)
            if focus:
                assert sum(weights[name] for name in focus) == Fraction(60, 100)
    assert weights_of(()) == CRITERIA


def test_the_overall_score_is_the_weighted_mean_of_the_criteria():
    scores = dict(zip(CRITERIA, (10, 1, 1, 1, 1, 1), strict=True))
    assert overall_of(scores, weights_of()) == 3.25
    assert overall_of(scores, weights_of(["attention"])) == 6.4
    assert overall_of(dict.fromkeys(CRITERIA, 7.0), weights_of(["clarity", "emotion"])) == 7.0


def test_each_failed_check_lowers_the_confidence_and_not_the_score():
    def check(*passed: bool) -> JudgementCheck:
        names = ("coherent", "apt", "consistent")
        parts: dict[str, Any] = {
            name: {"reason": "so", "passed": ok} for name, ok in zip(names, passed, strict=True)
        }
        return JudgementCheck(**parts)

    found = [
        judgement_of([sample(5, 5, 5, 5, 5, 5)], model="j/j", weights=CRITERIA, check=one)
        for one in (None, check(True, True, True), check(True, False, True), check(*[False] * 3))
    ]
    assert [one.confidence for one in found] == [0.8, 0.8, 0.64, 0.41]
    assert {one.overall for one in found} == {5.0}


def test_repeats_give_a_mean_and_a_spread_and_one_judgement_gives_none():
    one = judgement_of([sample(6, 6, 6, 6, 6, 6)], model="j/j", weights=CRITERIA)
    assert (one.overall, one.spread, one.samples) == (6.0, None, 1)
    two = judgement_of([sample(*[6] * 6), sample(*[8] * 6)], model="j/j", weights=CRITERIA)
    assert (two.overall, two.spread, two.samples) == (7.0, 1.41, 2)


def test_unscored_hooks_and_models_leave_averages_and_ranking_alone():
    ranking = ranking_of([model("a/a", 4, None, 6), model("b/b", None), model("c/c", 7)], ())
    assert [(one.place, one.model, one.score) for one in ranking] == [
        (1, "c/c", 7),
        (2, "a/a", 5),
    ]


def test_equal_scores_share_a_place_and_the_order_is_stable():
    models = [model("b/b", 5), model("a/a", 5), model("c/c", 5, heuristic=6), model("d/d", 4)]
    ranking = ranking_of(models, ())
    assert [(one.place, one.model) for one in ranking] == [
        (1, "c/c"),
        (1, "a/a"),
        (1, "b/b"),
        (4, "d/d"),
    ]
    assert ranking == ranking_of(models[::-1], ())


def test_the_gap_comes_with_its_standard_error():
    models = [model("a/a", 8, 6), model("b/b", 5, 5)]
    assert gap_of(ranking_of(models, ()), models) == (2, 1.0)
    alone = [model("a/a", 8, 6)]
    assert gap_of(ranking_of(alone, ()), alone) == (None, None)
    single = [model("a/a", 8), model("b/b", 5, 4)]
    assert gap_of(ranking_of(single, ()), single) == (3.5, None)


@pytest.mark.parametrize(
    ("verdicts", "winner", "consistent"),
    [
        (("first", "second"), "a/a", True),
        (("second", "first"), "b/b", True),
        (("first", "first"), None, False),
        (("second", "second"), None, False),
        (("tie", "tie"), None, True),
        (("first", "tie"), None, False),
        (("tie", "first"), None, False),
    ],
)
def test_a_pair_is_won_only_in_both_orders(
    verdicts: tuple[str, str], winner: str | None, consistent: bool
):
    found = comparison_of(("a/a", "b/b"), ("x", "y"), verdicts, ())
    assert (found.winner, found.consistent) == (winner, consistent)


def test_wins_are_counted_only_where_there_were_comparisons():
    models = [model("a/a", 5), model("b/b", 4)]
    won = Comparison(models=("a/a", "b/b"), hooks=("", ""), winner="b/b", consistent=True)
    assert [one.wins for one in ranking_of(models, [won])] == [0, 1]
    assert [one.wins for one in ranking_of(models, ())] == [None, None]


def test_traits_are_what_stands_out_and_what_is_the_same_everywhere_is_none():
    assert traits_of([hook("same everywhere", 5)]) == ([], [])
    assert traits_of([hook("unscored", None)]) == ((), ())
    strong, weak = traits_of([hook("a", 5, clarity=9, emotion=2), hook("b", 5, clarity=7)])
    assert [(one.criterion, one.score, one.example) for one in strong] == [("clarity", 8, "a")]
    assert [(one.criterion, one.example) for one in weak] == [("emotion", "a")]


def test_near_duplicates_are_found_across_models_and_within_one():
    def of(name: str, *texts: str) -> ModelResult:
        found = model(name)
        return ModelResult(
            model=name,
            hooks=[hook(text, 5) for text in texts],
            score=5,
            heuristic=5,
            scored=len(texts),
            write_usage=found.write_usage,
            judge_usage=found.judge_usage,
        )

    one = of("a/a", "Nobody missed our weekly report", "Reports are read by no one at all")
    two = of("b/b", "Nobody missed our weekly report!", "What did you stop doing this year?")
    (found,) = near_duplicates([one, two])
    assert (found.models, found.similarity) == (("a/a", "b/b"), 1.0)
    assert near_duplicates([of("a/a", "The very same line here", "the very same line here.")])


def test_a_hook_is_cut_at_a_word_and_only_where_it_is_too_long():
    assert cut_at("short", 10) is None
    assert cut_at("x" * 140, 140) is None
    text = "word " * 40
    cut = cut_at(text, 140)
    assert cut is not None
    assert len(cut) <= 140
    assert cut.endswith("word…")


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("openai/gpt-4o-mini", "openai"),
        ("openrouter/anthropic/claude-sonnet-4", "anthropic"),
        ("groq/llama-3.3-70b", "meta"),
        ("ollama:qwen3:8b", "alibaba"),
        ("groq/deepseek-r1-distill-llama-70b", "deepseek"),
        ("sim/gpt-4o", "openai"),
        ("sim/fast", "sim"),
        ("openai/o3-mini", "openai"),
        ("lab/orca-7", "lab"),
    ],
)
def test_families_are_known_by_name_wherever_they_are_served(name: str, family: str):
    assert family_of(name) == family


def test_rules_and_simulated_models_favour_nobody():
    assert same_family("openai/gpt-4o", "openrouter/openai/gpt-4.1")
    assert not same_family("openai/gpt-4o", "anthropic/claude-sonnet-4")
    assert not same_family("builtin/rules", "builtin/rules")
    assert not same_family("sim/fast", "sim/slow")
