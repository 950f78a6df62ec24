"""What can go wrong with a channel layer, beside a broker that is away (:class:`fastsio.exceptions.BusError`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastsio.exceptions import SetupError, SocketIOError

if TYPE_CHECKING:
    from collections.abc import Iterable


class ChannelFull(SocketIOError):  # noqa: N818 - reads as what happened; the name is the channel layers' own
    """
    A channel holds as many messages as it may: the message was not put there.

    Args:
        channels: The channels that are full; all others have got the message.
    """

    def __init__(self, *channels: str) -> None:
        self.channels = channels
        names = ", ".join(repr(channel) for channel in channels)
        super().__init__(f"full: {names}; read faster, raise capacity=, or choose another overflow= policy")


class ChannelClosedError(SocketIOError):
    """
    Nobody can receive from the channel any more.

    Args:
        channel: Its name.
    """

    def __init__(self, channel: str) -> None:
        self.channel = channel
        super().__init__(f"channel {channel!r} is closed")


class LayerNotFoundError(SetupError, LookupError):
    """
    No channel layer is registered under the alias.

    Args:
        alias: What was asked for.
        registered: The aliases there are.
    """

    def __init__(self, alias: object, registered: Iterable[str]) -> None:
        self.alias = alias
        self.registered = sorted(registered)
        known = ", ".join(repr(name) for name in self.registered) or "none"
        super().__init__(
            f"no channel layer is registered as {alias!r} (registered: {known}); call "
            f"register_channel_layer({alias!r}, ...) in this process first, in a worker or a script as in the server"
        )
