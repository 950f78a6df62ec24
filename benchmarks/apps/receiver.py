"""Counts the events a client receives in a second: ``receiver.py PACKAGE PORT EVENTS``; prints ``{"rate": ...}``."""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import time
from typing import Any

import uvloop


async def main(package: str, port: int, events: int) -> None:
    """Receive, then say how fast."""
    client = importlib.import_module(package).AsyncClient(reconnection=False, handle_sigint=False)
    finished = asyncio.Event()
    seen = 0
    began = ended = 0.0

    @client.event
    async def news(data: dict[str, Any]) -> None:
        nonlocal seen, began, ended
        if data["room"] != "lobby":
            raise ValueError(data)
        if seen == 0:
            began = time.perf_counter()
        seen += 1
        if seen == events:
            ended = time.perf_counter()
            finished.set()

    await client.connect(f"http://127.0.0.1:{port}", transports=["websocket"], wait_timeout=5)
    await finished.wait()
    print(json.dumps({"rate": (events - 1) / (ended - began)}), flush=True)


if __name__ == "__main__":
    uvloop.run(asyncio.wait_for(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])), 100))
