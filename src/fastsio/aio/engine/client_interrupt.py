"""
What an interrupt of the program, Ctrl-C, does to asyncio clients: they leave, then what Python does anyway happens.

An application that has a handler for the signal of its own is left alone.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from functools import partial
from typing import Any, Final

from fastsio.aio.engine.client_upstream import connected_clients

#: Event loop -> the task in which its clients leave.
_leaving: Final[dict[asyncio.AbstractEventLoop, asyncio.Task[None]]] = {}


def heed_interrupts() -> None:
    """Let the clients of the running loop leave when the program is interrupted."""
    handler = signal.getsignal(signal.SIGINT)
    if not _is_pythons(handler):
        return
    loop = asyncio.get_running_loop()
    # Not in the main thread, or not on this platform.
    with suppress(NotImplementedError, RuntimeError, ValueError):
        loop.add_signal_handler(signal.SIGINT, _begin, loop, handler)


async def left() -> None:
    """Wait until the clients have left, if the program was interrupted."""
    task = _leaving.get(asyncio.get_running_loop())
    if task is not None and task is not asyncio.current_task():
        await asyncio.wait({task})


def _is_pythons(handler: Any) -> bool:
    """Whether a handler is Python's own, or that of ``asyncio.run()``, which cancels the main task."""
    owner = getattr(handler.func, "__self__", None) if isinstance(handler, partial) else None
    return handler is signal.default_int_handler or isinstance(owner, asyncio.Runner)


def _begin(loop: asyncio.AbstractEventLoop, handler: Any) -> None:
    # A second interrupt does what it does without clients.
    loop.remove_signal_handler(signal.SIGINT)
    signal.signal(signal.SIGINT, handler)
    _leaving[loop] = loop.create_task(_leave(loop, handler))


async def _leave(loop: asyncio.AbstractEventLoop, handler: Any) -> None:
    try:
        for client in list(connected_clients):
            if client.is_asyncio_based():
                await client.disconnect()
        handler(signal.SIGINT, None)
    finally:
        del _leaving[loop]
