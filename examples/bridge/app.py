"""
One room, two protocols: Socket.IO and plain WebSocket side by side.

The page needs the JavaScript client that ``tools/setup_npm.sh examples/chat`` fetches. One process needs nothing else::

    uvicorn bridge.app:app --app-dir examples

With Redis, ``examples/bridge/run.sh`` starts two processes that are one chat, and while they run
``python -m bridge.worker Ann "Your report is ready."``, called in ``examples``, tells one user of a job that is done.
"""

from pathlib import Path

from fastsio import ASGIApp
from fastsio.consumers import WebsocketRouter

from .layers import setup_layers
from .socketio_side import sio
from .websocket_side import BridgeConsumer

setup_layers()

HERE = Path(__file__).parent
STATIC = HERE / "static"
CLIENT = HERE.parent / "chat" / "node_modules" / "socket.io-client" / "dist"

websockets = WebsocketRouter()
websockets.add_websocket_route("/ws", BridgeConsumer.as_asgi())

app = ASGIApp(
    sio,
    websockets,
    static_files={
        "/": str(STATIC / "index.html"),
        "/static": str(STATIC),
        "/design": str(HERE.parent / "design"),
        "/client": str(CLIENT),
    },
)
