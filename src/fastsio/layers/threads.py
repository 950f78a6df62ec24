"""
A channel layer for threads: each method waits for the layer's own on an event loop.

That loop is the one on which the process receives, if there is one; otherwise one in a thread of its own.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from fastsio.layers.base import BaseChannelLayer
    from fastsio.layers.copying import Message

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
