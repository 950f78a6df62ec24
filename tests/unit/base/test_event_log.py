"""What is written of events, and when it is decided that something is."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from fastsio.base.event_log import event_log, tell_unhandled
from fastsio.routing import Registry
from fastsio.routing.registry import MAX_MISSED


class Lines:
    """A logger of another library, which cannot tell what it takes."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, text: str, *values: Any) -> None:
        """Keep a line."""
        self.lines.append(text % values)

    warning = info


@pytest.mark.parametrize(("level", "is_written"), [(logging.INFO, True), (logging.WARNING, False)])
def test_a_log_is_written_where_information_is_taken(level, is_written):
    """Decided when the server or client is made."""
    logger = logging.getLogger(f"fastsio.test.events.{level}")
    logger.setLevel(level)

    assert (event_log(logger) is not None) is is_written


def test_events_rooms_and_clients_are_named():
    """What is in an event is not written."""
    lines = Lines()
    log: Any = event_log(lines)
    client = SimpleNamespace(label="sid1", namespace="/a")

    log.emitting("news", None, "/")
    log.emitting("news", ["a", "b"], "/a")
    log.received(client, "hello\n")
    log.acknowledged(client)
    log.entering("sid1", "room", "/a")
    log.leaving("sid1", "room", "/a")
    log.closing("room", "/a")
    log.disconnecting("sid1", "/a")
    log.stopping()
    log.sending("news", "/")
    log.received_from_server("news", "/")
    log.acknowledged_by_server("/")

    assert lines.lines == [
        'emitting event "news" to all [/]',
        "emitting event \"news\" to ['a', 'b'] [/a]",
        "received event \"'hello\\n'\" from sid1 [/a]",
        "received ack from sid1 [/a]",
        "sid1 is entering room room [/a]",
        "sid1 is leaving room room [/a]",
        "room room is closing [/a]",
        "Disconnecting sid1 [/a]",
        "Socket.IO is shutting down",
        'Emitting event "news" [/]',
        'Received event "news" [/]',
        "Received ack [/]",
    ]


def test_an_event_without_a_handler_is_told_once():
    """In each namespace."""
    registry, logger = Registry(asynchronous=True), Lines()

    for namespace in ("/", "/", "/a", "/"):
        tell_unhandled(registry, logger, "nobody", namespace)

    told = [f'no handler for event "nobody" [{name}]; this is said once' for name in ("/", "/a")]
    assert logger.lines == told


def test_ever_new_events_do_not_fill_the_log():
    """Clients choose the names."""
    registry, logger = Registry(asynchronous=True), Lines()

    for number in range(3 * MAX_MISSED):
        tell_unhandled(registry, logger, f"event {number}", "/")

    assert len(logger.lines) == MAX_MISSED
