"""A client's session as an asynchronous context manager."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

    from fastsio.aio.api import ServerAPI


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

    async def __aenter__(self) -> dict[str, Any]:
        self._session = await self._server.get_session(self._sid, self._namespace)
        return self._session

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_val: BaseException | None = None,
        exc_tb: TracebackType | None = None,
    ) -> None:
        await self._server.save_session(self._sid, self._session, self._namespace)
