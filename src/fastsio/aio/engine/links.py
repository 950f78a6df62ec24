"""
One end of an open WebSocket, whatever the web framework calls it: ``receive`` and ``send`` of ASGI events.

They are plain callables, so that an ASGI server's own are used without a layer in between. A server that frames for the
engine gives a :class:`DirectLink`, which needs no events.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections import deque

Event: TypeAlias = dict[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[Event], Coroutine[Any, Any, None]]
Frame: TypeAlias = str | bytes

#: The extension of an ASGI scope that a server offers its direct link in.
DIRECT: Final = "fastsio.direct"
NORMAL_CLOSURE: Final = 1000
MESSAGE_TOO_BIG: Final = 1009
#: How long the last frames and the closing handshake may take before the connection is given up.
CLOSE_GRACE_S: Final = 10.0


class LinkLost(Exception):  # noqa: N818 - says what happened
    """The peer closed the WebSocket."""


class Link:
    """
    An accepted WebSocket.

    Args:
        receive: Waits for the next event.
        send: Writes an event.
    """

    __slots__ = ("receive", "send")

    def __init__(self, receive: Receive, send: Send) -> None:
        self.receive = receive
        self.send = send


class DirectLink(Link):
    """
    A WebSocket whose server takes packets and gives frames as they are.

    Args:
        receive: As a :class:`Link` has it, for what is not worth a way of its own.
        send: The same.

    Attributes:
        frames: What has arrived and nobody has taken; None while there is nothing, for an empty deque is not small.
    """

    __slots__ = ("frames",)

    def __init__(self, receive: Receive, send: Send) -> None:
        super().__init__(receive, send)
        self.frames: deque[Frame] | None = None

    def write(self, frames: bytes) -> bool:
        """
        Write frames, without waiting, together with what else is written in this turn of the loop.

        Returns:
            False when the peer lags; then nothing was written.
        """
        raise NotImplementedError

    def write_at_once(self, frames: bytes) -> bool:
        """
        Write frames as :meth:`write` does, but without delay if nothing else was written in this turn.

        Returns:
            False when the peer lags; then nothing was written.
        """
        raise NotImplementedError

    def divert(self, take: Callable[[Frame], bool] | None) -> None:
        """
        Offer frames to *take* the moment they arrive, while none waits; those it does not take wait in ``frames``.

        Args:
            take: Tells whether it took the frame. It runs in no task and must not raise.
        """
        raise NotImplementedError

    def wake(self) -> None:
        """Have :meth:`wait` return."""
        raise NotImplementedError

    async def wait(self) -> None:
        """
        Wait for a frame, or for :meth:`wake`.

        Raises:
            LinkLost: The WebSocket is closed.
            PacketError: The peer sent a message over the server's limit.
        """
        raise NotImplementedError


def direct_link(scope: Event) -> DirectLink | None:
    """Take the direct link out of an ASGI scope, which is the application's own from then on."""
    link: DirectLink | None = (scope.get("extensions") or {}).pop(DIRECT, None)
    return link
