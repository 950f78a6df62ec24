"""
Rooms over plain WebSockets. Run it with::

    uvicorn room_chat.app:app --app-dir examples

and open the page in two tabs. With REDIS_URL set, several such processes are one chat.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from fastsio.consumers import WebsocketRouter

from .consumer import RoomChatConsumer
from .layers import setup_layers

HERE = Path(__file__).parent

setup_layers()

ws_router = WebsocketRouter()
ws_router.add_websocket_route("/room/{room_name}", RoomChatConsumer.as_asgi())

app = FastAPI()
app.mount("/ws", ws_router)
app.mount("/design", StaticFiles(directory=HERE.parent / "design"))
app.mount("/", StaticFiles(directory=HERE / "static", html=True))
