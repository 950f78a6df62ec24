"""The board, used by people in a real browser."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.conftest import ROOT, ChatServer, chat_server, require_board_page
from tests.support.chromium import FLAGS, require_chromium
from tests.support.node import NodeProgram, node_program

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PROGRAM = Path(__file__).parent / "board.mjs"
PAGE = ROOT / "examples" / "board"


@pytest.fixture
def database(tmp_path):
    """The file of the server's database."""
    return tmp_path / "board.sqlite"


@pytest.fixture
def board(database):
    """A server of the board."""
    require_board_page()
    with chat_server("board.app:app", BOARD_DATABASE=f"sqlite+aiosqlite:///{database}") as server:
        yield server


@pytest.fixture
def play(board, tmp_path):
    """Run a scenario of ``board.mjs`` and return its result; BROWSER_SCREENSHOTS=folder keeps pictures."""

    async def play_scenario(scenario: str) -> Any:
        async with _browse(scenario, board, tmp_path) as program:
            return await program.result()

    return play_scenario


def test_the_page_is_typed():
    """TypeScript has nothing to say about the page's source."""
    require_board_page()
    checked = subprocess.run(["npm", "run", "--silent", "check"], cwd=PAGE, capture_output=True, text=True, check=False)

    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


@asynccontextmanager
async def _browse(scenario: str, server: ChatServer, folder: Path) -> AsyncIterator[NodeProgram]:
    options = {
        "executable": require_chromium(),
        "flags": FLAGS,
        "profile": str(folder / "profile"),
        "screenshots": os.environ.get("BROWSER_SCREENSHOTS"),
    }
    arguments = (scenario, server.url, json.dumps(options))
    async with node_program(PROGRAM, *arguments, packages=("playwright-core",)) as program:
        yield program


async def test_others_see_a_card_while_it_is_dragged(play):
    """They see who holds it and where, cannot take it meanwhile, and see it where it was put down, or put back."""
    result = await play("dragging")

    title = result["title"]
    assert result["held"] == {"by": "Ada", "locked": True, "first": title}
    assert result["first"] == title
    assert result["glides"]
    assert result["outside"] == []


async def test_a_refused_change_goes_back(play):
    """A card that a column does not take is shown in its old place again, on all pages, with the reason."""
    assert await play("refusal") == {"problem": "“Doing” takes at most 3 cards.", "outside": []}


async def test_cards_are_added_renamed_and_removed(play):
    """A reader sees all of it, as text, and has nothing to change it with."""
    assert await play("editing") == {"buttons": 0, "note": "read only", "outside": []}


async def test_everybody_sees_who_is_there(play):
    """A user with two windows is there once, until the last is closed."""
    assert await play("presence") == {"welcome": True, "there": ["Ada (you)", "Cleo"]}


async def test_changes_wait_for_the_network(play):
    """Who was offline gets what others did, and sends what waited; a card that others have moved stays with them."""
    result = await play("offline")

    first, second, third, fourth = result["wanted"]
    assert sorted(result["waiting"]) == sorted([first, second])
    assert result["banner"] == "Back online, 3 changes caught up."
    doing, to_do = result["ben"]
    assert (second in doing, to_do) == (True, [third])
    assert fourth not in to_do
    assert result["outside"] == []


async def test_the_keyboard_moves_cards(play):
    """Space or Enter picks up and puts down, arrows move, Escape puts back; each step is said and seen by others."""
    result = await play("keyboard")

    title = result["title"]
    assert result["said"] == [
        f"Picked up {title}. The arrow keys move it, Space puts it down, Escape puts it back.",
        f"{title}: To do, place 2 of 4",
        f"Put {title} back.",
        f"Picked up {title}. The arrow keys move it, Space puts it down, Escape puts it back.",
        f"{title}: Doing, place 1 of 3",
        f"{title}: Done, place 1 of 4",
        f"{title}: Done, place 2 of 4",
        f"Put down {title}.",
    ]
    assert (result["focus"], result["done"]) == (f"Move {title}", title)


async def test_a_finger_moves_cards_on_a_phone(play):
    """The page scrolls while the finger is at its edge, as far as the last column."""
    assert (await play("phone"))["done"]


async def test_long_names_stay_on_the_screen(play, database):
    """They end in an ellipsis, on a phone too."""
    long = "Maximilian Alexander of Hohenstein"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("INSERT INTO accounts SELECT ?, password FROM accounts WHERE name = 'Ben'", (long,))
        connection.execute("INSERT INTO members VALUES (1, ?, TRUE)", (long,))
        connection.execute(
            "UPDATE boards SET title = ? WHERE id = 1", ("The board with the longest title of all " * 2,)
        )
        connection.execute("UPDATE columns SET title = ? WHERE id = 2", ("Nearly-done-but-not-quite" * 3,))
        connection.execute("UPDATE cards SET title = ? WHERE title LIKE 'Pictures%'", ("x" * 200,))

    assert await play("names") == {"outside": [], "cut": ["ellipsis"]}


async def test_a_page_whose_token_is_not_taken_any_more_signs_in_again(board, tmp_path):
    """A reload needs no password; a server that was started again gives out new tokens."""
    async with _browse("signingIn", board, tmp_path) as program:
        await program.step("open")
        board.stop()
        board.start()
        await program.tell()

        result = await program.result()

    assert result == {"outside": []}
