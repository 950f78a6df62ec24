"""What python-socketio and fastsio make of options and names that cannot be meant."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from tests.parity.packages import OURS, THEIRS

SERVERS: dict[str, dict[str, Any]] = {"AsyncServer": {"async_mode": "asgi"}, "Server": {"async_mode": "threading"}}


def made(package: str, name: str, **options: Any) -> str:
    """Make an object of a package; tell whether that was possible, or what is said about it."""
    try:
        getattr(importlib.import_module(package), name)(**options)
    except Exception as error:  # noqa: BLE001 - which one it is, is what the test asks
        return f"{type(error).__name__}: {error}"
    return "made"


@pytest.mark.filterwarnings("ignore:.*has no option 'loop'")
@pytest.mark.parametrize("name", SERVERS)
def test_a_server_is_made_with_an_option_that_never_did_anything(name: str) -> None:
    """Programs written for older versions of python-socketio pass some."""
    assert made(THEIRS, name, loop=None, **SERVERS[name]) == "made"
    assert made(OURS, name, loop=None, **SERVERS[name]) == "made"


@pytest.mark.parametrize("name", SERVERS)
def test_a_misspelt_option_is_ignored_there_and_refused_here(name: str) -> None:
    """C-180: with the name that was meant."""
    assert made(THEIRS, name, cors_allowed_origin="*", **SERVERS[name]) == "made"
    assert "did you mean 'cors_allowed_origins'?" in made(OURS, name, cors_allowed_origin="*", **SERVERS[name])


@pytest.mark.filterwarnings("ignore:.*has no option 'loop'")
def test_an_unknown_option_of_a_client_is_an_error_there_and_a_warning_here() -> None:
    """C-180: servers and clients are alike."""
    assert made(THEIRS, "Client", handle_sigint=False, loop=None).startswith("TypeError")
    assert made(OURS, "Client", handle_sigint=False, loop=None) == "made"


@pytest.mark.parametrize("name", SERVERS)
def test_an_origin_without_its_scheme_is_taken_there_and_refused_here(name: str) -> None:
    """C-181: no browser sends it."""
    assert made(THEIRS, name, cors_allowed_origins=["example.com"], **SERVERS[name]) == "made"
    assert "write 'https://example.com'" in made(OURS, name, cors_allowed_origins=["example.com"], **SERVERS[name])


@pytest.mark.parametrize("name", ["AsyncNamespace", "Namespace", "AsyncClientNamespace", "ClientNamespace"])
def test_a_namespace_without_its_slash_is_taken_there_and_refused_here(name: str) -> None:
    """C-181: no packet can name it."""
    assert made(THEIRS, name, namespace="chat") == "made"
    assert "write '/chat'" in made(OURS, name, namespace="chat")
