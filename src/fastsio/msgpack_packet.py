# Written by tools/facades.py; change the table there.
"""
python-socketio's ``msgpack_packet`` module: applications import it by this name.

Needs the extra ``msgpack``.
"""

from __future__ import annotations

from fastsio.protocol.msgpack import MsgPackPacket

__all__ = ["MsgPackPacket"]
