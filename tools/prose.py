#!/usr/bin/env python
"""
Find phrases in docstrings, comments and pages of the documentation that a newcomer stumbles over.

``tools/prose.py [PATH ...]`` prints ``path:line: phrase`` for each and fails if there is one; without a path it reads
the package, README.md and docs. What to write instead depends on the sentence: "the client that", "is not one",
"as before", "no client".
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import sys
import tokenize
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parent.parent
SOURCE: Final = ROOT / "src" / "fastsio"
#: The pages that are read.
PAGES: Final = (
    ROOT / "README.md",
    *(page for page in sorted((ROOT / "docs").rglob("*.md")) if "_build" not in page.parts),
)

#: What is not to be written.
PHRASES: Final = ("take note", "whoever", "is none", "as ever", "nobody is")

#: The words of a phrase may be on two lines of one text. ``None`` is the object, and may be named.
_PATTERN: Final = re.compile("|".join(rf"\b{phrase}\b".replace(" ", r"\s+") for phrase in PHRASES), re.IGNORECASE)
_OBJECT: Final = re.compile(r"\bNone$")
#: What begins a line of a comment.
_SIGN: Final = re.compile(r"^#:? ?")
#: Code in a page: blocks between fences, and what stands between backticks.
_CODE: Final = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)


def findings(source: str) -> list[tuple[int, str]]:
    """Return line and phrase of each finding in the text of a module, in order."""
    return sorted(found for line, text in (*_docstrings(source), *_comments(source)) for found in _search(text, line))


def page_findings(page: str) -> list[tuple[int, str]]:
    """Return line and phrase of each finding in a page of Markdown, in order; code is not read."""
    return list(_search(_CODE.sub(lambda code: "." + "\n" * code.group().count("\n"), page), 1))


def _search(text: str, first_line: int) -> Iterator[tuple[int, str]]:
    """Yield line and phrase of each finding in a text that begins in *first_line*."""
    for match in _PATTERN.finditer(text):
        if not _OBJECT.search(match.group()):
            yield first_line + text.count("\n", 0, match.start()), re.sub(r"\s+", " ", match.group().lower())


def _docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Yield the first line of each docstring, and its text as it is in the source."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            match node.body[:1]:
                case [ast.Expr(value=ast.Constant(value=str() as text), lineno=line)]:
                    yield line, text


def _comments(source: str) -> Iterator[tuple[int, str]]:
    """Yield the first line of each comment, and its text; comments on consecutive lines are one."""
    first_line, lines = 0, []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        row = token.start[0]
        if lines and row != first_line + len(lines):
            yield first_line, "\n".join(lines)
            lines = []
        if not lines:
            first_line = row
        lines.append(_SIGN.sub("", token.string))
    if lines:
        yield first_line, "\n".join(lines)


def main() -> int:
    """Read the modules and pages and print what is found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="*", type=Path, default=[SOURCE, *PAGES], help="modules, pages or folders")
    count = 0
    for path in parser.parse_args().paths:
        for file in sorted((*path.rglob("*.py"), *path.rglob("*.md"))) if path.is_dir() else [path]:
            read = page_findings if file.suffix == ".md" else findings
            for line, phrase in read(file.read_text(encoding="utf-8")):
                count += 1
                print(f"{file}:{line}: {phrase}")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
