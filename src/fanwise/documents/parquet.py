"""Parquet, one row group after another (extra: ``fanwise[parquet]``)."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from fanwise.documents.row import Row, id_of
from fanwise.errors import ConfigError, InputError
from fanwise.records import Json

_BATCH_ROWS = 1000


def parquet_rows(path: Path) -> Iterator[Row]:
    """The rows of a Parquet file.

    Dates and times come as ISO 8601 text, decimals as text; NaN, which is how data frames write
    *missing*, as null.

    Raises:
        ConfigError: ``pyarrow`` is not installed.
        InputError: The file is damaged, has two columns of one name, or holds what JSON cannot
            (infinity, raw bytes).
    """
    try:
        arrow: Any = import_module("pyarrow")
        files: Any = import_module("pyarrow.parquet")
    except ImportError as error:
        raise ConfigError(
            f"{path}: reading Parquet needs pyarrow", hint='pip install "fanwise[parquet]"'
        ) from error
    name = str(path)
    position = 0
    try:
        with files.ParquetFile(path, pre_buffer=False) as file:
            _check_columns(file.schema_arrow.names, name)
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, use_threads=False):
                for data in batch.to_pylist():
                    row = {key: _plain(value, key, name, position) for key, value in data.items()}
                    given = id_of(row, where=f"{name}, row {position + 1}")
                    yield Row(given, position, position + 1, row)
                    position += 1
    except (arrow.ArrowException, OSError) as error:
        raise InputError(
            f"not a whole Parquet file: {str(error).splitlines()[0]}",
            source=name,
            hint="write or fetch the file again",
        ) from error


def _check_columns(names: list[str], source: str) -> None:
    double = [name for name, count in Counter(names).items() if count > 1]
    if double:
        raise InputError(
            f"two columns are called {double[0]!r}", source=source, hint="rename one of them"
        )


def _plain(value: Any, column: str, source: str, position: int) -> Json:
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        if math.isinf(value):
            raise InputError(
                f"column {column!r} is infinite in row {position + 1}",
                source=source,
                hint="write null instead: JSON has no infinity",
            )
        return None if math.isnan(value) else value
    if isinstance(value, dict):
        inner = cast("dict[Any, Any]", value)
        return {str(key): _plain(item, column, source, position) for key, item in inner.items()}
    if isinstance(value, (list, tuple)):  # a map comes as a list of pairs
        items = cast("list[Any]", value)
        return [_plain(item, column, source, position) for item in items]
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, (Decimal, dt.timedelta)):
        return str(value)
    raise InputError(
        f"column {column!r} holds a {type(value).__name__} in row {position + 1}",
        source=source,
        hint="store it as text (bytes, for example, as base64) or leave the column out",
    )
