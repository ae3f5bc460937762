"""``fanwise grade --review``: cards that are due, asked and graded at the terminal."""

from __future__ import annotations

import asyncio
import hashlib
import math
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from fanwise.cli.display import at, plural, put_json, put_table, say, to_json
from fanwise.cli.failures import ExitCode
from fanwise.cli.options import RunOptions
from fanwise.errors import BudgetExhausted, ConfigError

if TYPE_CHECKING:
    import fanwise as fw
    from fanwise.cli.grade import CardFlags, GradeFlags

_RATINGS = {1: "Again", 2: "Hard", 3: "Good", 4: "Easy"}


def carry_on_cards(options: RunOptions, flags: GradeFlags, cards: CardFlags) -> int:
    """Imports cards, lists those that are due, or reviews them.

    Raises:
        ConfigError: A flag that means nothing here, or several of these at once.
    """
    from fanwise.cli.loop import run_loop

    if options.source is not None or options.output is not None:
        raise ConfigError(
            "cards take neither INPUT nor -o", hint="leave them out; --import-cards names a file"
        )
    if sum((cards.import_cards is not None, cards.due, cards.review)) > 1:
        raise ConfigError(
            "--import-cards, --due and --review are three commands", hint="give one at a time"
        )
    return run_loop(_carry_out(options, flags, cards))


async def _carry_out(options: RunOptions, flags: GradeFlags, cards: CardFlags) -> int:
    from fanwise.cli.work import check_models
    from fanwise.pipelines.grading import due_cards, import_cards, open_store

    now = time.time()
    async with open_store(options.journal) as store:
        if cards.import_cards is not None:
            counts = await import_cards(store, cards.import_cards, now=now)
            if options.json:
                put_json({"imported": counts})
            say(
                f"Imported {plural(counts['cards'], 'card')} with "
                f"{plural(counts['questions'], 'question')}. To learn: fanwise grade --review",
                quiet=options.quiet,
            )
            return ExitCode.OK
        if cards.due:
            due = await due_cards(store, now=now, topic=cards.topic, limit=options.limit or 1000)
            _put_due(due, as_json=options.json)
            return ExitCode.OK
        await check_models(options)
        return await _Review(options, flags, cards, store).carry_out()


def _put_due(due: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        put_json({"due": due})
    elif not due:
        say("No card is due.")
    else:
        put_table(
            ("card", "topic", "questions", "due", "title"),
            [
                (
                    card["id"],
                    card["topic"],
                    str(card["questions"]),
                    "new" if card["due"] is None else at(card["due"]),
                    card["title"],
                )
                for card in due
            ],
            right=("questions",),
        )


class _Review:
    """One stretch of a review session: each card's questions, then its grades.

    What needs a model is asked for within one run, so that a budget holds all of it.
    """

    def __init__(
        self, options: RunOptions, flags: GradeFlags, cards: CardFlags, store: fw.Store
    ) -> None:
        self._options = options
        self._flags = flags
        self._cards = cards
        self._store = store
        self._ungraded = 0
        self._stack = AsyncExitStack()
        self._run: fw.Run | None = None
        self._session = cards.session or time.strftime("review-%Y%m%d-%H%M%S")
        bound_s = math.inf if options.deadline_s is None else options.deadline_s
        self._until = asyncio.get_running_loop().time() + bound_s

    async def carry_out(self) -> int:
        """Asks until the cards or the input end, or the budget or the time is used up."""
        try:
            async with self._stack:
                return await self._through()
        except BudgetExhausted as error:
            say(f"{error.message[:1].upper()}{error.message[1:]}; the grades so far are kept.")
        except TimeoutError:
            say("The deadline is reached; the grades so far are kept.")
        self._say_how_to_go_on()
        return ExitCode.LIMIT_REACHED

    def _say_how_to_go_on(self) -> None:
        say(f"To go on: fanwise grade --review --session {self._session}")

    def _left_s(self) -> float | None:
        """Seconds until the deadline; ``None`` without one.

        Raises:
            TimeoutError: It is reached.
        """
        left_s = self._until - asyncio.get_running_loop().time()
        if left_s <= 0:
            raise TimeoutError
        return None if left_s == math.inf else left_s

    async def _through(self) -> int:
        from fanwise.pipelines.grading import session_state, start_session

        session = self._session
        await start_session(
            self._store,
            session,
            now=time.time(),
            topic=self._cards.topic,
            limit=self._options.limit or 20,
        )
        state = await session_state(self._store, session)
        asked = 0
        for card in state["cards"]:
            left = [one for one in card["questions"] if one["grade"] is None]
            answers: list[dict[str, Any]] = []
            for question in left:
                self._left_s()
                answer = _ask(question)
                if answer is None:
                    break
                answers.append({"question_index": question["question_index"], "answer": answer})
            asked += len(answers)
            if answers:
                async with asyncio.timeout(self._left_s()):
                    await self._grade(card, answers)
            if len(answers) < len(left):
                self._say_how_to_go_on()
                return ExitCode.INTERRUPTED
        if not asked:
            say("No card is due.", quiet=self._options.quiet)
        return ExitCode.SOME_FAILED if self._ungraded else ExitCode.OK

    @asynccontextmanager
    async def _opened(self, _: str, **options: Any) -> AsyncGenerator[fw.Run]:
        """The review's run, opened by the first answer that needs it."""
        import fanwise as fw

        if self._run is None:
            name = hashlib.sha256(f"{self._session} {self._options.models}".encode()).hexdigest()
            opened = fw.open_run(f"review-{name[:16]}", **options)
            self._run = await self._stack.enter_async_context(opened)
        yield self._run

    async def _grade(self, card: dict[str, Any], answers: list[dict[str, Any]]) -> None:
        from fanwise.cli.plan import opening
        from fanwise.cli.profiles import parameters_and_profile
        from fanwise.cli.work import waits_of
        from fanwise.pipelines.grading import submit

        options = self._options
        given: dict[str, Any] = {
            **opening(options),
            **waits_of(options),
            "api_key_env": options.api_key_env,
            "cache": options.cache,
            "open_run": self._opened,
            "easiest_first": self._flags.easiest_first,
        }
        done = await submit(
            self._store,
            session_id=self._session,
            card_id=card["card_id"],
            answers=answers,
            processing_mode=self._flags.mode,
            max_concurrent_tasks=self._flags.max_concurrent_tasks or 5,
            model=options.models[0],
            parameters=parameters_and_profile(options)[0],
            **given,
        )
        self._ungraded += done.metrics.ungraded
        found = {"session_id": self._session, "card_id": card["card_id"], **done.as_json()}
        if options.json or not sys.stdout.isatty():
            sys.stdout.write(to_json(found) + "\n")
            sys.stdout.flush()
        for one in done.answers:
            verdict = {True: "Right", False: "Wrong", None: "Ungraded"}[one.grade.is_correct]
            say(f"{one.task.index + 1}. {verdict}: {one.grade.feedback}")
        if done.schedule is not None:
            rating = _RATINGS[done.schedule["rating"]]
            say(f"Card {card['card_id']}: {rating}, due again {at(done.schedule['due'])}")


def _ask(question: dict[str, Any]) -> str | None:
    """A question on standard error and its answer from standard input; ``None`` at its end."""
    say("")
    say(question["question"])
    for letter, option in zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", question["options"], strict=False):
        say(f"  {letter}) {option}")
    line = sys.stdin.readline()
    return line.rstrip("\n") if line else None
