"""
A server of both kinds of clients, in a process of its own: ``uvicorn tests.support.bridge_server:app``.

LAYER says which layer to use, ``pubsub``, ``queue`` or ``nats``, and BROKER_URL what it connects to.
"""

from __future__ import annotations

import os
from contextlib import AsyncExitStack

from fastsio import ASGIApp
from fastsio.consumers import WebsocketRouter
from tests.support.bridge import Node
from tests.support.bridge_layers import LAYERS

layer = LAYERS[os.environ["LAYER"]](hosts=[os.environ["BROKER_URL"]], prefix="processes")
node = Node(layer, AsyncExitStack())
websockets = WebsocketRouter()
websockets.add_websocket_route("/", node.consumer.as_asgi())
app = ASGIApp(node.sio, websockets)
