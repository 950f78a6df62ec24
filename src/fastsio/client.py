"""python-socketio's ``client`` module; written by tools/facades.py from its table."""

from fastsio.base.client import reconnecting_clients, signal_handler
from fastsio.sync.client.client import Client

__all__ = ["Client", "reconnecting_clients", "signal_handler"]
