"""The files in ``docs/deploy/container``: what they name fits together."""

from __future__ import annotations

import configparser
import json
import re
import runpy
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from fastsio import ASGIApp
from fastsio.testing import TestClient

if TYPE_CHECKING:
    import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "deploy" / "container"
GUIDE = (FOLDER.parents[1] / "howto" / "containers.md").read_text(encoding="utf-8")
DOCKERFILE = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
#: Seconds that a server takes to stop after its drain, at most.
SHUTDOWN_S = 5


def drain_of(command: str) -> int:
    """Return the seconds of ``--drain`` in a command."""
    words = shlex.split(command)
    return int(words[words.index("--drain") + 1])


def test_what_the_files_name_is_there() -> None:
    """What is copied and mounted, and every file is shown in the guide."""
    copied = re.findall(r"^COPY (?!--from)(\S+) ", DOCKERFILE, re.MULTILINE)
    mounted = [each.split(":")[0] for each in COMPOSE["services"]["caddy"]["volumes"] if each.startswith("./")]

    assert [name for name in (*copied, *mounted) if not (FOLDER / name).is_file()] == []
    shown = set(re.findall(r"deploy/container/(\S+)", GUIDE))
    assert {path.name for path in FOLDER.iterdir() if path.is_file()} - shown == set()


def test_each_way_to_stop_takes_longer_than_the_drain() -> None:
    """Docker and systemd kill what has not ended by then."""
    (command,) = re.findall(r"^CMD (\[.+\])$", DOCKERFILE, re.MULTILINE)
    service = configparser.ConfigParser(interpolation=None, strict=False)
    service.read(FOLDER / "chat.service")

    assert drain_of(shlex.join(json.loads(command))) + SHUTDOWN_S < int(
        COMPOSE["services"]["app"]["stop_grace_period"][:-1]
    )
    assert drain_of(service["Service"]["ExecStart"]) + SHUTDOWN_S < int(service["Service"]["TimeoutStopSec"])


async def test_the_application_serves_and_says_that_it_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without REDIS_URL it is one process."""
    monkeypatch.delenv("REDIS_URL", raising=False)
    names: dict[str, Any] = runpy.run_path(str(FOLDER / "app.py"))
    assert isinstance(names["app"], ASGIApp)

    async with TestClient(names["app"]) as client:
        await client.connect()
        await client.emit("say", "hello")
        assert (await client.receive("said")).data == "hello"
        assert names["sio"].is_ready


def test_the_sizes_are_the_measured_ones() -> None:
    """Rounded to the safe side, by a quarter at most."""
    measured = (FOLDER.parents[1] / "explanation" / "performance.md").read_text(encoding="utf-8")
    names, *_ = (line for line in measured.splitlines() if line.startswith("| | python-socketio"))
    columns = [names.split("|").index(f" {name} ") for name in ("fastsio fast", "fastsio")]
    rows = {
        "memory, per idle WebSocket": "KiB a connection",
        "events with acknowledgement, a second and core": "echoes a second",
        "deliveries of a broadcast to 500, a second and core": "deliveries a second, 500 clients",
        "new WebSocket connections, a second and core": "connections a second",
    }

    for name, row in rows.items():
        sizes = [number(cell) for cell in row_of(GUIDE, name)[2:4]]
        figures = [number(row_of(measured, row)[column]) for column in columns]
        for size, figure in zip(sizes, figures, strict=True):
            low, high = (figure, 1.25 * figure) if name.startswith("memory") else (0.75 * figure, figure)
            assert low <= size <= high, name


def row_of(page: str, name: str) -> list[str]:
    """Return the cells of the first row of a table that begins with a name; the first cell is empty."""
    row, *_ = (line for line in page.splitlines() if line.startswith(f"| {name} |"))
    return row.split("|")


def number(cell: str) -> float:
    """Read a number with its unit."""
    return float(cell.replace(",", "").removesuffix(" KiB ").strip())
