# Written by tools/facades.py; change the table there.
"""python-socketio's ``client`` module: applications import it by this name."""

from __future__ import annotations

from fastsio.base.client import reconnecting_clients, signal_handler
from fastsio.sync.client.client import Client

__all__ = ["Client", "reconnecting_clients", "signal_handler"]
