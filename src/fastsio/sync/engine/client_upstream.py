# Written by tools/unasync.py from aio/engine/client_upstream.py; change that one.
"""
The names taken from python-engineio's client, which is untyped; ``client_upstream.pyi`` declares what is used.

No other module of the client's transport imports engineio.
"""

from __future__ import annotations

from engineio.base_client import connected_clients
from engineio.client import Client
from engineio.exceptions import ConnectionError as EngineConnectionError

__all__ = ["Client", "EngineConnectionError", "connected_clients"]
