"""Type checkers agree with what the documentation shows and the samples assert."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.snippets import snippets
from tests.support.waiting import PROGRAM_S

ROOT = Path(__file__).parents[2]
SAMPLES = Path(__file__).with_name("samples")
SEED = ROOT / "tests" / "acceptance" / "snippets.md"
#: Names that a seed snippet leaves undefined.
MISSING = {
    4: "from fastsio import SocketID\n",
    5: (
        "from typing import Any\nfrom pydantic import BaseModel\nfrom fastsio import AsyncServer, SocketID\n"
        "class Message(BaseModel): ...\nclass BanRequest(BaseModel): ...\nsio = AsyncServer()\n"
    ),
    6: "from fastsio import RouterSIO\nrouter = RouterSIO()\n",
}
#: Where mypy is less strict with the seed snippets.
UNTYPED = (
    "# mypy: implicit-optional, allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls, allow-any-generics\n"
)


def check(checker: str, *arguments: str) -> str:
    """Run a type checker; return what it says, empty when it is content."""
    finished = subprocess.run(
        [sys.executable, "-m", checker, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PROGRAM_S,
        check=False,
    )
    return "" if finished.returncode == 0 else finished.stdout + finished.stderr


def strict_mypy(*arguments: str) -> str:
    """Run mypy in its strict mode; files say themselves what they are excepted from, as options would cost mypy its cache."""
    return check("mypy", "--config-file=", "--strict", *arguments)


@pytest.fixture
def readme(tmp_path: Path) -> list[str]:
    """Write the blocks of the README to a file each and return their names."""
    files = []
    for number, snippet in enumerate(snippets(ROOT / "README.md", "python"), 1):
        file = tmp_path / f"readme_{number}.py"
        file.write_text(f"# mypy: allow-untyped-defs\n{snippet.code}", encoding="utf-8")
        files.append(str(file))
    return files


@pytest.fixture
def seed(tmp_path: Path) -> list[str]:
    """Write the blocks of snippets.md, with the names they leave undefined, to a file each."""
    files = []
    for number, snippet in enumerate(snippets(SEED, "python"), 1):
        file = tmp_path / f"seed_{number}.py"
        file.write_text(UNTYPED + MISSING.get(number, "") + snippet.code, encoding="utf-8")
        files.append(str(file))
    return files


def test_samples_are_clean_under_mypy() -> None:
    """Every assert_type of the samples holds under mypy --strict."""
    assert strict_mypy(str(SAMPLES)) == ""


def test_samples_are_clean_under_pyright() -> None:
    """Every assert_type of the samples holds under pyright."""
    assert check("pyright", str(SAMPLES)) == ""


def test_the_readme_is_clean_under_mypy(readme: list[str]) -> None:
    """``mypy --strict`` accepts the README; handlers of python-socketio are not annotated."""
    assert strict_mypy(*readme) == ""


def test_the_readme_is_clean_under_pyright(readme: list[str]) -> None:
    """Pyright accepts the README."""
    assert check("pyright", "--pythonpath", sys.executable, *readme) == ""


def test_the_snippets_are_clean_under_mypy(seed: list[str]) -> None:
    """mypy accepts snippets.md, which writes ``dict = None``, an optional of the old kind."""
    assert strict_mypy(*seed) == ""
