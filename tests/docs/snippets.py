"""Finds the fenced code blocks of a Markdown file, and what the comment above a block says about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[\w{}-]*)(?: [^`]*)?$")
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
        mark: The first word of the comment above it; empty without one. ``no-run``: it is not run. ``file``: it is a whole
            file of the tutorial. ``part``: it is an excerpt of one. ``serve``, ``test``: a command of the tutorial.
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
        return self.mark not in {"no-run", "file", "part"}  # the latter two are the tutorial's, which has its own tests


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
