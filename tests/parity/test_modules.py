"""The modules of python-socketio are attributes of the package, without an import of each."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

from tests.parity.packages import OURS, THEIRS
from tests.support.waiting import PROGRAM_S


def run(program: str) -> str:
    """Run a program in an interpreter that has imported nothing; return what it prints."""
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PROGRAM_S, check=False
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_every_module_is_an_attribute_after_the_import_of_the_package() -> None:
    """``import fastsio as socketio; socketio.client.Client``, and the like for each."""
    found = "import sys, types, {0} as s; print(*(n for n in dir(s) if isinstance(getattr(s, n), types.ModuleType)))"
    theirs = set(run(found.format(THEIRS)).split())

    assert "client" in theirs
    assert theirs <= set(run(found.format(OURS)).split())


def test_modules_are_not_loaded_before_they_are_used() -> None:
    """Who only runs a server does not wait for clients and managers of brokers."""
    loaded = run(f"import sys, {OURS}; print(*(n for n in sys.modules if n.startswith('{OURS}.')))").split()

    assert not {f"{OURS}.{name}" for name in ("client", "server", "sync.client", "redis_manager")} & set(loaded)


def test_a_server_does_not_load_the_http_clients_that_engineio_imports() -> None:
    """They take as long to import as fastsio itself."""
    loaded = run(f"import sys, {OURS}; {OURS}.AsyncServer(); {OURS}.Server(); print(*sys.modules)").split()

    assert not {"engineio", "aiohttp", "requests"} & set(loaded)


@pytest.mark.parametrize("way", ["attribute", "import"])
def test_installed_under_the_name_socketio_they_are_the_same_modules(way: str) -> None:
    """``import socketio; socketio.client.Client`` after ``fastsio.compat.install()``."""
    line = "import socketio" if way == "attribute" else "import socketio.client, socketio.exceptions"
    program = (
        f"import fastsio.compat; fastsio.compat.install(); {line}; import fastsio; "
        "assert socketio.client.Client is fastsio.Client; "
        "assert socketio.exceptions.ConnectionRefusedError is fastsio.exceptions.ConnectionRefusedError; "
        "assert socketio.asgi.ASGIApp is socketio.ASGIApp; print('same')"
    )

    assert run(program) == "same\n"


def test_a_name_that_there_is_not_is_an_attribute_error() -> None:
    """As for any module."""
    package = __import__(OURS)

    assert isinstance(package.packet, ModuleType)
    with pytest.raises(AttributeError, match="has no attribute 'clients'"):
        _ = package.clients
