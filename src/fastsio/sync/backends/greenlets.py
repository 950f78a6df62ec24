"""Whether a broker's client, which waits on sockets, lets other greenlets run meanwhile."""

from __future__ import annotations

from typing import Any

from fastsio._extras import optional
from fastsio.exceptions import SetupError
from fastsio.sync.pubsub import PubSubManager


class BlockingPubSubManager(PubSubManager):
    """Base of the managers whose broker's client waits on Python's own sockets."""

    def set_server(self, server: Any) -> None:
        """
        Tell the manager whom it works for.

        Raises:
            SetupError: The server runs in greenlets, and sockets are not patched.
        """
        require_patched_sockets(server.async_mode, type(self).__name__)
        super().set_server(server)


def require_patched_sockets(async_mode: str, manager: str) -> None:
    """
    Make sure that waiting for the broker does not stop the whole process.

    Args:
        async_mode: That of the server.
        manager: Name of the manager's class, for the error.

    Raises:
        SetupError: The server runs in greenlets, and the standard library's sockets block them all.
    """
    if async_mode.startswith("gevent"):
        if not _asks("gevent.monkey", "is_module_patched"):
            cure = "call gevent.monkey.patch_all() before anything else is imported"
            raise SetupError(f"{manager} with async_mode={async_mode!r} needs patched sockets; {cure}")
    elif async_mode == "eventlet" and not _asks("eventlet.patcher", "is_monkey_patched"):
        cure = "call eventlet.monkey_patch() before anything else is imported"
        raise SetupError(f"{manager} with async_mode={async_mode!r} needs patched sockets; {cure}")


def _asks(module: str, question: str) -> bool:
    library: Any = optional(module)
    return library is not None and bool(getattr(library, question)("socket"))
