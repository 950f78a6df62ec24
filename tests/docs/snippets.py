"""Finds the fenced code blocks of a Markdown file, and what the comment above a block says about it; runs those of Python."""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[\w{}-]*)(?: [^`]*)?$")
#: Marks of blocks that have tests of their own, or none.
_APART = frozenset({"no-run", "file", "part", "process", "gunicorn", "before"})
_MARK = re.compile(r"^ *<!-- (?P<name>[a-z-]+): (?P<reason>.+) -->$")


@dataclass(frozen=True, slots=True)
class Snippet:
    """
    One code block.

    Args:
        path: The file it stands in.
        line: Line of its first line of code, counted from 1.
        language: What the fence says.
        code: The block.
        mark: The first word of the comment above it; empty without one. ``no-run``: it is not run. ``redis``: it is run with
            a Redis. ``process``: it is run in a process of its own, with the page above it. ``gunicorn``: it is a
            configuration of Gunicorn, ``before``: it is written for another package; both have tests elsewhere. ``file``: it
            is a whole file of the tutorial. ``part``: it is an excerpt of one. ``serve``, ``test``: a command of the tutorial.
        reason: The rest of that comment: why, or the name of the file.
    """

    path: Path
    line: int
    language: str
    code: str
    mark: str = ""
    reason: str = ""

    @property
    def runs_with_its_page(self) -> bool:
        """Whether it is run after the blocks above it, in one namespace."""
        return self.mark not in _APART

    def run(
        self,
        names: dict[str, Any],
        wait: Callable[[Coroutine[Any, Any, Any]], Any] | None = None,
        replaced: tuple[str, str] = ("", ""),
    ) -> None:
        """
        Run the block.

        Args:
            names: The namespace.
            wait: What runs a block with an ``await`` outside of a function; without it there may be none.
            replaced: A pattern, and what is written in its place.
        """
        text = re.sub(*replaced, self.code) if replaced[0] else self.code
        # The empty lines keep the line numbers of a traceback those of the page.
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if wait else 0
        code = compile("\n" * (self.line - 1) + text, str(self.path), "exec", flags=flags, dont_inherit=True)
        if wait and code.co_flags & inspect.CO_COROUTINE:
            wait(eval(code, names))  # noqa: S307 - our own documentation
        else:
            exec(code, names)  # noqa: S102 - as above


def snippets(path: Path, *languages: str) -> list[Snippet]:
    """Return the blocks of a file that are in one of *languages*, in order."""
    return [snippet for snippet in _blocks(path) if snippet.language in languages]


def marked(path: Path, mark: str) -> list[Snippet]:
    """Return the blocks of a file with a mark, in order."""
    return [snippet for snippet in _blocks(path) if snippet.mark == mark]


def _blocks(path: Path) -> list[Snippet]:
    found: list[Snippet] = []
    lines = path.read_text(encoding="utf-8").splitlines()
    number = 0
    while number < len(lines):
        opening = _FENCE.match(lines[number])
        if opening is None:
            number += 1
            continue
        fence = f"{opening['indent']}```"
        end = lines.index(fence, number + 1)
        indent = len(opening["indent"])
        code = "".join(f"{line[indent:]}\n" for line in lines[number + 1 : end])
        mark = _MARK.match(_line_above(lines, number))
        name, reason = (mark["name"], mark["reason"]) if mark else ("", "")
        found.append(Snippet(path, number + 2, opening["language"], code, name, reason))
        number = end + 1
    return found


def _line_above(lines: list[str], number: int) -> str:
    """Return the nearest line above that is not empty."""
    above = [line for line in lines[:number] if line.strip()]
    return above[-1] if above else ""
