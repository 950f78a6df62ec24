"""
Who is measured: the literal table of contenders.

Nothing here starts or measures anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

#: What runs an application: uvicorn, itself, Node.js; or it is a client, or only imported.
Runner: TypeAlias = Literal["uvicorn", "python", "node", "client", "import"]
#: fastsio's own WebSocket protocol for uvicorn.
FAST_WS: Final = "fastsio.integrations.uvicorn:WebSocketProtocol"


@dataclass(frozen=True, slots=True)
class Contender:
    """
    An application under test.

    Attributes:
        name: For the tables.
        app: Its module in ``apps/``; of a client, the package it is from; of an import, what is imported.
        event: The event the load sends it.
        runner: What runs it.
        nodes: How many of it share a Redis and the core.
        ws: WebSocket implementation of uvicorn; None: what the run is told.
        redis: Whether it needs a Redis even as a single node.
    """

    name: str
    app: str
    event: str = "echo"
    runner: Runner = "uvicorn"
    nodes: int = 1
    ws: str | None = None
    redis: bool = False

    @property
    def process(self) -> tuple[object, ...]:
        """What contenders must have in common to be measured on one and the same server."""
        return (self.app, self.runner, self.nodes, self.ws, self.redis)


PYTHON_SOCKETIO = Contender("python-socketio", "python_socketio_app")
FASTSIO = Contender("fastsio", "fastsio_app")
FASTSIO_INJECTED = Contender("fastsio injected", "fastsio_app", "echo_model")
FAST = Contender("fastsio fast", "fastsio_app", ws=FAST_WS)
FAST_INJECTED = Contender("fastsio fast injected", "fastsio_app", "echo_model", ws=FAST_WS)
NODE = Contender("Node.js", "node_app", runner="node")
BARE_ASGI = Contender("bare ASGI", "bare_asgi_app")
BARE_FAST = Contender("bare ASGI fast", "bare_fast_app", ws=FAST_WS)
BARE_PICOWS = Contender("bare picows", "bare_picows_app", runner="python")

PYTHON_SOCKETIO_THREADS = Contender("python-socketio threads", "python_socketio_threads_app", runner="python")
FASTSIO_THREADS = Contender("fastsio threads", "fastsio_threads_app", runner="python")

PYTHON_SOCKETIO_NODES = Contender("python-socketio nodes", "python_socketio_app", nodes=2)
FASTSIO_NODES = Contender("fastsio nodes", "fastsio_app", nodes=2)
FAST_NODES = Contender("fastsio fast nodes", "fastsio_app", nodes=2, ws=FAST_WS)
NODE_NODES = Contender("Node.js nodes", "node_app", runner="node", nodes=2)

FASTSIO_CONSUMERS = Contender("fastsio consumers", "fastsio_consumers_app")
FASTSIO_TYPED = Contender("fastsio typed consumers", "fastsio_typed_app")
FAST_CHANNELS = Contender("fast-channels", "fast_channels_app")
CHANX = Contender("chanx", "chanx_app")
FASTSIO_CONSUMERS_REDIS = replace(FASTSIO_CONSUMERS, name="fastsio consumers, Redis", redis=True)
FASTSIO_TYPED_REDIS = replace(FASTSIO_TYPED, name="fastsio typed consumers, Redis", redis=True)
FAST_CHANNELS_REDIS = replace(FAST_CHANNELS, name="fast-channels, Redis", redis=True)
CHANX_REDIS = replace(CHANX, name="chanx, Redis", redis=True)

PYTHON_SOCKETIO_CLIENT = Contender("python-socketio client", "socketio", runner="client")
FASTSIO_CLIENT = Contender("fastsio client", "fastsio", runner="client")

PYTHON_SOCKETIO_IMPORT = Contender("import socketio, pydantic", "socketio, pydantic", runner="import")
FASTSIO_IMPORT = Contender("import fastsio", "fastsio", runner="import")

CONTENDERS: Final = (
    PYTHON_SOCKETIO,
    FASTSIO,
    FASTSIO_INJECTED,
    FAST,
    FAST_INJECTED,
    NODE,
    BARE_ASGI,
    BARE_FAST,
    BARE_PICOWS,
    PYTHON_SOCKETIO_THREADS,
    FASTSIO_THREADS,
    PYTHON_SOCKETIO_NODES,
    FASTSIO_NODES,
    FAST_NODES,
    NODE_NODES,
    FASTSIO_CONSUMERS,
    FASTSIO_TYPED,
    FAST_CHANNELS,
    CHANX,
    FASTSIO_CONSUMERS_REDIS,
    FASTSIO_TYPED_REDIS,
    FAST_CHANNELS_REDIS,
    CHANX_REDIS,
    PYTHON_SOCKETIO_CLIENT,
    FASTSIO_CLIENT,
    PYTHON_SOCKETIO_IMPORT,
    FASTSIO_IMPORT,
)
