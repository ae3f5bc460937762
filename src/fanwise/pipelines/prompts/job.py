"""The work of a prompts run: every row with every prompt for every model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeAlias, cast

from fanwise.documents.identity import identified
from fanwise.documents.row import Row, batch_kind
from fanwise.documents.rows import Kind, read_rows
from fanwise.documents.sources import STDIN, display_name
from fanwise.errors import ConfigError, InputError
from fanwise.models.names import canonical_model, endpoint_path, split_model
from fanwise.pipelines.prompts.template import Prompt
from fanwise.records import NOTHING, Json

if TYPE_CHECKING:
    from fanwise.engine.context import Context

BatchKind: TypeAlias = Literal["openai", "anthropic"]

_RULES = "builtin/rules"
_NO_PROMPT = "give -p TEXT or -t FILE; only OpenAI Batch lines bring their own prompts"


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptItem:
    """One call to come: a row, the prompt made of it, and the model that is asked.

    Args:
        id: The row's id; ``id@model`` or ``id@model#prompt`` where there are several of them.
        row: The row.
        model: ``provider/model``.
        prompt: What is asked; ``None`` for a batch line, which brings its own body.
        batch: Whose batch line it is.
    """

    id: str
    row: Row
    model: str
    prompt: Prompt | None = None
    batch: BatchKind | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptsJob:
    """Rows × prompts × models, or a file of Batch lines.

    Batch lines go out as they are: to the path that their ``url`` names, with the model that their
    body names. ``models`` then says which provider gets them (``openai`` where it is empty), and
    which model where a body names none.

    Args:
        source: A file as :func:`fanwise.documents.read_rows` takes it, or ``-``.
        prompts: What to ask; empty for Batch lines.
        models: Whom to ask, as ``provider/model``.
        schema: Shape of the answers: a JSON Schema, a pydantic model or another type.
        parameters: Sampling parameters by the providers' own names.
        limit: Most rows to take.
        kind: The file's format, where its name and content do not say.
        stdin: What ``-`` reads; the process's standard input by default.
        name: The run's name.

    Raises:
        ConfigError: No model, one model twice, a prompt twice, or ``builtin/rules``, which has no
            rules for free prompts.
    """

    source: str | Path
    prompts: Sequence[Prompt] = ()
    models: Sequence[str] = ()
    schema: Any = None
    parameters: Mapping[str, Json] = NOTHING
    limit: int | None = None
    kind: Kind | None = None
    stdin: BinaryIO | None = None
    name: str = "prompts"

    def __post_init__(self) -> None:
        models = [canonical_model(model) for model in self.models]
        object.__setattr__(self, "models", tuple(models))
        if self.prompts and not models:
            raise ConfigError("no model is named", hint="give one: -m openai/gpt-4o-mini")
        _once(models, "the model")
        _once([prompt.name for prompt in self.prompts], "a prompt called")
        if _RULES in models:
            raise ConfigError(
                f"{_RULES} has no rules for prompts of your own",
                hint="name a provider's model, or sim/fast for a rehearsal without key or network",
            )

    @property
    def rereadable(self) -> bool:
        """Whether the source can be read a second time: it is no pipe. A missing one counts:
        reading it says so before a run is opened.
        """
        if str(self.source) == STDIN:
            return False
        path = Path(self.source)
        return path.is_file() or path.is_dir() or not path.exists()

    def count(self) -> int:
        """Reads the whole source and returns how many items it has.

        Everything that can be wrong with it is found by this, before anything is spent: a row that
        cannot be read, an id given twice, a column that the prompts miss in the first row.
        """
        return sum(1 for _ in self.items())

    def items(self) -> Iterator[PromptItem]:
        """The items, in the order of rows, then prompts, then models.

        Raises:
            InputError: While iterating: a row cannot be read, or is a Batch line where there are
                prompts (or the reverse).
        """
        for row, batch in self._rows():
            if batch is not None:
                yield PromptItem(
                    id=str(row.id), row=row, model=self._model_of(row, batch), batch=batch
                )
                continue
            for prompt in self.prompts:
                for model in self.models:
                    yield PromptItem(
                        id=self._item_id(row, prompt, model), row=row, model=model, prompt=prompt
                    )

    async def answer(self, ctx: Context, item: PromptItem) -> Json:
        """One item's work: what ``run.map`` runs.

        Returns:
            The model's text, its value under a schema, or the response of a Batch line.
        """
        if item.batch is not None:
            return await self._pass_on(ctx, item)
        assert item.prompt is not None
        response = await ctx.respond(
            item.model,
            item.prompt.messages(item.row.data),
            schema=self.schema,
            parameters=self.parameters,
            last=True,
        )
        value = response.value
        dump = getattr(value, "model_dump", None)
        return dump(mode="json") if dump is not None else value

    async def _pass_on(self, ctx: Context, item: PromptItem) -> Json:
        data = item.row.data
        if item.batch == "anthropic":
            body, url = data["params"], "messages"
        else:
            body, url = data["body"], _endpoint(data, item.id)
        response = await ctx.respond(
            item.model,
            body=cast("Mapping[str, Json]", body),
            endpoint=url,
            # Two lines with equal bodies are two requests: their owner wants both answers.
            single_flight=False,
            last=True,
        )
        return {
            "status_code": response.status,
            "request_id": response.request_id or "",
            "body": response.body,
        }

    def _rows(self) -> Iterator[tuple[Row, BatchKind | None]]:
        name = display_name(self.source)
        rows = read_rows(self.source, limit=self.limit, kind=self.kind, stdin=self.stdin)
        first: BatchKind | None = None
        for row in identified(rows, source=name):
            kind = batch_kind(row.data)
            if row.position == 0:
                first = kind
                self._check_first(row, kind, name)
            elif kind != first:
                raise InputError(
                    f"the first line is {_described(first)}, this one is {_described(kind)}",
                    source=name,
                    line=row.line,
                    hint="one file holds one of the two",
                )
            yield row, kind

    def _check_first(self, row: Row, kind: BatchKind | None, name: str) -> None:
        if kind is None:
            if not self.prompts:
                raise InputError("there is no prompt for these rows", source=name, hint=_NO_PROMPT)
            try:
                for prompt in self.prompts:
                    prompt.messages(row.data)
            except InputError as error:
                raise InputError(
                    error.message, source=name, line=row.line, hint=error.hint
                ) from error
        elif self.prompts or self.schema is not None:
            raise InputError(
                "these are Batch lines, which bring their own prompts and schemas",
                source=name,
                line=row.line,
                hint="leave out -p, -t and --schema",
            )
        elif len(self.models) > 1:
            raise InputError(
                "a Batch file goes to one provider",
                source=name,
                hint="name one model; each line's own model is asked",
            )

    def _model_of(self, row: Row, kind: BatchKind) -> str:
        """The provider of the job with the model of the line."""
        given = self.models[0] if self.models else ""
        body = row.data["body" if kind == "openai" else "params"]
        named = body.get("model") if isinstance(body, Mapping) else None
        if isinstance(named, str) and named:
            provider = split_model(given)[0] if given else kind
            return f"{provider}/{named}"
        if not given:
            raise InputError(
                "the line's body names no model",
                source=display_name(self.source),
                line=row.line,
                hint="add one to the body, or give -m provider/model",
            )
        return given

    def _item_id(self, row: Row, prompt: Prompt, model: str) -> str:
        name = str(row.id)
        if len(self.models) > 1 or len(self.prompts) > 1:
            name = f"{name}@{model}"
        return f"{name}#{prompt.name}" if len(self.prompts) > 1 else name


def _endpoint(data: Mapping[str, Json], name: str) -> str:
    method = data.get("method", "POST")
    if not isinstance(method, str) or method.upper() != "POST":
        raise InputError(f"line {name}: the method is {method!r}", hint="Batch lines are POST")
    url = data.get("url")
    if not isinstance(url, str) or not url.strip("/") or "://" in url:
        raise InputError(
            f"line {name}: the url is {url!r}", hint="it is a path such as /v1/chat/completions"
        )
    return endpoint_path(url)


def _described(kind: BatchKind | None) -> str:
    return "a row of a table" if kind is None else f"a Batch line ({kind})"


def _once(names: Sequence[str], what: str) -> None:
    double = [name for name, count in Counter(names).items() if count > 1]
    if double:
        raise ConfigError(f"{what} {double[0]} is given twice", hint="name each once")
