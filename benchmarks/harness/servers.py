"""The servers under test: pinned to a core, the same options for every application of a kind."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.generator import BenchmarkError, require

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.contenders import Contender

APPS = Path(__file__).resolve().parent.parent / "apps"
HOST = "127.0.0.1"
START_TIMEOUT_S = 20
STOP_TIMEOUT_S = 5
#: A server is idle if its processes use less than this CPU time in this many seconds.
IDLE_CPU_S = 0.02
IDLE_S = 0.5
STOCK_WS = "auto"  # what uvicorn takes when not told otherwise; with websockets installed, that
UVICORN_OPTIONS = ("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning")


@dataclass(frozen=True, slots=True)
class Running:
    """A server that listens, and what the load has to know of it besides."""

    port: int
    pid: int
    options: dict[str, float | str] = field(default_factory=dict)


def allow_open_files() -> None:
    """Raise the limit of open files for this process and what it starts as far as is allowed."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def command_for(contender: Contender, *, port: int, core: int, load_core: int, ws: str) -> list[str]:
    """Return the command that serves an application on one core, or its workers on both."""
    if contender.runner == "node":
        return [*pinned(core), require("node"), str(APPS / f"{contender.app}.mjs"), str(port)]
    python = [*pinned(core), sys.executable, "-W", "ignore::DeprecationWarning"]
    if contender.runner == "python":
        return [*python, str(APPS / f"{contender.app}.py"), str(port)]
    if contender.workers:
        python = [*pinned(core, load_core), sys.executable, "-W", "ignore::DeprecationWarning"]
        serve = ["-m", "fastsio", "run", f"{contender.app}:app", "--app-dir", str(APPS)]
        serve += ["--workers", str(contender.workers)]
        return [*python, *serve, "--host", HOST, "--port", str(port), *UVICORN_OPTIONS]
    serve = ["-m", "uvicorn", f"{contender.app}:app", "--app-dir", str(APPS)]
    return [*python, *serve, "--host", HOST, "--port", str(port), "--ws", contender.ws or ws, *UVICORN_OPTIONS]


def pinned(*cores: int) -> list[str]:
    """Return what goes in front of a command to keep it on these cores."""
    return [require("taskset"), "-c", ",".join(map(str, cores))]


@contextmanager
def serving(contender: Contender, *, core: int, load_core: int, ws: str) -> Iterator[Running]:
    """
    Serve an application for the length of a ``with`` block.

    Args:
        contender: What to serve; its nodes share a core, and a Redis or a directory of their own.
        core: Core the server is pinned to.
        load_core: Core of what is not measured: Redis.
        ws: WebSocket implementation of uvicorn, where the contender has none of its own.

    Raises:
        BenchmarkError: The server did not start.
    """
    with ExitStack() as stack:
        environment = dict(os.environ)
        if contender.local:
            environment["FASTSIO_WORKERS"] = stack.enter_context(tempfile.TemporaryDirectory())
        elif contender.redis or contender.nodes > 1:
            environment["REDIS_URL"] = stack.enter_context(_redis(load_core))
        if contender.recovery:
            environment["RECOVERY"] = "1"
        if contender.streams:
            environment["STREAMS"] = "1"
        ports = [free_port() for _ in range(contender.nodes)]
        commands = [command_for(contender, port=port, core=core, load_core=load_core, ws=ws) for port in ports]
        first, *_ = [
            stack.enter_context(started(command, contender.app, port, environment))
            for command, port in zip(commands, ports, strict=True)
        ]
        if contender.workers:
            _wait_until_idle(first.pid, contender.app)
        yield Running(ports[0], first.pid, {"port2": ports[1]} if contender.nodes > 1 else {})


@contextmanager
def _redis(core: int) -> Iterator[str]:
    """Run a Redis that keeps nothing on disk."""
    port = free_port()
    command = [*pinned(core), require("redis-server"), "--port", str(port), "--save", "", "--appendonly", "no"]
    with started(command, "redis-server", port):
        yield f"redis://{HOST}:{port}/0"


@contextmanager
def started(
    command: Sequence[str], name: str, port: int, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """
    Run a program that listens on *port* for the length of a ``with`` block.

    Raises:
        BenchmarkError: It did not start.
    """
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        _wait_until_listening(process, name, port)
        yield process
    finally:
        _stop(process)


def free_port() -> int:
    """Return a port nobody listens on."""
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


def _wait_until_idle(pid: int, app: str) -> None:
    """Wait until a server and its workers have started; the first worker listens while the others still start."""
    deadline = time.monotonic() + START_TIMEOUT_S
    used_s = -1.0
    while (now_s := sum(map(_cpu_seconds, _family(pid)))) > used_s + IDLE_CPU_S:
        if time.monotonic() > deadline:
            raise BenchmarkError(f"{app} is still busy {START_TIMEOUT_S} s after its start")
        used_s = now_s
        time.sleep(IDLE_S)


def _family(pid: int) -> list[int]:
    """Return the ids of a process and of its descendants."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    return [pid, *[each for child in children for each in _family(child)]]


def _cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.communicate(timeout=STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
