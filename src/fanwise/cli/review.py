"""``fanwise grade --review``: cards that are due, asked and graded at the terminal."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from fanwise.cli.display import at, plural, put_json, put_table, say, to_json
from fanwise.cli.failures import ExitCode
from fanwise.cli.options import RunOptions
from fanwise.errors import ConfigError

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
    """One stretch of a review session: each card's questions, then its grades."""

    def __init__(
        self, options: RunOptions, flags: GradeFlags, cards: CardFlags, store: fw.Store
    ) -> None:
        self._options = options
        self._flags = flags
        self._cards = cards
        self._store = store
        self._ungraded = 0

    async def carry_out(self) -> int:
        """Asks until the cards or the input end."""
        from fanwise.pipelines.grading import session_state, start_session

        session = self._cards.session or time.strftime("review-%Y%m%d-%H%M%S")
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
                answer = _ask(question)
                if answer is None:
                    break
                answers.append({"question_index": question["question_index"], "answer": answer})
            asked += len(answers)
            if answers:
                await self._grade(session, card, answers)
            if len(answers) < len(left):
                say(f"To go on: fanwise grade --review --session {session}")
                return ExitCode.INTERRUPTED
        if not asked:
            say("No card is due.", quiet=self._options.quiet)
        return ExitCode.SOME_FAILED if self._ungraded else ExitCode.OK

    async def _grade(
        self, session: str, card: dict[str, Any], answers: list[dict[str, Any]]
    ) -> None:
        from fanwise.cli.plan import opening
        from fanwise.cli.profiles import parameters_and_profile
        from fanwise.pipelines.grading import submit

        given: dict[str, Any] = {**opening(self._options), "api_key_env": self._options.api_key_env}
        done = await submit(
            self._store,
            session_id=session,
            card_id=card["card_id"],
            answers=answers,
            processing_mode=self._flags.mode,
            max_concurrent_tasks=self._flags.max_concurrent_tasks or 5,
            model=self._options.models[0],
            parameters=parameters_and_profile(self._options)[0],
            **given,
        )
        self._ungraded += done.metrics.ungraded
        found = {"session_id": session, "card_id": card["card_id"], **done.as_json()}
        if self._options.json or not sys.stdout.isatty():
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
