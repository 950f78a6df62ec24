# Written by tools/facades.py; change the table there.
"""python-socketio's ``base_manager`` module: applications import it by this name."""

from __future__ import annotations

from fastsio.base.manager import BaseManager

__all__ = ["BaseManager"]
