"""The recognition of numbers labelled by others, where such a file is at hand."""

import json
import os
import re
from pathlib import Path

import pytest

from fanwise.pipelines.scan.tracking.find import find

LABELLED = Path(os.environ.get("FANWISE_LABELLED_NUMBERS", "labelled-numbers.jsonl"))
SENTENCES = [
    "Your {} shipment {} is on its way.",
    "Your order has shipped via {}. Tracking number: {}",
    "We shipped with {}: {}",
]

pytestmark = pytest.mark.skipif(
    not LABELLED.is_file(), reason="FANWISE_LABELLED_NUMBERS names no file of labelled numbers"
)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_valid_numbers_are_found_and_invalid_ones_refused(sentence: str) -> None:
    rows = [json.loads(line) for line in LABELLED.read_text("utf-8").splitlines()]
    hits: dict[bool, list[bool]] = {True: [], False: []}
    for row in rows:
        found = find(sentence.format(row["courier"], row["number"]))
        compact = re.sub(r"[\s.\-]", "", row["number"]).upper()
        hits[row["valid"]].append(
            any(one.number == compact for one in found) if row["valid"] else bool(found)
        )
    assert sum(hits[True]) / len(hits[True]) >= 0.95
    assert sum(hits[False]) / len(hits[False]) <= 0.02
