"""python-socketio's ``namespace`` module: applications import it by this name."""

from __future__ import annotations

from fastsio.sync.namespace import Namespace

__all__ = ["Namespace"]
