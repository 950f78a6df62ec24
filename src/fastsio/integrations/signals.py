"""
The signals that end a web server: the Socket.IO servers handle them first.

uvicorn tells an application of its end when the last request is answered. A poll that waits for an event is such a
request, so that the process would wait for the heartbeat to end it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

#: The environment variable in which ``fastsio run --drain`` leaves its seconds for the processes that serve.
DRAIN: Final = "FASTSIO_DRAIN"
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class SignalChain:
    """
    Ends the connections of a Socket.IO server when the web server gets a signal to end.

    The first signal ends the connections of the server, and then the web server's handler is called: in the next turns
    of the loop, because the web server would end connections itself. A handler that the web server gave to the loop,
    with ``add_signal_handler``, cannot be kept waiting: the loop calls it after one more callback, which therefore ends
    all transports. After ``fastsio run --drain`` the first SIGTERM drains the server, and the web server's handler is
    called after that, or with a second signal. All servers of a process are drained at the same time.

    Attributes:
        is_installed: Whether :meth:`install` was called.
        is_urgent: Whether a second signal came while the server was drained, so that nothing is waited for.
        loop: The loop on which the server runs, from :meth:`install` to :meth:`remove`.
    """

    def __init__(self, server: Any) -> None:
        self.is_installed = False
        self.is_urgent = False
        self.loop: asyncio.AbstractEventLoop | None = None
        self._server = server

    def install(self) -> None:
        """Handle the signals that the web server in this thread handles, if one does."""
        self.is_installed = True
        is_main = threading.current_thread() is threading.main_thread()
        if self.loop is not None or not is_main or not _is_handled(signal.SIGTERM):
            return
        self.loop = asyncio.get_running_loop()
        self.is_urgent = False
        _signals.add(self)

    def remove(self) -> None:
        """Handle the signals no more."""
        if self.loop is not None:
            self.loop = None
            _signals.remove(self)

    def leave_clients(self) -> None:
        """End the transports of all clients at once; their disconnect handlers run with :meth:`drain`."""
        engine = self._server.eio
        for eio_sid in list(engine.sockets):
            engine.leave_client(eio_sid)

    async def drain(self, seconds: float) -> None:
        """Drain the server; a failure is logged."""
        try:
            await self._server.drain(seconds)
        except Exception:
            self._server.logger.exception("The server could not be drained")


class _Link:
    """
    A signal handler that was put before an earlier one, *previous*.

    There may be several: other code may replace this handler by one that calls it, and that one gets a link too.
    """

    def __init__(self, previous: Callable[[int, FrameType | None], Any]) -> None:
        self.previous = previous

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal; the interpreter calls this between any two of its steps."""
        _signals.take(number, partial(self.previous, number, frame))


class _Signals:
    """The signals of this process, for all of its servers."""

    def __init__(self) -> None:
        self._chains: list[SignalChain] = []
        self._drain_s = 0.0
        self._has_signal = self._is_passing = False
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, chain: SignalChain) -> None:
        """Tell a server of the signals from now on."""
        if not self._running():
            self._drain_s = float(os.environ.get(DRAIN, "0"))
            self._has_signal = False
        # A server whose loop has closed was not told of its end.
        self._chains = [each for each in self._chains if each.loop is not None and not each.loop.is_closed()]
        self._chains.append(chain)
        for number in SIGNALS:
            handler = signal.getsignal(number)
            if _is_handled(number) and callable(handler) and not isinstance(handler, _Link):
                signal.signal(number, _Link(handler))

    def remove(self, chain: SignalChain) -> None:
        """Stop telling a server; after the last one the web server gets its handlers back."""
        if chain in self._chains:
            self._chains.remove(chain)
        if self._running():
            return
        for number in SIGNALS:
            link = signal.getsignal(number)
            if isinstance(link, _Link):
                signal.signal(number, link.previous)

    def take(self, number: int, pass_on: Callable[[], Any]) -> None:
        """Tell the servers of a signal; *pass_on* calls the handler that the web server has for it."""
        chains = self._running()
        if self._is_passing or not chains:  # the handler that is called has another link before it
            pass_on()
            return
        is_first, self._has_signal = not self._has_signal, True
        if is_first:
            self._begin(chains, self._drain_s if number == signal.SIGTERM else 0.0, pass_on)
            return
        for chain in chains:
            chain.is_urgent = bool(self._drain_s)
        self._begin(chains, 0.0, None)
        self._pass(pass_on)

    def _running(self) -> list[SignalChain]:
        """Return the chains of servers whose loop runs; others are of servers that were not shut down."""
        return [chain for chain in self._chains if chain.loop is not None and chain.loop.is_running()]

    def _begin(self, chains: Sequence[SignalChain], seconds: float, pass_on: Callable[[], Any] | None) -> None:
        # The main thread runs one loop.
        loop: Any = chains[0].loop
        loop.call_soon_threadsafe(self._start, chains, seconds, pass_on)

    def _start(self, chains: Sequence[SignalChain], seconds: float, pass_on: Callable[[], Any] | None) -> None:
        if not seconds:
            for chain in chains:
                chain.leave_clients()
        task = asyncio.ensure_future(self._drain(chains, seconds, pass_on))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drain(self, chains: Sequence[SignalChain], seconds: float, pass_on: Callable[[], Any] | None) -> None:
        await asyncio.gather(*(chain.drain(seconds) for chain in chains))
        if pass_on is not None and not any(chain.is_urgent for chain in chains):
            self._pass(pass_on)

    def _pass(self, pass_on: Callable[[], Any]) -> None:
        self._is_passing = True
        try:
            pass_on()
        finally:
            self._is_passing = False


_signals: Final = _Signals()


def _is_handled(number: int) -> bool:
    """Tell whether a program has a handler of its own for a signal."""
    handler = signal.getsignal(number)
    return callable(handler) and handler is not signal.default_int_handler
