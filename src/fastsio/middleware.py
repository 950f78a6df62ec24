# Written by tools/facades.py; change the table there.
"""
python-socketio's ``middleware`` module: applications import it by this name.

It wraps WSGI applications. Middlewares that run around the handlers of events are in
:mod:`fastsio.middlewares`, with an s.
"""

from __future__ import annotations

from fastsio.integrations.wsgi import Middleware, WSGIApp

__all__ = ["Middleware", "WSGIApp"]
