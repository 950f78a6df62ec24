"""The servers under test: one uvicorn process pinned to a core, the same options for every application."""

from __future__ import annotations

import resource
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harness.generator import BenchmarkError, require

if TYPE_CHECKING:
    from collections.abc import Iterator

APPS = Path(__file__).resolve().parent.parent / "apps"
HOST = "127.0.0.1"
START_TIMEOUT_S = 20
STOP_TIMEOUT_S = 5
STOCK_WS = "auto"  # what uvicorn takes when not told otherwise; with websockets installed, that
UVICORN_OPTIONS = ("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning")


def allow_open_files() -> None:
    """Raise the limit of open files for this process and what it starts as far as is allowed."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def command_for(app: str, *, port: int, core: int, ws: str) -> list[str]:
    """Return the command that serves an application on one core."""
    python = [require("taskset"), "-c", str(core), sys.executable, "-W", "ignore::DeprecationWarning"]
    serve = ["-m", "uvicorn", f"{app}:app", "--app-dir", str(APPS), "--host", HOST, "--port", str(port), "--ws", ws]
    return [*python, *serve, *UVICORN_OPTIONS]


@contextmanager
def serving(app: str, *, core: int, ws: str) -> Iterator[tuple[int, int]]:
    """
    Serve an application in a process of its own for the length of a ``with`` block.

    Args:
        app: Module in ``apps/``.
        core: Core the server is pinned to.
        ws: WebSocket implementation of uvicorn.

    Yields:
        The port and the process id.

    Raises:
        BenchmarkError: The server did not start.
    """
    port = _free_port()
    process = subprocess.Popen(
        command_for(app, port=port, core=core, ws=ws), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        _wait_until_listening(process, app, port)
        yield port, process.pid
    finally:
        _stop(process)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


def _wait_until_listening(process: subprocess.Popen[str], app: str, port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            last = process.stderr.read().strip().splitlines()[-1:] if process.stderr else []
            raise BenchmarkError(f"{app} does not start: {' '.join(last)}")
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise BenchmarkError(f"{app} does not listen after {START_TIMEOUT_S} s")


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.communicate(timeout=STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
