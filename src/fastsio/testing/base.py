"""
The parts of both test clients that do no I/O: packets to and from the server, and what was not received yet.

Source: Engine.IO protocol v4; Socket.IO protocol v5.
"""

from __future__ import annotations

import reprlib
from collections import deque
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from time import time
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

from fastsio.base.client import not_connected
from fastsio.base.client_recovery import RecoverableSessions
from fastsio.base.emit_args import answer, event_arguments
from fastsio.base.options import choose_packet_class
from fastsio.exceptions import (
    BadNamespaceError,
    ConnectionRefusedError,  # noqa: A004 - the package's own, which users catch
    DisconnectedError,
    SetupError,
    TimeoutError,  # noqa: A004 - as above
)
from fastsio.protocol import DEFAULT_CODEC, PacketType
from fastsio.protocol.decoder import ServerDecoder
from fastsio.protocol.lifecycle import Reasons
from fastsio.routing import single_namespace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from fastsio.base.internals import ServerInternals
    from fastsio.protocol import Packet

OPEN: Final = "0"
CLOSE: Final = "1"
PING: Final = "2"
PONG: Final = "3"
MESSAGE: Final = "4"


@dataclass(frozen=True, slots=True)
class Received:
    """
    An event that the server has sent.

    Attributes:
        event: Its name.
        args: Its arguments.
        namespace: The namespace.
        ack_id: Set when the server waits for an acknowledgement.
    """

    event: str
    args: tuple[Any, ...]
    namespace: str = "/"
    ack_id: int | None = field(default=None, compare=False)

    @property
    def data(self) -> Any:
        """None, the one argument, or a tuple of several."""
        return answer(self.args)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server has accepted the client in a namespace."""

    namespace: str
    sid: str
    #: The data of the server's CONNECT, with the keys of a session that can be recovered.
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Left:
    """The server has disconnected the client from a namespace."""

    namespace: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The server has refused the client in a namespace."""

    namespace: str
    data: Any


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The server has acknowledged an event of the client."""

    namespace: str
    ack_id: int
    args: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """The Engine.IO connection is open."""

    handshake: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pinged:
    """The server has sent a ping."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The server has closed the Engine.IO connection."""


Happening = Received | Accepted | Refused | Left | Acknowledged | Opened | Pinged | Closed


class Conversation:
    """Encodes the packets of a client, and decodes those of its server."""

    def __init__(self, packet_class: type[Packet]) -> None:
        self._packet_class = packet_class
        self._decoder = ServerDecoder(packet_class)
        self._ack_ids: Final = count(1)

    def restart(self) -> None:
        """Begin anew on another connection: a packet whose attachments are missing is forgotten."""
        self._decoder = ServerDecoder(self._packet_class)

    def connect(self, namespace: str, auth: Any) -> list[str | bytes]:
        """Return the frames of a CONNECT."""
        return self._frames(self._packet_class(PacketType.CONNECT, auth, namespace))

    def disconnect(self, namespace: str) -> list[str | bytes]:
        """Return the frames of a DISCONNECT."""
        return self._frames(self._packet_class(PacketType.DISCONNECT, None, namespace))

    def emit(self, event: str, data: Any, namespace: str) -> list[str | bytes]:
        """Return the frames of an event without an acknowledgement."""
        return self._event(event, data, namespace, None)

    def call(self, event: str, data: Any, namespace: str) -> tuple[int, list[str | bytes]]:
        """Return the id and the frames of an event that is to be acknowledged."""
        ack_id = next(self._ack_ids)
        return ack_id, self._event(event, data, namespace, ack_id)

    def acknowledge(self, received: Received, values: tuple[Any, ...]) -> list[str | bytes]:
        """Return the frames that answer an event of the server."""
        return self._frames(self._packet_class(PacketType.ACK, list(values), received.namespace, received.ack_id))

    def hear(self, frame: str | bytes) -> Happening | None:
        """
        Read a frame of the server: text with its Engine.IO type in front, or the bytes of a binary message.

        Return the meaning of the packet; None if its attachments have not arrived, or it has none, as a noop. Raise
        PacketError if the server broke the protocol.
        """
        if isinstance(frame, bytes):
            return self._heard(frame)
        match frame[:1]:
            case "0":
                return Opened(DEFAULT_CODEC.loads(frame[1:]))
            case "1":
                return Closed()
            case "2":
                return Pinged()
            case "4":
                return self._heard(frame[1:])
            case _:  # pong and noop
                return None

    def _heard(self, data: str | bytes) -> Happening | None:
        packet = self._decoder.feed(data)
        return None if packet is None else _meaning(packet)

    def _event(self, event: str, data: Any, namespace: str, ack_id: int | None) -> list[str | bytes]:
        return self._frames(self._packet_class(PacketType.EVENT, [event, *event_arguments(data)], namespace, ack_id))

    def _frames(self, packet: Packet) -> list[str | bytes]:
        encoded = packet.encode()
        frames = encoded if isinstance(encoded, list) else [encoded]
        return [MESSAGE + frame if isinstance(frame, str) else bytes(frame) for frame in frames]


def _meaning(packet: Packet) -> Happening:
    namespace = packet.namespace or "/"
    match packet.packet_type:
        case PacketType.CONNECT:
            return Accepted(namespace, packet.data["sid"], packet.data)
        case PacketType.CONNECT_ERROR:
            return Refused(namespace, packet.data)
        case PacketType.DISCONNECT:
            return Left(namespace)
        case PacketType.ACK | PacketType.BINARY_ACK:
            return Acknowledged(namespace, packet.id or 0, tuple(packet.data))
        case _:
            event, *args = packet.data
            return Received(event, tuple(args), namespace, packet.id)


#: Seconds to wait for what a test expects: enough for a slow machine, few enough for a test that fails.
TIMEOUT_S: Final = 10.0
#: The reasons of a disconnect handler for a client whose connection was lost.
LOSSES: Final = (Reasons.TRANSPORT_CLOSE, Reasons.TRANSPORT_ERROR, Reasons.PING_TIMEOUT)


class BaseTestClient:
    """The part of a test client that does not wait; its arguments are those of the test clients."""

    __test__ = False  # pytest would take the subclasses for tests

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
        self._server: Any = app if hasattr(app, "is_asyncio_based") else _server_of(app)
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
        #: Namespace -> auth, of the namespaces that ``reconnect()`` enters.
        self._auths: dict[str, Any] = {}
        self._sessions = RecoverableSessions(is_wanted=True, max_held_packets=0, max_held_bytes=0)
        self._recovered: set[str] = set()
        self._delay_s = 0.0
        self._repetitions = 0
        #: The frames that ``hold()`` keeps back; None while it keeps none back.
        self._held: list[str | bytes] | None = None

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
        """The events that have arrived and were not returned by ``receive()``, oldest first."""
        return tuple(self._events)

    @property
    def recovered(self) -> bool:
        """Whether the server has recovered the client's session in the root namespace at the last ``reconnect()``."""
        return "/" in self._recovered

    @property
    def recovered_namespaces(self) -> frozenset[str]:
        """The namespaces in which the server has recovered the client's session at the last ``reconnect()``."""
        return frozenset(self._recovered)

    def delay(self, seconds: float) -> None:
        """
        Let frames travel for a while, in both directions; they keep their order.

        Args:
            seconds: How long each frame takes from now on; 0 is no delay.

        Raises:
            ValueError: It is negative.
        """
        if seconds < 0:
            raise ValueError(f"delay({seconds!r}): frames cannot arrive before they are sent")
        self._delay_s = seconds

    def repeat(self, times: int = 1) -> None:
        """
        Send the next event of ``emit()`` or ``call()`` more than once, one right after the other.

        So does a client with ``retries`` that got no acknowledgement.

        Args:
            times: How many times more.

        Raises:
            ValueError: It is negative.
        """
        if times < 0:
            raise ValueError(f"repeat({times!r}): an event cannot be sent fewer times than once")
        self._repetitions = times

    def hold(self) -> AbstractContextManager[Any]:
        """
        Keep back what the client sends until :meth:`release`, or the end of the connection, with which it is lost.

        Returns:
            A ``with`` block, at whose end it is released.
        """
        if self._held is None:
            self._held = []
        return at_the_end(self.release)

    def release(self) -> None:
        """Send what :meth:`hold` has kept back, in order, if the connection still stands."""
        raise NotImplementedError

    def rooms(self, namespace: str = "/") -> set[str]:
        """
        Return the rooms the server has this client in, its own sid left out.

        Raises:
            BadNamespaceError: The client is not connected there.
            SetupError: The application does not tell which server it is for.
        """
        server = self._known_server("rooms()")
        sid = self.get_sid(namespace)
        return {str(room) for room in server.rooms(sid, namespace) if room not in (sid, None)}

    # Used by the test clients

    def _application_of(self, app: Any) -> Any:
        """Return the web application of a server, or the application itself."""
        raise NotImplementedError

    def _known_server(self, caller: str) -> Any:
        """Return the server; raise SetupError if the application does not tell which server it is for."""
        if not hasattr(self._server, "rooms"):
            raise SetupError(f"{caller}: the server is not known; give the test client the server instead")
        return self._server

    def _engine_for_loss(self, reason: str) -> Any:
        """
        Return the Engine.IO server, which ends the connection of a client for a reason.

        Raises:
            ValueError: That is no reason of a loss.
            SetupError: The application does not tell which server it is for.
        """
        if reason not in LOSSES:
            raise ValueError(
                f"drop({reason!r}): a connection is lost by {', '.join(map(repr, LOSSES))}; for the others there are "
                "the client's disconnect(), the server's disconnect() and shutdown()"
            )
        return self._known_server(f"drop({reason!r})").eio

    def _get_delay(self) -> float:
        return self._delay_s

    def _repeated(self, frames: list[str | bytes]) -> list[str | bytes]:
        """Return the frames of an event, as often as it is sent."""
        times, self._repetitions = 1 + self._repetitions, 0
        return frames * times

    def _leave(self, namespace: str) -> None:
        """Forget a namespace that the client has left."""
        del self.sids[namespace]
        self._auths.pop(namespace, None)
        self._sessions.forget(namespace)

    def _leave_all(self) -> list[str]:
        """Forget the namespaces, and return them."""
        left = list(self.sids)
        self.sids.clear()
        self._auths.clear()
        self._sessions.forget_all()
        self._held = None
        return left

    def _lose(self) -> None:
        """Forget what belongs to a connection that is lost; its namespaces are entered again by ``reconnect()``."""
        self.sids.clear()
        self._conversation.restart()
        self._held = None

    def _return(self, auth: Any, *, recover: bool) -> list[tuple[str, Any, Any]]:
        """
        Begin to reconnect; *auth* is as for ``reconnect()``, and *recover* says whether to ask for the sessions.

        Return for each namespace its name, the auth, and the auth with what asks for the session. Raise
        DisconnectedError if there is no namespace to enter again, TypeError as :func:`checked_auth`.
        """
        checked_auth(auth)
        if not self._auths:
            raise DisconnectedError("reconnect(): the client was not connected, or has left; call connect()")
        if not recover:
            self._sessions.forget_all()
        self._sessions.reset()
        self._recovered.clear()
        auths = {namespace: old if auth is None else auth for namespace, old in self._auths.items()}
        return [(namespace, each, self._sessions.ask(namespace, each) or each) for namespace, each in auths.items()]

    def _take(self, happening: Happening) -> None:
        """Store a message of the server."""
        match happening:
            case Received(ack_id=None, event=event, args=args, namespace=namespace):
                _, *rest = self._sessions.arguments_of(namespace, [event, *args], time(), None)
                self._events.append(Received(event, tuple(rest), namespace))
            case Received():
                self._events.append(happening)
            case Accepted(namespace=namespace, payload=payload):
                self._recovered.discard(namespace)
                if self._sessions.answer(namespace, payload):
                    self._recovered.add(namespace)
                self._answers[namespace] = happening
            case Acknowledged(ack_id=ack_id, args=args):
                self._acknowledged[ack_id] = args
            case Refused(namespace=namespace):
                self._answers[namespace] = happening
            case Left(namespace=namespace):
                if namespace in self.sids:
                    self._leave(namespace)
            case _:
                pass

    def _enter(self, namespace: str, auth: Any) -> ConnectionRefusedError | None:
        """Act on the answer to CONNECT; return the error that says why, if it was a refusal."""
        self._auths.pop(namespace, None)
        match self._answers.pop(namespace):
            case Refused(data=dict() as data):
                more = [data["data"]] if "data" in data else []
                return ConnectionRefusedError(data.get("message"), *more)
            case Refused(data=data):
                return ConnectionRefusedError(data)
            case Accepted(sid=sid):
                self.sids[namespace], self._auths[namespace] = sid, auth
        return None

    def _has_answer(self, namespace: str) -> bool:
        return namespace in self._answers

    def _is_in(self, namespace: str | None) -> bool:
        return single_namespace(namespace) in self.sids if namespace else self.connected

    def _is_out(self) -> bool:
        return not self.sids

    def _find(self, event: str | None, namespace: str | None) -> Received | None:
        """Return the oldest event of a name and a namespace, if one has arrived."""
        if namespace is not None:
            single_namespace(namespace)
        for each in self._events:
            if event in (None, each.event) and namespace in (None, each.namespace):
                return each
        return None

    def _take_event(self, event: str | None, namespace: str | None) -> Received:
        found = self._find(event, namespace)
        if found is None:  # the caller has waited for one
            raise LookupError(event)
        self._events.remove(found)
        return found

    def _take_answer(self, ack_id: int) -> Any:
        return answer(self._acknowledged.pop(ack_id))

    def _frames_of_answer(self, received: Received, values: tuple[Any, ...]) -> list[str | bytes]:
        """Return the frames that acknowledge an event; raise ValueError if the server does not wait for it."""
        if received.ack_id is None:
            raise ValueError(f"the server asked for no acknowledgement of {received.event!r}")
        return self._conversation.acknowledge(received, values)

    def _unanswered(self, event: str, namespace: str) -> str:
        """Return the text that an acknowledgement is missing, and why if the server is known to have no handler."""
        internals: ServerInternals | None = getattr(self._server, "__fastsio__", None)
        is_unhandled = internals is not None and internals.registry.resolve(namespace, event) is None
        return f"no acknowledgement of {event!r}" + f" (it has no handler in {namespace!r})" * is_unhandled

    def _failure(self, expected: str, *, is_over: bool) -> DisconnectedError | TimeoutError:
        """Return the error for something that has not arrived."""
        if is_over:
            return DisconnectedError(f"{expected}: the connection is over")
        names = ", ".join(repr(each.event) for each in self._events) or "nothing"
        return TimeoutError(f"{expected} in time; waiting to be taken: {names}")


def _server_of(app: Any) -> Any:
    """Return the server of an application of fastsio's, None for others."""
    return getattr(app, "engineio_server", None) or getattr(app, "engineio_app", None)


def checked_auth(auth: Any) -> Any:
    """
    Return the auth of a CONNECT as it is.

    Raises:
        TypeError: It is no dict, model or text, and not None: a server would close the connection and not say why.
    """
    if auth is None or isinstance(auth, (str, Mapping, BaseModel)):
        return auth
    raise TypeError(
        f"auth={reprlib.repr(auth)} is of type {type(auth).__name__}: a client may send a dict, a text or None; "
        f"a server closes the connection of one that sends anything else. Write auth={{'token': ...}}, for instance"
    )


def at_the_end(function: Callable[[], object]) -> ExitStack:
    """Return a ``with`` block that calls a function at its end."""
    block = ExitStack()
    block.callback(function)
    return block
