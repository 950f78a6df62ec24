"""What is sent to whom."""

from __future__ import annotations

from collections import namedtuple
from functools import partial

import pytest

from fastsio.base.emit_args import (
    acknowledgement,
    answer,
    check_callback,
    check_event_name,
    emit_options,
    event_arguments,
    rooms_of,
    skipped,
    unwaited,
    unwritable,
    wait_option,
)
from fastsio.protocol import Packet, PacketType
from fastsio.protocol.msgpack import MsgPackPacket
from fastsio.state.room_names import NamedRoom


@pytest.mark.parametrize(
    ("data", "arguments"),
    [
        (None, []),
        ((1, 2), [1, 2]),
        ((), []),
        ([1, 2], [[1, 2]]),
        ({"a": 1}, [{"a": 1}]),
        (b"x", [b"x"]),
        (0, [0]),
        (namedtuple("pair", "first second")(1, [2]), [1, [2]]),  # noqa: PYI024 - its values have no types
    ],
)
def test_a_tuple_is_several_arguments(data, arguments):
    """None is no argument, a tuple several, anything else one."""
    assert event_arguments(data) == arguments
    assert acknowledgement(data) == arguments


@pytest.mark.parametrize(("arguments", "value"), [([], None), ([1], 1), ([1, 2], (1, 2)), (([3],), [3])])
def test_call_gives_back_none_one_or_a_tuple(arguments, value):
    """The arguments of an acknowledgement become the result of call()."""
    assert answer(arguments) == value


@pytest.mark.parametrize(
    ("to", "rooms"),
    [
        (None, [None]),
        ("r", ["r"]),
        ("", [""]),
        (5, [5]),
        (b"r", [b"r"]),
        ([], []),
        (["a", "b", "a"], ["a", "b"]),
        (("a",), ["a"]),
        ({"a"}, ["a"]),
        ((name for name in "ab"), ["a", "b"]),
    ],
)
def test_rooms_are_one_several_or_everybody(to, rooms):
    """Only None is everybody; an empty iterable is nobody."""
    assert list(rooms_of(to)) == rooms


def test_skip_takes_one_sid_or_any_iterable():
    """A tuple or set of sids is not ignored."""
    assert list(skipped(None)) == []
    assert "a" in skipped("a")
    assert "b" not in skipped("abc")
    assert set(skipped(("a", "b"))) == {"a", "b"}
    assert set(skipped({"a"})) == {"a"}


def test_a_name_that_clients_refuse_is_refused():
    """Reserved names, and what is neither text nor a number that JSON has, raise a clear error."""
    for name in ("news", 5, 5.5, 0):
        check_event_name(name)
    with pytest.raises(ValueError, match="reserved"):
        check_event_name("disconnect")
    for name in (True, None, ["news"], float("nan"), float("inf")):
        with pytest.raises(ValueError, match="must be text or a number"):
            check_event_name(name)


def test_a_subclass_of_str_is_a_name():
    """An enum of strings may name events."""

    class Name(str):
        __slots__ = ()

    check_event_name(Name("news"))


def test_objects_of_room_classes_stand_for_their_names():
    """Alone and among others; what is no such object stays as it is."""
    room = NamedRoom("chat|5")

    assert list(rooms_of(room)) == ["chat|5"]
    assert list(rooms_of(["a", room, "chat|5"])) == ["a", "chat|5"]
    assert list(rooms_of(iter(("a", "b")))) == ["a", "b"]


def test_wait_is_passed_on_only_where_it_is_not_the_default():
    """An emit() that an application overrides, with python-socketio's arguments, is called as ever."""
    assert wait_option(wait=True) == {}
    assert wait_option(wait=False) == {"wait": False}
    assert "wait" not in emit_options(None, None, None, None, None, ignore_queue=False, wait=True)
    assert emit_options("to", "room", "sid", "/x", len, ignore_queue=True, wait=False) == {
        "to": "to",
        "room": "room",
        "skip_sid": "sid",
        "namespace": "/x",
        "callback": len,
        "ignore_queue": True,
        "wait": False,
    }


def test_an_emit_is_told_not_to_wait_if_it_can_be():
    """By name, or among any options; python-socketio's arguments are left alone."""

    class Server:
        def emit(self, event, *, wait=True): ...

        def emit_with_options(self, event, **options): ...

        def emit_as_ever(self, event, to=None): ...

    assert unwaited(Server().emit) == {"wait": False}
    assert unwaited(Server().emit_with_options) == {"wait": False}
    assert unwaited(Server().emit_as_ever) == {}
    assert unwaited(lambda event: None) == {}


def test_an_emit_that_is_no_function_is_called_as_it_is():
    """A test may put any object in its place that can be called."""

    class Recorder:
        def __call__(self, *arguments, **options): ...

    assert unwaited(Recorder()) == {}
    assert unwaited(partial(print, "emit")) == {}


class Opaque:
    """What no serializer writes."""


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        ([{"user": [1, {"born": Opaque()}]}], "data['user'][1]['born'] is of type 'Opaque'"),
        ([1, {"b": Opaque()}], "data[1]['b'] is of type 'Opaque'"),
        ([Opaque()], "data is of type 'Opaque'"),
        ([[b"1", (2, Opaque())]], "data[1][1] is of type 'Opaque'"),
        ([{"a": {Opaque(): 1}}], "data['a'] is of type 'dict'"),
    ],
)
@pytest.mark.parametrize(
    ("packet_type", "named"), [(PacketType.EVENT, "event 'news'"), (PacketType.ACK, "acknowledgement")]
)
@pytest.mark.parametrize("packet_class", [Packet, MsgPackPacket])
def test_what_cannot_be_written_is_told_with_its_place(packet_class, packet_type, named, arguments, place):
    """The event, the path inside its data, the type, and what the serializer says."""
    data = ["news", *arguments] if packet_type is PacketType.EVENT else list(arguments)
    packet = packet_class(packet_type, data)
    with pytest.raises(TypeError) as raised:
        packet.encode()

    told = str(unwritable(packet, raised.value))

    assert told.startswith(f"{named} cannot be sent: {place}, which cannot be written (")
    assert str(raised.value) in told


def test_an_error_whose_place_is_not_found_stays():
    """What fails once need not fail again."""
    error = TypeError("once")

    assert unwritable(Packet(PacketType.CONNECT, {"a": 1}), error) is error


async def later(*data):
    """Take an acknowledgement, once it is awaited."""


def test_a_callback_can_be_called_and_in_threads_need_not_be_awaited():
    """C-191: otherwise the acknowledgement would be lost when it comes."""
    check_callback(print, asynchronous=False)
    check_callback(later, asynchronous=True)

    with pytest.raises(
        TypeError, match=r"^callback=True cannot be called; give a function that takes what is acknowledged"
    ):
        check_callback(True, asynchronous=True)
    with pytest.raises(
        TypeError, match=r"^callback later is a coroutine function, which is not awaited in threads; write"
    ):
        check_callback(later, asynchronous=False)
