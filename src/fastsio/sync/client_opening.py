# Written by tools/unasync.py from aio/client_opening.py; change that one.
"""
How a client's connection begins and ends: one attempt to connect, the goodbye, and what follows a loss.

Must not know handlers of events.
"""

from __future__ import annotations

from typing import Any

from fastsio.base.joining import check_url, failure_argument, failure_text
from fastsio.exceptions import ConnectionError as ConnectFailed
from fastsio.protocol import PacketType
from fastsio.sync import concurrency
from fastsio.sync.client_dispatch import PacketClient
from fastsio.sync.engine.client_upstream import EngineConnectionError
from fastsio.sync.reconnecting import Reconnecting


class OpeningClient(PacketClient):
    """Opens connections, ends them, and comes back."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.eio.on("connect", self._handle_eio_connect)
        self.eio.on("disconnect", self._handle_eio_disconnect)
        self._reconnecting = Reconnecting(self)

    def _open(self, *, wait: bool = True) -> None:
        """
        Make one attempt to connect.

        The client is not connected afterwards if ``disconnect()`` was called meanwhile.

        Raises:
            ConnectionError: It failed.
        """
        self._is_opening = True
        try:
            self._reach()
            if wait:
                self._join()
        except concurrency.Cancelled:
            self._hang_up()
            raise
        finally:
            self._is_opening = False
        self.connected = not self._has_left

    def _reach(self) -> None:
        self._reset_state()
        self._delivery.begin()
        self.failed_namespaces = []
        self._was_reached = False
        self._answered_event.clear()
        url = self._real_value(self.connection_url)
        check_url(url)
        headers = self._real_value(self.connection_headers)
        self._auth = self._real_value(self.connection_auth)
        try:
            self.eio.connect(
                url, headers=headers, transports=self.connection_transports, engineio_path=self.socketio_path
            )
        except EngineConnectionError as exc:
            for namespace in self.connection_namespaces:
                self._trigger_event("connect_error", namespace, failure_argument(exc))
            raise ConnectFailed(exc.args[0]) from exc
        self._was_reached = True

    def _join(self) -> None:
        """Wait until the namespaces have been answered, or ``disconnect()`` is called."""
        wanted = set(self.connection_namespaces)
        while not wanted <= self._settled and self.eio.state == "connected" and not self._has_left:
            if not concurrency.wait_event(self._answered_event, self._wait_timeout_s):
                break
            self._answered_event.clear()
        if wanted <= self.namespaces.keys() and not self._has_left:
            return
        text = failure_text(self.failed_namespaces)
        self._hang_up()
        if self.failed_namespaces or not self._has_left:
            raise ConnectFailed(text)

    def _real_value(self, value: Any) -> Any:
        return concurrency.resolved(value() if callable(value) else value)

    def _handle_eio_connect(self) -> None:
        """Take a new Engine.IO connection: ask for the namespaces."""
        self.logger.info("Engine.IO connection established")
        self.sid = self.eio.sid
        for namespace in self.connection_namespaces:
            self._reply(self.packet_class(PacketType.CONNECT, self._auth or {}, namespace))

    def _hang_up(self) -> None:
        for namespace in list(self.namespaces):
            self._reply(self.packet_class(PacketType.DISCONNECT, None, namespace))
        self.eio.disconnect()

    def _handle_eio_disconnect(self, reason: str) -> None:
        """Take the end of the Engine.IO connection: every namespace is left."""
        self.logger.info("Engine.IO connection dropped")
        will_reconnect = self._will_reconnect(reason)
        for namespace in list(self.namespaces):
            if self._claim(namespace):
                # While the client tries to come back, an attempt that fails is not the end.
                is_final = not (will_reconnect or self._reconnecting.is_active)
                self._leave(namespace, reason, is_final=is_final)
        for namespace in self._memberships.keys() - self.namespaces.keys():
            self._end_membership(namespace)
        self._reset_state()
        self._answered_event.set()
        if will_reconnect:
            self._reconnecting.start()
