"""The example of a stream, read in a real browser."""

from __future__ import annotations

import json
import os
from pathlib import Path

from examples.stream.model import Model

from tests.support.chromium import FLAGS, require_chromium
from tests.support.node import node_program

PROGRAM = Path(__file__).parent / "stream.mjs"
QUESTION = "Will it go on?"


async def test_a_page_that_is_reloaded_goes_on_reading(stream, tmp_path):
    """Twice in the middle of an answer: it has every word once; so has a friend who opens the link."""
    options = {
        "executable": require_chromium(),
        "flags": FLAGS,
        "profile": str(tmp_path / "profile"),
        "screenshots": os.environ.get("BROWSER_SCREENSHOTS"),
    }
    arguments = (stream.url, json.dumps(options))
    async with node_program(PROGRAM, *arguments, packages=("playwright-core",)) as program:
        result = await program.result()

    read = [[QUESTION], ["".join(Model().words(QUESTION))], False]
    assert result == {"kept": True, "wide": False, "page": read, "friend": read}
