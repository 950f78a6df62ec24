"""A program that sits in ``client.wait()``: ``python -m … aio|sync URL TRANSPORT``."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any

import fastsio
from tests.support.waiting import WAIT_S

OPTIONS: dict[str, Any] = {"reconnection_delay": 60, "reconnection_delay_max": 60, "randomization_factor": 0}


def say(*words: str) -> None:
    """Tell the test."""
    print(*words, flush=True)  # noqa: T201 - the test reads it


async def wait_asynchronously(url: str, transport: str) -> None:
    """Wait with the client for asyncio."""
    client = fastsio.AsyncClient(**OPTIONS)
    client.on("disconnect", lambda reason: say("disconnect", reason))
    await client.connect(url, transports=[transport], wait_timeout=WAIT_S)
    say("ready")
    await client.wait()
    say("wait() returned")


def wait_in_a_thread(url: str, transport: str) -> None:
    """Wait with the client for threads."""
    client = fastsio.Client(**OPTIONS)
    client.on("disconnect", lambda reason: say("disconnect", reason))
    client.connect(url, transports=[transport], wait_timeout=WAIT_S)
    say("ready")
    client.wait()
    say("wait() returned")


if __name__ == "__main__":
    # A shell that runs the tests in the background has had it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    half, *arguments = sys.argv[1:]
    try:
        if half == "aio":
            asyncio.run(wait_asynchronously(*arguments))
        else:
            wait_in_a_thread(*arguments)
    except KeyboardInterrupt:
        say("interrupted")
