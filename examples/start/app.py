"""
All examples in one process, behind one page.

Run it with ``make demo``, or: ``uvicorn start.app:app --app-dir examples``.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

import authorised_chat.app
import board.app
import bridge.app
import chat.app
import room_chat.app
import stream.app
import typed_chat.app

HERE = Path(__file__).parent

#: The name of each example, which is its path here and its folder -> its application.
EXAMPLES: dict[str, Any] = {
    "chat": chat.app.app,
    "board": board.app.app,
    "stream": stream.app.app,
    "authorised_chat": authorised_chat.app.app,
    "bridge": bridge.app.app,
    "room_chat": room_chat.app.app,
    "typed_chat": typed_chat.app.app,
}
SERVERS = (chat.app.sio, board.app.sio, stream.app.sio, authorised_chat.app.sio, bridge.app.sio)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Mounted applications are not told of the beginning and the end, so it is said here."""
    async with board.app.lifespan(board.app.api):
        yield
        await asyncio.gather(*(server.shutdown() for server in SERVERS))


app = FastAPI(title="fastsio examples", lifespan=lifespan)
for name, example in EXAMPLES.items():
    app.mount(f"/{name}", example)
app.mount("/design", StaticFiles(directory=HERE.parent / "design"))
app.mount("/", StaticFiles(directory=HERE / "static", html=True))
