"""
Write docs/explanation/engine-session.md from the tables in fastsio.engine.session, so that the two cannot drift apart.

Run it after every change of the tables: ``python tools/session_diagram.py``. A unit test compares the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastsio.engine import session
from fastsio.engine.session import LIVES, MOVES, VERDICTS, Asked, Life, Transport, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import Enum

#: Where the page is.
PAGE = Path(__file__).resolve().parent.parent / "docs" / "explanation" / "engine-session.md"

_MEANINGS = {
    Verdict.SERVE: "Serve the request.",
    Verdict.TURN_AWAY: "Accept the WebSocket and close it; the session has one, and is untouched.",
    Verdict.TOO_EARLY: "Refuse the request: its client cannot know the session yet.",
    Verdict.TOO_LATE: "Refuse the request: the session has moved to a WebSocket.",
}


def diagram(begin: Enum, steps: Mapping[tuple[Any, Any], Any]) -> str:
    """Draw steps as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {begin.name}"]
    lines += [f"    {state.name} --> {following.name}: {step.value}" for (state, step), following in steps.items()]
    return "\n".join(lines)


def verdict_table() -> str:
    """Set out what each request means on each transport, as a Markdown table."""
    lines = ["| transport | " + " | ".join(asked.value for asked in Asked) + " |", "|---|" + "---|" * len(Asked)]
    for transport in Transport:
        cells = [VERDICTS[transport, asked].value for asked in Asked]
        lines.append(f"| {transport.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def page() -> str:
    """Compose the whole page."""
    title, essay = (session.__doc__ or "").strip().split("\n\n", 1)
    explanation = essay.split("\n\nThe diagrams in", 1)[0].replace("``", "`")
    meanings = "\n".join(f"- **{verdict.value}**: {meaning}" for verdict, meaning in _MEANINGS.items())
    return f"""\
# The life of an Engine.IO session

<!-- Written by tools/session_diagram.py from src/fastsio/engine/session.py; edit that. -->

{title}

{explanation}

## Life

```mermaid
{diagram(Life.OPENING, LIVES)}
```

## Transport

```mermaid
{diagram(Transport.NEW, MOVES)}
```

## What a request means

{verdict_table()}

{meanings}
"""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}")
