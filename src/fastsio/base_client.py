# Written by tools/facades.py; change the table there.
"""python-socketio's ``base_client`` module: applications import it by this name."""

from __future__ import annotations

from fastsio.base.client import BaseClient, reconnecting_clients, signal_handler

__all__ = ["BaseClient", "reconnecting_clients", "signal_handler"]
