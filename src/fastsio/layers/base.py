"""The base class of channel layers, and their methods for threads."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Collection, Coroutine, Mapping

    from fastsio.layers.codec import Message
    from fastsio.layers.inbox import Inbox, Overflow

STOP_TIMEOUT_S: Final = 5.0
ResultT = TypeVar("ResultT")


class SyncLayer:
    """The methods of a channel layer, for code that cannot await."""

    def __init__(self, layer: BaseChannelLayer) -> None:
        self._layer = layer

    def send(self, channel: str, message: Mapping[str, Any], *, wait: bool = True) -> None:
        """Send a message to one channel."""
        self._wait(self._layer.send(channel, message, wait=wait))

    def receive(self, channel: str, timeout: float | None = None) -> Message:
        """
        Return the next message of a channel.

        Args:
            channel: Its name.
            timeout: Seconds to wait for it; None waits for ever.

        Raises:
            TimeoutError: No message arrived in time; the builtin one.
        """
        return self._wait(asyncio.wait_for(self._layer.receive(channel), timeout))

    def new_channel(self, prefix: str = "specific") -> str:
        """Make a channel with a new name, and return the name."""
        return self._wait(self._layer.new_channel(prefix))

    def close_inbox(self, channel: str) -> None:
        """Close a channel, and remove it from its groups."""
        self._wait(self._layer.close_inbox(channel))

    def group_add(self, group: str, channel: str) -> None:
        """Put a channel into a group."""
        self._wait(self._layer.group_add(group, channel))

    def group_discard(self, group: str, channel: str) -> None:
        """Take a channel out of a group."""
        self._wait(self._layer.group_discard(group, channel))

    def group_send(self, group: str, message: Mapping[str, Any], *, wait: bool = True) -> None:
        """Send a message to all channels of a group."""
        self._wait(self._layer.group_send(group, message, wait=wait))

    def group_channels(self, group: str) -> list[str]:
        """Return the channels of a group."""
        return self._wait(self._layer.group_channels(group))

    def flush(self) -> None:
        """Remove all messages and groups."""
        self._wait(self._layer.flush())

    def close(self) -> None:
        """Close all channels and connections."""
        self._wait(self._layer.close())

    def _wait(self, operation: Coroutine[Any, Any, ResultT]) -> ResultT:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run_coroutine_threadsafe(operation, loop_for(self._layer)).result()
        operation.close()
        raise RuntimeError(
            "layer.sync would block the event loop that runs in this thread; await the method of the layer itself"
        )


def loop_for(layer: BaseChannelLayer) -> asyncio.AbstractEventLoop:
    """Return the event loop on which a thread without one uses a layer."""
    home = layer.home
    return home if home is not None and home.is_running() else _background.loop()


class BackgroundLoop:
    """An event loop in a thread of its own, started when it is first needed and stopped with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._process = 0

    def loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop."""
        with self._lock:
            # Threads do not survive a fork.
            if self._loop is None or self._process != os.getpid():
                self._process = os.getpid()
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._run, args=(self._loop,), name="fastsio-layers", daemon=True
                )
                self._thread.start()
                atexit.register(self.stop)
            return self._loop

    def stop(self) -> None:
        """End the thread, with the connections of the layers that used it."""
        with self._lock:
            loop, thread, self._loop = self._loop, self._thread, None
        if loop is not None and thread is not None and self._process == os.getpid():
            loop.call_soon_threadsafe(loop.stop)
            thread.join(STOP_TIMEOUT_S)

    @staticmethod
    def _run(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
            # Not asyncio.Runner: it ends the executor in a new thread, which Python 3.12 refuses when the process ends.
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()


_background: Final = BackgroundLoop()


class BaseChannelLayer(ABC):
    """
    Carries messages between the consumers of one process or of several.

    A message is a mapping with text keys, by convention with a ``type``. A channel is the address of one consumer, and
    a group is a set of channels that get the same messages. Making a layer does no I/O.

    Attributes:
        extensions: The optional parts that the layer has: ``groups`` and ``flush``.
    """

    extensions: ClassVar[list[str]] = ["groups", "flush"]
    #: The event loop on which this process receives; None before it has received.
    home: AbstractEventLoop | None = None

    @abstractmethod
    async def send(self, channel: str, message: Mapping[str, Any], *, wait: bool = True) -> None:
        """
        Send a message to one channel.

        Args:
            channel: Its name.
            message: The message.
            wait: Whether to wait while the client of the channel's consumer has much to read, if the consumer is in
                this process.

        Raises:
            ChannelFull: The channel has no room for it, as far as the layer knows.
            BusError: The broker did not accept it.
            TypeError: The name is not valid, or the message is not a mapping with text keys.
        """

    @abstractmethod
    async def receive(self, channel: str) -> Message:
        """
        Wait for the next message of a channel and return it, as a copy for the caller.

        If the call is cancelled, no message is lost, and the channel stays in its groups.

        Raises:
            ChannelClosedError: The channel was closed meanwhile.
        """

    @abstractmethod
    async def new_channel(self, prefix: str = "specific") -> str:
        """
        Make a channel of this process with a new name, begin to listen to it, and return the name.

        Args:
            prefix: The beginning of the name.
        """

    @abstractmethod
    async def group_add(self, group: str, channel: str) -> None:
        """Put a channel into a group; after the return it gets the messages that are sent to the group."""

    @abstractmethod
    async def group_discard(self, group: str, channel: str) -> None:
        """Take a channel out of a group; one that is not in it is ignored."""

    @abstractmethod
    async def group_send(self, group: str, message: Mapping[str, Any], *, wait: bool = True) -> None:
        """
        Send a message to all channels of a group; each gets a copy of its own.

        Args:
            group: The group.
            message: The message.
            wait: Whether to wait, after the message was sent, while clients of consumers in this process have much to
                read. Clients of other processes are never waited for.

        Raises:
            BusError: The broker did not accept it.
            TypeError: The name is not valid, or the message is not a mapping with text keys.
        """

    @abstractmethod
    async def let_read(self, addresses: Collection[str]) -> None:
        """
        Wait while clients of consumers in this process have much to read, as :meth:`group_send` does.

        Args:
            addresses: The channels of the consumers, or groups that they are in.
        """

    @abstractmethod
    async def group_channels(self, group: str) -> list[str]:
        """Return the channels of a group that the layer knows, in alphabetical order."""

    @abstractmethod
    async def open_inbox(
        self,
        channel: str,
        *,
        on_message: Callable[[Message], object] | None = None,
        on_close: Callable[[], object] | None = None,
        capacity: int | None = None,
        overflow: Overflow | None = None,
    ) -> Inbox:
        """
        Become the consumer of a channel until :meth:`close_inbox`.

        Args:
            channel: A name, usually from :meth:`new_channel`.
            on_message: Called with each message as it arrives, on the caller's event loop; messages are not queued
                then. It returns False to say that it has no room for the message.
            on_close: Called when the overflow policy ``close`` ends the inbox.
            capacity: How many messages may wait; None is the layer's number.
            overflow: The policy for messages beyond that; None is the layer's policy.

        Raises:
            SetupError: The channel has a consumer in this process already.
        """

    @abstractmethod
    async def close_inbox(self, channel: str) -> None:
        """Close a channel, drop its messages, and take it out of all its groups."""

    @abstractmethod
    async def flush(self) -> None:
        """Remove all messages and groups; consumers stay."""

    @abstractmethod
    async def close(self) -> None:
        """Close all channels and connections; a later use of the layer opens connections again."""

    @property
    @abstractmethod
    def is_closed(self) -> bool:
        """Whether the layer has neither channels nor connections."""

    @cached_property
    def loss_listeners(self) -> set[Callable[[], object]]:
        """The functions that are called, on the layer's loop, when messages for this process may have been lost."""
        return set()

    def report_loss(self) -> None:
        """Call the functions of :attr:`loss_listeners`."""
        for listener in tuple(self.loss_listeners):
            listener()

    @cached_property
    def sync(self) -> SyncLayer:
        """The same methods for threads and for programs without an event loop."""
        return SyncLayer(self)
