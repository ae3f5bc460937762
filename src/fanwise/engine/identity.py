"""What an item is called, and what of it can be written down.

An item's id is what its owner says it is: its ``id`` column or attribute, else a hash of its
content and of how many equal ones came before it. Never its position, which changes as soon as a
row is added above it.
"""

from __future__ import annotations

import dataclasses
import hashlib
from array import array
from collections.abc import Callable, Mapping
from typing import Any, cast

import orjson

from fanwise.errors import ConfigError
from fanwise.records import Json

_MASK = (1 << 64) - 1


def jsonable(value: Any) -> Json:
    """The value as plain JSON: pydantic models, dataclasses, tuples and sets included.

    Raises:
        TypeError: It has no JSON form.
    """
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    try:
        return orjson.loads(orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS))
    except TypeError as error:
        raise TypeError(str(error.__cause__ or error)) from None


def _plain(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return dump(mode="json")
    if isinstance(value, Mapping):
        return dict(cast("Mapping[Any, Any]", value))
    if isinstance(value, (set, frozenset)):
        return sorted(cast("set[Any]", value), key=repr)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if hasattr(value, "__fspath__") or type(value).__name__ == "Decimal":
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def own_id(item: Any) -> str | None:
    """The id that an item carries: its ``id`` key or attribute, as text."""
    if isinstance(item, Mapping):
        found = cast("Mapping[str, Any]", item).get("id")
    elif isinstance(item, (str, int, float, bytes)) or item is None:
        return None
    else:
        found = getattr(item, "id", None)
    return str(found) if isinstance(found, (str, int)) and found != "" else None


def _text(given: object) -> str | None:
    """What a caller's function gave as an id, as text; ``None`` where it gave none."""
    if given is None or given == "":
        return None
    if isinstance(given, str):
        return given
    if isinstance(given, int) and not isinstance(given, bool):
        return str(given)
    raise ConfigError(
        f"item_id gave a {type(given).__name__}",
        hint="an id is a text or a whole number; None leaves it to the item's content",
    )


class Namer:
    """Gives every item of a map its id and refuses an id that was given already.

    Remembers 8 bytes an item (in an open-addressed table), so that a million items cost 16 MB.

    Args:
        item_id: The caller's own rule; ``None`` for the ``id`` column, else a content hash.
        describe: What of an item is written down and hashed.
    """

    def __init__(
        self,
        *,
        item_id: Callable[[Any], str] | None = None,
        describe: Callable[[Any], Json] | None = None,
    ) -> None:
        if item_id is not None and not callable(item_id):
            raise ConfigError(
                f"item_id is {item_id!r}",
                hint="give a function from an item to its id: item_id=lambda row: row['key']",
            )
        self._item_id = item_id
        self._describe = describe
        self._seen = _Fingerprints()
        self._repeats: dict[int, int] = {}

    def describe(self, item: Any) -> Json:
        """What the journal keeps of an item."""
        try:
            return jsonable(self._describe(item) if self._describe else item)
        except TypeError:
            if dataclasses.is_dataclass(item) or self._describe is not None:
                raise
            return repr(item)[:1000]

    def name(self, item: Any) -> str:
        """The item's id.

        Raises:
            ConfigError: Two items carry the same id, or an item can be given none.
        """
        given = _text(self._item_id(item)) if self._item_id else own_id(item)
        if given is not None:
            if not self._seen.add(_fingerprint(given.encode())):
                raise ConfigError(
                    f"two items have the id {given!r}",
                    hint="ids must be unique, since results are attached to them; drop one of the "
                    "two, or leave the id out and let the content decide",
                )
            return given
        return self._by_content(item)

    def _by_content(self, item: Any) -> str:
        try:
            plain = self._describe(item) if self._describe else item
            content = orjson.dumps(
                plain, default=_plain, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
            )
        except TypeError as error:
            raise ConfigError(
                f"an item of type {type(item).__name__} has no id and no JSON form: {error}",
                hint="pass item_id=… (a function from an item to its id)",
            ) from error
        digest = hashlib.blake2b(content, digest_size=8).digest()
        mark = int.from_bytes(digest, "big")
        if self._seen.add(mark or 1):
            return digest.hex()
        occurrence = self._repeats[mark] = self._repeats.get(mark, 0) + 1
        return f"{digest.hex()}-{occurrence + 1}"


def _fingerprint(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big") or 1


class _Fingerprints:
    """A set of 64-bit integers other than 0, by open addressing with linear probing."""

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * 1024))
        self._count = 0

    def add(self, mark: int) -> bool:
        """Adds a mark; false where it was there."""
        if self._count * 3 >= len(self._slots) * 2:
            self._grow()
        if not _insert(self._slots, mark):
            return False
        self._count += 1
        return True

    def _grow(self) -> None:
        larger = array("Q", bytes(16 * len(self._slots)))
        for mark in self._slots:
            if mark:
                _insert(larger, mark)
        self._slots = larger


def _insert(slots: array[int], mark: int) -> bool:
    mask = len(slots) - 1
    # Fibonacci hashing spreads marks whose low bits agree (Knuth, TAOCP 3, section 6.4).
    place = ((mark * 0x9E3779B97F4A7C15) & _MASK) >> 32 & mask
    while found := slots[place]:
        if found == mark:
            return False
        place = (place + 1) & mask
    slots[place] = mark
    return True
