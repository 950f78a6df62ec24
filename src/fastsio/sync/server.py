"""The sync server as applications create it; its methods stand in :mod:`.api`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from fastsio.sync.api import ServerAPI
from fastsio.sync.namespace import Namespace

if TYPE_CHECKING:
    from typing import Unpack

    from fastsio.base.keywords import SyncServerKeywords

__all__ = ["Namespace", "Server"]


class Server(ServerAPI):
    """
    A Socket.IO server for threads, gevent and eventlet.

    Args:
        client_manager: Keeps the clients; None is a :class:`Manager`, for one process.
        logger: True, False, or a logger object.
        serializer: ``"default"``, ``"msgpack"`` or a subclass of Packet.
        json: A module or object with ``dumps`` and ``loads`` for this server's packets; None is orjson where it is
            installed, the standard library elsewhere.
        async_handlers: True runs each event's handler in a thread of its own; False runs the handlers of a client one
            after the other.
        always_connect: True answers CONNECT before the connect handler has decided.
        namespaces: Namespaces that clients may connect to without a handler there, ``"*"`` for any; None is ``["/"]``.
        kwargs: ``async_mode`` (``"threading"``, ``"gevent"``, ``"gevent_uwsgi"``, ``"eventlet"``), the fields of
            :class:`~fastsio.base.options.ServerOptions` and :class:`~fastsio.protocol.Limits`,
            ``max_buffer_bytes``, ``max_buffer_packets``, ``high_water_bytes``, ``high_water_packets``,
            ``slow_client_timeout``, ``slow_client``, ``body_timeout``, ``upgrade_timeout``, ``allow_eio3``, and
            every option of Engine.IO.

            ``allow_eio3=True`` serves the JavaScript clients 1.x and 2.x too. As with the JavaScript server, the query
            they join a namespace with is the connect handler's ``auth``, and their sid is made of their Engine.IO
            session id: show it to nobody else.

    Raises:
        SetupError: An option is not valid.
    """

    def __init__(
        self,
        client_manager: Any = None,
        logger: Any = False,
        serializer: Any = "default",
        json: Any = None,
        async_handlers: bool = True,
        always_connect: bool = False,
        namespaces: Any = None,
        **kwargs: Unpack[SyncServerKeywords],
    ) -> None:
        super().__init__(
            client_manager=client_manager,
            logger=logger,
            serializer=serializer,
            json=json,
            async_handlers=async_handlers,
            always_connect=always_connect,
            namespaces=namespaces,
            **kwargs,
        )

    def start_background_task(self, target: Any, *args: Any, **kwargs: Any) -> Any:
        """
        Start a function in a thread, or what the server's ``async_mode`` has for one; return that.

        Raises:
            TypeError: It is a coroutine function, or a coroutine.
        """
        return self._runner.start_background_task(target, *args, **kwargs)

    def handle_request(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Serve one WSGI request and return its body."""
        return self.eio.handle_request(environ, start_response)

    def shutdown(self, *, timeout: float | None = None) -> None:
        """
        Stop the server: let nobody in, disconnect everybody, wait for handlers.

        Args:
            timeout: Seconds that handlers still running are waited for; None is the option ``shutdown_timeout``.
                They are not stopped, for a thread cannot be.
        """
        if self._event_log is not None:
            self._event_log.stopping()
        self._lifecycle.stop()
        grace_s = self.options.shutdown_timeout if timeout is None else timeout
        until = time.monotonic() + grace_s
        connections = list(self._connections.values())
        for connection in connections:
            self._end(connection.eio_sid)
        self._runner.end(connections, until - time.monotonic())
        self.manager.shutdown()
        self.eio.shutdown()
