# Written by tools/unasync.py from aio/client/reconnect.py; change that one.
"""
The attempts of a client to reconnect after it has lost its connection, with longer and longer waits between them.

This module must not know packets; the client makes the single attempt.
"""

from __future__ import annotations

from random import random
from typing import TYPE_CHECKING, Any

from fastsio.base.client import reconnecting_clients
from fastsio.exceptions import ConnectionError as ConnectFailed
from fastsio.protocol.backoff import Backoff
from fastsio.sync import concurrency

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastsio.base.parts import ClientHandlers, PartClient


class Reconnecting:
    """
    The attempts of one client; *attempt* makes one attempt to connect.

    Attributes:
        has_left: Whether ``disconnect()`` was called since the last ``connect()``.
        aborted: Set to end the attempts; each loss has its own.
        task: The task or thread that makes them, or None.
    """

    def __init__(self, client: PartClient, namespaces: ClientHandlers, attempt: Callable[[], None]) -> None:
        self._client = client
        self._namespaces = namespaces
        self._attempt_once = attempt
        self.has_left = False
        self.aborted = client.eio.create_event()
        self.task: Any = None
        self._is_replaced = False
        #: The task or thread, also when it is nearly over.
        self._last_task: Any = None
        #: Set when the attempts are over; each loss has its own.
        self._over = client.eio.create_event()
        self._over.set()

    @property
    def is_active(self) -> bool:
        """Whether the client makes attempts."""
        return not self._over.is_set()

    def start(self) -> None:
        """Start making attempts; if no thread can be started for them, the loss is final."""
        client = self._client
        self.aborted = client.eio.create_event()
        self._over = client.eio.create_event()
        self._is_replaced = False
        if self.has_left:
            # A disconnect handler, or another thread, has called disconnect() while the loss was handled.
            self.aborted.set()
        reconnecting_clients.append(client)
        try:
            self._last_task = self.task = client.start_background_task(self._run, self._over)
        except Exception:
            self._end(self._over, is_final=True)
            raise
        if not self.is_active:  # a thread may be done by now
            self.task = None

    def wait(self) -> None:
        """Wait until the client makes no more attempts."""
        concurrency.wait_event(self._over)

    def abort(self) -> None:
        """Make no more attempts, and undo one that succeeds meanwhile."""
        self.aborted.set()
        self._namespaces.answered.set()

    def stop(self, *, is_replaced: bool = False) -> None:
        """
        Make no more attempts, and wait until one that runs has ended; if it succeeds, it is undone.

        The task that makes the attempts does not wait for itself. *is_replaced* is whether ``connect()`` is the caller;
        then the loss of the connection is not final.
        """
        self._is_replaced = is_replaced
        self.abort()
        if self.is_active and not concurrency.is_current(self._last_task):
            self.wait()

    def _run(self, over: Any) -> None:
        is_final = False
        try:
            # The task that found the connection broken may not have ended.
            self._client.eio.wait()
            is_final = not self._reconnect() and not self._is_replaced
        finally:
            self._end(over, is_final=is_final)

    def _end(self, over: Any, *, is_final: bool) -> None:
        """Make no more attempts; *is_final* is whether the loss of the connection is."""
        try:
            for namespace in self._client.connection_namespaces if is_final else ():
                self._namespaces.end(namespace)
        finally:
            reconnecting_clients.remove(self._client)
            self.task = None
            over.set()

    def _reconnect(self) -> bool:
        """Make attempts until one succeeds; return False if all have failed, or they were stopped."""
        client = self._client
        backoff = Backoff(
            client.reconnection_delay, client.reconnection_delay_max, jitter_s=client.randomization_factor
        )
        while not client.reconnection_attempts or backoff.attempts < client.reconnection_attempts:
            delay_s = backoff.next(random())  # noqa: S311 - jitter is no secret
            client.logger.info("Connection failed, new attempt in %.02f seconds", delay_s)
            if concurrency.wait_event(self.aborted, delay_s):
                client.logger.info("Reconnect task aborted")
                return False
            if self._attempt():
                if not self.aborted.is_set():
                    return True
                self._namespaces.hang_up()
                return False
        client.logger.info("Maximum reconnection attempts reached, giving up")
        return False

    def _attempt(self) -> bool:
        try:
            self._attempt_once()
        except ConnectFailed:
            return False
        except Exception:
            self._client.logger.exception("an attempt to reconnect failed")
            return False
        self._client.logger.info("Reconnection successful")
        return True
