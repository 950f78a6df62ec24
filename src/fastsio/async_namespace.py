"""python-socketio's ``async_namespace`` module; written by tools/facades.py from its table."""

from fastsio.aio.client.namespace import AsyncClientNamespace
from fastsio.aio.namespace import AsyncNamespace

__all__ = ["AsyncClientNamespace", "AsyncNamespace"]
