"""What an item's function is given: the way to make calls that are journalled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from fanwise.engine.effects import perform
from fanwise.engine.simulated import PROVIDER
from fanwise.engine.together.operations import close_coroutines
from fanwise.engine.work import Drained, ItemWork, OnDelta, make_request
from fanwise.errors import StateError, UsageError
from fanwise.limits.waiting import check_priority
from fanwise.models.rules import Rules
from fanwise.records import (
    NOTHING,
    CallIntent,
    CallKey,
    CallRecord,
    Json,
    Message,
    Response,
)
from fanwise.records.quick import maker

if TYPE_CHECKING:
    from fanwise.engine.core import Core
    from fanwise.limits.waiting import Priority

_UNDER_WAY: Final = object()
_make_message = maker(Message)


class Context:
    """An item under way in a run.

    Handed to the item's function as its first argument. Every call made through it is keyed by its
    content, limited, retried, journalled and counted; when the run is resumed, calls that were
    served are answered from the journal at once.
    """

    __slots__ = ("_run", "_work")

    def __init__(self, run: Core, work: ItemWork) -> None:
        self._run = run
        self._work = work

    @property
    def item_id(self) -> str:
        """The item's id."""
        return self._work.item_id

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self._run.run_id

    def __repr__(self) -> str:
        return f"<Context of item {self.item_id!r} in run {self.run_id}>"

    async def call(
        self,
        model: str,
        messages: Sequence[Message] | str,
        *,
        schema: Any = None,
        parameters: Mapping[str, Json] = NOTHING,
        rules: Rules | None = None,
        version: str = "",
        sample: int = 0,
        label: str = "",
        on_delta: OnDelta | None = None,
        priority: Priority | None = None,
    ) -> Any:
        """Asks a model and returns its answer: the text, or the value under a schema.

        Args:
            model: ``provider/model``, such as ``openai/gpt-4o-mini`` or ``builtin/rules``.
            messages: The conversation, or one string for a single message of the user.
            schema: A pydantic model, another type, or a JSON Schema that the answer must satisfy.
            parameters: Sampling parameters by the provider's own names.
            rules: What ``builtin/rules`` runs: a function from the request to the answer as JSON.
            version: Version of the prompt or of the rules; part of the call's identity.
            sample: 0, or a further number for the same call once more (repeat judging).
            label: What the call is for, for people.
            on_delta: Is given the tokens as they come. They are provisional until this returns;
                a ``restart`` says that what was shown before is void.
            priority: ``"interactive"`` for a call that somebody waits for: it gets its permit ahead
                of ``"background"`` calls that came less than 30 s before it; by default as its map.
                No part of its identity. A call that shares the send of an equal one is sent when
                that one is.

        Returns:
            The answer, durable in the journal.

        Raises:
            ConfigError: Unknown model, missing key, unusable schema; nothing was spent.
            UsageError: ``messages`` is something else; nothing was spent.
            RateLimited, Overloaded, ServerError, AttemptTimeout, TransportError, Rejected: No
                attempt was served; what they used is in the journal.
            Refused, InvalidOutput: Served and billed, and of no use.
            PermitTimeout: The call's deadline passed before it could be sent.
            JournalUnavailable: The answer could not be made durable.
        """
        response = await self.respond(
            model,
            messages,
            schema=schema,
            parameters=parameters,
            rules=rules,
            version=version,
            sample=sample,
            label=label,
            on_delta=on_delta,
            priority=priority,
        )
        return response.value

    async def respond(
        self,
        model: str,
        messages: Sequence[Message] | str = (),
        *,
        schema: Any = None,
        parameters: Mapping[str, Json] = NOTHING,
        body: Mapping[str, Json] | None = None,
        endpoint: str = "chat/completions",
        rules: Rules | None = None,
        version: str = "",
        sample: int = 0,
        label: str = "",
        on_delta: OnDelta | None = None,
        single_flight: bool = True,
        priority: Priority | None = None,
        last: bool = False,
    ) -> Response:
        """As :meth:`call`, but returns the whole answer with usage, status and request id.

        Args:
            model: As there.
            messages: As there.
            schema: As there.
            parameters: As there.
            rules: As there.
            version: As there.
            sample: As there.
            label: As there.
            on_delta: As there.
            body: A request body that is sent as it stands, instead of messages.
            endpoint: Path below the provider's base URL.
            single_flight: Whether equal calls under way may share one send.
            priority: As there.
            last: Whether the item's function shows its answer to nobody but returns with it. One
                commit then makes answer and item durable: the answer is handed over before it,
                the item's outcome after it, as ever.
        """
        run = self._run
        if sample < 0:
            raise StateError(f"sample is {sample}", hint="samples are numbered 0, 1, 2, …")
        if priority is not None:
            check_priority(priority)
        request = make_request(
            model=model,
            messages=as_messages(messages),
            parameters=parameters,
            schema=run.schemas.of(schema) if schema is not None else None,
            endpoint=endpoint,
            body=body,
            version=version,
        )
        if model.startswith(PROVIDER):
            await run.ready_for(request, rules)
        call = run.prepare(
            self._work,
            request,
            sample=sample,
            label=label,
            rules=rules,
            on_delta=on_delta,
            single_flight=single_flight,
            priority=priority,
        )
        self._work.last = last
        try:
            return await run.caller.answer(call)
        except Drained:
            self._work.drained = True
            raise
        finally:
            self._work.last = False

    async def embed(
        self, model: str, texts: Sequence[str], *, parameters: Mapping[str, Json] = NOTHING
    ) -> Sequence[Sequence[float]]:
        """Asks a model for the embeddings of texts, in one call (``POST …/embeddings``).

        Keyed, limited, retried, journalled and counted as :meth:`call` is.

        Args:
            model: ``provider/model``, such as ``openai/text-embedding-3-small``.
            texts: The texts, at least one, none empty; providers bound how many they take at once.
            parameters: By the provider's own names (``dimensions``).

        Returns:
            One vector for each text, in their order.

        Raises:
            UsageError: There is no text, or one is empty; nothing was spent.
            InvalidOutput: It was answered and billed, but not with one vector for each text.
            ConfigError, CallError, JournalUnavailable: As :meth:`call`.
        """
        from fanwise.engine.embedding import embedding_body, vectors_of

        body = embedding_body(model, texts, parameters)
        answer = await self.respond(model, body=body, endpoint="embeddings", label="embeddings")
        return vectors_of(answer, model=model, count=len(texts))

    async def once(self, name: str, function: Callable[[], Awaitable[Any]]) -> Any:
        """Runs a side effect of this item once, and remembers its result over resumes.

        Args:
            name: The effect's name, unique within the item (``send-mail``). A name that has been
                used is not carried out again: give ``f"send-mail-{n}"`` to several alike.
            function: What to do; its result must have a JSON form.

        Returns:
            The function's result, now, from earlier in this item, or from the journal.

        Raises:
            StateError: An earlier session died while the effect was under way. Whether it happened
                is unknown, so it is not repeated: look, then settle it with ``fanwise retry``.
                Or an effect of that name is under way in this item.
            UsageError: It is no function; nothing was begun.
            Whatever the function raises; it is then tried again by the next session.
        """
        if not callable(function):
            close_coroutines([function])
            raise UsageError(
                f"the side effect {name!r} is a {type(function).__name__}, not a function",
                hint="give the function itself: ctx.once('send-mail', send)",
            )
        run, work = self._run, self._work
        key = CallKey(work.item_id, f"once:{name}", 0)
        known = work.known.get((key.content_key, 0))
        if known is not None and known.state == "served":
            return known.value
        if known is not None and known.state == "ambiguous" and not run.repeat_ambiguous:
            raise StateError(
                f"the side effect {name!r} of item {work.item_id!r} was under way when an earlier "
                "session died: it may have happened",
                hint="look whether it did; open_run(…, ambiguous='retry') does it again",
            )
        if work.effects is None:
            work.effects = {}
        if name in work.effects:
            return _result_of(work.effects[name], name, work.item_id)
        if run.draining:
            work.drained = True
            raise Drained("the run is being drained", hint="resume it to go on")
        work.effects[name] = _UNDER_WAY
        started_at = run.clock.wall()
        work.sent = True
        try:
            intent = CallIntent(key=key, model="", label=name, started_at=started_at)
            await run.journal.intend(intent)
            record = CallRecord(
                key=key, state="served", model="", label=name, started_at=started_at
            )
            value = await perform(run, record, function)
        except BaseException:
            del work.effects[name]
            raise
        work.effects[name] = value
        return value


def _result_of(found: Any, name: str, item_id: str) -> Any:
    if found is _UNDER_WAY:
        raise StateError(
            f"the side effect {name!r} of item {item_id!r} is under way already",
            hint="give each side effect of an item a name of its own",
        )
    return found


def as_messages(messages: object) -> Sequence[Message]:
    """Messages as a sequence; one string is one message of the user.

    Raises:
        UsageError: It is neither a text nor a sequence of messages.
    """
    if isinstance(messages, str):
        return (_make_message(role="user", content=messages),)
    what = f"messages is a {type(messages).__name__}"
    if isinstance(messages, list | tuple | Sequence):
        listed = tuple(cast("Sequence[object]", messages))
        others = [one for one in listed if not isinstance(one, Message)]
        if not others:
            return cast("tuple[Message, ...]", listed)
        what = f"among the messages is a {type(others[0]).__name__}"
    raise UsageError(
        what, hint='give a text, or a list such as [fw.system("Be brief."), fw.user("Hello")]'
    )
