"""API keys: where they come from, and what may be shown of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fanwise.errors import ConfigError

_MOST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """One key and the name it goes by: nothing but the name is ever shown.

    Args:
        name: The environment variable that holds it, or the file's variable and the line.
        key: The key; empty where a server takes none.
    """

    name: str
    key: str = field(repr=False)


def credentials_in(env: Mapping[str, str], variable: str) -> tuple[Credential, ...]:
    """The keys of a variable, in the order in which they are used.

    They are in ``NAME``, in ``NAME_1``, ``NAME_2`` and so on (gaps allowed), and on the lines of
    the file that ``NAMES_FILE`` names (``OPENAI_API_KEYS_FILE``; blank lines and those that begin
    with ``#`` do not count). A key that stands in several places counts once.

    Args:
        env: The environment.
        variable: ``NAME``, such as ``OPENAI_API_KEY``.

    Raises:
        ConfigError: A key cannot be sent, or the file cannot be read. Nothing was spent.
    """
    found: dict[str, Credential] = {}
    for credential in (*_numbered(env, variable), *_in_file(env, f"{variable}S_FILE")):
        found.setdefault(_sendable(credential), credential)
    return tuple(found.values())


def _numbered(env: Mapping[str, str], variable: str) -> Iterator[Credential]:
    pattern = re.compile(rf"{re.escape(variable)}_(\d{{1,4}})")
    numbers = {int(match[1]): name for name in env if (match := pattern.fullmatch(name))}
    for name in (variable, *(numbers[number] for number in sorted(numbers))):
        key = env.get(name, "").strip()
        if key:
            yield Credential(name=name, key=key)


def _in_file(env: Mapping[str, str], variable: str) -> Iterator[Credential]:
    path = env.get(variable, "").strip()
    if not path:
        return
    try:
        with Path(path).open("rb") as file:
            text = file.read(_MOST_BYTES).decode()
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or "it is no text"
        raise ConfigError(
            f"the file of keys {path!r} from {variable} cannot be read: {why}",
            hint="it holds one key a line; unset the variable where there is no such file",
        ) from None
    for number, line in enumerate(text.splitlines(), start=1):
        key = line.strip()
        if key and not key.startswith("#"):
            yield Credential(name=f"{variable}, line {number}", key=key)


def _sendable(credential: Credential) -> str:
    key = credential.key
    if not key.isascii() or not key.isprintable() or " " in key:
        variable = credential.name
        raise ConfigError(
            f"the key in {variable} holds a character that no key has: a line break, a blank, or "
            "one outside ASCII",
            hint="copy the key again, on one line"
            + (f": export {variable}=…" if "," not in variable else ""),
        )
    return key
