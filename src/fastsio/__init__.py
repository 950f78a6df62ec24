"""Socket.IO for Python: the API of python-socketio, handlers that read like FastAPI's."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from fastsio.aio.manager import AsyncManager
from fastsio.aio.namespace import AsyncNamespace
from fastsio.aio.server import AsyncServer
from fastsio.broadcasting import BroadcastEvent, broadcast, broadcast_sync, configure_broadcasting
from fastsio.injection import Cookie, Depends, Header, Query, register_dependency
from fastsio.integrations.asgi import ASGIApp
from fastsio.middlewares import (
    BaseMiddleware,
    MiddlewareChain,
    SyncMiddleware,
    auth_middleware,
    logging_middleware,
    rate_limit_middleware,
)
from fastsio.rooms import Joined, Room, RoomMember, register_room
from fastsio.routing import RouterSIO
from fastsio.types import Auth, Data, Environ, Event, NamespaceName, Reason, Session, SocketID

if TYPE_CHECKING:
    from fastsio.aio.backends.aiopika import AsyncAioPikaManager
    from fastsio.aio.backends.kafka import AsyncKafkaManager
    from fastsio.aio.backends.nats import AsyncNatsManager
    from fastsio.aio.backends.redis import AsyncRedisManager
    from fastsio.aio.client import AsyncClient
    from fastsio.aio.client_namespace import AsyncClientNamespace
    from fastsio.aio.pubsub import AsyncPubSubManager
    from fastsio.aio.simple_client import AsyncSimpleClient
    from fastsio.integrations.tornado import get_tornado_handler
    from fastsio.integrations.wsgi import Middleware, WSGIApp
    from fastsio.layers.manager import LayerManager
    from fastsio.sync.backends.kafka import KafkaManager
    from fastsio.sync.backends.kombu import KombuManager
    from fastsio.sync.backends.redis import RedisManager
    from fastsio.sync.backends.zmq import ZmqManager
    from fastsio.sync.client import Client
    from fastsio.sync.client_namespace import ClientNamespace
    from fastsio.sync.manager import Manager
    from fastsio.sync.namespace import Namespace
    from fastsio.sync.pubsub import PubSubManager
    from fastsio.sync.server import Server
    from fastsio.sync.simple_client import SimpleClient

__version__: Final = "1.0.0.dev0"

#: Where the names are that are imported when they are first used: most programs need one half only.
_LATER: Final = {
    "AsyncAioPikaManager": "fastsio.aio.backends.aiopika",
    "AsyncClient": "fastsio.aio.client",
    "AsyncClientNamespace": "fastsio.aio.client_namespace",
    "AsyncKafkaManager": "fastsio.aio.backends.kafka",
    "AsyncNatsManager": "fastsio.aio.backends.nats",
    "AsyncPubSubManager": "fastsio.aio.pubsub",
    "AsyncRedisManager": "fastsio.aio.backends.redis",
    "AsyncSimpleClient": "fastsio.aio.simple_client",
    "Client": "fastsio.sync.client",
    "ClientNamespace": "fastsio.sync.client_namespace",
    "KafkaManager": "fastsio.sync.backends.kafka",
    "KombuManager": "fastsio.sync.backends.kombu",
    "LayerManager": "fastsio.layers.manager",
    "Manager": "fastsio.sync.manager",
    "Middleware": "fastsio.integrations.wsgi",
    "Namespace": "fastsio.sync.namespace",
    "PubSubManager": "fastsio.sync.pubsub",
    "RedisManager": "fastsio.sync.backends.redis",
    "Server": "fastsio.sync.server",
    "SimpleClient": "fastsio.sync.simple_client",
    "WSGIApp": "fastsio.integrations.wsgi",
    "ZmqManager": "fastsio.sync.backends.zmq",
    "get_tornado_handler": "fastsio.integrations.tornado",
}

__all__ = [
    "ASGIApp",
    "AsyncAioPikaManager",
    "AsyncClient",
    "AsyncClientNamespace",
    "AsyncKafkaManager",
    "AsyncManager",
    "AsyncNamespace",
    "AsyncNatsManager",
    "AsyncPubSubManager",
    "AsyncRedisManager",
    "AsyncServer",
    "AsyncSimpleClient",
    "Auth",
    "BaseMiddleware",
    "BroadcastEvent",
    "Client",
    "ClientNamespace",
    "Cookie",
    "Data",
    "Depends",
    "Environ",
    "Event",
    "Header",
    "Joined",
    "KafkaManager",
    "KombuManager",
    "LayerManager",
    "Manager",
    "Middleware",
    "MiddlewareChain",
    "Namespace",
    "NamespaceName",
    "PubSubManager",
    "Query",
    "Reason",
    "RedisManager",
    "Room",
    "RoomMember",
    "RouterSIO",
    "Server",
    "Session",
    "SimpleClient",
    "SocketID",
    "SyncMiddleware",
    "WSGIApp",
    "ZmqManager",
    "auth_middleware",
    "broadcast",
    "broadcast_sync",
    "configure_broadcasting",
    "get_tornado_handler",
    "logging_middleware",
    "rate_limit_middleware",
    "register_dependency",
    "register_room",
]


if not TYPE_CHECKING:  # type checkers would take it to mean that the package has any name there is

    def __getattr__(name: str) -> Any:
        """Import one of the names that are not imported with the package."""
        module = _LATER.get(name)
        if module is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(module), name)
        return value


def __dir__() -> list[str]:
    """List the names that are imported later, too."""
    return sorted({*globals(), *__all__})
