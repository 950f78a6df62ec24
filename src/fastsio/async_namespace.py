# Written by tools/facades.py; change the table there.
"""python-socketio's ``async_namespace`` module: applications import it by this name."""

from __future__ import annotations

from fastsio.aio.client.namespace import AsyncClientNamespace
from fastsio.aio.namespace import AsyncNamespace

__all__ = ["AsyncClientNamespace", "AsyncNamespace"]
