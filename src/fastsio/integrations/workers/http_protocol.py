"""
uvicorn's HTTP protocols, extended: a request for a session of another worker goes to that worker.

This module finds out when a connection has no request under way. :mod:`.passing` then decides whether the connection is
passed to another worker.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import h11
from uvicorn.protocols.http.auto import AutoHTTPProtocol
from uvicorn.protocols.http.h11_impl import H11Protocol

from fastsio.integrations.workers.passing import passing_of
from fastsio.integrations.workers.relay import RelayingApp
from fastsio.integrations.workers.sids import MAX_LINE_BYTES

if TYPE_CHECKING:
    import asyncio

    from uvicorn.config import Config
    from uvicorn.server import ServerState

#: The beginning of the first line of a request.
BEGINNING: Final = re.compile(rb"[A-Z]{1,20}+(?: [!-~]*+(?: [!-~]*+\r?)?)?")


def passing_protocol(standard: Any, *, is_h11: bool) -> Any:
    """Return a class for uvicorn's option ``http``, made of uvicorn's own one that uses h11 or httptools."""
    is_idle = _is_idle_h11 if is_h11 else _is_idle_httptools

    class PassingProtocol(standard):  # type: ignore[misc] # one of two classes
        """Reads a connection, and passes it to another worker whose session the next request names."""

        app: Any

        def __init__(
            self,
            config: Config,
            server_state: ServerState,
            app_state: dict[str, Any],
            _loop: asyncio.AbstractEventLoop | None = None,
        ) -> None:
            super().__init__(config, server_state, app_state, _loop)
            self.early = b""
            self._application = self.app
            self._passing = passing_of(config, server_state, app_state)

        def data_received(self, data: bytes) -> None:
            """Pass the connection to another worker, or let uvicorn read the data."""
            passing = self._passing
            if passing is None:
                super().data_received(data)
                return
            is_first_known = is_idle(self)
            if is_first_known:
                data, self.early = self.early + data, b""
                if _is_half_line(data):
                    self.early = data
                    self._unset_keepalive_if_required()
                    return
                if passing.pass_on(self.transport, data):
                    self._forget()
                    return
            # A request whose worker cannot be told from these bytes is examined when uvicorn has parsed it.
            is_known = is_first_known and passing.forwarding is None and data.find(b"sid=", data.find(b"\n")) < 0
            self.app = self._application if is_known else RelayingApp(self._application, passing)
            super().data_received(data)

        def _forget(self) -> None:
            self._unset_keepalive_if_required()
            self.connections.discard(self)
            # uvicorn's protocol and its parser hold each other, and would wait for the garbage collector.
            self.__dict__.clear()

    return PassingProtocol


def _is_half_line(data: bytes) -> bool:
    """Return whether *data* is the beginning of a first line whose end is missing."""
    return len(data) < MAX_LINE_BYTES and b"\n" not in data and BEGINNING.fullmatch(data) is not None


def _is_idle_httptools(protocol: Any) -> bool:
    cycle = protocol.cycle
    if cycle is None:
        return protocol.scope is None
    return cycle.response_complete and not cycle.more_body and cycle.scope is protocol.scope


def _is_idle_h11(protocol: Any) -> bool:
    conn = protocol.conn
    return conn.their_state is h11.IDLE and not conn.trailing_data[0]


HTTPProtocol: Any = passing_protocol(AutoHTTPProtocol, is_h11=AutoHTTPProtocol is H11Protocol)
H11PassingProtocol: Any = passing_protocol(H11Protocol, is_h11=True)
