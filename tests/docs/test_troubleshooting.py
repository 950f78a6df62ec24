"""The guide to troubleshooting has every text with which the code refuses clients, ends connections or warns in the log."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fastsio.aio.lifecycle import REFUSED
from fastsio.engine.http import MESSAGES, Code
from fastsio.engine.session_tables import REFUSALS
from fastsio.exceptions import ConnectionRefusedError
from fastsio.integrations.asgi import UNDOING_FAILED
from fastsio.protocol.lifecycle import Reasons
from fastsio.routing.errors import INTERNAL_MESSAGE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "fastsio"
GUIDE = (ROOT / "docs" / "howto" / "troubleshooting.md").read_text(encoding="utf-8")
#: Methods of a logger whose messages somebody should read.
LOGGED = {"warning", "error", "exception", "critical"}
#: What stands in a text for a value.
HOLE = "\0"
_PLACEHOLDER = re.compile(r"%(?:\.\d+)?[srd]")
_SPAN = re.compile(r"`([^`]+)`")


def written(node: ast.expr, names: Mapping[str, list[str]]) -> list[str]:
    """Return the texts that an expression may be, with a hole for each value; none if it is no text."""
    match node:
        case ast.Constant(value=str(text)):
            return [_PLACEHOLDER.sub(HOLE, text)]
        case ast.JoinedStr(values=parts):
            return ["".join(written(part, names)[0] if isinstance(part, ast.Constant) else HOLE for part in parts)]
        case ast.IfExp(body=one, orelse=other):
            return written(one, names) + written(other, names)
        case ast.BoolOp(values=parts):
            return [text for part in parts for text in written(part, names)]
        case ast.Name(id=name):
            return names.get(name, [])
    return []


def messages(call: ast.Call, names: Mapping[str, list[str]]) -> list[str]:
    """Return what a call writes into the log; empty if it does not."""
    called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if called in LOGGED and isinstance(call.func, ast.Attribute) and call.args:
        texts = written(call.args[0], names)
        return texts if texts != [HOLE] else written(call.args[1], names)
    if called in {"report", "_report"}:  # what a client may cause often; the other argument is a word
        return [text for argument in call.args for text in written(argument, names) if " " in text]
    if called == "RequestRefused" and len(call.args) > 1:
        return written(call.args[1], names)
    return []


@cache
def logged() -> frozenset[str]:
    """Return the texts that the package writes into the log as warnings and errors."""
    found = set()
    for path in SOURCE.rglob("*.py"):
        names: dict[str, list[str]] = {}
        calls = []
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                calls.append(node)
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                names.setdefault(node.targets[0].id, []).extend(written(node.value, {}))
        found |= {text.strip() for call in calls for text in messages(call, names)}
    found |= {UNDOING_FAILED, *REFUSALS.values()}
    return frozenset(text for text in found if re.search("[a-z]", text))


def reasons_to_refuse() -> Iterator[str]:
    """Return the texts of CONNECT_ERROR that are the server's own."""
    yield from (REFUSED, INTERNAL_MESSAGE, ConnectionRefusedError().error_args["message"])
    tree = ast.parse((SOURCE / "base" / "internals.py").read_text(encoding="utf-8"))
    (function,) = (
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "reason_to_refuse"
    )
    for node in ast.walk(function):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Constant) and node.value.value:
            yield node.value.value


def section(title: str) -> str:
    """Return the text below a heading, with the headings below it."""
    _, _, text = GUIDE.partition(f"\n## {title}\n")
    assert text, title
    return text.partition("\n## ")[0]


@cache
def patterns(title: str, column: int = 1) -> dict[str, re.Pattern[str]]:
    """Return the messages in a column of a section's tables; three dots stand for any text."""
    cells = [line.split(" | ")[column - 1] for line in section(title).splitlines() if line.startswith("| ")]
    spans = {span for cell in cells for span in _SPAN.findall(cell)}
    return {span: re.compile(".*".join(map(re.escape, span.split("..."))), re.DOTALL) for span in spans}


def is_shown(text: str, title: str, column: int = 1) -> bool:
    """Tell whether a text is in the tables of a section."""
    return any(pattern.fullmatch(text) for pattern in patterns(title, column).values())


def test_what_is_logged_is_explained() -> None:
    """In a table of the log, or beside the answer that it belongs to."""
    unexplained = {
        text.replace(HOLE, "...")
        for text in logged()
        if not is_shown(text, "The log says") and not is_shown(text, "The server answers 400", 3)
    }

    assert len(logged()) > 100
    assert unexplained == {"... is not an accepted origin."}  # it is the answer, too


@pytest.mark.parametrize(("title", "column"), [("The log says", 1), ("The server answers 400", 3)])
def test_what_is_explained_is_logged(title: str, column: int) -> None:
    """No message of an older version is left in the tables."""
    shown = patterns(title, column)

    assert len(shown) > 5
    assert [span for span, pattern in shown.items() if not any(pattern.fullmatch(text) for text in logged())] == []


def test_answers_and_refusals_and_reasons_are_explained() -> None:
    """Those of HTTP, with their codes, of CONNECT_ERROR, and of disconnect handlers."""
    answers = section("The server answers 400")
    codes = {code: text for code, text in MESSAGES.items() if code is not Code.FORBIDDEN}
    ends = {value for name, value in vars(Reasons).items() if not name.startswith("_")}

    assert [text for code, text in codes.items() if f"`{text}` ({int(code)})" not in answers] == []
    assert f"`... is not an accepted origin.` ({int(Code.FORBIDDEN)})" in answers
    assert [text for text in reasons_to_refuse() if not is_shown(text, "The client says")] == []
    assert set(patterns("The disconnect handler says")) == ends | {"reason"}
