"""The examples of consumers, used by people in a real browser: a tab for each, no JavaScript library."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.browser.conftest import chat_server
from tests.support.chromium import FLAGS, require_chromium
from tests.support.node import node_program

RUNNER = Path(__file__).parent / "rooms.mjs"


@pytest.mark.parametrize("example", ["room_chat", "typed_chat"])
async def test_people_talk_in_rooms(example, tmp_path):
    """They hear those in their room, joins and leaves included, and no others; text stays text."""
    options = {
        "executable": require_chromium(),
        "flags": FLAGS,
        "profile": str(tmp_path / "profile"),
        "screenshots": os.environ.get("BROWSER_SCREENSHOTS"),
        "picture": example,
    }
    with chat_server(f"{example}.app:app") as server:
        arguments = (server.url, json.dumps(options))
        async with node_program(RUNNER, *arguments, packages=("playwright-core",)) as program:
            result = await program.result()

    joined, left = "Someone joined room 'general'", "Someone left room 'general'"
    own_join = [joined] if example == "room_chat" else []  # whose newcomers hear of themselves
    talk = ["Hello, is anybody here?", "<b>Yes</b> & welcome"]
    assert result["ada"] == [*own_join, joined, *talk, left]
    own_room = "Someone joined room 'a room of her own'"
    assert result["eve"] == [*([own_room] if own_join else []), "only me"]
    assert result["moved"] == [*result["eve"], own_room]
    assert result["wide"] == 0
