"""The start page of the examples, and each example opened from it, in a real browser."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.browser.conftest import ROOT, chat_server, require_board_page, require_javascript_client
from tests.support.chromium import FLAGS, require_chromium
from tests.support.node import node_program

PROGRAM = Path(__file__).parent / "start.mjs"
EXAMPLES = sorted(path.parent.name for path in (ROOT / "examples").glob("*/app.py") if path.parent.name != "start")


async def test_every_example_is_reached_and_works_from_the_start_page(tmp_path):
    """
    Each example has a card with a picture, and works at its path, with all others in the same process.

    START_PICTURES=folder takes the pictures of the cards anew.
    """
    require_javascript_client()
    require_board_page()
    options = {
        "executable": require_chromium(),
        "flags": FLAGS,
        "profile": str(tmp_path / "profile"),
        "pictures": os.environ.get("START_PICTURES"),
    }
    with chat_server("start.app:app") as server:
        arguments = (server.url, json.dumps(options))
        async with node_program(PROGRAM, *arguments, packages=("playwright-core",)) as program:
            result = await program.result()

    assert sorted(result["cards"]) == EXAMPLES
    assert (result["images"], result["wide"]) == (len(EXAMPLES), 0)
