# Written by tools/facades.py; change the table there.
"""python-socketio's ``zmq_manager`` module: applications import it by this name."""

from __future__ import annotations

from fastsio.sync.backends.zmq import ZmqManager

__all__ = ["ZmqManager"]
