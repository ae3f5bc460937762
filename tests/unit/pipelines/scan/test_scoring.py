from pathlib import Path

import pytest

from fanwise.errors import ConfigError
from fanwise.pipelines.scan import PIPELINE, read_truth, score
from fanwise.pipelines.scan.mailtext import letters_of
from fanwise.pipelines.scan.rules import extract


def test_precision_and_recall_count_numbers_of_the_same_conversation() -> None:
    truth = {"a": ["1", "2"], "b": ["3"], "c": []}
    found = {"a": ["1"], "b": ["2", "3"], "c": ["9"], "d": ["8"]}
    result = score(truth, found)
    assert (result.expected, result.found, result.right) == (3, 5, 2)
    assert result.precision == pytest.approx(2 / 5)
    assert result.recall == pytest.approx(2 / 3)


def test_nothing_found_of_nothing_is_perfect() -> None:
    empty = score({"a": []}, {})
    assert (empty.precision, empty.recall) == (1.0, 1.0)


def test_a_bad_truth_file_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    path.write_text('{"conversation": "a", "shipments": []}\n{"conversation": "b"}\n')
    with pytest.raises(ConfigError, match="line 2"):
        read_truth(path)


def test_the_rules_hold_their_level_on_the_sample() -> None:
    from fanwise.documents import conversations

    assert PIPELINE.sample_path is not None
    assert PIPELINE.truth_path is not None
    found = {
        one.id: [s["tracking_number"] for s in extract(letters_of(one))["shipments"]]  # type: ignore[union-attr,call-overload,index]
        for one in conversations(PIPELINE.sample_path)
    }
    truth = read_truth(PIPELINE.truth_path)
    assert set(found) == set(truth)
    result = score(truth, found)  # type: ignore[arg-type]
    assert result.precision > 0.95
    assert result.recall > 0.93
    # some mails are made so that rules must fail: a perfect score would mean a broken measure
    assert result.right < result.expected
    assert result.right < result.found
