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
        nodes: How many of it share the core, and a Redis.
        local: Whether nodes share a directory in place of the Redis.
        ws: WebSocket implementation of uvicorn; None: what the run is told.
        redis: Whether it needs a Redis even as a single node.
        recovery: Whether clients come back to their sessions.
        streams: Whether nodes share a Redis Stream instead of channels.
        workers: How many worker processes ``fastsio run`` starts, on the cores of server and load; 0: uvicorn alone.
    """

    name: str
    app: str
    event: str = "echo"
    runner: Runner = "uvicorn"
    nodes: int = 1
    local: bool = False
    ws: str | None = None
    redis: bool = False
    recovery: bool = False
    streams: bool = False
    workers: int = 0

    @property
    def process(self) -> tuple[object, ...]:
        """What contenders must have in common to be measured on one and the same server."""
        nodes = self.nodes, self.local
        return (self.app, self.runner, nodes, self.ws, self.redis, self.recovery, self.streams, self.workers)


PYTHON_SOCKETIO = Contender("python-socketio", "python_socketio_app")
FASTSIO = Contender("fastsio", "fastsio_app")
FASTSIO_INJECTED = Contender("fastsio injected", "fastsio_app", "echo_model")
FAST = Contender("fastsio fast", "fastsio_app", ws=FAST_WS)
FAST_INJECTED = Contender("fastsio fast injected", "fastsio_app", "echo_model", ws=FAST_WS)
NODE = Contender("Node.js", "node_app", runner="node")
BARE_ASGI = Contender("bare ASGI", "bare_asgi_app")
BARE_FAST = Contender("bare ASGI fast", "bare_fast_app", ws=FAST_WS)
BARE_PICOWS = Contender("bare picows", "bare_picows_app", runner="python")

FAST_WORKER = replace(FAST, name="fastsio fast, 1 worker", workers=1)
FAST_WORKERS = replace(FAST, name="fastsio fast, 4 workers", workers=4)

FASTSIO_RECOVERY = replace(FASTSIO, name="fastsio recovery", recovery=True)
FAST_RECOVERY = replace(FAST, name="fastsio fast recovery", recovery=True)
NODE_RECOVERY = replace(NODE, name="Node.js recovery", recovery=True)

PYTHON_SOCKETIO_THREADS = Contender("python-socketio threads", "python_socketio_threads_app", runner="python")
FASTSIO_THREADS = Contender("fastsio threads", "fastsio_threads_app", runner="python")

PYTHON_SOCKETIO_NODES = Contender("python-socketio nodes", "python_socketio_app", nodes=2)
FASTSIO_NODES = Contender("fastsio nodes", "fastsio_app", nodes=2)
FAST_NODES = Contender("fastsio fast nodes", "fastsio_app", nodes=2, ws=FAST_WS)
FASTSIO_LOCAL_NODES = replace(FASTSIO_NODES, name="fastsio local nodes", local=True)
FAST_LOCAL_NODES = replace(FAST_NODES, name="fastsio fast local nodes", local=True)
NODE_NODES = Contender("Node.js nodes", "node_app", runner="node", nodes=2)
FASTSIO_STREAMS = replace(FASTSIO_NODES, name="fastsio streams", streams=True)
FAST_STREAMS = replace(FAST_NODES, name="fastsio fast streams", streams=True)
NODE_STREAMS = replace(NODE_NODES, name="Node.js streams", streams=True)

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
    FAST_WORKER,
    FAST_WORKERS,
    FASTSIO_RECOVERY,
    FAST_RECOVERY,
    NODE_RECOVERY,
    PYTHON_SOCKETIO_THREADS,
    FASTSIO_THREADS,
    PYTHON_SOCKETIO_NODES,
    FASTSIO_NODES,
    FAST_NODES,
    FASTSIO_LOCAL_NODES,
    FAST_LOCAL_NODES,
    NODE_NODES,
    FASTSIO_STREAMS,
    FAST_STREAMS,
    NODE_STREAMS,
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
