"""One item from its function's start to its durable end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from fanwise.engine.checks import check_function, in_plain_words
from fanwise.engine.context import Context
from fanwise.engine.identity import Namer, jsonable
from fanwise.engine.recognition import Unrecognised
from fanwise.engine.work import Drained, ItemWork, make_work
from fanwise.engine.workers import Item
from fanwise.errors import FanwiseError, JournalError
from fanwise.journal.memory import Recalled
from fanwise.limits.waiting import check_priority
from fanwise.records import ErrorInfo, ItemRecord, Json, Outcome
from fanwise.records.quick import maker

if TYPE_CHECKING:
    from fanwise.engine.core import Core
    from fanwise.limits.waiting import Priority

_make_outcome = maker(Outcome)
_make_record = maker(ItemRecord)

TAKES = "a run gives it a context for calls, and the item: async def ask(ctx, item)"
ItemFunction: TypeAlias = Callable[[Context, Any], Awaitable[Any]]


class ItemRunner:
    """Runs a map's function over its items and journals how each one ends.

    Args:
        run: The run.
        function: ``async (ctx, item) -> value``.
        namer: Knows ids and what of an item is written down.
        model_of: The model an item stands for, where it stands for one.
        priority: Of its calls, where other maps of the run wait for the same limits.

    Raises:
        UsageError: ``function`` is no function of a context and an item.
        ConfigError: No such priority.
    """

    def __init__(
        self,
        run: Core,
        function: ItemFunction,
        *,
        namer: Namer,
        model_of: Callable[[Any], str] | None,
        priority: Priority = "background",
    ) -> None:
        check_function(function, takes=("ctx", "item"), hint=TAKES)
        check_priority(priority)
        self._run = run
        self._function = function
        self._namer = namer
        self._model_of = model_of
        self._priority: Priority = priority

    async def handle(self, item: Item) -> Outcome | None:
        """Runs one item; ``None`` where the run was drained before it could end.

        Raises:
            JournalError: Its end could not be made durable; the map ends with it.
            Unrecognised: The guard of a resumed run stopped it.
            FanwiseError: No model of the run can be called at all (unknown name, refused key).
        """
        run = self._run
        recalled: Recalled | None = item.known
        work = make_work(item.id, item.position, recalled, run.clock.wall())
        work.priority = self._priority
        if recalled is not None:
            work.known = {(c.key.content_key, c.key.sample): c for c in recalled.calls}
        run.progress.item_started()
        ended = False
        try:
            try:
                value, error = await self._function(Context(run, work), item.value), None
            except Exception as reason:  # noqa: BLE001 - an item's failure is data
                value, error = None, self._failure(work, reason)
            if work.drained:
                return None
            plain, error = self._plain(value, error)
            record = self._record(work, item, plain, error)
            before = recalled.state if recalled else None
            if before == "succeeded" and error is None and not work.sent:
                run.recognition.known(item.id)
            else:
                await run.journal.finish_item(record)
                if work.unsettled is not None:
                    await work.unsettled  # handed over before it, so it has ended too
                    work.unsettled = None
            run.progress.item_finished(record, replaces=before)
            ended = True
        finally:
            run.recognition.ended(item.id)
            if not ended:
                work.let_go()
                run.progress.item_left()
        return _make_outcome(
            item_id=item.id,
            ok=error is None,
            value=value if error is None else None,
            error=error,
            item=item.value,
            attempts=work.attempts,
            usage=work.usage,
            cost_usd=work.cost_usd,
            queued_s=work.queued_s,
            service_s=work.service_s,
            cached=work.cached,
            position=item.position,
        )

    def _failure(self, work: ItemWork, error: Exception) -> Exception:
        """What the item's function raised, as its outcome has it; raises what ends the map."""
        if isinstance(error, JournalError | Unrecognised):
            raise error
        if isinstance(error, Drained):
            work.drained = True
            return error
        self._run.raise_if_fatal(error)
        return in_plain_words(error, self._function)

    def _plain(self, value: Any, error: Exception | None) -> tuple[Json, Exception | None]:
        if error is not None:
            return None, error
        try:
            return jsonable(value), None
        except TypeError as reason:
            return None, FanwiseError(
                f"the item's function returned what the journal cannot keep: {reason}",
                hint="return text, numbers, lists, dicts, dataclasses or pydantic models; the "
                "answers of its calls are journalled and cost nothing a second time",
            )

    def _record(
        self, work: ItemWork, item: Item, value: Json, error: Exception | None
    ) -> ItemRecord:
        return _make_record(
            item_id=item.id,
            position=item.position,
            state="succeeded" if error is None else "failed",
            input=self._namer.describe(item.value),
            value=value,
            error=ErrorInfo.of(error) if error else None,
            model=self._model_of(item.value) if self._model_of else "",
            usage=work.usage,
            cost_usd=work.cost_usd,
            attempts=work.attempts,
            queued_s=work.queued_s,
            service_s=work.service_s,
            started_at=work.started_at,
            ended_at=self._run.clock.wall(),
            cached=work.cached,
        )
