"""Start programs written with a library for python-socketio, each in a process where ``socketio`` is fastsio."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.parity.packages import OURS, THEIRS
from tests.support.ports import HOST, reserved_port
from tests.support.servers import Address
from tests.support.waiting import PROGRAM_S, START_S, WAIT_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PROGRAMS = Path(__file__).parent / "programs"
ROOT = Path(__file__).parents[2]
#: PARITY_OURS=socketio runs the programs on python-socketio, which must pass as well.
RUNNER = [] if OURS == THEIRS else ["-m", f"{OURS}.compat"]


def environment() -> dict[str, str]:
    """Return the environment without what tells NiceGUI that it is being tested, which changes what it does."""
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}


@contextmanager
def program(name: str, *arguments: str, runner: Sequence[str] = RUNNER) -> Iterator[Address]:
    """
    Run a program that serves at the port it is given, for the length of the block.

    Args:
        name: Its file in ``programs/``; its first argument is the port.
        arguments: More arguments.
        runner: What runs it with the package under test; nothing for a program that chooses the package itself.
    """
    # NiceGUI writes into its working directory.
    with tempfile.TemporaryDirectory() as folder, reserved_port() as port:
        address = Address(HOST, port)
        command = [sys.executable, *runner, str(PROGRAMS / name), str(port), *arguments]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder, env=environment()
        )
        try:
            _wait_until_it_listens(process, address)
            yield address
        finally:
            process.terminate()
            try:
                process.communicate(timeout=WAIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


def _wait_until_it_listens(process: subprocess.Popen[str], address: Address) -> None:
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex((address.host, address.port)) == 0:
                return
        time.sleep(0.02)  # nobody tells when another process listens
    process.kill()
    pytest.fail(f"The program did not start:\n{process.communicate()[0]}", pytrace=False)


def run_module(module: str, *arguments: str) -> str:
    """Run a module to its end and return what it prints; its failure is the test's."""
    command = [sys.executable, *RUNNER, "-m", module, *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=PROGRAM_S, check=False, cwd=ROOT, env=environment()
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
