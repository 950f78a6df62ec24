"""Methods of python-socketio that applications override or replace."""

from __future__ import annotations

import pytest

import fastsio
from fastsio.base.client import BaseClient
from fastsio.base.seams import CLIENT_REFUSED, MANAGER_REFUSED, SERVER_REFUSED, Seams, overridden, own_methods
from fastsio.exceptions import SetupError


class Own:
    """A class of the package."""

    def handle(self): ...

    def send(self): ...


def test_a_version_of_its_own_is_told_from_the_inherited_one():
    """In the class itself, by way of another base class, and where somebody has replaced it in the class."""
    own = own_methods(("handle", "send"), vars(Own))

    class Mixed:
        def send(self): ...

    class Below(Mixed, Own):
        pass

    class Patched(Own):
        pass

    Patched.handle = lambda self: None

    assert overridden(Own, own) == set()
    assert overridden(Below, own) == {"send"}
    assert overridden(Patched, own) == {"handle"}


def test_a_method_is_called_as_the_object_has_it():
    """That of its class, or the one that was put on the object since."""

    class Owner:
        def is_asyncio_based(self):
            return False

        def send(self, text):
            return text

    owner = Owner()
    seams = Seams(owner, own_methods(("send",), vars(Owner)))

    assert (seams.call("send", "a"), seams.is_on_object("send")) == ("a", False)
    owner.send = str.upper
    assert (seams.call("send", "a"), seams.is_on_object("send")) == ("A", True)
    assert seams.method("send") is str.upper


@pytest.mark.parametrize(
    ("base", "refused"),
    [
        (fastsio.AsyncServer, SERVER_REFUSED),
        (fastsio.Server, SERVER_REFUSED),
        (fastsio.AsyncClient, CLIENT_REFUSED),
        (fastsio.Client, CLIENT_REFUSED),
        (fastsio.PubSubManager, MANAGER_REFUSED),
        (fastsio.AsyncPubSubManager, MANAGER_REFUSED),
    ],
)
def test_what_would_not_be_called_is_refused_when_the_class_is_made(base, refused):
    """The message names the class and the method, and says what to do instead."""
    for name, advice in refused.items():
        with pytest.raises(SetupError, match=f"Custom overrides {name}, which fastsio does not call") as caught:
            type("Custom", (base,), {name: lambda self: None, "__qualname__": "Custom"})
        assert advice in str(caught.value)


@pytest.mark.parametrize(
    ("made", "options"),
    [
        (fastsio.AsyncServer, {"async_mode": "asgi"}),
        (fastsio.Server, {"async_mode": "threading"}),
        (fastsio.AsyncClient, {}),
        (fastsio.Client, {}),
    ],
)
def test_what_would_not_be_called_is_refused_on_an_object(made, options):
    """Replaced on a server or client, and replaced in the class before one is made."""
    with pytest.raises(SetupError, match="was given _get_event_handler"):
        made(**options)._get_event_handler = print
    class_ = type("Patched", (made,), {})
    class_._get_event_handler = print

    with pytest.raises(SetupError, match="Patched overrides _get_event_handler"):
        class_(**options)


@pytest.mark.parametrize("made", [fastsio.AsyncClient, fastsio.Client])
def test_an_engine_of_another_package_is_refused(made):
    """A subclass of the engine that fastsio brings is taken."""
    engine = type(made().eio)
    own = type("Engine", (engine,), {})
    taken = type("Taking", (made,), {"_engineio_client_class": lambda self: own})
    refused = type("Refused", (made,), {"_engineio_client_class": lambda self: object})

    assert type(taken().eio) is own
    with pytest.raises(SetupError, match="Refused overrides _engineio_client_class with <class 'object'>"):
        refused()


@pytest.mark.parametrize(("base", "options"), [(fastsio.Server, {"async_mode": "threading"}), (fastsio.Client, {})])
def test_a_coroutine_function_without_asyncio_is_refused(base, options):
    """Nobody would await what it decides, be it that a client is kept out."""

    async def decide(*args): ...

    own = type("Own", (base,), {"_trigger_event": decide})

    with pytest.raises(SetupError, match=r"Own._trigger_event is a coroutine function.*write 'def _trigger_event'"):
        own(**options)
    with pytest.raises(SetupError, match="_trigger_event is a coroutine function"):
        base(**options)._trigger_event = decide


def test_a_client_knows_which_of_its_methods_are_replaced():
    """Until the attribute is taken away again."""

    class Bare(BaseClient):
        def _register(self, registration): ...

    client = Bare()
    client._trigger_event = print
    assert client._seams.replaced == {"_trigger_event"}

    del client._trigger_event
    client.anything = 1
    del client.anything
    assert client._seams.replaced == set()
