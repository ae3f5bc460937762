"""Which of requests and tokens a provider counts, as plain values."""

import math
import random
from itertools import pairwise

import pytest

from fanwise.limits.adaptive.unit import Choice, Stretch, measured, refused


def judged(choice, weights, *, mean_weight):
    for weight in weights:
        choice = refused(choice, weight=weight, mean_weight=mean_weight)
    return choice


def sizes(seed, count, *, sigma=0.6):
    chance = random.Random(seed)
    return [1000 * math.exp(chance.gauss(0, sigma)) for _ in range(count)]


def refused_by_weight(seed, weights, count):
    return random.Random(seed).choices(weights, weights=weights, k=count)


def compared(choice, stretches):
    for before, after in pairwise(stretches):
        choice = measured(choice, before=before, after=after)
    return choice


def stretches_of(seed, *, tokens_per_s=None, requests_per_s=None):
    """Stretches whose requests differ in mean weight, at an even pace of one of the two."""
    chance = random.Random(seed)
    found = []
    for _ in range(12):
        requests, mean = chance.randint(40, 120), 1000 * math.exp(chance.gauss(0, 0.25))
        tokens = requests * mean
        span_s = tokens / tokens_per_s if tokens_per_s else requests / requests_per_s
        found.append(Stretch(requests=requests, tokens=tokens, span_s=span_s))
    return found


def test_requests_are_taken_to_be_counted_as_long_as_nothing_speaks_against_it():
    assert Choice().unit == "requests"
    assert judged(Choice(), [1000] * 500, mean_weight=1000) == Choice()


def test_two_very_large_requests_refused_among_small_ones_decide_it():
    assert judged(Choice(), [10_000, 10_000], mean_weight=240).unit == "tokens"
    assert judged(Choice(), [10_000], mean_weight=240).unit == "requests"


@pytest.mark.parametrize("seed", range(10))
def test_who_is_refused_in_proportion_to_its_weight_is_counted_in_tokens(seed):
    weights = sizes(seed, 2000)
    chosen = refused_by_weight(seed, weights, 80)
    mean = sum(weights) / len(weights)
    assert judged(Choice(), chosen, mean_weight=mean).unit == "tokens"


def test_who_is_refused_at_random_is_hardly_ever_taken_for_a_matter_of_tokens():
    wrong = 0
    for seed in range(100):
        weights = sizes(seed, 2000)
        chosen = random.Random(seed).choices(weights, k=40)
        wrong += judged(Choice(), chosen, mean_weight=sum(weights) / 2000).unit == "tokens"
    assert wrong <= 10


@pytest.mark.parametrize("seed", range(5))
def test_what_stays_the_same_from_stretch_to_stretch_is_the_limit(seed):
    assert compared(Choice(), stretches_of(seed, tokens_per_s=9000)).unit == "tokens"
    assert compared(Choice(), stretches_of(seed, requests_per_s=9)).unit == "requests"


@pytest.mark.parametrize("seed", range(5))
def test_it_changes_its_mind_where_requests_turn_out_to_be_counted(seed):
    believed = Choice(unit="tokens", score=2.0)
    assert compared(believed, stretches_of(seed, requests_per_s=9)).unit == "requests"


def test_a_limit_that_moved_is_no_argument_for_either():
    before = Stretch(requests=100, tokens=100_000, span_s=10)
    after = Stretch(requests=50, tokens=47_000, span_s=10)
    assert abs(measured(Choice(), before=before, after=after).score) < 0.6


def test_long_evidence_for_one_does_not_outweigh_what_is_seen_of_late():
    settled = judged(Choice(), [100] * 500, mean_weight=1000)
    assert settled.score == -2.0
    assert judged(settled, [9000] * 3, mean_weight=1000).unit == "tokens"


def test_paced_by_tokens_the_size_of_who_is_refused_says_nothing():
    paced = Choice(unit="tokens", score=2.0)
    assert judged(paced, [10] * 100, mean_weight=1000) is paced


def test_a_few_requests_say_nothing():
    few = Stretch(requests=5, tokens=9000, span_s=1)
    assert measured(Choice(), before=few, after=few) == Choice()
