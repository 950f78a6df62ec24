"""Socket.IO for Python: the API of python-socketio, handlers that read like FastAPI's."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from fastsio.aio.manager import AsyncManager
from fastsio.aio.namespace import AsyncNamespace
from fastsio.aio.server import AsyncServer
from fastsio.base.recovery import ConnectionStateRecovery, RecoveryStore
from fastsio.injection import Cookie, Depends, Header, Query, register_dependency
from fastsio.middlewares import (
    BaseMiddleware,
    MiddlewareChain,
    SyncMiddleware,
    auth_middleware,
    logging_middleware,
    rate_limit_middleware,
)
from fastsio.rooms import (
    BroadcastEvent,
    Joined,
    Room,
    RoomMember,
    broadcast,
    broadcast_sync,
    configure_broadcasting,
    register_room,
)
from fastsio.routing import RouterSIO
from fastsio.state.history import History
from fastsio.state.recovery import Recovered
from fastsio.types import Auth, Data, Environ, Event, NamespaceName, Reason, Session, SocketID

if TYPE_CHECKING:
    from fastsio import admin as admin
    from fastsio import asgi as asgi
    from fastsio import async_admin as async_admin
    from fastsio import async_aiopika_manager as async_aiopika_manager
    from fastsio import async_client as async_client
    from fastsio import async_manager as async_manager
    from fastsio import async_namespace as async_namespace
    from fastsio import async_pubsub_manager as async_pubsub_manager
    from fastsio import async_redis_manager as async_redis_manager
    from fastsio import async_server as async_server
    from fastsio import async_simple_client as async_simple_client
    from fastsio import base_client as base_client
    from fastsio import base_manager as base_manager
    from fastsio import base_namespace as base_namespace
    from fastsio import base_server as base_server
    from fastsio import client as client
    from fastsio import exceptions as exceptions
    from fastsio import kafka_manager as kafka_manager
    from fastsio import kombu_manager as kombu_manager
    from fastsio import manager as manager
    from fastsio import middleware as middleware
    from fastsio import namespace as namespace
    from fastsio import packet as packet
    from fastsio import pubsub_manager as pubsub_manager
    from fastsio import redis_manager as redis_manager
    from fastsio import server as server
    from fastsio import simple_client as simple_client
    from fastsio import tornado as tornado
    from fastsio import zmq_manager as zmq_manager
    from fastsio.aio.backends.aiopika import AsyncAioPikaManager
    from fastsio.aio.backends.kafka import AsyncKafkaManager
    from fastsio.aio.backends.local import AsyncLocalManager
    from fastsio.aio.backends.nats import AsyncNatsManager
    from fastsio.aio.backends.redis import AsyncRedisManager
    from fastsio.aio.backends.redis_streams import AsyncRedisStreamsManager
    from fastsio.aio.client.client import AsyncClient
    from fastsio.aio.client.namespace import AsyncClientNamespace
    from fastsio.aio.pubsub import AsyncPubSubManager
    from fastsio.aio.simple_client import AsyncSimpleClient
    from fastsio.asyncapi import AsyncAPIConfig
    from fastsio.integrations.asgi import ASGIApp
    from fastsio.integrations.tornado import get_tornado_handler
    from fastsio.integrations.wsgi import Middleware, WSGIApp
    from fastsio.layers.manager import LayerManager
    from fastsio.sync.backends.kafka import KafkaManager
    from fastsio.sync.backends.kombu import KombuManager
    from fastsio.sync.backends.redis import RedisManager
    from fastsio.sync.backends.redis_streams import RedisStreamsManager
    from fastsio.sync.backends.zmq import ZmqManager
    from fastsio.sync.client.client import Client
    from fastsio.sync.client.namespace import ClientNamespace
    from fastsio.sync.manager import Manager
    from fastsio.sync.namespace import Namespace
    from fastsio.sync.pubsub import PubSubManager
    from fastsio.sync.server import Server
    from fastsio.sync.simple_client import SimpleClient

__version__: Final = "1.0.0.dev0"

#: Names that one may look for -> what to use instead.
_ABSENT: Final = {
    "LocalManager": "; it is AsyncLocalManager, for asyncio: servers for threads need a manager with a broker, such as "
    "RedisManager",
    "NatsManager": "; it is AsyncNatsManager, for asyncio: servers for threads need another broker, such as that of "
    "RedisManager",
}
#: Where the names are that are imported when they are first used: most programs need one half only.
_LATER: Final = {
    "ASGIApp": "fastsio.integrations.asgi",
    "AsyncAPIConfig": "fastsio.asyncapi",
    "AsyncAioPikaManager": "fastsio.aio.backends.aiopika",
    "AsyncClient": "fastsio.aio.client.client",
    "AsyncClientNamespace": "fastsio.aio.client.namespace",
    "AsyncKafkaManager": "fastsio.aio.backends.kafka",
    "AsyncLocalManager": "fastsio.aio.backends.local",
    "AsyncNatsManager": "fastsio.aio.backends.nats",
    "AsyncPubSubManager": "fastsio.aio.pubsub",
    "AsyncRedisManager": "fastsio.aio.backends.redis",
    "AsyncRedisStreamsManager": "fastsio.aio.backends.redis_streams",
    "AsyncSimpleClient": "fastsio.aio.simple_client",
    "Client": "fastsio.sync.client.client",
    "ClientNamespace": "fastsio.sync.client.namespace",
    "KafkaManager": "fastsio.sync.backends.kafka",
    "KombuManager": "fastsio.sync.backends.kombu",
    "LayerManager": "fastsio.layers.manager",
    "Manager": "fastsio.sync.manager",
    "Middleware": "fastsio.integrations.wsgi",
    "Namespace": "fastsio.sync.namespace",
    "PubSubManager": "fastsio.sync.pubsub",
    "RedisManager": "fastsio.sync.backends.redis",
    "RedisStreamsManager": "fastsio.sync.backends.redis_streams",
    "Server": "fastsio.sync.server",
    "SimpleClient": "fastsio.sync.simple_client",
    "WSGIApp": "fastsio.integrations.wsgi",
    "ZmqManager": "fastsio.sync.backends.zmq",
    "get_tornado_handler": "fastsio.integrations.tornado",
}

#: python-socketio's modules, which ``import socketio`` makes attributes of the package; here when they are first used.
_MODULES: Final = frozenset(
    {
        "admin", "asgi", "async_admin", "async_aiopika_manager", "async_client", "async_manager", "async_namespace",
        "async_pubsub_manager", "async_redis_manager", "async_server", "async_simple_client", "base_client",
        "base_manager", "base_namespace", "base_server", "client", "exceptions", "kafka_manager", "kombu_manager",
        "manager", "middleware", "namespace", "packet", "pubsub_manager", "redis_manager", "server", "simple_client",
        "tornado", "zmq_manager",
    }
)  # fmt: skip

__all__ = [
    "ASGIApp",
    "AsyncAPIConfig",
    "AsyncAioPikaManager",
    "AsyncClient",
    "AsyncClientNamespace",
    "AsyncKafkaManager",
    "AsyncLocalManager",
    "AsyncManager",
    "AsyncNamespace",
    "AsyncNatsManager",
    "AsyncPubSubManager",
    "AsyncRedisManager",
    "AsyncRedisStreamsManager",
    "AsyncServer",
    "AsyncSimpleClient",
    "Auth",
    "BaseMiddleware",
    "BroadcastEvent",
    "Client",
    "ClientNamespace",
    "ConnectionStateRecovery",
    "Cookie",
    "Data",
    "Depends",
    "Environ",
    "Event",
    "Header",
    "History",
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
    "Recovered",
    "RecoveryStore",
    "RedisManager",
    "RedisStreamsManager",
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
        """Import one of the names, or modules, that are not imported with the package."""
        if name in _MODULES:
            return import_module(f"{__name__}.{name}")
        module = _LATER.get(name)
        if module is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}{_ABSENT.get(name, '')}")
        value = globals()[name] = getattr(import_module(module), name)
        return value


def __dir__() -> list[str]:
    """List the names that are imported later, too."""
    return sorted({*globals(), *__all__, *_MODULES})
