"""
The application: FastAPI for HTTP, fastsio for the socket, one server for both.

It is one of the examples of ``make demo``; alone it runs with ``uvicorn chat.app:app --app-dir examples``.
"""

from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from fastsio import ASGIApp, AsyncServer, rate_limit_middleware

from .events import router
from .models import Room
from .presence import PresenceDep

HERE = Path(__file__).parent

api = FastAPI(title="fastsio chat")


@api.get("/api/rooms")
async def rooms(presence: PresenceDep) -> list[Room]:
    """List the rooms and who is in them, from the same presence as the socket events."""
    return presence.rooms()


api.mount("/design", StaticFiles(directory=HERE.parent / "design"))
api.mount("/client", StaticFiles(directory=HERE / "node_modules" / "socket.io-client" / "dist"))
api.mount("/", StaticFiles(directory=HERE / "static", html=True))

# A client that has lost its connection comes back to its room, and gets what was said meanwhile.
sio = AsyncServer(async_mode="asgi", connection_state_recovery=True)
sio.add_middleware(rate_limit_middleware(max_requests=5, window_seconds=10), events=["message"])
sio.add_router(router)

app = ASGIApp(sio, api)
