"""python-socketio's ``namespace`` module; written by tools/facades.py from its table."""

from fastsio.sync.client.namespace import ClientNamespace
from fastsio.sync.namespace import Namespace

__all__ = ["ClientNamespace", "Namespace"]
