"""``fastsio run --forward``: what it refuses, and what it leaves for the workers."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from fastsio.brokers.worker_group import WORKERS
from fastsio.cli import commands, main
from fastsio.cli.commands import FORWARD, PASSING

if TYPE_CHECKING:
    from pathlib import Path

APPLICATION = """
import fastsio

manager = fastsio.AsyncRedisManager("redis://127.0.0.1:1/0")
together = fastsio.ASGIApp(fastsio.AsyncServer(async_mode="asgi", client_manager=manager))
alone = fastsio.ASGIApp(fastsio.AsyncServer(async_mode="asgi"))
foreign = print
"""
URL = "redis://127.0.0.1:1/0"


@pytest.fixture
def served(tmp_path, monkeypatch) -> list[dict[str, Any]]:
    """Take uvicorn's place: keep the options and the environment of each start."""
    (tmp_path / "forwarding_application.py").write_text(APPLICATION)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "forwarding_application", raising=False)
    monkeypatch.delenv("WEB_CONCURRENCY", raising=False)
    monkeypatch.delenv(FORWARD, raising=False)
    monkeypatch.delenv(WORKERS, raising=False)
    calls: list[dict[str, Any]] = []
    original = commands.copy

    def copy(command: Any) -> Any:
        made = original(command)
        made.invoke = lambda context: calls.append(
            {**context.params, "forwarding": os.environ.get(FORWARD), "group": os.environ.get(WORKERS)}
        )
        return made

    monkeypatch.setattr(commands, "copy", copy)
    return calls


def run(name: str, *options: str) -> int:
    """Run the command for an application of the test."""
    return main(["run", f"forwarding_application:{name}", *options])


@pytest.mark.parametrize("workers", [[], ["--workers", "3"]])
def test_workers_find_the_settings_and_a_group(served, workers):
    """A single one too; each start is another machine."""
    for _ in range(2):
        assert run("together", "--forward", URL, "--max-forwarding", "8192", *workers) == 0

    first, second = [json.loads(call["forwarding"]) for call in served]
    assert first["machine"] != second["machine"]
    assert first == {"url": URL, "channel": "fastsio-forward", "machine": first["machine"], "max_bytes": 8192}
    assert all(call["group"] for call in served)
    assert {call["http"] for call in served} == {PASSING["auto"]}


def test_without_the_option_nothing_is_forwarded(served, monkeypatch):
    """Also if the process was started by one that forwards."""
    monkeypatch.setenv(FORWARD, "{}")

    assert run("together") == 0

    assert (served[0]["forwarding"], served[0]["group"]) == (None, None)


@pytest.mark.parametrize(
    ("name", "options", "why"),
    [
        ("together", ["kafka://localhost"], "over Redis or NATS: write the URL like"),
        ("together", ["nats://host:port"], "no valid host and port"),
        ("together", [URL, "--forward-channel", "a b"], "--forward-channel is a name"),
        ("together", [URL, "--http", "uvicorn.protocols.http.h11_impl:H11Protocol"], "needs one of the HTTP protocols"),
        ("alone", [URL], "give AsyncServer a client_manager with a broker"),
        ("foreign", [URL], "give AsyncServer a client_manager with a broker"),
    ],
)
def test_what_cannot_be_forwarded_is_refused(served, capsys, name, options, why):
    """Before anything is served."""
    assert run(name, "--forward", *options) == 1

    assert why in capsys.readouterr().err
    assert served == []


def test_windows_has_no_groups_of_workers(served, capsys, monkeypatch):
    """So nothing is forwarded there."""
    monkeypatch.setattr(commands.sys, "platform", "win32")

    assert run("together", "--forward", URL) == 1

    assert "not for Windows" in capsys.readouterr().err


def test_the_folder_of_the_group_is_removed(served, tmp_path):
    """At the end."""
    assert run("together", "--forward", URL) == 0

    folder: Path = tmp_path / served[0]["group"]
    assert not folder.exists()
