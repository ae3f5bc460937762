import random

import pytest

from fanwise.documents.identity import identified, row_id
from fanwise.documents.row import Row
from fanwise.errors import InputError


def rows(*given):
    return [Row(name, n, n + 1, data) for n, (name, data) in enumerate(given)]


def test_an_id_is_a_hash_of_content_whatever_the_columns_order():
    assert row_id({"a": 1, "b": [1, 2]}) == row_id({"b": [1, 2], "a": 1})
    assert row_id({"a": 1}) != row_id({"a": "1"})
    assert row_id({"a": 1}, occurrence=2) == row_id({"a": 1}) + "-2"


def test_an_id_is_the_same_in_every_version():
    assert row_id({"a": 1, "b": "ä"}) == "225fbc95db062e5e88439aba"


def test_given_ids_stay_and_the_others_are_filled():
    first, second = identified(rows(("x", {"a": 1}), (None, {"a": 1})))
    assert (first.id, second.id) == ("x", row_id({"a": 1}))
    assert (second.position, second.line) == (1, 2)


def test_equal_rows_get_occurrence_numbers():
    same = {"a": 1}
    names = [
        row.id
        for row in identified(rows((None, same), (None, {"a": 2}), (None, same), (None, same)))
    ]
    assert names == [row_id(same), row_id({"a": 2}), row_id(same) + "-2", row_id(same) + "-3"]


def test_duplicate_ids_are_refused_with_both_lines():
    with pytest.raises(InputError, match=r"lines 2 and 4 both have the id 'b'"):
        list(identified(rows(("a", {}), ("b", {}), ("c", {}), ("b", {}))))


@pytest.mark.parametrize("distance", [20_000, 60_000])
def test_duplicates_are_found_after_what_was_seen_has_moved_to_disk(distance):
    given = [Row(f"r{n}", n, n + 1, {}) for n in range(distance)]
    with pytest.raises(InputError, match=f"lines 8 and {distance + 1} "):
        list(identified([*given, Row("r7", distance, distance + 1, {})]))


def test_occurrences_are_counted_across_what_has_moved_to_disk():
    count = 50_000
    given = [Row(None, n, n + 1, {"a": n % 20_000}) for n in range(count)]
    names = [row.id for row in identified(given)]
    assert len(set(names)) == count
    assert sum(name.endswith("-3") for name in names) == 10_000


def test_ids_survive_reordering():
    data = [{"a": n % 7} for n in range(50)]
    shuffled = data.copy()
    random.Random(3).shuffle(shuffled)
    one = {row.id for row in identified(rows(*((None, d) for d in data)))}
    other = {row.id for row in identified(rows(*((None, d) for d in shuffled)))}
    assert one == other
