"""What becomes of the garbage collector's threshold when a server gets its first client."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, gc, json
from fastsio import AsyncServer
from fastsio.testing import TestClient

async def main():
    gc.set_threshold({young}, 10, 10)
    sio = AsyncServer(async_mode="asgi")
    made = gc.get_threshold()[0]
    async with TestClient(sio) as client:
        await client.connect()
    print(json.dumps([made, gc.get_threshold()[0]]))

asyncio.run(main())
"""


@pytest.mark.parametrize(("young", "expected"), [(700, [700, 10_000]), (2000, [2000, 10_000]), (701, [701, 701])])
def test_the_first_client_raises_it_unless_the_application_has(young, expected):
    """C-95: making a server changes nothing, and what is not the default is the application's choice."""
    program = PROGRAM.format(young=young)
    answer = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    assert json.loads(answer.stdout) == expected
