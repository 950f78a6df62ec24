"""
python-socketio's ``msgpack_packet`` module; written by tools/facades.py from its table.

Needs the extra ``msgpack``.
"""

from fastsio.protocol.msgpack import MsgPackPacket

__all__ = ["MsgPackPacket"]
