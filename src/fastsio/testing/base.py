"""What both test clients know: their namespaces, what has come and was not looked at yet."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from fastsio.base.client_options import not_connected
from fastsio.base.emit_args import answer
from fastsio.base.options import choose_packet_class
from fastsio.exceptions import (
    BadNamespaceError,
    ConnectionRefusedError,  # noqa: A004 - the package's own, which users catch
    DisconnectedError,
    SetupError,
    TimeoutError,  # noqa: A004 - as above
)
from fastsio.routing import place_of
from fastsio.testing.conversation import Accepted, Acknowledged, Conversation, Happening, Left, Received, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Long enough for a slow machine, short enough for a test that fails.
TIMEOUT_S: Final = 2.0


class BaseTestClient:
    """
    The part of a test client that does not wait.

    Args:
        app: The server, or the application it is part of.
        socketio_path: Where the application serves Socket.IO.
        headers: Of the handshake.
        query: Of the handshake.
        serializer: As the server's: ``"default"``, ``"msgpack"`` or a class of packets.
        timeout: Seconds to wait for what a test expects.
    """

    __test__ = False  # pytest, this is no test

    def __init__(
        self,
        app: Any,
        *,
        socketio_path: str = "socket.io",
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        query: Mapping[str, str] | str = "",
        serializer: Any = "default",
        timeout: float = TIMEOUT_S,
    ) -> None:
        self._app = self._application_of(app)
        self._server: Any = app if hasattr(app, "is_asyncio_based") else getattr(app, "engineio_server", None)
        self._path = f"/{socketio_path.strip('/')}/"
        self._headers = [*dict(headers).items()]
        self._query = query
        self._timeout_s = timeout
        self._conversation = Conversation(choose_packet_class(serializer, None))
        self._acknowledged: dict[int, tuple[Any, ...]] = {}
        self._answers: dict[str, Accepted | Refused] = {}
        self._events: deque[Received] = deque()
        #: Namespace -> sid of this client there.
        self.sids: dict[str, str] = {}

    @property
    def sid(self) -> str:
        """
        The client's sid in the root namespace.

        Raises:
            BadNamespaceError: The client is not connected there.
        """
        return self.get_sid("/")

    def get_sid(self, namespace: str = "/") -> str:
        """
        Return the client's sid in a namespace.

        Raises:
            BadNamespaceError: The client is not connected there.
        """
        try:
            return self.sids[namespace]
        except KeyError:
            raise BadNamespaceError(not_connected(namespace)) from None

    @property
    def connected(self) -> bool:
        """Whether the client is in any namespace."""
        return bool(self.sids)

    @property
    def received(self) -> tuple[Received, ...]:
        """The events that have come and were not taken by ``receive()``, oldest first."""
        return tuple(self._events)

    def rooms(self, namespace: str = "/") -> set[str]:
        """
        Return the rooms the server has this client in, its own sid left out.

        Raises:
            BadNamespaceError: The client is not connected there.
            SetupError: The application does not tell which server it is for.
        """
        if not hasattr(self._server, "rooms"):
            raise SetupError("rooms(): the server is not known; give the test client the server instead")
        sid = self.get_sid(namespace)
        return {str(room) for room in self._server.rooms(sid, namespace) if room not in (sid, None)}

    # What the shells ask

    def _application_of(self, app: Any) -> Any:
        """Return the web application of a server, or the application itself."""
        raise NotImplementedError

    def _take(self, happening: Happening) -> None:
        """Keep what the server said."""
        match happening:
            case Received():
                self._events.append(happening)
            case Acknowledged(ack_id=ack_id, args=args):
                self._acknowledged[ack_id] = args
            case Accepted(namespace=namespace) | Refused(namespace=namespace):
                self._answers[namespace] = happening
            case Left(namespace=namespace):
                self.sids.pop(namespace, None)
            case _:
                pass

    def _enter(self, namespace: str) -> None:
        """
        Draw the consequence of the answer to CONNECT.

        Raises:
            ConnectionRefusedError: It was a refusal.
        """
        match self._answers.pop(namespace):
            case Refused(data=dict() as data):
                more = [data["data"]] if "data" in data else []
                raise ConnectionRefusedError(data.get("message"), *more)
            case Refused(data=data):
                raise ConnectionRefusedError(data)
            case Accepted(sid=sid):
                self.sids[namespace] = sid

    def _is_in(self, namespace: str | None) -> bool:
        return place_of(namespace) in self.sids if namespace else self.connected

    def _is_out(self) -> bool:
        return not self.sids

    def _find(self, event: str | None, namespace: str | None) -> Received | None:
        """Return the oldest event of that name and place, if one has come."""
        if namespace is not None:
            place_of(namespace)
        for each in self._events:
            if event in (None, each.event) and namespace in (None, each.namespace):
                return each
        return None

    def _take_event(self, event: str | None, namespace: str | None) -> Received:
        found = self._find(event, namespace)
        if found is None:  # only called once one has come
            raise LookupError(event)
        self._events.remove(found)
        return found

    def _take_answer(self, ack_id: int) -> Any:
        return answer(self._acknowledged.pop(ack_id))

    def _frames_of_answer(self, received: Received, values: tuple[Any, ...]) -> list[str | bytes]:
        """
        Return the frames that acknowledge an event.

        Raises:
            ValueError: The server does not wait for it.
        """
        if received.ack_id is None:
            raise ValueError(f"the server asked for no acknowledgement of {received.event!r}")
        return self._conversation.acknowledge(received, values)

    def _failure(self, expected: str, *, is_over: bool) -> DisconnectedError | TimeoutError:
        """Return what to raise when something has not come."""
        if is_over:
            return DisconnectedError(f"{expected}: the connection is over")
        names = ", ".join(repr(each.event) for each in self._events) or "nothing"
        return TimeoutError(f"{expected} in time; waiting to be taken: {names}")
