"""The reference says what the code says: ids, options, names."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from fastsio import History, exceptions
from fastsio.aio.engine import EngineServer
from fastsio.base.options import ServerOptions
from fastsio.base.recovery import ConnectionStateRecovery
from fastsio.engine.server_base import ServerBase
from fastsio.protocol import Limits

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
COMPATIBILITY = (REFERENCE / "compatibility.md").read_text(encoding="utf-8")
_ROW = re.compile(r"^\| (C-\d{2,3}) \|", re.MULTILINE)
_ID = re.compile(r"\bC-\d{2,3}\b")


def options() -> list[tuple[str, object]]:
    """Return every option of fastsio's own, with its default."""
    made = (EngineServer, ServerBase)
    engine = [one for kind in made for one in inspect.signature(kind).parameters.values()]  # noqa: TID251 - no handlers
    found = [
        (field.name, field.default)
        for field in (*fields(ServerOptions), *fields(Limits), *fields(ConnectionStateRecovery))
    ]
    found += [(option.name, option.default) for option in engine if option.kind is option.KEYWORD_ONLY]
    return found


def written(default: object) -> set[str]:
    """Return how the reference may write a default."""
    if isinstance(default, int) and default > 2**50:
        return {"2^53 - 1"}
    if isinstance(default, int):
        return {str(default), f"{default:,}"}
    return {"`None`", '`"close"`'} & {f"`{default}`", f'`"{default}"`'} or {str(default)}


def test_the_ids_of_the_compatibility_page_are_unique() -> None:
    """No id names two differences."""
    rows = _ROW.findall(COMPATIBILITY)

    assert len(rows) > 20
    assert sorted(rows) == sorted(set(rows))


def test_ids_that_tests_name_exist() -> None:
    """Whatever row a test names is on the page."""
    used = {
        (found, path.name)
        for path in (ROOT / "tests").rglob("*.py")
        if "node_modules" not in path.parts and path != Path(__file__)
        for found in _ID.findall(path.read_text(encoding="utf-8"))
    }

    assert used
    assert {entry for entry in used if entry[0] not in _ROW.findall(COMPATIBILITY)} == set()


@pytest.mark.parametrize(("name", "default"), options(), ids=[name for name, _ in options()])
def test_options_are_listed_with_their_defaults(name: str, default: object) -> None:
    """Each option has a row in the reference, with the default of the code."""
    row = re.search(
        rf"^\| `{name}` \| ([^|]+) \|", (REFERENCE / "options.md").read_text(encoding="utf-8"), re.MULTILINE
    )

    assert row is not None
    # These follow another option or another package until they are given.
    if name not in {"max_binary_bytes", "max_decode_packets", "max_held_bytes", "max_handler_bytes"}:
        assert row.group(1).strip() in written(default)


@pytest.mark.parametrize("field", fields(History), ids=lambda field: field.name)
def test_options_of_a_history_are_listed_with_their_defaults(field: Any) -> None:
    """Each has a row on the page of rooms."""
    row = re.search(
        rf"^\| `{field.name}` \| ([^|]+) \|", (REFERENCE / "rooms.md").read_text(encoding="utf-8"), re.MULTILINE
    )

    assert row is not None
    assert row.group(1).strip() in written(field.default)


def test_every_exception_is_listed() -> None:
    """Each public error class has its place in the table."""
    listed = (REFERENCE / "errors.md").read_text(encoding="utf-8")
    names = [
        name for name, value in vars(exceptions).items() if isinstance(value, type) and issubclass(value, Exception)
    ]

    assert [name for name in names if f"`{name}" not in listed] == []
