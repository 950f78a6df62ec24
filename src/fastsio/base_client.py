"""python-socketio's ``base_client`` module; written by tools/facades.py from its table."""

from fastsio.base.client import BaseClient, reconnecting_clients, signal_handler

__all__ = ["BaseClient", "reconnecting_clients", "signal_handler"]
