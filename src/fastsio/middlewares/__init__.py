"""
Middlewares: code that runs around the handlers of events.

The classes to subclass, and those that come with fastsio: authentication, logging, rate limiting. Not to be confused
with :mod:`fastsio.middleware`, without an s: python-socketio's module with the WSGI application.
"""

from __future__ import annotations

from fastsio.middlewares.builtin import auth_middleware, logging_middleware, rate_limit_middleware
from fastsio.routing import BaseMiddleware, MiddlewareChain, SyncMiddleware

__all__ = [
    "BaseMiddleware",
    "MiddlewareChain",
    "SyncMiddleware",
    "auth_middleware",
    "logging_middleware",
    "rate_limit_middleware",
]
