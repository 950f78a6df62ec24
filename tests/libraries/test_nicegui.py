"""NiceGUI, unchanged: a page in Chromium whose every click is a Socket.IO event."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from tests.libraries.conftest import program
from tests.parity.packages import OURS
from tests.support.chromium import FLAGS, require_chromium
from tests.support.node import node_program

VISIT = Path(__file__).parent / "nicegui.mjs"


async def test_a_click_reaches_the_server_and_the_page_shows_its_answer(tmp_path: Path):
    """Buttons, inputs and bindings work over one WebSocket, and no script of the page fails."""
    options = json.dumps({"executable": require_chromium(), "flags": FLAGS, "profile": str(tmp_path / "profile")})

    with program("nicegui_app.py") as address:
        async with node_program(VISIT, address.http, options, packages=("playwright-core",)) as visit:
            seen = await visit.result()
        async with httpx.AsyncClient() as http:
            package = (await http.get(f"{address.http}/package")).json()

    assert seen == {"sockets": ["/_nicegui_ws/socket.io/"], "faults": []}
    assert package == OURS
