"""
Which channels a node wants to be subscribed to, which it is, and what it has asked for meanwhile.

For each channel there is one request at a time: after rooms were entered and left in quick succession the node is
subscribed, or not, as the last change wants it. Must not know connections.
"""

from __future__ import annotations

from typing import AnyStr, Generic


class SubscriptionSet(Generic[AnyStr]):
    """
    The subscriptions of one node.

    Attributes:
        wanted: The channels to be subscribed to.
    """

    def __init__(self) -> None:
        self.wanted: set[AnyStr] = set()
        self._active: set[AnyStr] = set()
        #: Channel -> whether the request on its way is to subscribe.
        self._asked: dict[AnyStr, bool] = {}

    def set_wanted(self, channel: AnyStr, *, is_wanted: bool) -> None:
        """Store whether the node wants to be subscribed to a channel."""
        if is_wanted:
            self.wanted.add(channel)
        else:
            self.wanted.discard(channel)

    def is_in_force(self, channel: AnyStr) -> bool:
        """Whether what is published to a channel arrives, and will."""
        return channel in self._active and channel not in self._asked

    def is_behind(self, channel: AnyStr) -> bool:
        """Whether something is to be asked for a channel now."""
        return channel not in self._asked and (channel in self.wanted) is not (channel in self._active)

    def next_request(self, channel: AnyStr) -> bool | None:
        """
        Return the request that is due for a channel, which counts as sent from then on.

        Returns:
            True to subscribe, False to unsubscribe, None if there is nothing to ask, or a request is on its way.
        """
        if not self.is_behind(channel):
            return None
        is_wanted = self._asked[channel] = channel in self.wanted
        return is_wanted

    def confirm(self, channel: AnyStr, *, is_subscribed: bool) -> None:
        """Store the server's answer about a channel, or what it says unasked when the channel's slot has moved away."""
        if self._asked.get(channel) is is_subscribed:
            del self._asked[channel]
        if is_subscribed:
            self._active.add(channel)
        else:
            self._active.discard(channel)

    def refuse(self, channel: AnyStr) -> None:
        """Forget the request for a channel, which the server has refused."""
        self._asked.pop(channel, None)

    def lose(self) -> None:
        """Forget all subscriptions and requests: the connections are gone."""
        self._active.clear()
        self._asked.clear()
