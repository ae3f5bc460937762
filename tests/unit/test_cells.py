"""A CSV holds what was written, and nothing that a spreadsheet would run."""

import json

import pytest

from fanwise.cells import safe_cell


@pytest.mark.parametrize("text", ["=1+1", "+49 30", "-cmd", "@x", "\t=1", "\r=1", "-"])
def test_what_a_spreadsheet_would_run_gets_a_quote(text):
    assert safe_cell(text, to_json=json.dumps) == f"'{text}"


@pytest.mark.parametrize("value", [-5, 0.5, None, "-5", "+1.5e3", "plain", "a=b"])
def test_numbers_and_plain_text_stay(value):
    assert safe_cell(value, to_json=json.dumps) == value


@pytest.mark.parametrize(
    ("value", "cell"), [(True, "true"), (False, "false"), ({"a": 1}, '{"a": 1}'), (["="], '["="]')]
)
def test_other_values_are_written_as_json(value, cell):
    assert safe_cell(value, to_json=json.dumps) == cell
