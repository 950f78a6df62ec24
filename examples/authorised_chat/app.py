"""
Two users, two chats, and rooms that decide who may read them.

The page needs the JavaScript client that ``tools/setup_npm.sh examples/chat`` fetches. Then
``uvicorn authorised_chat.app:app --app-dir examples``, and open http://127.0.0.1:8000 in two windows:
as Ada and as Ben.
"""

from pathlib import Path

from fastsio import ASGIApp, AsyncServer

from .events import Chats

HERE = Path(__file__).parent
CLIENT = HERE.parent / "chat" / "node_modules" / "socket.io-client" / "dist"

sio = AsyncServer(async_mode="asgi")
sio.register_namespace(Chats())

app = ASGIApp(
    sio,
    static_files={
        "/": str(HERE / "static" / "index.html"),
        "/page.js": str(HERE / "static" / "page.js"),
        "/style.css": str(HERE / "static" / "style.css"),
        "/design": str(HERE.parent / "design"),
        "/client": str(CLIENT),
    },
)
