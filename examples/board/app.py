"""
A board of cards that several people change at the same time, with a page in React.

``tools/build_page.sh examples/board`` builds the page. Then ``uvicorn board.app:app --app-dir examples``, and open
http://127.0.0.1:8000 in two windows: as Ada and as Ben.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from fastsio import ASGIApp, AsyncServer

from .accounts import routes
from .database import open_database
from .events import router
from .seed import seed

PAGE = Path(__file__).parent / "dist"


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with open_database():
        await seed()
        yield


api = FastAPI(title="fastsio board", lifespan=lifespan)
api.include_router(routes)
api.mount("/", StaticFiles(directory=PAGE, html=True, check_dir=False))

# A page that has lost its connection comes back to its board, and gets the changes that were made meanwhile.
sio = AsyncServer(async_mode="asgi", connection_state_recovery=True)
sio.add_router(router)

app = ASGIApp(sio, api)
