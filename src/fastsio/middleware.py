"""
python-socketio's ``middleware`` module; written by tools/facades.py from its table.

It wraps WSGI applications. Middlewares that run around the handlers of events are in
:mod:`fastsio.middlewares`, with an s.
"""

from fastsio.integrations.wsgi import Middleware, WSGIApp

__all__ = ["Middleware", "WSGIApp"]
