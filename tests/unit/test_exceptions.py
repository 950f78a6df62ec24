"""The error tree."""

from __future__ import annotations

import pytest

from fastsio import exceptions
from fastsio.exceptions import (
    ConnectionRefusedError,
    MissingExtraError,
    PacketError,
    RateLimited,
    RoomAccessError,
    RoomIdentifierError,
    SignatureError,
    ValidationFailed,
)


@pytest.mark.parametrize(
    ("args", "payload"),
    [
        ((), {"message": "Connection rejected by server"}),
        (("no",), {"message": "no"}),
        (("no", 1), {"message": "no", "data": 1}),
        (("no", 1, 2), {"message": "no", "data": (1, 2)}),
        (({"a": 1},), {"message": "{'a': 1}"}),
    ],
)
def test_a_refusal_carries_a_message_and_data(args, payload):
    """The CONNECT_ERROR payload, as python-socketio builds it."""
    assert ConnectionRefusedError(*args).error_args == payload


def test_python_socketios_errors_are_not_the_builtins():
    """except ConnectionError of the builtins does not catch them."""
    for name in ("ConnectionError", "ConnectionRefusedError", "TimeoutError"):
        ours = getattr(exceptions, name)
        assert issubclass(ours, exceptions.SocketIOError)
        assert not issubclass(ours, OSError)


def test_a_client_that_left_is_a_timeout_too():
    """Programs written for python-socketio, which waits to the end of the timeout, expect that one."""
    assert issubclass(exceptions.ClientLeftError, exceptions.DisconnectedError)
    assert issubclass(exceptions.ClientLeftError, exceptions.TimeoutError)


def test_a_packet_error_names_limit_and_value():
    """The log says what was too much."""
    error = PacketError("too many attachments", limit=10, value=11)

    assert str(error) == "too many attachments (11 > 10)"
    assert (error.reason, error.limit, error.value) == ("too many attachments", 10, 11)
    assert isinstance(error, ValueError)
    assert str(PacketError("an empty frame")) == "an empty frame"


def test_errors_carry_fields():
    """Not only text."""
    detail = [{"loc": ["args", 0, "text"], "msg": "Field required", "type": "missing"}]

    assert ValidationFailed(detail).detail == detail
    assert str(ValidationFailed(detail)) == "args.0.text: Field required"
    assert RateLimited(2.5).retry_after == 2.5
    missing = MissingExtraError("msgpack", "msgpack")
    assert (missing.module, missing.extra) == ("msgpack", "msgpack")
    assert "pip install 'fastsio[msgpack]'" in str(missing)
    assert isinstance(missing, ImportError)
    assert isinstance(SignatureError("x"), ValueError)


def test_errors_of_rooms_have_the_types_clients_know():
    """Who may not join, and who does not say where."""
    assert (RoomAccessError().type, RoomAccessError().msg) == ("forbidden", "You may not join this room.")
    assert RoomAccessError("Members only.").msg == "Members only."
    assert RoomIdentifierError("no id").type == "validation_error"
