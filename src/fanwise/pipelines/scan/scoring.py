"""How far what was found is what is true."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from fanwise.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Counts over all conversations.

    Args:
        expected: Tracking numbers that are true.
        found: Tracking numbers that were found.
        right: Those that are both, in the same conversation.
    """

    expected: int
    found: int
    right: int

    @property
    def precision(self) -> float:
        """Share of what was found that is true; 1 where nothing was found."""
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Share of what is true that was found; 1 where nothing is."""
        return self.right / self.expected if self.expected else 1.0


def score(truth: Mapping[str, Collection[str]], found: Mapping[str, Collection[str]]) -> Score:
    """Compares tracking numbers by conversation.

    Args:
        truth: The true numbers by conversation id; an empty collection where there are none.
        found: The found numbers by conversation id. Conversations that the truth does not know
            count as wrong in full.
    """
    right = sum(len(set(numbers) & set(found.get(id_, ()))) for id_, numbers in truth.items())
    return Score(
        expected=sum(len(set(numbers)) for numbers in truth.values()),
        found=sum(len(set(numbers)) for numbers in found.values()),
        right=right,
    )


def read_truth(path: str | Path) -> dict[str, list[str]]:
    """The numbers of a truth file: JSON lines with ``conversation`` and ``shipments``.

    Raises:
        ConfigError: A line is no such object.
    """
    truth: dict[str, list[str]] = {}
    with Path(path).open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                truth[row["conversation"]] = [one["tracking_number"] for one in row["shipments"]]
            except (ValueError, KeyError, TypeError) as error:
                raise ConfigError(
                    f"{path}, line {number}: no line of a truth file ({error})",
                    hint='each line is {"conversation": id, "shipments": [{"tracking_number": …}]}',
                ) from error
    return truth
