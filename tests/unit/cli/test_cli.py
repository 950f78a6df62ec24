"""The command line, its help and its refusals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

import fastsio
from fastsio.cli import commands, main
from tests.support.ports import reserved_port
from tests.support.waiting import PROGRAM_S, WAIT_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APPLICATION = """
import asyncio

import fastsio
from starlette.applications import Starlette



class Bus(fastsio.AsyncPubSubManager):
    async def _publish(self, data):
        pass

    async def _listen(self):
        await asyncio.Event().wait()
        yield


alone = fastsio.ASGIApp(fastsio.AsyncServer(async_mode="asgi"))
together = fastsio.ASGIApp(fastsio.AsyncServer(async_mode="asgi", client_manager=Bus()))
apart = fastsio.ASGIApp(fastsio.AsyncServer(fastsio.AsyncManager(), async_mode="asgi"))
both = fastsio.ASGIApp(together.engineio_server, apart)
foreign = Starlette()


async def echo(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": str(len(event["text"]))})


beside = fastsio.ASGIApp(fastsio.AsyncServer(async_mode="asgi", max_http_buffer_size=50_000), echo)
make = lambda: apart
"""


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder with an application, which is not imported again by other tests."""
    (tmp_path / "cli_application.py").write_text(APPLICATION)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "cli_application", raising=False)
    monkeypatch.delenv("WEB_CONCURRENCY", raising=False)
    return tmp_path


def test_without_a_command_the_help_says_what_there_is(capsys):
    """A command is asked for; the help lists them."""
    with pytest.raises(SystemExit) as stopped:
        main([])
    assert stopped.value.code == 2
    with pytest.raises(SystemExit):
        main(["--help"])

    assert "run" in capsys.readouterr().out


def test_the_version_is_shown(capsys):
    """That of the package, which the distribution has too."""
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])

    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"fastsio {fastsio.__version__}\n"
    assert fastsio.__version__ == version("fastsio")


def test_the_options_of_run_are_uvicorns(capsys):
    """uvicorn's own help is shown, under the command's name."""
    assert main(["run", "--help"]) == 0

    shown = capsys.readouterr().out
    assert "Usage: fastsio run" in shown
    assert "--forwarded-allow-ips" in shown


def test_a_wrong_option_is_uvicorns_to_refuse(capsys):
    """What uvicorn does not know is an error of the command line."""
    assert main(["run", "--no-such-option", "app:app"]) == 2
    assert "No such option" in capsys.readouterr().err


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1", "soon"])
def test_a_drain_takes_a_number_of_seconds(capsys, seconds):
    """The command line says what is wrong before anything is served."""
    assert main(["run", "--drain", seconds, "app:app"]) == 2
    assert "--drain" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["apart", "both", "make"])
def test_several_workers_need_a_manager_for_several(folder, capsys, name):
    """Workers that know nothing of each other's clients are refused, with the reason and the way out."""
    options = ["--factory"] if name == "make" else []

    assert main(["run", f"cli_application:{name}", "--workers", "2", "--app-dir", str(folder), *options]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith(f"fastsio run: cli_application:{name} cannot be served by 2 workers")
    assert "leave client_manager out" in shown
    assert "FASTSIO_WORKERS" not in os.environ


def test_the_environments_number_of_workers_counts(folder, capsys, monkeypatch):
    """WEB_CONCURRENCY is read as uvicorn reads it."""
    monkeypatch.setenv("WEB_CONCURRENCY", "3")

    assert main(["run", "cli_application:apart", "--app-dir", str(folder)]) == 1
    assert "3 workers" in capsys.readouterr().err


def test_workers_need_a_directory_of_their_own(folder, capsys, monkeypatch):
    """As in a container with nothing that may be written; the error says how to name one."""

    def mkdtemp(**_options: str) -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "mkdtemp", mkdtemp)

    assert main(["run", "cli_application:alone", "--workers", "2", "--app-dir", str(folder)]) == 1
    shown = capsys.readouterr().err
    assert "No usable temporary directory found" in shown
    assert "let TMPDIR name a directory" in shown


def test_the_directory_of_workers_has_a_short_path(folder, capsys, monkeypatch, tmp_path):
    """Unix sockets have no longer ones; what was made is removed."""
    deep = tmp_path / ("x" * 60)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    monkeypatch.setattr(commands, "OTHER_PLACES", ())

    assert main(["run", "cli_application:alone", "--workers", "2", "--app-dir", str(folder)]) == 1
    shown = capsys.readouterr().err
    assert "is too long for Unix sockets" in shown
    assert "let TMPDIR name a directory" in shown
    assert list(deep.iterdir()) == []
    assert "FASTSIO_WORKERS" not in os.environ


@pytest.mark.parametrize("first", ["missing", "x" * 60], ids=["missing", "too long"])
def test_another_directory_is_taken_where_that_for_temporary_files_is_no_good(monkeypatch, tmp_path, first):
    """Its path is too long on macOS, and in a container only ``/dev/shm`` may be writable."""
    (tmp_path / ("x" * 60)).mkdir()
    with tempfile.TemporaryDirectory(prefix="e") as place:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / first))
        monkeypatch.setattr(commands, "OTHER_PLACES", ("/no/such/place", place))

        with commands.worker_group({"reload": False, "workers": 2, "http": "auto"}):
            assert os.environ["FASTSIO_WORKERS"].startswith(f"{place}/fastsio-")
            assert os.listdir(place)  # noqa: PTH208 - names only

        assert os.listdir(place) == os.listdir(tmp_path / ("x" * 60)) == []  # noqa: PTH208 - names only


IMPORTING = """
import sys
import threading
print("importing", flush=True)
threading.Event().wait()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_during_the_start_leaves_no_directory(tmp_path, number):
    """The process ends as the signal says, while it imports the application."""
    (tmp_path / "slow_application.py").write_text(IMPORTING)
    command = [sys.executable, "-m", "fastsio", "run", "slow_application:app", "--workers", "2"]
    with tempfile.TemporaryDirectory(prefix="e") as place:
        environment = {**os.environ, "TMPDIR": place}
        with subprocess.Popen(
            [*command, "--app-dir", str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"importing\n"
            assert len(os.listdir(place)) == 1  # noqa: PTH208 - names only
            process.send_signal(number)
            process.communicate(timeout=WAIT_S)

        assert process.returncode != 0
        assert os.listdir(place) == []  # noqa: PTH208 - names only


FAILING = """
import fastsio


class Application(fastsio.ASGIApp):
    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.failed", "message": "no database"})


app = Application(fastsio.AsyncServer(async_mode="asgi"))
"""


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_application_that_cannot_start_is_a_failure(tmp_path, workers):
    """The exit status says so, whatever the number of workers: those who start services rely on it."""
    (tmp_path / "failing_application.py").write_text(FAILING)
    command = [sys.executable, "-m", "fastsio", "run", "failing_application:app", "--workers", workers]
    with reserved_port() as port:
        ended = subprocess.run(
            [*command, "--port", str(port), "--app-dir", str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=PROGRAM_S,
            check=False,
        )

    assert "no database" in ended.stderr
    assert ended.returncode == 3


def test_what_has_no_socketio_is_not_vouched_for(folder, capsys):
    """Whether another application may have workers is not known here."""
    assert main(["run", "cli_application:foreign", "--workers", "2", "--app-dir", str(folder)]) == 1
    assert "has no ASGIApp of fastsio" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["no_such_module:app", "cli_application:nothing", "cli_application"])
def test_an_application_that_is_not_there_is_named(folder, capsys, name):
    """A name that leads nowhere is an error of one line."""
    assert main(["run", name, "--workers", "2", "--app-dir", str(folder)]) == 1

    shown = capsys.readouterr().err
    assert name.split(":")[0] in shown
    assert "Traceback" not in shown


def first_answer(url: str) -> bytes:
    """Ask until somebody listens: a worker says that it has started just before it does."""
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=WAIT_S) as answer:  # noqa: S310 - of the test's own server
                return bytes(answer.read())
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


@contextmanager
def running(folder: Path, *options: str) -> Iterator[str]:
    """Run ``fastsio run`` for the length of the block; yield its host and port."""
    with reserved_port() as port:
        command = [sys.executable, "-m", "fastsio", "run", "--port", str(port), "--app-dir", str(folder), *options]
        environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
            try:
                assert process.stderr is not None
                awaited = {"Uvicorn running", "Application startup complete"}
                while awaited:
                    line = process.stderr.readline()
                    assert line, "it ended"
                    awaited = {each for each in awaited if each not in line}
                yield f"127.0.0.1:{port}"
            finally:
                process.terminate()
            process.communicate(timeout=WAIT_S)

    assert process.returncode in {0, -signal.SIGTERM}


@pytest.mark.parametrize(
    "options",
    [
        ["cli_application:alone"],
        ["--workers", "2", "cli_application:together"],
        ["--workers", "2", "cli_application:alone"],
    ],
)
def test_it_serves_until_it_is_stopped(folder, options):
    """``python -m fastsio run`` listens, takes options on either side of the application, and ends on a signal."""
    with running(folder, *options) as place:
        assert first_answer(f"http://{place}/socket.io/?EIO=4&transport=polling").startswith(b'0{"sid"')


@pytest.mark.parametrize(
    ("options", "is_compressed", "takes_more"),
    [
        ([], False, False),
        (["--ws-max-size", "60000", "--ws-per-message-deflate", "true"], True, True),
    ],
    ids=["by default", "asked for"],
)
def test_websockets_take_no_more_than_socketio_unless_asked(folder, options, is_compressed, takes_more):
    """Messages of up to max_http_buffer_size, and none that is compressed; also where Socket.IO does not serve them."""
    with running(folder, "cli_application:beside", *options) as place:
        first_answer(f"http://{place}/socket.io/?EIO=4&transport=polling")
        with connect(f"ws://{place}/other", proxy=None) as websocket:
            assert bool(websocket.protocol.extensions) is is_compressed
            websocket.send("x" * 50_000)
            assert websocket.recv(timeout=WAIT_S) == "50000"
            websocket.send("x" * 50_001)
            if takes_more:
                assert websocket.recv(timeout=WAIT_S) == "50001"
            else:
                with pytest.raises(ConnectionClosed):
                    websocket.recv(timeout=WAIT_S)
