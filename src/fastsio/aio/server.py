"""The asyncio server as applications create it; its methods stand in :mod:`.api`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fastsio.aio.api import ServerAPI
from fastsio.aio.namespace import AsyncNamespace

if TYPE_CHECKING:
    from typing import Unpack

    from fastsio.base.keywords import AsyncServerKeywords

__all__ = ["AsyncNamespace", "AsyncServer"]


class AsyncServer(ServerAPI):
    """
    A Socket.IO server for asyncio.

    Args:
        client_manager: Keeps the clients; None is an :class:`AsyncManager`, for one process.
        logger: True, False, or a logger object.
        json: A module or object with ``dumps`` and ``loads`` for this server's packets; None is orjson where it is
            installed, the standard library elsewhere.
        async_handlers: True runs each event's handler in a task of its own; False runs the handlers of a client one
            after the other.
        namespaces: Namespaces that clients may connect to without a handler there, ``"*"`` for any; None is ``["/"]``.
        kwargs: ``serializer`` (``"default"``, ``"msgpack"`` or a Packet class), ``always_connect``, the fields of
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
        json: Any = None,
        async_handlers: bool = True,
        namespaces: Any = None,
        **kwargs: Unpack[AsyncServerKeywords],
    ) -> None:
        super().__init__(
            client_manager=client_manager,
            logger=logger,
            json=json,
            async_handlers=async_handlers,
            namespaces=namespaces,
            **kwargs,
        )
        if async_handlers:
            # Each event is handled in a task of its own.
            self.eio.stepped_handlers = frozenset({self._take_message, self._take_observed_message})

    def is_asyncio_based(self) -> bool:
        """Whether handlers may be coroutine functions."""
        return True

    def start_background_task(self, target: Any, *args: Any, **kwargs: Any) -> asyncio.Task[Any]:
        """Start a coroutine function as a task, which ends with the server if it has not ended before."""
        return self._runner.start_background_task(target, *args, **kwargs)

    def attach(self, app: Any, socketio_path: str = "socket.io") -> None:
        """
        Add the server to an aiohttp or Sanic application, which shuts it down with itself.

        ``async_mode`` need not be given: the application says what it is.

        Args:
            app: The application, before it starts.
            socketio_path: Where Socket.IO is served.

        Raises:
            SetupError: The application is of another framework, or of another one than the server.
        """
        self.eio.attach(app, socketio_path, on_shutdown=self.shutdown)
        self.async_mode = self.eio.async_mode

    def use_mode(self, async_mode: str) -> None:
        """
        Serve the requests of a framework; :class:`ASGIApp` and :func:`get_tornado_handler` call this.

        Args:
            async_mode: ``"asgi"`` or ``"tornado"``.

        Raises:
            SetupError: The server was made for another framework, or serves one already.
        """
        self.eio.use_mode(async_mode)
        self.async_mode = async_mode

    async def shutdown(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - it bounds the whole
        """
        Stop the server: let nobody in, disconnect everybody, wait for handlers.

        Tasks of :meth:`start_background_task` have a moment to end by themselves once handlers are done; then they are
        cancelled, for many run for ever.

        Args:
            timeout: Seconds until handlers still running are cancelled; None is the option ``shutdown_timeout``.
        """
        if self._event_log is not None:
            self._event_log.stopping()
        self._lifecycle.stop()
        await self._runner.starter.all_begun()
        grace_s = self.options.shutdown_timeout if timeout is None else timeout
        connections = list(self._connections.values())
        tasks: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._end(one.eio_sid)) for one in connections]
        tasks += [task for connection in connections for task in connection.tasks]
        await self._runner.end(tasks, grace_s)
        await self.manager.shutdown()
        await self.eio.shutdown()
