"""The ways to start workers: the command of uvicorn, Gunicorn, and those where nothing is passed on."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.raw_websocket import FIN, TEXT, client_frame
from tests.integration.workers.raw_http import Workers, call, join, open_session
from tests.integration.workers.test_workers_requests import WEBSOCKET
from tests.support.brokers import Broker
from tests.support.ports import reserved_port
from tests.support.worker_site import ROOT, SITE, gunicorn, workers

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNT = 2
FAST = ["--http", "fastsio.integrations.uvicorn:HTTPProtocol", "--ws", "fastsio.integrations.uvicorn:WebSocketProtocol"]


@contextmanager
def under_gunicorn() -> Iterator[Broker]:
    """Serve with Gunicorn, which imports the application in its workers."""
    with tempfile.TemporaryDirectory() as folder, reserved_port() as port:
        config = Path(folder) / "gunicorn.conf.py"
        config.write_text(gunicorn(COUNT, port))
        line = [sys.executable, "-m", "gunicorn", "--log-level", "warning", "--no-control-socket", "-c", str(config)]
        broker = Broker([*line, f"{SITE}:make()"], port, "", Path(folder), {"PYTHONPATH": str(ROOT), "TMPDIR": folder})
        broker.start()
        try:
            yield broker
        finally:
            broker.stop()


@contextmanager
def under_uvicorn(*options: str) -> Iterator[Broker]:
    """Serve with the command of uvicorn."""
    with (
        tempfile.TemporaryDirectory(prefix="fastsio-") as group,
        workers(COUNT, *options, command=("uvicorn",), FASTSIO_WORKERS=group) as broker,
    ):
        yield broker


@pytest.mark.parametrize("start", [under_gunicorn, lambda: under_uvicorn(*FAST)], ids=["gunicorn", "uvicorn"])
def test_other_commands(start):
    """The directory and the protocols are enough."""
    with start() as broker, Workers(broker.port, COUNT) as site:
        session = open_session(site.connect())
        wire = site.at(next(number for number in site.wires if number != session.worker))

        join(wire, session)
        assert call(wire, session, "where")[0] == site.told[session.worker]["pid"]
        assert wire.ask(session.target.replace("polling", "websocket"), headers=WEBSOCKET).status == 101
        wire.send(client_frame(FIN | TEXT, b"2probe"))
        assert wire.read() == b"\x81\x063probe"

        assert "Traceback" not in broker.log


def test_a_directory_that_is_not_there_is_said_once(tmp_path):
    """The workers serve, and each logs why nothing is passed on."""
    missing = str(tmp_path / "missing")
    environ = {"FASTSIO_WORKERS": missing, "SITE_BUS": "off"}
    with workers(1, *FAST, command=("uvicorn",), **environ) as broker, Workers(broker.port, 1) as site:
        assert open_session(site.connect()).worker == 0
        assert open_session(site.connect()).worker == 0

        assert broker.log.count("are not passed on: no worker can join the directory") == 1
        assert missing in broker.log


@pytest.mark.parametrize("options", [["--workers", "1"], ["--workers", "2", "--reload"]], ids=["one", "reload"])
def test_one_worker_has_no_group(options):
    """Not even that of a process that started it."""
    with (
        tempfile.TemporaryDirectory() as folder,
        workers(1, *options, FASTSIO_WORKERS=folder) as broker,
        Workers(broker.port, 1) as site,
    ):
        assert list(site.wires) == [None]
        assert open_session(site.connect()).worker == 0
        assert os.listdir(folder) == []  # noqa: PTH208 - names only
