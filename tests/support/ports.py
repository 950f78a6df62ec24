"""
Ports of the loopback interface for programs that are told where to listen.

A port that was only looked up is anybody's until the program has started: a server of another test may get it, and then
answers in the program's place. A reserved one is given to nobody who asks for any port, but to the program, which asks
for this one; it may be started there again and again.
"""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "127.0.0.1"


def reserve_port() -> socket.socket:
    """Bind a free port and return the socket, which never listens: until it is closed the port is reserved."""
    reservation = socket.socket()
    reservation.bind((HOST, 0))
    # Now, and not before: then another reservation could be of the same port.
    reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return reservation


@contextmanager
def reserved_port() -> Iterator[int]:
    """Reserve a port for the length of the block."""
    with reserve_port() as reservation:
        yield reservation.getsockname()[1]
