# Written by tools/facades.py; change the table there.
"""python-socketio's ``namespace`` module: applications import it by this name."""

from __future__ import annotations

from fastsio.sync.client.namespace import ClientNamespace
from fastsio.sync.namespace import Namespace

__all__ = ["ClientNamespace", "Namespace"]
