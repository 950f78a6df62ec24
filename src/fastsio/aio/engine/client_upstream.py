"""
The names taken from python-engineio's client, which is untyped; ``client_upstream.pyi`` declares what is used.

No other module of the client's transport imports engineio.
"""

from __future__ import annotations

from engineio.async_client import AsyncClient
from engineio.base_client import connected_clients
from engineio.exceptions import ConnectionError as EngineConnectionError

__all__ = ["AsyncClient", "EngineConnectionError", "connected_clients"]
