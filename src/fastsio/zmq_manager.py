"""python-socketio's ``zmq_manager`` module; written by tools/facades.py from its table."""

from fastsio.sync.backends.zmq import ZmqManager

__all__ = ["ZmqManager"]
