"""The tool that writes the modules with python-socketio's names."""

from __future__ import annotations

import ast
import pkgutil
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import socketio
from tools import facades

import fastsio

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a copy of the files that the tool reads and writes."""
    (tmp_path / "src" / "fastsio").mkdir(parents=True)
    (tmp_path / facades.PAGE).parent.mkdir(parents=True)
    for path in facades.texts(ROOT):
        shutil.copy(path, tmp_path / path.relative_to(ROOT))
    return tmp_path


def test_the_modules_are_what_the_tool_writes():
    """No module and no row of the compatibility page was edited or is out of date."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "facades.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}: run tools/facades.py"


def test_the_table_has_every_module_of_python_socketio():
    """All but the errors, which stand in ``fastsio.exceptions`` itself."""
    theirs = {module.name for module in pkgutil.iter_modules(socketio.__path__)}

    assert set(facades.FACADES) == theirs - {"exceptions"}


def test_modules_of_the_package_may_not_import_them():
    """The import contract forbids every module of the table, and ``compat``."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = (
        one for one in contracts if one["name"] == "the module names of python-socketio are for applications"
    )

    assert contract["forbidden_modules"] == [f"fastsio.{name}" for name in sorted([*facades.FACADES, "compat"])]


def test_the_package_gives_them_as_attributes():
    """``import fastsio; fastsio.client``, for programs and for type checkers; MessagePack has to be imported by name."""
    attributes = set(facades.FACADES) - {"msgpack_packet"} | {"exceptions"}
    tree = ast.parse(Path(fastsio.__file__).read_text(encoding="utf-8"))
    for_type_checkers = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "fastsio"
        for alias in node.names
    }

    assert attributes == fastsio._MODULES == for_type_checkers


def test_a_module_that_was_edited_or_is_missing_is_reported(project):
    """By its path; the others are not."""
    package = project / "src" / "fastsio"
    (package / "admin.py").write_text("edited\n")
    (package / "zmq_manager.py").unlink()

    assert facades.stale(project) == [package / "admin.py", package / "zmq_manager.py"]


def test_a_row_of_the_page_that_was_edited_is_reported(project):
    """The page is one of the files that the tool writes."""
    page = project / facades.PAGE
    page.write_text(page.read_text(encoding="utf-8").replace("| `EventBuffer`", "| `Buffer`"), encoding="utf-8")

    assert facades.stale(project) == [page]


def test_a_module_that_has_left_the_table_is_reported(project):
    """It does not stay behind under its header; modules without the header are not the tool's."""
    package = project / "src" / "fastsio"
    (package / "former.py").write_text(f"# {facades.WRITTEN}\n")
    (package / "exceptions.py").write_text('"""Errors."""\n')

    assert facades.surplus(project) == [package / "former.py"]


def test_a_page_without_the_place_of_the_table_is_refused():
    """The message says which line is missing."""
    with pytest.raises(SystemExit, match=r"compatibility\.md has lost the lines .* written by tools/facades\.py"):
        facades.page_text("# Compatibility\n")
