"""Options that there are not, and the types of those that there are."""

from __future__ import annotations

import re
import warnings
from dataclasses import fields

import pytest

from fastsio import (
    AsyncClient,
    AsyncManager,
    AsyncPubSubManager,
    AsyncRedisManager,
    AsyncServer,
    Client,
    Manager,
    PubSubManager,
    RedisManager,
    Server,
)
from fastsio.base.options import (
    CLIENT_NAMES,
    SERVER_NAMES,
    ClientKeywords,
    ClientOptions,
    LimitKeywords,
    ServerKeywords,
    ServerOptions,
    known_options,
)
from fastsio.exceptions import SetupError
from fastsio.protocol import Limits

SERVERS = {AsyncServer: {"async_mode": "asgi"}, Server: {"async_mode": "threading"}}
MANAGERS = {AsyncManager: {}, Manager: {}, AsyncRedisManager: {"write_only": True}, RedisManager: {"write_only": True}}
CLIENTS = {AsyncClient: {}, Client: {"handle_sigint": False}}


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("cors_allowed_origin", "cors_allowed_origins"),
        ("cors_origins", "cors_allowed_origins"),
        ("ping_intervall", "ping_interval"),
        ("max_http_buffersize", "max_http_buffer_size"),
        ("engineio_log", "engineio_logger"),
        ("max_namespace", "max_namespaces"),
        ("client_managers", "client_manager"),
        ("namespace", "namespaces"),
    ],
)
def test_a_misspelt_option_of_a_server_is_told_the_right_name(server, written, meant):
    """The error names the class, what was written and what it may have meant."""
    told = f"{server.__name__} has no option {written!r}; did you mean {meant!r}?"
    with pytest.raises(SetupError, match=re.escape(told)):
        server(**SERVERS[server], **{written: None})


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("reconnect", "reconnection"),
        ("ack_timeouts", "ack_timeout"),
        ("max_attachment", "max_attachments"),
        ("jsn", "json"),
    ],
)
def test_a_misspelt_option_of_a_client_is_told_the_right_name(client, written, meant):
    """As with servers."""
    told = f"{client.__name__} has no option {written!r}; did you mean {meant!r}?"
    with pytest.raises(SetupError, match=re.escape(told)):
        client(**CLIENTS[client], **{written: None})


@pytest.mark.parametrize(
    ("manager", "written", "meant"),
    [
        (AsyncPubSubManager, "chanel", "channel"),
        (PubSubManager, "writeonly", "write_only"),
        (AsyncRedisManager, "redis_option", "redis_options"),
        (RedisManager, "publish_timeouts", "publish_timeout"),
    ],
)
def test_a_misspelt_option_of_a_manager_is_told_the_right_name(manager, written, meant):
    """Those of its own and those of its base."""
    told = f"{manager.__name__} has no option {written!r}; did you mean {meant!r}?"
    with pytest.raises(SetupError, match=re.escape(told)):
        manager(**{written: None})


@pytest.mark.parametrize(("kind", "options"), [*SERVERS.items(), *CLIENTS.items(), *MANAGERS.items()], ids=str)
def test_an_unknown_option_is_a_warning_that_names_it(kind, options):
    """It points at the line that gives the option, and the object works."""
    with pytest.warns(UserWarning, match=re.escape(f"{kind.__name__} has no option 'loop'; it does nothing")) as told:
        made = kind(**options, loop=None)

    assert [warning.filename for warning in told] == [__file__]
    assert isinstance(made, kind)


def test_what_a_library_passes_on_is_no_warning():
    """Flask-SocketIO gives its own option to the server, which its users cannot change."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Server(async_mode="threading", message_queue="redis://")


def test_options_that_are_known_are_kept():
    """The others are left out."""
    with pytest.warns(UserWarning, match="strange"):
        kept = known_options("Server", {"loud": 1, "strange": 2}, frozenset({"loud"}))

    assert kept == {"loud": 1}


def test_every_option_has_a_type():
    """Editors complete the fields of the option classes; what is missing there would count as unknown."""
    assert {field.name for field in fields(Limits)} == set(LimitKeywords.__annotations__)
    assert {field.name for field in fields(ServerOptions)} <= set(ServerKeywords.__annotations__)
    assert {field.name for field in fields(ClientOptions)} <= set(ClientKeywords.__annotations__)


def named(kind: type) -> set[str]:
    """Give the parameters of a class's constructors, those that are the Socket.IO object's own aside."""
    codes = [base.__init__.__code__ for base in kind.__mro__ if hasattr(base.__init__, "__code__")]
    names = {name for code in codes for name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]}
    return names - {"self", "logger", "json", "handle_sigint", "async_handlers"}


@pytest.mark.parametrize("server", SERVERS)
def test_every_option_of_the_transport_of_a_server_has_a_type(server):
    """Those of python-engineio, and those that fastsio adds."""
    assert named(type(server(**SERVERS[server]).eio)) <= SERVER_NAMES


@pytest.mark.parametrize("client", CLIENTS)
def test_every_option_of_the_transport_of_a_client_has_a_type(client):
    """Those of python-engineio."""
    assert named(type(client(**CLIENTS[client]).eio)) <= CLIENT_NAMES
