"""What every channel layer offers, over whichever broker, and the same for threads."""

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
    """
    The methods of a channel layer, for code that cannot await.

    Args:
        layer: The layer.
    """

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
            TimeoutError: None came in time; the builtin one.
        """
        return self._wait(asyncio.wait_for(self._layer.receive(channel), timeout))

    def new_channel(self, prefix: str = "specific") -> str:
        """Make a channel that nobody else has."""
        return self._wait(self._layer.new_channel(prefix))

    def close_inbox(self, channel: str) -> None:
        """Forget a channel and its groups."""
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
        """Forget all messages and groups."""
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
    """Return the loop to use a layer on from a thread without one."""
    home = layer.home
    return home if home is not None and home.is_running() else _background.loop()


class BackgroundLoop:
    """An event loop in a thread, started when it is first asked for and ended with the process."""

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

    A message is a mapping with strings for keys, by custom with a ``type``. A channel is one consumer's address, a
    group the addresses that get the same messages. Making a layer does no I/O.

    Attributes:
        extensions: The optional parts that the layer has: ``groups`` and ``flush``.
    """

    extensions: ClassVar[list[str]] = ["groups", "flush"]
    #: The event loop on which this process receives, once it does.
    home: AbstractEventLoop | None = None

    @abstractmethod
    async def send(self, channel: str, message: Mapping[str, Any], *, wait: bool = True) -> None:
        """
        Send a message to one channel.

        Args:
            channel: Its name.
            message: The message.
            wait: Whether to wait while the channel's consumer is one of this process, and its client is behind and
                reads.

        Raises:
            ChannelFull: There is no room for it, and the layer knows.
            BusError: The broker did not take it.
            TypeError: The name is not valid, or the message is not a mapping with text keys.
        """

    @abstractmethod
    async def receive(self, channel: str) -> Message:
        """
        Return the next message of a channel, waiting for it; it is the caller's own.

        A caller that is cancelled loses neither messages nor groups.

        Raises:
            ChannelClosedError: The channel was closed meanwhile.
        """

    @abstractmethod
    async def new_channel(self, prefix: str = "specific") -> str:
        """
        Make a channel of this process that nobody else has, and begin to listen to it.

        Args:
            prefix: What its name begins with.
        """

    @abstractmethod
    async def group_add(self, group: str, channel: str) -> None:
        """Put a channel into a group; once it returns, the channel gets what is sent to the group."""

    @abstractmethod
    async def group_discard(self, group: str, channel: str) -> None:
        """Take a channel out of a group; one that is not in it is fine."""

    @abstractmethod
    async def group_send(self, group: str, message: Mapping[str, Any], *, wait: bool = True) -> None:
        """
        Send a message to all channels of a group; each gets a copy of its own.

        Args:
            group: The group.
            message: The message.
            wait: Whether to wait while clients of consumers in this process are behind and read. The message has been
                sent before; what other processes send never waits here.

        Raises:
            BusError: The broker did not take it.
            TypeError: The name is not valid, or the message is not a mapping with text keys.
        """

    @abstractmethod
    async def let_read(self, addresses: Collection[str]) -> None:
        """
        Wait while clients of consumers in this process are behind and read, as :meth:`group_send` does.

        Args:
            addresses: The channels of the consumers, or groups that they are in.
        """

    @abstractmethod
    async def group_channels(self, group: str) -> list[str]:
        """Return the channels of a group, in alphabetical order, that the layer knows of."""

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
            channel: A name, as a rule from :meth:`new_channel`.
            on_message: Called with each message as it arrives, on the caller's event loop, instead of queueing it:
                no task, no queue. It returns False when it has no room.
            on_close: Called when the overflow policy ``close`` ends the inbox.
            capacity: Messages that may wait; None is the layer's.
            overflow: What to do with more; None is the layer's.

        Raises:
            SetupError: Somebody in this process is its consumer already.
        """

    @abstractmethod
    async def close_inbox(self, channel: str) -> None:
        """Forget a channel with its messages, and take it out of all its groups."""

    @abstractmethod
    async def flush(self) -> None:
        """Forget all messages and groups; consumers stay."""

    @abstractmethod
    async def close(self) -> None:
        """Close all channels and connections; using the layer afterwards opens them anew."""

    @property
    @abstractmethod
    def is_closed(self) -> bool:
        """Whether the layer holds neither channels nor connections."""

    @cached_property
    def sync(self) -> SyncLayer:
        """The same methods for threads and for programs without an event loop."""
        return SyncLayer(self)
