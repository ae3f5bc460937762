import json

import pytest

from fanwise.engine.steering.orders import Change, Order, Sender, read_change, read_order
from fanwise.errors import ConfigError
from fanwise.limits.settings import Limits

ORDERS = [
    Order(verb="pause"),
    Order(verb="status"),
    Order(verb="set", change=Change(max_concurrency=5)),
    Order(verb="set", change=Change(max_concurrency=(1, 20, 500), rpm=60.0, tpm=1e6)),
    Order(verb="set", change=Change(max_concurrency="adaptive")),
]


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_an_order_is_read_as_it_was_sent(order):
    assert read_order(json.loads(json.dumps(order.as_json()))) == order


@pytest.mark.parametrize(
    "message",
    [
        None,
        [],
        {},
        {"verb": "stop"},
        {"verb": ["pause"]},
        {"verb": "set"},
        {"verb": "set", "rpm": None},
        {"verb": "set", "rpm": 0},
        {"verb": "set", "rpm": "many"},
        {"verb": "set", "tpm": float("inf")},
        {"verb": "set", "max_concurrency": [3, 2, 1]},
        {"verb": "set", "max_concurrency": 10.5},
        {"verb": "set", "color": "red"},
        {"verb": "drain", "rpm": 5},
    ],
    ids=str,
)
def test_what_is_no_order_is_refused_with_what_would_be_one(message):
    with pytest.raises(ConfigError) as caught:
        read_order(message)
    assert caught.value.hint


def test_a_change_leaves_alone_what_it_does_not_name():
    limits = Limits(concurrency=7, rpm=60, tpm=1000, input_tpm=5)
    changed = read_change({"rpm": 90, "tpm": None}).over(limits)
    assert changed == Limits(concurrency=7, rpm=90, tpm=1000, input_tpm=5)


def test_only_a_change_of_something_counts_as_one():
    assert not Change()
    assert Change(tpm=1)


def test_a_sender_is_named_as_far_as_it_is_known():
    assert Sender(pid=7, uid=0).words == "process 7"
    assert Sender().words == "another process"
