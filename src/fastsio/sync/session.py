# Written by tools/unasync.py from aio/session.py; change that one.
"""A client's session as a context manager."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

    from fastsio.sync.api import ServerAPI


class SessionContext:
    """
    Reads a session on entry and saves it on exit, also after an exception.

    Args:
        server: The server.
        sid: The client.
        namespace: The namespace; None is ``"/"``.
    """

    def __init__(self, server: ServerAPI, sid: str, namespace: str | None) -> None:
        self._server = server
        self._sid = sid
        self._namespace = namespace
        self._session: dict[str, Any] = {}

    def __enter__(self) -> dict[str, Any]:
        self._session = self._server.get_session(self._sid, self._namespace)
        return self._session

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_val: BaseException | None = None,
        exc_tb: TracebackType | None = None,
    ) -> None:
        self._server.save_session(self._sid, self._session, self._namespace)
