"""The admin interface of the server for threads: who gets in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fastsio.engine.request import PROTOCOL_KEY
from tests.shells.sync.fake_engine import wired

ADA = {"username": "ada", "password": "secret"}


def test_who_guesses_locks_no_administrator_out():
    """The attempts of an address are its own: after any number of wrong ones there, others log in elsewhere."""
    server, wire = wired()
    panel = server.instrument(
        auth=ADA, server_stats_interval=60, max_failed_logins_per_minute=2, max_failed_logins_overall=3
    )

    def log_in(address: str, credentials: Any) -> str:
        client = wire.open(REMOTE_ADDR=address)
        client.send(f"0/admin,{json.dumps(credentials)}")
        return client.receive()[:1]

    answers = [log_in(f"192.0.2.{number % 5}", {"password": str(number)}) for number in range(20)]

    assert answers == ["4"] * 20
    assert log_in("198.51.100.7", ADA) == "0"
    assert log_in("192.0.2.1", ADA) == "4"
    panel.shutdown()


def test_reports_are_sent_after_a_moment_without_threads(monkeypatch):
    """If the system has no thread for the task that sends them, the next connection tries again."""
    server, wire = wired()
    panel = server.instrument(auth=ADA, server_stats_interval=60)
    runner = server.__fastsio__.runner
    with monkeypatch.context() as patch:

        def refuse(*_args: Any) -> None:
            raise RuntimeError("can't start new thread")

        patch.setattr(runner, "start_task", refuse)
        wire.open()

    admin = wire.open()
    admin.send(f"0/admin,{json.dumps(ADA)}")

    assert admin.receive()[:1] == "0"
    assert admin.receive().startswith('2/admin,["config"')
    panel.shutdown()


def test_a_connection_that_no_thread_can_be_started_for_is_not_counted(monkeypatch):
    """A client of Engine.IO 3 joins at once, in a thread; the engine refuses it if there is none."""
    server, wire = wired()
    panel = server.instrument(auth=ADA, server_stats_interval=60)
    wire.open()

    def refuse(*_args: Any) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(server.__fastsio__.runner, "start_task", refuse)
        with pytest.raises(RuntimeError, match="thread"):
            wire.open(**{PROTOCOL_KEY: 3})

    assert panel._watch.describe_server()["clientsCount"] == 1
    panel.shutdown()
