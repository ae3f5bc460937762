"""The house rules that can be counted: public names, sizes, light imports."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import fanwise

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
BENCHMARKS = sorted((ROOT / "benchmarks").rglob("*.py"))
MOST_LINES = 400
MOST_FUNCTION_LINES = 50
HEAVY = {"aiohttp", "sqlalchemy", "alembic", "pydantic", "rich", "typer", "genai_prices", "pyarrow"}


def test_the_public_face_is_small_and_every_name_of_it_is_described() -> None:
    assert len(fanwise.__all__) <= 30
    for name in fanwise.__all__:
        found = getattr(fanwise, name)
        assert inspect.getdoc(found), f"fanwise.{name} has no docstring"
    assert set(fanwise.__all__) <= set(dir(fanwise))


def test_the_names_for_annotations_are_described_too() -> None:
    for name in fanwise.types.__all__:
        assert inspect.getdoc(getattr(fanwise.types, name)), f"fanwise.types.{name} has none"
    assert not set(fanwise.types.__all__) & set(fanwise.__all__)


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'gather'"):
        fanwise.gather  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize(
    "path", [*TESTS, *BENCHMARKS], ids=lambda path: str(path.relative_to(ROOT))
)
def test_tests_and_benchmarks_are_as_short_as_what_they_judge(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= MOST_LINES, "split it by what its parts are about"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_readable_in_one_go(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= MOST_LINES, "move the wall: this file has outgrown its purpose"
    too_long = [
        f"{node.name} ({length})"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := _length(node)) > MOST_FUNCTION_LINES
        and not _declares_options(node, path)
    ]
    assert not too_long


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """A function's lines of code: without its signature and its docstring."""
    body = node.body
    documented = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    rest = body[1:] if documented else body
    if not rest:
        return 1
    return (node.end_lineno or 0) - rest[0].lineno + 1


def _declares_options(node: ast.FunctionDef | ast.AsyncFunctionDef, path: Path) -> bool:
    """A command's signature is its list of options, and as long as that."""
    return "cli" in path.parts and any(
        isinstance(d, ast.Call) and isinstance(d.func, ast.Attribute) and d.func.attr == "command"
        for d in node.decorator_list
    )


def test_tests_sleep_only_in_virtual_time() -> None:
    sleepers = [
        str(path.relative_to(ROOT))
        for path in TESTS
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "time.sleep"
    ]
    assert not sleepers


def test_importing_the_package_or_asking_for_help_loads_nothing_heavy() -> None:
    program = "import sys, fanwise; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert not HEAVY & set(done.stdout.split())


def test_every_package_says_what_it_is_for() -> None:
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        assert ast.get_docstring(ast.parse(text)), f"{path.relative_to(ROOT)} has no docstring"
