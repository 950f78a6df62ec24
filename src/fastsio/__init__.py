"""Socket.IO for Python: the API of python-socketio, handlers that read like FastAPI's."""

from __future__ import annotations

from fastsio.aio.manager import AsyncManager
from fastsio.aio.namespace import AsyncNamespace
from fastsio.aio.server import AsyncServer
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
from fastsio.routing import RouterSIO
from fastsio.types import Auth, Data, Environ, Event, NamespaceName, Reason, Session, SocketID

__all__ = [
    "ASGIApp",
    "AsyncManager",
    "AsyncNamespace",
    "AsyncServer",
    "Auth",
    "BaseMiddleware",
    "Cookie",
    "Data",
    "Depends",
    "Environ",
    "Event",
    "Header",
    "MiddlewareChain",
    "NamespaceName",
    "Query",
    "Reason",
    "RouterSIO",
    "Session",
    "SocketID",
    "SyncMiddleware",
    "auth_middleware",
    "logging_middleware",
    "rate_limit_middleware",
    "register_dependency",
]
