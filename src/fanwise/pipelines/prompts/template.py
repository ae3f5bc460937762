"""Prompts with ``{{ column }}`` in them.

Templates are Jinja2's, in its sandbox, with every unknown name an error. What stands in a row is
only ever a value: it is never read as a template itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson
from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from fanwise.errors import ConfigError, InputError
from fanwise.records import Json, Message

MAX_PROMPT_CHARS = 4_000_000
ROW = "row"

_MAX_TEMPLATE_BYTES = 4 * 1024 * 1024
_UNDEFINED = re.compile(r"^'([^']+)' is undefined")


def shown(value: object) -> object:
    """A value as it stands in a prompt: null as nothing, true and false in JSON's words, objects
    and lists as JSON, all else as text.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return orjson.dumps(value).decode()
    return value


class Template:
    """One text with ``{{ column }}`` in it, compiled once.

    Inside it, columns are names; ``row`` is the whole row, for columns whose names are no
    identifiers (``{{ row["Customer Name"] }}``). ``range`` is the only function there is, and
    other templates cannot be included.

    Args:
        text: The template.
        name: What it is called in messages.

    Raises:
        ConfigError: It cannot be compiled; the line is named.
    """

    __slots__ = ("_compiled", "_parts", "name", "text", "version")

    def __init__(self, text: str, *, name: str = "the prompt") -> None:
        self.text = text
        self.name = name
        self.version = blake2b(text.encode("utf-8", "replace"), digest_size=6).hexdigest()
        environment = _environment()
        try:
            tree = environment.parse(text)
            if any(True for _ in meta.find_referenced_templates(tree)):
                raise ConfigError(
                    f"{name} includes another template", hint="put the whole text into one template"
                )
            self._parts = _plain_parts(tree)
            self._compiled = environment.from_string(text) if self._parts is None else None
        except (TemplateError, RecursionError, ValueError, OverflowError) as error:
            line = error.lineno if isinstance(error, TemplateSyntaxError) else 1
            raise ConfigError(
                f"{name}, line {line}: {error or type(error).__name__}",
                hint="columns are written {{ column }}; for braces as text use {% raw %}…"
                "{% endraw %}",
            ) from error

    def __repr__(self) -> str:
        return f"Template({self.name!r}, version {self.version})"

    def render(self, row: Mapping[str, Json]) -> str:
        """The text for a row.

        Raises:
            InputError: A column that the template names is not in the row, or the template cannot
                be computed for it.
        """
        if self._parts is not None:
            try:
                return "".join(
                    [part if name is None else str(shown(row[name])) for part, name in self._parts]
                )
            except KeyError as error:
                if error.args[0] != ROW:
                    raise self._missing(error.args[0], row) from None
        return self._computed(row)

    def _computed(self, row: Mapping[str, Json]) -> str:
        compiled = self._compiled
        if compiled is None:
            compiled = self._compiled = _environment().from_string(self.text)
        try:
            text = compiled.render({ROW: row, **row})
        except UndefinedError as error:
            found = _UNDEFINED.match(error.message or "")
            if found is not None and found[1] not in row:
                raise self._missing(found[1], row) from error
            raise self._failed(error.message or "something is undefined") from error
        except Exception as error:
            raise self._failed(f"{type(error).__name__}: {error}") from error
        if len(text) > MAX_PROMPT_CHARS:
            raise self._failed(f"the text has more than {MAX_PROMPT_CHARS:,} characters")
        return text

    def _missing(self, column: str, row: Mapping[str, Json]) -> InputError:
        names = list(row)
        near = get_close_matches(column, names, n=1, cutoff=0.6)
        listed = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
        meant = f"did you mean {near[0]}? " if near else ""
        return InputError(
            f"{self.name} uses the column {column!r}, which the row does not have",
            hint=f"{meant}the columns are: {listed or 'none'}",
        )

    def _failed(self, reason: str) -> InputError:
        return InputError(
            f"{self.name} cannot be computed for this row: {reason}",
            hint='a column that may be missing is written {{ column | default("") }}',
        )


class Prompt:
    """What is asked of a model for a row: a message of the user, and perhaps one of the system.

    Args:
        text: The template of the user's message.
        system: The template of the system's message.
        name: What it is called in messages and, where there are several prompts, in item ids.

    Raises:
        ConfigError: A template is empty or cannot be compiled.
    """

    __slots__ = ("_system", "_user", "name", "version")

    def __init__(self, text: str, *, system: str | None = None, name: str = "") -> None:
        if not text.strip():
            raise ConfigError("the prompt is empty", hint="give -p TEXT or -t FILE")
        self._user = Template(text, name=name or "the prompt")
        self._system = None if system is None else Template(system, name="the system prompt")
        versions = self._user.version + (self._system.version if self._system else "")
        self.version = blake2b(versions.encode(), digest_size=6).hexdigest()
        self.name = name or self._user.version[:8]

    def __repr__(self) -> str:
        return f"Prompt({self.name!r}, version {self.version})"

    @classmethod
    def of_file(cls, path: str | Path, *, system: str | None = None) -> Prompt:
        """The prompt in a file, named after it.

        Raises:
            ConfigError: The file cannot be read, is larger than 4 MB, or is no template.
        """
        path = Path(path)
        try:
            with path.open("rb") as file:
                content = file.read(_MAX_TEMPLATE_BYTES + 1)
            if len(content) > _MAX_TEMPLATE_BYTES:
                raise ConfigError(f"{path} is larger than 4 MB", hint="is it a template?")
            text = content.decode("utf-8-sig")
        except OSError as error:
            raise ConfigError(
                f"{path} cannot be read: {error.strerror}", hint="name the file of the template"
            ) from error
        except UnicodeDecodeError as error:
            raise ConfigError(
                f"{path}, byte {error.start}: not valid UTF-8",
                hint=f"convert it, for example: iconv -f WINDOWS-1252 -t UTF-8 {path} > converted",
            ) from error
        return cls(text, system=system, name=path.name)

    def messages(self, row: Mapping[str, Json]) -> Sequence[Message]:
        """The messages for a row. Raises :class:`InputError` as :meth:`Template.render` does."""
        user = Message(role="user", content=self._user.render(row))
        if self._system is None:
            return (user,)
        return (Message(role="system", content=self._system.render(row)), user)


def _environment() -> ImmutableSandboxedEnvironment:
    sandbox = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, finalize=shown, cache_size=0, keep_trailing_newline=False
    )
    functions: dict[str, Any] = {"range": sandbox.globals["range"]}
    sandbox.globals = functions
    return sandbox


def _plain_parts(tree: nodes.Template) -> list[tuple[str, str | None]] | None:
    """The pieces of a template that has only text and ``{{ name }}``; ``None`` for any other.

    Joining them costs a tenth of what running the compiled template does, with the same result.
    """
    parts: list[tuple[str, str | None]] = []
    for statement in tree.body:
        if not isinstance(statement, nodes.Output):
            return None
        for node in statement.nodes:
            if isinstance(node, nodes.TemplateData):
                parts.append((node.data, None))
            elif isinstance(node, nodes.Name) and node.name not in {ROW, "range"}:
                parts.append(("", node.name))
            else:
                return None
    return parts
