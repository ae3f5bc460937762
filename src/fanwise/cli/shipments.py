"""Where a scan's shipments go: one line of JSON each, or a line for people on a terminal."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from fanwise.cli.display import to_json
from fanwise.errors import ConfigError, JournalUnavailable

if TYPE_CHECKING:
    from fanwise.records import ItemRecord


def shipment_lines(value: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The result lines of one conversation.

    Args:
        value: What the scan's item came to, as JSON.
    """
    for shipment in value["reading"]["shipments"]:
        yield {
            "conversation": value["conversation"],
            "subject": value["subject"],
            **shipment,
        }


def for_people(line: Mapping[str, Any]) -> str:
    """A shipment in one line: number, carrier, supplier, order, date."""
    order = f"order {line['po_number']}" if line["po_number"] else ""
    rest = [line["supplier"] or "", order, line["shipped_date"] or ""]
    return f"{line['tracking_number']:<28} {line['carrier']:<16} " + "  ".join(filter(None, rest))


class ShipmentFile:
    """The file that ``-o`` names: whole lines at any moment, made anew from the journal at both
    ends of a session.

    Args:
        path: The file.
        source: The mailbox, which must not be overwritten.

    Raises:
        ConfigError: It is the mailbox, a directory, in no directory, or something else's.
    """

    def __init__(self, path: str, *, source: Path) -> None:
        self._path = Path(path)
        self._descriptor: int | None = None
        _check(self._path, source)

    def start(self, records: Iterable[ItemRecord]) -> None:
        """Makes the file anew: what these items hold, and nothing else.

        Raises:
            JournalUnavailable: It cannot be written; what the journal holds is safe.
        """
        self.close()
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}.part")
        try:
            with beside.open("w", encoding="utf-8") as file:
                for record in records:
                    if record.state == "succeeded":
                        value = cast("Mapping[str, Any]", record.value)
                        file.writelines(to_json(line) + "\n" for line in shipment_lines(value))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        except OSError as error:
            raise _unwritable(self._path, error) from error
        finally:
            beside.unlink(missing_ok=True)

    def add(self, lines: bytes) -> None:
        """Adds whole lines in one write.

        Raises:
            JournalUnavailable: They cannot be written; they are safe in the journal.
        """
        assert self._descriptor is not None
        try:
            os.write(self._descriptor, lines)
        except OSError as error:
            raise _unwritable(self._path, error) from error

    def close(self) -> None:
        """Closes the file; nothing is buffered."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _check(path: Path, source: Path) -> None:
    if not path.parent.is_dir():
        raise ConfigError(
            f"the output {path} is in a directory that does not exist",
            hint=f"make it: mkdir -p {path.parent}",
        )
    if path.is_dir():
        raise ConfigError(f"the output {path} is a directory", hint="name a file in it")
    if not path.exists():
        return
    if source.exists() and path.samefile(source):
        raise ConfigError(
            f"the output {path} is the mailbox itself", hint="name another file with -o"
        )
    with path.open("rb") as file:
        begins = file.read(16)
    if begins and not begins.startswith(b'{"conversation"'):
        raise ConfigError(
            f"the output {path} exists and holds something else than shipments",
            hint="name another file with -o, or remove it",
        )


def _unwritable(path: Path, error: OSError) -> JournalUnavailable:
    return JournalUnavailable(
        f"the output {path} cannot be written: {error.strerror}",
        hint="what was found is safe in the journal: mend it, then `fanwise resume`",
    )
