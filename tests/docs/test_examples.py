"""Every Python example of the docs is a program that runs, and every command they show exists."""

from __future__ import annotations

import inspect
import re
import shlex
import subprocess
import sys
from operator import attrgetter
from pathlib import Path

import pytest

import fanwise

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")


def blocks(language: str) -> list[tuple[str, str]]:
    """Every block of one language, named by its page and line."""
    found: list[tuple[str, str]] = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            if match[1] == language:
                line = text.count("\n", 0, match.start()) + 1
                found.append((f"{page.name}:{line}", match[2]))
    return found


EXAMPLES = blocks("python")


@pytest.mark.parametrize("code", [code for _, code in EXAMPLES], ids=[name for name, _ in EXAMPLES])
def test_a_python_example_runs_as_it_stands(code: str, tmp_path: Path) -> None:
    program = tmp_path / "example.py"
    program.write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(program)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


PUBLIC = [f"fw.{name}" for name in fanwise.__all__]
PUBLIC += [f"fw.types.{name}" for name in fanwise.types.__all__]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_used_in_an_example(name: str) -> None:
    used = re.compile(rf"\b{re.escape(name)}\b")
    assert any(used.search(code) for _, code in EXAMPLES)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_says_what_it_takes(name: str) -> None:
    found = attrgetter(name.removeprefix("fw."))(fanwise)
    said = inspect.getdoc(found) or ""
    assert len(said) > 20
    if not inspect.isclass(found) and not inspect.isfunction(found):
        return
    given = inspect.signature(found).parameters
    made_by_ours = {"Context", "Run", "Map", "StepContext"}  # nobody else makes them
    if found.__name__ not in made_by_ours:
        missing = [one for one in given if not re.search(rf"\b{one}\b", said)]
        assert not missing, f"{name} does not say what {missing} are"


def commands() -> list[tuple[str, list[str]]]:
    """Every ``fanwise`` command of the shell examples, with its options."""
    found: dict[str, tuple[str, list[str]]] = {}
    for name, text in blocks("sh") + blocks("console"):
        for line in text.replace("\\\n", " ").splitlines():
            words = line.strip().removeprefix("$ ")
            for part in re.split(r"\s(?:\||&&|;)\s", words):
                if re.match(r"(?:[A-Z_]+=\S+ )*fanwise\s", part):
                    tokens = shlex.split(part, comments=True)
                    while "=" in tokens[0]:
                        tokens = tokens[1:]
                    found.setdefault(" ".join(tokens), (name, tokens[1:]))
    return list(found.values())


COMMANDS = commands()
GROUPS = {"cache": ("stats", "clear"), "token": ("create", "list", "limit", "revoke")}


def options_of(command: tuple[str, ...]) -> set[str]:
    """The options that a command's help names."""
    done = subprocess.run(
        [sys.executable, "-m", "fanwise", *command, "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"COLUMNS": "200", "PATH": "/usr/bin:/bin", "TERM": "dumb", "NO_COLOR": "1"},
    )
    assert done.returncode == 0, f"there is no command: fanwise {' '.join(command)}"
    return set(re.findall(r"(?<![\w-])(--?[a-zA-Z][\w-]*)", done.stdout))


GROUPS = {"cache": ("stats", "clear"), "token": ("create", "list", "revoke", "limit")}


def test_commands_and_options_that_the_docs_show_exist() -> None:
    known: dict[str, set[str]] = {}
    wrong: list[str] = []
    for place, tokens in COMMANDS:
        verb = tokens[0]
        if verb.startswith("-"):
            continue
        if verb not in known:
            known[verb] = options_of((verb,))
            for sub in GROUPS.get(verb, ()):
                known[verb] |= options_of((verb, sub))
        for token in tokens[1:]:
            option = token.split("=")[0]
            named = re.fullmatch(r"--[a-z][\w-]*|-[a-zA-Z]", option)
            if named and option not in known[verb]:
                wrong.append(f"{place}: fanwise {verb} has no {option}")
    assert not wrong, "\n".join(wrong)


def test_links_between_pages_lead_somewhere() -> None:
    broken = [
        f"{page.name}: {target}"
        for page in PAGES
        for target in LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert not broken


def test_the_index_leads_to_every_page() -> None:
    docs = ROOT / "docs"
    linked = set(LINK.findall((docs / "index.md").read_text(encoding="utf-8")))
    pages = {page.name for page in docs.glob("*.md")} - {"index.md"}
    assert not pages - linked, "add them to docs/index.md"
