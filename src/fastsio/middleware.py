"""python-socketio's ``middleware`` module: applications import it by this name."""

from __future__ import annotations

from fastsio.integrations.wsgi import Middleware, WSGIApp

__all__ = ["Middleware", "WSGIApp"]
