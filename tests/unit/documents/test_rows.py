import gzip
import io
import math
import os

import pytest

from fanwise.documents.row import batch_kind
from fanwise.documents.rows import read_rows
from fanwise.errors import ConfigError, InputError


def file(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows_of(path, **options):
    return [(row.id, row.position, row.line, dict(row.data)) for row in read_rows(path, **options)]


def failure(path, **options):
    with pytest.raises(InputError) as caught:
        list(read_rows(path, **options))
    assert caught.value.hint
    return caught.value


def test_json_lines_give_rows_with_their_line_numbers(tmp_path):
    path = file(tmp_path, "a.jsonl", '{"id": "x", "q": 1}\n\n  \n{"q": [1, {"a": null}]}\r\n')
    assert rows_of(path) == [
        ("x", 0, 1, {"id": "x", "q": 1}),
        (None, 1, 4, {"q": [1, {"a": None}]}),
    ]


def test_a_last_line_without_a_line_end_counts(tmp_path):
    assert len(rows_of(file(tmp_path, "a.jsonl", '{"a":1}\n{"a":2}'))) == 2


def test_a_byte_order_mark_is_passed_over(tmp_path):
    bom = b"\xef\xbb\xbf"
    assert rows_of(file(tmp_path, "a.jsonl", bom + b'{"a": 1}\n'))[0][3] == {"a": 1}
    assert rows_of(file(tmp_path, "a.csv", bom + b"a,b\n1,2\n"))[0][3] == {"a": "1", "b": "2"}


def test_a_number_id_becomes_text_and_an_empty_one_none(tmp_path):
    path = file(tmp_path, "a.jsonl", '{"id": 7}\n{"id": ""}\n{"id": null}\n')
    assert [row[0] for row in rows_of(path)] == ["7", None, None]


@pytest.mark.parametrize("given", ["true", "1.5", "[1]", '{"a":1}'])
def test_an_id_of_another_type_is_refused(tmp_path, given):
    error = failure(file(tmp_path, "a.jsonl", f'{{"a":1}}\n{{"id": {given}}}\n'))
    assert "line 2" in error.message


def test_an_integer_beyond_64_bits_keeps_every_digit(tmp_path):
    number = "9400111899223197428490"
    path = file(tmp_path, "a.jsonl", f'{{"n": {number}, "m": [{number}, 5, 1.5]}}\n')
    assert rows_of(path)[0][3] == {"n": number, "m": [number, 5, 1.5]}


def test_a_line_cut_in_the_middle_names_line_and_byte(tmp_path):
    path = file(tmp_path, "a.jsonl", '{"a": 1}\n{"a": "half')
    error = failure(path)
    assert (error.line, error.offset) == (2, 9 + 11)
    assert "cut off" in error.message
    assert str(path) in error.message


def test_rows_before_a_bad_line_are_given(tmp_path):
    rows = read_rows(file(tmp_path, "a.jsonl", '{"a": 1}\n{"a": 2}\n{bad}\n'))
    assert next(rows).data == {"a": 1}
    assert next(rows).data == {"a": 2}
    with pytest.raises(InputError, match="line 3"):
        next(rows)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("[1, 2]\n", "array"),
        ('[\n {"a": 1},\n {"a": 2}\n]\n', "array"),
        ('{\n  "a": 1\n}\n', "several lines"),
        ('"text"\n', "not a JSON object"),
        ("12\n", "not a JSON object"),
        ('{"a": NaN}\n', "NaN"),
        ('{"a": -Infinity}\n', "NaN"),
        ('{"a": 1} {"a": 2}\n', "not valid JSON"),
        ("plain words\n", "not valid JSON"),
        ('{"a": "\\ud800"}\n', "not valid JSON"),
        ('{"a": ' + "[" * 150 + "]" * 150 + "}\n", "deeper than 100"),
        ('{"a": ' + "[" * 5000 + "]" * 5000 + "}\n", "not valid JSON"),
    ],
)
def test_what_is_no_row_is_refused_in_words(tmp_path, content, word):
    error = failure(file(tmp_path, "a.jsonl", content))
    assert word in error.message
    assert error.line == 1


def test_bad_encoding_names_line_and_byte_and_the_way_to_convert(tmp_path):
    path = file(tmp_path, "a.jsonl", b'{"a": 1}\n{"a": "caf\xe9"}\n')
    error = failure(path)
    assert (error.line, error.offset) == (2, 9 + 10)
    assert "0xe9" in error.message
    assert "iconv" in error.hint
    error = failure(file(tmp_path, "a.csv", b"a,b\n1,caf\xe9\n"))
    assert (error.line, error.offset) == (2, 4 + 5)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_utf_16_is_recognised(tmp_path, encoding):
    content = '{"a": 1}\n'.encode(encoding)
    error = failure(file(tmp_path, "a.jsonl", content))
    assert "UTF-16" in error.message + error.hint
    assert "iconv -f UTF-16" in error.hint


def test_a_nul_byte_is_named(tmp_path):
    assert failure(file(tmp_path, "a.jsonl", b'{"a": 1}\n{"b\0": 2}\n')).offset == 9 + 3
    assert "NUL" in failure(file(tmp_path, "a.csv", b"a,b\n1,\0\n")).message
    assert "NUL" in failure(file(tmp_path, "b.jsonl", b'{"a": 1}\n' + b"\0" * 100)).message


def test_an_endless_line_is_refused_without_holding_it(tmp_path):
    class Endless(io.RawIOBase):
        served = 0

        def readable(self):
            return True

        def readinto(self, buffer):
            Endless.served += len(buffer)
            buffer[:] = b"x" * len(buffer)
            return len(buffer)

    with pytest.raises(InputError, match="longer than 16 MB"):
        list(read_rows("-", kind="jsonl", stdin=Endless()))
    assert Endless.served < 20 * 1024 * 1024


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.txt"])
@pytest.mark.parametrize("content", ["", "\n\n", "  \n"])
def test_an_empty_file_is_refused(tmp_path, name, content):
    assert "no rows" in failure(file(tmp_path, name, content)).message


def test_a_header_alone_holds_no_rows(tmp_path):
    assert "no rows" in failure(file(tmp_path, "a.csv", "a,b\n")).message


def test_a_missing_file_is_refused_at_the_call_and_near_names_are_shown(tmp_path):
    file(tmp_path, "prompts.jsonl", "{}")
    with pytest.raises(InputError) as caught:
        read_rows(tmp_path / "promts.jsonl")
    assert "prompts.jsonl" in caught.value.hint
    with pytest.raises(InputError) as caught:
        read_rows(tmp_path / "nowhere" / "a.jsonl")
    assert "does not exist" in caught.value.hint


def test_a_directory_is_refused_and_its_files_are_shown(tmp_path):
    file(tmp_path, "a.jsonl", "{}")
    with pytest.raises(InputError, match="directory") as caught:
        read_rows(tmp_path)
    assert "a.jsonl" in caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(tmp_path):
    path = file(tmp_path, "a.jsonl", "{}")
    path.chmod(0)
    assert "cannot be read" in failure(path).message


def test_csv_takes_quoted_line_breaks_and_counts_lines(tmp_path):
    path = file(tmp_path, "a.csv", 'id,text\n1,"two\nlines, ""quoted"""\n\n2,plain\n')
    assert rows_of(path) == [
        ("1", 0, 2, {"id": "1", "text": 'two\nlines, "quoted"'}),
        ("2", 1, 5, {"id": "2", "text": "plain"}),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_out(tmp_path, delimiter):
    path = file(
        tmp_path,
        "a.csv",
        delimiter.join(["a", '"b,;|x"', "c"]) + "\n" + f"1{delimiter}2{delimiter}3\n",
    )
    assert rows_of(path)[0][3] == {"a": "1", "b,;|x": "2", "c": "3"}


def test_a_spreadsheet_s_separator_line_is_understood(tmp_path):
    assert rows_of(file(tmp_path, "a.csv", "sep=;\na;b,c\n1;2\n"))[0][2:] == (
        3,
        {"a": "1", "b,c": "2"},
    )


def test_one_column_needs_no_delimiter(tmp_path):
    assert [r[3] for r in rows_of(file(tmp_path, "a.csv", "q\nwhy\nhow\n"))] == [
        {"q": "why"},
        {"q": "how"},
    ]


def test_a_column_without_a_name_gets_one(tmp_path):
    assert rows_of(file(tmp_path, "a.csv", ",a\n0,x\n"))[0][3] == {"column_1": "0", "a": "x"}


@pytest.mark.parametrize(
    ("content", "line", "word"),
    [
        ("a,b\n1,2\n1\n", 3, "1 fields where the header has 2"),
        ("a,b\n1,2,3\n", 2, "3 fields"),
        ("a,b,a\n1,2,3\n", 1, "'a' twice, as columns 1 and 3"),
        ('a,b\n1,"open\n2,3\n', 2, "never closed"),
        ('a,b\n1,"x" y\n', 2, "not valid CSV"),
        ("a,b\r1,2\r", 1, "carriage return"),
    ],
)
def test_bad_csv_names_the_line_its_row_begins_on(tmp_path, content, line, word):
    error = failure(file(tmp_path, "a.csv", content))
    assert error.line == line
    assert word in error.message


def test_a_quote_never_closed_does_not_read_the_whole_file(tmp_path):
    path = file(tmp_path, "a.csv", b'a,b\n1,"open\n' + b"some,more\n" * 2_000_000)
    assert "never closed" in failure(path).message


def test_the_kind_follows_from_name_then_content(tmp_path):
    assert rows_of(file(tmp_path, "data", '\n {"a": 1}\n'))[0][3] == {"a": 1}
    assert rows_of(file(tmp_path, "data2", "a\tb\n1\t2\n"))[0][3] == {"a": "1", "b": "2"}
    assert rows_of(file(tmp_path, "data3", "a;b\n1;2\n"), kind="csv")[0][3] == {"a": "1", "b": "2"}


def test_standard_input_is_read_as_it_comes():
    assert [r[3] for r in rows_of("-", stdin=io.BytesIO(b'{"a": 1}\n{"a": 2}\n'))] == [
        {"a": 1},
        {"a": 2},
    ]
    assert rows_of("-", stdin=io.BytesIO(b"a,b\n1,2\n"))[0][3] == {"a": "1", "b": "2"}
    assert "standard input" in failure("-", stdin=io.BytesIO(b"")).message


def test_a_row_is_given_before_the_pipe_s_next_one_is_written():
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb") as reader, os.fdopen(write_end, "wb", buffering=0) as writer:
        rows = read_rows("-", stdin=reader)
        writer.write(b'{"a": 1}\n')
        assert next(rows).data == {"a": 1}
        writer.write(b'{"a": 2}\n')
        assert next(rows).data == {"a": 2}
        rows.close()


def test_gzip_is_unpacked_and_a_cut_one_refused(tmp_path):
    packed = gzip.compress(b'{"a": 1}\n' * 1000)
    assert len(rows_of(file(tmp_path, "a.jsonl.gz", packed))) == 1000
    assert "cut off" in failure(file(tmp_path, "b.jsonl.gz", packed[:-20])).message


def test_a_limit_stops_reading(tmp_path):
    path = file(tmp_path, "a.jsonl", '{"a": 1}\n{"a": 2}\n{bad\n')
    assert len(rows_of(path, limit=2)) == 2
    with pytest.raises(ConfigError, match="limit"):
        read_rows(path, limit=0)


def test_parquet_rows_are_json(tmp_path):
    import datetime as dt
    from decimal import Decimal

    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(
        {
            "id": [1, 2],
            "when": [dt.datetime(2024, 1, 2, 3, 4, tzinfo=dt.UTC), None],
            "x": [1.5, math.nan],
            "price": [Decimal("1.20"), Decimal(2)],
            "tags": [["a"], []],
            "map": pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int64())),
        }
    )
    path = tmp_path / "a.parquet"
    pq.write_table(table, path, row_group_size=1)
    first, second = read_rows(path)
    assert (first.id, first.line, second.position) == ("1", 1, 1)
    assert first.data["when"] == "2024-01-02T03:04:00+00:00"
    assert first.data["price"] == "1.20"
    assert first.data["map"] == [["k", 1]]
    assert second.data["x"] is None


def test_parquet_that_json_cannot_hold_or_that_is_damaged_is_refused(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"b": [b"\xff"]}), path)
    assert "'b' holds a bytes" in failure(path).message
    pq.write_table(pa.table({"x": [math.inf]}), path)
    assert "infinite" in failure(path).message
    pq.write_table(pa.table([[1], [2]], names=["a", "a"]), path)
    assert "'a'" in failure(path).message
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert "not a whole Parquet file" in failure(path).message
    assert "pipe" in failure("-", stdin=io.BytesIO(content)).message


def test_parquet_without_pyarrow_says_how_to_install_it(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError) as caught:
        list(read_rows(file(tmp_path, "a.parquet", b"PAR1....")))
    assert "fanwise[parquet]" in caught.value.hint


def test_batch_lines_are_recognised():
    openai = {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {}}
    assert batch_kind(openai) == "openai"
    assert batch_kind({"custom_id": "1", "params": {"model": "m"}}) == "anthropic"
    assert batch_kind({"custom_id": "1", "body": "text", "url": "x"}) is None
    assert batch_kind({"body": {}, "url": "x"}) is None


def test_a_batch_line_s_id_is_its_custom_id(tmp_path):
    path = file(
        tmp_path, "a.jsonl", '{"custom_id": "c", "url": "/x", "body": {}}\n{"custom_id": "d"}\n'
    )
    assert [row[0] for row in rows_of(path)] == ["c", None]
