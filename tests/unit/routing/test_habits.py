# ruff: noqa: D103 - the handlers here are examples
"""Handlers written as for FastAPI, without a marker."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
import pytest

from fastsio import AsyncNamespace, RouterSIO, SocketID
from fastsio.routing import Registration, Registry
from fastsio.routing.registration import CLIENT


@dataclass
class Point:
    x: int


class Line(msgspec.Struct):
    length: int


def warned(handler: Any, event: str = "shout", namespace: str = "/", **options: Any) -> list[str]:
    """Register a handler and return the warnings."""
    registry = Registry(asynchronous=True, **options)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        registry.add(Registration(namespace, event, handler))
    return [str(one.message) for one in caught]


async def shout(text: str, loud: bool = False): ...


async def unannotated(text, loud=False): ...


async def move(x: int, y: int): ...


async def draw(point: Point): ...


async def measure(line: Line): ...


async def save(item_id: int, q: str | None = None): ...


async def say(message: str): ...


async def find(city: str, limit: int = 10): ...


async def listed(values: list[int]): ...


async def noted(values: Annotated[dict[str, int], "a note"]): ...


@pytest.mark.parametrize("handler", [shout, unannotated, move, draw, measure, save, say, find, listed, noted])
def test_a_handler_whose_first_parameter_is_no_sid_is_warned_of(handler):
    """It would be called with the sid there."""
    assert len(warned(handler)) == 1


def test_the_warning_says_what_would_happen_and_what_to_write():
    """Which parameter gets what, and the cure."""
    (message,) = warned(shout)
    assert message == (
        "shout: has no marker, so it is called by position, as in python-socketio: 'text' would be the sid, and 'loud' "
        "the first argument of the event; write 'sid' first, or 'sid: SocketID' to have the arguments validated"
    )
    (alone,) = warned(say)
    assert "'message' would be the sid, and nothing takes an argument of the event" in alone


def plain(sid): ...


def with_data(sid, data): ...


def with_default(sid, data=None): ...


def noted_all(sid: str, data: dict[str, Any] | None = None, room: str = "x"): ...


def short(s, d): ...


def underscore(_, data=None): ...


def client(client_id: str, text: str = "", loud: bool = False): ...


def user(user: str, text: str = ""): ...


def rest(*args): ...


def wrong_note(sid: int, data: dict[str, Any]): ...


def any_note(who: Any, text: str = ""): ...


def literal(whom: Literal["a", "b"], text: str = ""): ...


def unknown_note(whom: "Missing", text: str = ""): ...  # type: ignore[name-defined] # noqa: F821, UP037 - for type checkers only


def no_type(whom: "a text", text: str = ""): ...  # type: ignore[syntax] # noqa: F722 - a note


def data_alone(data): ...


def first_has_default(text: str = "", loud: bool = False): ...


def others_without_default(whom: str, text: str, loud: bool = False): ...


def nothing(): ...


def marked(text: str, sid: SocketID): ...


@pytest.mark.parametrize(
    "handler",
    [
        plain,
        with_data,
        with_default,
        noted_all,
        short,
        underscore,
        client,
        user,
        rest,
        wrong_note,
        any_note,
        literal,
        unknown_note,
        no_type,
        data_alone,
        first_has_default,
        others_without_default,
        nothing,
        lambda s, d=None: None,
        marked,
    ],
)
def test_handlers_of_python_socketio_and_injected_ones_are_not_warned_of(handler):
    """The sid may have any name there, and a marker says what is meant."""
    assert warned(handler) == []


def test_catch_all_handlers_have_the_event_and_the_namespace_first():
    """Only what stands where the sid comes is looked at."""

    def everything(event: str, namespace: str, sid: str, text: str = ""): ...

    def habit(event: str, text: str, loud: bool = False): ...

    assert warned(everything, "*", "*") == []
    assert len(warned(habit, "*")) == 1


def test_connect_handlers_and_handlers_of_clients_are_not_warned_of():
    """They are called with something else."""

    def connect(sid: str, environ: dict[str, Any]): ...

    assert warned(connect, "connect") == []
    assert warned(shout, role=CLIENT) == []


def test_methods_of_class_based_namespaces_are_warned_of():
    """They are called with the sid too; one that dispatches events itself calls them as it likes."""

    class Chat(AsyncNamespace):
        on_note = "no method"

        async def on_shout(self, text: str, loud: bool = False): ...

        async def on_message(self, sid, data): ...

        def on_connect(self, sid, environ): ...

    class Own(Chat):
        async def trigger_event(self, event, *args): ...

    (message,) = warned(Chat("/chat"), None, "/chat")
    assert "on_shout" in message
    assert warned(Own("/own"), None, "/own") == []


def test_a_router_warns_once_and_of_the_line_that_registers():
    """Not again when it is included in a server, and not of a line in this package."""
    router = RouterSIO()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        router.on("shout", shout)
        registry = Registry(asynchronous=True)
        for registration in router._registrations:
            registry.add(registration.within(None, router._scope))

    assert [one.filename for one in caught] == [__file__]


@pytest.mark.parametrize(
    ("event", "meant"),
    [
        ("conect", "connect"),
        ("conncet", "connect"),
        ("Connect", "connect"),
        ("disconnects", "disconnect"),
        ("connection", "connect"),
        ("on_disconnect", "disconnect"),
    ],
)
def test_a_handler_for_a_misspelt_built_in_event_is_told(event, meant):
    """It would not be called when clients come or go. The JavaScript server's name is a slip here."""

    def handler(sid, *args): ...

    [text] = warned(handler, event)

    assert text.startswith(f"{handler.__qualname__}: {event!r} is an event that the peer would have to emit; ")
    assert text.endswith(f"did you mean the built-in {meant!r}?")
    with pytest.warns(UserWarning, match="did you mean the built-in"):
        RouterSIO().on(event, handler)


@pytest.mark.parametrize(
    "event",
    [
        "connect",
        "disconnect",
        "message",
        "collect",
        "connected",
        "reconnect",
        "disconnected",
        "_disconnect",
        "*",
        5,
        "c",
    ],
)
def test_events_of_the_application_have_any_name(event):
    """A word that differs by more than a letter is another word."""
    assert warned(lambda *args: None, event) == []


def test_clients_have_one_built_in_event_more():
    """connect_error, which a server does not have."""
    assert len(warned(lambda *args: None, "conect_error", role=CLIENT)) == 1
    assert warned(lambda *args: None, "conect_error") == []
    assert warned(lambda *args: None, "connect_error", role=CLIENT) == []


def test_methods_of_class_based_namespaces_are_looked_at_too():
    """A slip in a method's name, and one that has no on_ in front."""

    class Chat(AsyncNamespace):
        async def on_conect(self, sid, environ): ...

        async def connect(self, sid, environ): ...

    class Fine(AsyncNamespace):
        async def on_connect(self, sid, environ):
            await self.connect(sid)

        async def connect(self, sid): ...

    class Own(Chat):
        async def trigger_event(self, event, *args): ...

    def told(handler):
        return [text.partition("<locals>.")[2] for text in warned(handler, event=None)]

    assert told(Chat("/")) == [
        "Chat.connect: is not called when clients come; the handler is called 'on_connect'",
        "Chat.on_conect: 'conect' is an event that the peer would have to emit; did you mean the built-in 'connect'?",
    ]
    assert told(Fine("/")) == told(Own("/")) == []
