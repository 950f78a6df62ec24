# Written by tools/facades.py; change the table there.
"""python-socketio's ``manager`` module: applications import it by this name."""

from __future__ import annotations

from fastsio.sync.manager import Manager

__all__ = ["Manager"]
