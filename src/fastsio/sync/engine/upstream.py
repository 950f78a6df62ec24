"""
The names taken from python-engineio, which is untyped; ``upstream.pyi`` declares what of them is used.

No other module of the transport imports engineio.
"""

from __future__ import annotations

from engineio.middleware import WSGIApp
from engineio.payload import Payload
from engineio.server import Server
from engineio.socket import Socket

__all__ = ["Payload", "Server", "Socket", "WSGIApp"]
