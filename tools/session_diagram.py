"""
Write docs/explanation/engine-session.md from fastsio.engine.session_tables, so that the two cannot drift apart.

Run it after every change of the tables: ``python -m tools.session_diagram``. A unit test compares the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.state_page import PAGES, compose, diagram, table, write

from fastsio.engine import session_tables
from fastsio.engine.session_tables import LIVES, MOVES, VERDICTS, Asked, Life, Transport, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Where the page is.
PAGE = PAGES / "engine-session.md"

_MEANINGS = {
    Verdict.SERVE: "Serve the request.",
    Verdict.TURN_AWAY: "Accept the WebSocket and close it; the session has one, and is untouched.",
    Verdict.TOO_EARLY: "Refuse the request: its client cannot know the session yet.",
    Verdict.TOO_LATE: "Refuse the request: the session has moved to a WebSocket.",
}


def _steps(table: Mapping[Any, Mapping[Any, Any]]) -> dict[tuple[Any, Any], Any]:
    """Return the steps of a table, each from a state and a cause to the next state."""
    return {(state, step): following for state, steps in table.items() for step, following in steps.items()}


def page() -> str:
    """Compose the whole page."""
    rows = [(each.name, [VERDICTS[each][asked].value for asked in Asked]) for each in Transport]
    sections = {
        "Life": diagram(Life.OPENING, _steps(LIVES)),
        "Transport": diagram(Transport.NEW, _steps(MOVES)),
        "What a request means": table("transport", [asked.value for asked in Asked], rows),
    }
    return compose("The life of an Engine.IO session", "session_diagram", session_tables, sections, _MEANINGS)


if __name__ == "__main__":
    write(PAGE, page())
