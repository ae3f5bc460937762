"""What a simulated provider has seen and done: the other side's account of a run."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from fanwise.simulator.chance import digest
from fanwise.simulator.profile import FaultKind

_KEYS_HELD = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerStatistics:
    """A simulated provider's counts at one instant.

    Args:
        seen: Requests to a model, well formed or not, refused or not.
        served: Answers with status 200 that were written to their end.
        refused: Requests turned away, by ``requests``, ``tokens`` or ``slots``.
        rejected: Requests that no retry mends, by status (400, 401, 404, 413).
        faults: Faults dealt out, by kind.
        closed_by_client: Connections that the client closed while a request was in work.
        answer_errors: Answers that could not be computed; ``last_answer_error`` says why.
        repeats: Requests with an Idempotency-Key that had been seen before; of them
            ``repeats_after_served`` came after that key's answer had been written: paid twice.
        in_work: Requests in work now, and ``most_in_work`` the most there have been.
        connections: Connections open now, and ``most_connections`` the most there have been.
        input_tokens, output_tokens: Tokens of served answers.
    """

    seen: int
    served: int
    refused: Mapping[str, int]
    rejected: Mapping[int, int]
    faults: Mapping[FaultKind, int]
    closed_by_client: int
    answer_errors: int
    last_answer_error: str
    repeats: int
    repeats_after_served: int
    in_work: int
    most_in_work: int
    connections: int
    most_connections: int
    input_tokens: int
    output_tokens: int

    @property
    def refusals(self) -> int:
        """Requests turned away, for whatever limit."""
        return sum(self.refused.values())


class Ledger:
    """Counts requests and their ends. Holds the last million idempotency keys, as hashes."""

    def __init__(self) -> None:
        self.seen = 0
        self.served = 0
        self.closed_by_client = 0
        self.answer_errors = 0
        self.last_answer_error = ""
        self.repeats = 0
        self.repeats_after_served = 0
        self.in_work = 0
        self.most_in_work = 0
        self.connections = 0
        self.most_connections = 0
        self.input_tokens = 0
        self.output_tokens = 0
        self._refused: dict[str, int] = {}
        self._rejected: dict[int, int] = {}
        self._faults: dict[FaultKind, int] = {}
        self._keys: OrderedDict[int, bool] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Ledger seen={self.seen} served={self.served} in_work={self.in_work}>"

    @property
    def refused(self) -> int:
        """Requests turned away, for whatever limit."""
        return sum(self._refused.values())

    def connected(self) -> None:
        """A client has connected."""
        self.connections += 1
        self.most_connections = max(self.most_connections, self.connections)

    def disconnected(self) -> None:
        """A connection has ended."""
        self.connections -= 1

    def arrived(self, idempotency_key: str) -> None:
        """A request to a model has come in; the key is empty where it carries none."""
        self.seen += 1
        if not idempotency_key:
            return
        key = digest(idempotency_key)
        served = self._keys.get(key)
        if served is None:
            self._keys[key] = False
            if len(self._keys) > _KEYS_HELD:
                self._keys.popitem(last=False)
        else:
            self.repeats += 1
            self.repeats_after_served += served

    def began(self) -> None:
        """A request was taken in and holds a slot."""
        self.in_work += 1
        self.most_in_work = max(self.most_in_work, self.in_work)

    def ended(self) -> None:
        """A request has given its slot back, however it ended."""
        self.in_work -= 1

    def serve(self, idempotency_key: str, *, input_tokens: int, output_tokens: int) -> None:
        """An answer was written to its end."""
        self.served += 1
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens
        if idempotency_key:
            self._keys[digest(idempotency_key)] = True

    def refuse(self, dimension: str) -> None:
        """A request was turned away by a limit."""
        self._refused[dimension] = self._refused.get(dimension, 0) + 1

    def reject(self, status: int) -> None:
        """A request was answered with a status that no retry mends."""
        self._rejected[status] = self._rejected.get(status, 0) + 1

    def fault(self, kind: FaultKind) -> None:
        """A fault was dealt out."""
        self._faults[kind] = self._faults.get(kind, 0) + 1

    def fail_answer(self, error: Exception) -> None:
        """An answer could not be computed."""
        self.answer_errors += 1
        self.last_answer_error = f"{type(error).__name__}: {error}"

    def statistics(self) -> LedgerStatistics:
        """The counts as they stand."""
        return LedgerStatistics(
            seen=self.seen,
            served=self.served,
            refused=dict(self._refused),
            rejected=dict(self._rejected),
            faults=dict(self._faults),
            closed_by_client=self.closed_by_client,
            answer_errors=self.answer_errors,
            last_answer_error=self.last_answer_error,
            repeats=self.repeats,
            repeats_after_served=self.repeats_after_served,
            in_work=self.in_work,
            most_in_work=self.most_in_work,
            connections=self.connections,
            most_connections=self.most_connections,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
        )
