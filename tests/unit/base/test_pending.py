"""What a client does with what it cannot send, or has sent without an answer."""

from __future__ import annotations

from contextlib import nullcontext
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from fastsio.base.answers import Answer
from fastsio.base.options import ClientOptions
from fastsio.base.pending import Emission, PendingEmissions
from fastsio.exceptions import BadNamespaceError, DisconnectedError, TimeoutError
from fastsio.protocol import Packet


class World:
    """A client that is in ``/a``, and its emissions."""

    def __init__(self, **options: Any) -> None:
        self.packet_class = Packet
        self.namespaces = {"/a": "sid"}
        self.connection_namespaces = ["/a", "/b"]
        self.callbacks: dict[str, dict[int, Any]] = {}
        self.log: list[Any] = []
        self.logger = SimpleNamespace(error=lambda text, *args, exc_info=None: self.log.append((text % args, exc_info)))
        self.pending = PendingEmissions(self, ClientOptions(**options), self, nullcontext())
        self.pending.outbox.open("/a")

    eio: Any = None

    def start_background_task(self, target: Any, *args: Any, **kwargs: Any) -> Any:
        """Start nothing."""

    def send(self, packet: Packet) -> Any:
        """Send nothing."""

    def reply(self, packet: Packet) -> Any:
        """Send nothing."""

    def acknowledge(self, callback: Any, arguments: Any) -> Any:
        """Tell nobody."""

    def expect_ack(self, namespace: str, callback: Any) -> int:
        """Keep a callback under the next id."""
        kept = self.callbacks.setdefault(namespace, {})
        kept[len(kept) + 1] = callback
        return len(kept)


def answer(*, needs_connection: bool = True) -> Answer:
    """Return what waits for an acknowledgement."""
    return Answer(Event(), needs_connection=needs_connection)


def to(namespace: str, callback: Any = None) -> Emission:
    """Return an emission to a namespace."""
    return Emission("news", {"n": 1}, namespace, callback)


@pytest.mark.parametrize(
    ("namespace", "told"), [("a", "It has no slash"), ("/c", "/c is not a namespace that connect\\(\\) joins: /a, /b")]
)
def test_what_could_never_be_sent_does_not_wait(namespace, told):
    """Its emitter is there to be told."""
    with pytest.raises(BadNamespaceError, match=told):
        World().pending.keep(to(namespace))


def test_what_cannot_be_written_does_not_wait():
    """It would fail later, when nobody is there to be told."""
    with pytest.raises(TypeError):
        World().pending.keep(Emission("news", object(), "/b", None))


def test_emissions_wait_for_their_namespace():
    """Once it is connected they are taken in order, and the next go at once."""
    pending = World().pending
    first, second = to("/b"), to("/b")

    assert not pending.holds(to("/a"))
    assert pending.holds(first)
    assert pending.holds(second)
    assert pending.outbox.take_all("/b") == [first, second]
    pending.outbox.open("/b")
    assert not pending.holds(to("/b"))


def test_a_packet_needs_its_namespace():
    """The id of its acknowledgement is fresh."""
    world = World()
    packet = world.pending.packet_of(to("/a", print))
    assert (packet.namespace, packet.data, packet.id) == ("/a", ["news", {"n": 1}], 1)
    assert world.callbacks == {"/a": {1: print}}

    with pytest.raises(BadNamespaceError, match="/b is not a connected namespace"):
        world.pending.packet_of(to("/b"))
    world.pending.close("/a")
    assert world.pending.packet_of(to("/a")).id is None
    with pytest.raises(BadNamespaceError, match="any more"):
        world.pending.packet_of(to("/a", answer()))


def test_the_end_of_a_connection_fails_what_needs_it():
    """A callback, and a call that waits whatever happens, wait on."""
    world = World()
    needs, other = answer(), answer(needs_connection=False)
    for callback in (needs, other, print):
        world.pending.packet_of(to("/a", callback))

    world.pending.close("/a")
    world.pending.close("/b")

    assert isinstance(needs.error, DisconnectedError)
    assert other.error is None
    assert world.callbacks == {}


def test_the_end_for_good_fails_what_waits_for_an_acknowledgement():
    """Nothing that needs one is kept then, until the client connects again."""
    world = World()
    waiting, kept = answer(), to("/b")
    world.pending.keep(to("/b", waiting))
    world.pending.keep(kept)

    world.pending.end("/b")

    assert isinstance(waiting.error, DisconnectedError)
    with pytest.raises(DisconnectedError, match="nothing would be acknowledged"):
        world.pending.keep(to("/b", answer()))
    world.pending.begin()
    world.pending.keep(to("/b", answer()))
    assert world.pending.outbox.take_all("/b")[0] is kept


def test_what_nobody_waits_for_is_not_sent():
    """An attempt under way is ended."""
    world = World(retries=1)
    waiting, other, attempt = answer(), answer(), answer()
    emission = to("/a", waiting)
    world.pending.keep(emission)
    world.pending.keep(to("/a", other))
    assert world.pending.attempt(emission, attempt) is not None

    world.pending.withdraw("/a", waiting)
    world.pending.withdraw("/a", other)

    assert isinstance(attempt.error, TimeoutError)
    assert world.pending.outbox.take_all("/a") == []


def test_one_delivers_the_emissions_of_a_namespace_in_order():
    """As long as it is connected and something waits."""
    pending = World(retries=1).pending
    emission = to("/a")
    pending.keep(emission)

    assert pending.begin_delivering("/a")
    assert not pending.begin_delivering("/a")
    assert not pending.begin_delivering("/b")
    assert pending.next_to_deliver("/a") is emission
    pending.close("/a")
    assert pending.next_to_deliver("/a") is None
    pending.outbox.open("/a")
    assert pending.begin_delivering("/a")


def test_no_attempt_is_made_without_a_connection():
    """It counts only once it is sent."""
    world = World(retries=1)
    emission = to("/a")
    world.pending.close("/a")

    assert world.pending.attempt(emission, answer()) is None
    assert emission.tries == 0


@pytest.mark.parametrize("callback", [None, print])
def test_an_acknowledgement_ends_the_attempts(callback):
    """A callback is told of it, if there is one; not twice."""
    world = World(retries=1)
    emission, attempt = to("/a", callback), answer()
    world.pending.keep(emission)
    world.pending.attempt(emission, attempt)
    attempt(1)

    assert world.pending.end_attempt(emission, attempt) is (callback is not None)
    assert not world.pending.end_attempt(emission, attempt)
    assert world.callbacks == {"/a": {}}


def test_an_emission_is_given_up_after_its_last_attempt():
    """Its emitter hears why; what waits for nothing is only logged."""
    world = World(retries=1)
    waiting = answer()
    emission = to("/a", waiting)
    world.pending.keep(emission)

    for is_last in (False, True):
        attempt = answer()
        world.pending.attempt(emission, attempt)
        assert not world.pending.end_attempt(emission, attempt)
        assert isinstance(waiting.error, TimeoutError) is is_last

    error = ValueError("bad")
    world.pending.fail(to("/a"), error)
    assert world.log == [
        ("the event news was given up after 2 attempts", None),
        ("the event news could not be sent", error),
    ]
