# Written by tools/facades.py; change the table there.
"""python-socketio's ``kombu_manager`` module: applications import it by this name."""

from __future__ import annotations

from fastsio.sync.backends.kombu import KombuManager

__all__ = ["KombuManager"]
