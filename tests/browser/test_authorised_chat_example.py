"""The example of authorised rooms, used by people in a real browser."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.support.chromium import FLAGS, require_chromium
from tests.support.node import node_program

PROGRAM = Path(__file__).parent / "authorised_chat.mjs"


async def test_rooms_decide_who_may_read_them(authorised_chat, tmp_path):
    """A stranger and an uninvited user are refused with a reason; who is removed is out at once, hears and keeps nothing."""
    options = {
        "executable": require_chromium(),
        "flags": FLAGS,
        "profile": str(tmp_path / "profile"),
        "screenshots": os.environ.get("BROWSER_SCREENSHOTS"),
    }
    arguments = (authorised_chat.url, json.dumps(options))
    async with node_program(PROGRAM, *arguments, packages=("playwright-core",)) as program:
        result = await program.result()

    assert result == {"heard": ["Ben\n<b>hello</b>"], "mayRemove": 0, "removed": [], "wide": 0}
