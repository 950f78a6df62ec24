"""The public classes have the methods of python-socketio, with its signatures; more keyword-only options are allowed."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pytest
import socketio

from tests.parity.packages import OURS

CLASSES = ("AsyncServer", "AsyncManager", "AsyncNamespace", "ASGIApp")
# Not in this version; whoever adds one takes it out here.
LATER = frozenset({("AsyncServer", "instrument")})
COLLECTING = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
PACKET_METHODS = ("encode", "decode", "add_attachment", "reconstruct_binary", "deconstruct_binary", "data_is_binary")


def ours(name: str) -> Any:
    """Give the class of fastsio with this name."""
    return getattr(importlib.import_module(OURS), name)


def public_methods() -> list[tuple[str, str]]:
    """List the constructor and the public methods of python-socketio's classes."""
    return [
        (cls, name)
        for cls in CLASSES
        for name, member in inspect.getmembers(getattr(socketio, cls))
        if (name == "__init__" or not name.startswith("_")) and inspect.isfunction(member) and (cls, name) not in LATER
    ]


def parameters(function: Any) -> list[tuple[str, Any, Any]]:
    """Give name, kind and default of each parameter; ``*args`` and ``**kwargs`` have no name that counts."""
    signature = inspect.signature(function)  # noqa: TID251 - signatures are what is tested here
    return [
        ("*" if parameter.kind in COLLECTING else name, parameter.kind, parameter.default)
        for name, parameter in signature.parameters.items()
    ]


def without_additions(
    mine: list[tuple[str, Any, Any]], theirs: list[tuple[str, Any, Any]]
) -> list[tuple[str, Any, Any]]:
    """Leave out the keyword-only options that fastsio adds."""
    known = {name for name, _, _ in theirs}
    return [item for item in mine if item[1] is not inspect.Parameter.KEYWORD_ONLY or item[0] in known]


@pytest.mark.parametrize(("cls", "method"), public_methods())
def test_method_takes_the_same_parameters(cls: str, method: str) -> None:
    """Names, order, kinds and defaults of the parameters are python-socketio's."""
    theirs = parameters(getattr(getattr(socketio, cls), method))
    mine = parameters(getattr(ours(cls), method))

    assert without_additions(mine, theirs) == theirs


@pytest.mark.parametrize(("cls", "method"), public_methods())
def test_method_is_awaited_alike(cls: str, method: str) -> None:
    """What is a coroutine function there is one here, and nothing else is."""
    theirs = inspect.iscoroutinefunction(getattr(getattr(socketio, cls), method))

    assert inspect.iscoroutinefunction(getattr(ours(cls), method)) == theirs


@pytest.mark.parametrize("cls", CLASSES)
def test_public_attributes_exist_on_the_class(cls: str) -> None:
    """``MagicMock(spec=AsyncServer)`` knows every public name."""
    theirs = {name for name in dir(getattr(socketio, cls)) if not name.startswith("_")}

    assert theirs - set(dir(ours(cls))) == {name for owner, name in LATER if owner == cls}


@pytest.mark.parametrize("method", PACKET_METHODS)
@pytest.mark.parametrize("module", ["packet.Packet", "msgpack_packet.MsgPackPacket"])
def test_packet_methods_take_the_same_parameters(module: str, method: str) -> None:
    """Packets are built and read by applications too."""
    path, _, cls = module.partition(".")
    theirs = parameters(getattr(getattr(importlib.import_module(f"socketio.{path}"), cls), method))
    mine = parameters(getattr(getattr(importlib.import_module(f"{OURS}.{path}"), cls), method))

    assert without_additions(mine, theirs) == theirs


def test_disconnect_reasons_are_the_same() -> None:
    """``AsyncServer.reason`` has the same constants."""
    theirs = {
        name: getattr(socketio.AsyncServer.reason, name) for name in dir(socketio.AsyncServer.reason) if name.isupper()
    }

    assert {name: getattr(ours("AsyncServer").reason, name) for name in theirs} == theirs
