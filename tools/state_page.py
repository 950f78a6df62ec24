"""Pages that explain a table of states: what ``tools/session_diagram.py`` and ``tools/lifecycle_diagram.py`` share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from enum import Enum
    from types import ModuleType

#: Where the pages are.
PAGES = Path(__file__).resolve().parent.parent / "docs" / "explanation"


def diagram(begin: Enum, steps: Mapping[tuple[Any, Any], Any]) -> str:
    """Draw steps, each from a state and a cause to the next state, as a Mermaid state diagram."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {begin.name}"]
    lines += [f"    {state.name} --> {following.name}: {step.value}" for (state, step), following in steps.items()]
    return "\n".join([*lines, "```"])


def table(corner: str, columns: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> str:
    """Write a Markdown table: a column for the names of the rows, and those of their cells."""
    lines = [f"| {corner} | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    lines += [f"| {name} | " + " | ".join(cells) + " |" for name, cells in rows]
    return "\n".join(lines)


def compose(
    heading: str, tool: str, module: ModuleType, sections: Mapping[str, str], meanings: Mapping[Any, str]
) -> str:
    """
    Compose a page: the essay of a module, up to what it says of its diagrams, then sections, and what verdicts mean.

    Args:
        heading: The title of the page.
        tool: Name of the tool that writes it.
        module: Has the tables, and the essay as its docstring.
        sections: Heading -> text.
        meanings: Verdict -> what it means.
    """
    title, essay = (module.__doc__ or "").strip().split("\n\n", 1)
    source = f"src/{module.__name__.replace('.', '/')}.py"
    parts = [
        f"# {heading}",
        f"<!-- Written by tools/{tool}.py from {source}; edit that. -->",
        title,
        essay.split("\n\nThe diagram", 1)[0].replace("``", "`"),
        *(f"## {name}\n\n{text}" for name, text in sections.items()),
        "\n".join(f"- **{verdict.value}**: {meaning}" for verdict, meaning in meanings.items()),
    ]
    return "\n\n".join(parts) + "\n"


def write(page: Path, text: str) -> None:
    """Write a page, and say so."""
    page.write_text(text, encoding="utf-8")
    print(f"wrote {page}")
