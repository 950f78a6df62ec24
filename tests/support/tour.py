"""Have the real JavaScript client do all that depends on the web server, in one program."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.interop.conftest import PACKAGES, RUNNER
from tests.support.node import node_program

if TYPE_CHECKING:
    from tests.support.servers import Address

BINARY = {
    "first": {"bytes": "010203"},
    "empty": {"bytes": ""},
    "nested": [{"deep": {"bytes": "0405"}}, {"bytes": "06"}, "text"],
    "text": "between",
}


async def play_tour(address: Address, transports: list[str] | None, name: str, **settings: Any) -> None:
    """
    Play ``tour.mjs`` and check what the client saw.

    Args:
        address: The server.
        transports: As given to the client; None lets it upgrade.
        name: In the ``auth`` of the clients whose end the server should have noted.
        settings: Further settings of the scenario.
    """
    arguments = ("tour", "everything", address.http, json.dumps({"transports": transports, "name": name, **settings}))
    async with node_program(RUNNER, *arguments, packages=PACKAGES) as program:
        saw = await program.result()

    transport = transports[0] if transports else "websocket"
    assert (saw["connected"]["client"], saw["connected"]["server"]) == (transport, transport)
    if not transports:
        assert saw["upgraded"]["transport"] == "websocket"
        assert saw["upgraded"]["received"] == list(range(saw["upgraded"]["sent"]))
    assert saw["binary"] == {"acknowledged": BINARY, "mirrored": [BINARY, {"bytes": "09"}], "bare": {"bytes": "00ff"}}
    assert saw["answered"] == {"text": {"answered": "why?"}, "bytes": {"answered": {"bytes": "0102"}}}
    assert saw["large"] == {"text": True, "bytes": True}
    assert saw["heartbeats"] == {"beats": 4, "connected": True}
    assert saw["left"] == {"reason": "io client disconnect"}
    assert saw["kicked"] == {"reason": "io server disconnect", "active": False, "connected": False}
