"""
The names taken from python-engineio, which is untyped; ``upstream.pyi`` declares what of them is used.

No other module of the transport imports engineio.
"""

from __future__ import annotations

from engineio.async_drivers.asgi import ASGIApp
from engineio.async_server import AsyncServer
from engineio.async_socket import AsyncSocket
from engineio.payload import Payload

__all__ = ["ASGIApp", "AsyncServer", "AsyncSocket", "Payload"]
