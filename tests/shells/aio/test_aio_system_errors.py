"""What the operating system says about a failure stays on the server, wherever the failure happens."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from fastsio import Depends, Room, SocketID
from fastsio.exceptions import ConnectionRefusedError as Refused

ADDRESS = "10.0.0.7"
ERRORS = [
    ConnectionRefusedError(111, f"Connect call failed ('{ADDRESS}', 5432)"),
    ConnectionRefusedError(f"cannot reach {ADDRESS}"),
    ConnectionResetError(104, ADDRESS),
    PermissionError(13, "Permission denied", f"/mnt/{ADDRESS}"),
    FileNotFoundError(2, "No such file", f"/mnt/{ADDRESS}"),
    TimeoutError(110, f"{ADDRESS} timed out"),
    OSError(f"Multiple exceptions: [Errno 111] Connect call failed ('{ADDRESS}', 5432)"),
]
every_error = pytest.mark.parametrize("error", ERRORS, ids=lambda error: f"{type(error).__name__}{len(error.args)}")


class Vault(Room):
    """A room whose guard fails."""

    error: Exception

    @classmethod
    def extract_room_identifier(cls, session, data):
        return data

    @classmethod
    def can_join(cls, session, data):
        raise cls.error


@every_error
@pytest.mark.parametrize("always_connect", [False, True])
@pytest.mark.parametrize("injected", [False, True])
async def test_a_connect_handler_refuses_without_saying_why(make, caplog, error, always_connect, injected):
    """The client is refused, is told nothing of the cause, and the log has it."""
    sio, wire = make(always_connect=always_connect)

    async def fail(*_args: Any) -> None:
        raise error

    async def fail_injected(_sid: SocketID) -> None:
        raise error

    sio.on("connect", fail_injected if injected else fail)
    client = await wire.open()
    await client.send("0")
    told = [await client.receive() for _ in range(1 + always_connect)]

    assert told[-1][0] == ("1" if always_connect else "4")
    assert ADDRESS not in str(told)
    is_expected = isinstance(error, PermissionError) or (type(error) is ConnectionRefusedError and not error.errno)
    assert (ADDRESS in caplog.text) is not is_expected


@every_error
async def test_an_event_fails_without_saying_why(sio, wire, error):
    """In a handler and in a dependency of it, with an acknowledgement and without."""

    async def dependency():
        raise error

    @sio.event
    async def fail(_sid: SocketID):
        raise error

    @sio.event
    async def depend(_sid: SocketID, value: None = Depends(dependency)): ...

    client = await wire.join()
    for event in ("fail", "depend"):
        await client.send(f'21["{event}"]', f'2["{event}"]')
        for _ in range(2):
            assert ADDRESS not in await client.receive()


@every_error
async def test_a_rooms_guard_fails_without_saying_why(sio, wire, error):
    """Who asks to be let in reads that it cannot, and no more."""
    Vault.error = error
    sio.register_room(Vault)
    client = await wire.join()
    await client.send('21["join_vault","v"]')

    assert ADDRESS not in await client.receive()


async def test_the_packages_own_refusal_says_what_it_was_given(sio, wire, caplog):
    """A subclass too, and nothing of it is logged as a defect."""
    caplog.set_level(logging.WARNING)

    class Full(Refused):
        pass

    @sio.event
    async def connect(sid, environ):
        raise Full("We are full.", {"waiting": 3})

    client = await wire.open()
    await client.send("0")

    assert await client.receive() == '4{"message":"We are full.","data":{"waiting":3}}'
    assert caplog.text == ""
