"""The forms a payload may take on its way out, and binary payloads on their way in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.parity.scenario import scenario

if TYPE_CHECKING:
    from tests.parity.lab import Lab


async def emitting(lab: Lab, *payloads: Any) -> None:
    """Emit each payload to one client."""
    sio = lab.server()
    await lab.client("/")

    for payload in payloads:
        await lab.do(f"emit {payload!r}", sio.emit, "x", payload)


@scenario()
async def nothing_is_no_argument(lab: Lab) -> None:
    """An emit without data, or with None, sends the name alone."""
    sio = lab.server()
    await lab.client("/")

    await lab.do("emit without data", sio.emit, "x")
    await lab.do("emit None", sio.emit, "x", None)


@scenario()
async def text_is_one_argument(lab: Lab) -> None:
    """Strings of any content, the empty one too."""
    await emitting(lab, "text", "", '"quoted"\n\\', "💬 grüße", "\u2028\x00\x7f")


@scenario()
async def numbers_and_booleans_keep_their_kind(lab: Lab) -> None:
    """Integers, floats and booleans are written as JSON does, integers beyond 64 bits too."""
    await emitting(lab, 0, 7, -1, 2**53, 2**70, 1.5, 1.0, 1e300, True, False)


@scenario()
async def a_list_is_one_argument(lab: Lab) -> None:
    """A list stays a list."""
    await emitting(lab, [], [1, "two", None], [[1], [2]])


@scenario()
async def a_tuple_is_several_arguments(lab: Lab) -> None:
    """A tuple spreads into arguments, also the empty one; inside it is a list."""
    await emitting(lab, (), (1,), (1, "two", {"a": 3}), (None, None), ((1, 2), [3]))


@scenario()
async def a_dict_is_one_argument(lab: Lab) -> None:
    """Objects nest, and keys that are no strings become strings."""
    await emitting(lab, {}, {"a": {"b": [1, {"c": None}]}}, {1: "one", False: "false", None: "none", 1.5: "float"})


@scenario()
async def bytes_travel_as_attachments(lab: Lab) -> None:
    """Bytes at the top level, empty ones too."""
    await emitting(lab, b"\x00\xff", b"")


@scenario()
async def nested_bytes_are_numbered_depth_first(lab: Lab) -> None:
    """Placeholders count in the order of lists and of the insertion into dicts."""
    await emitting(lab, {"z": b"1", "a": [b"2", {"x": b"3"}, "text"], "m": b""}, [b"1", [b"2"]], (b"1", {"a": b"2"}, 3))


@scenario()
async def something_that_looks_like_a_placeholder_is_data(lab: Lab) -> None:
    """A dict spelled like a placeholder goes through untouched in an event without bytes, both ways."""
    sio = lab.server()
    sio.on("x", lab.noting("x"))
    client = await lab.client("/")

    await lab.do("emit", sio.emit, "x", {"_placeholder": True, "num": 0})
    await client.send('2["x",{"_placeholder":true,"num":0}]')


@scenario()
async def an_object_json_does_not_know_raises(lab: Lab) -> None:
    """The caller of emit() gets the TypeError, and nothing is sent."""
    sio = lab.server()
    await lab.client("/")

    class Opaque:
        def __repr__(self) -> str:
            return "<opaque>"

    async def emit() -> str:
        try:
            await sio.emit("x", Opaque())
        except TypeError:
            return "TypeError"
        return "no error"

    await lab.do("emit an object", emit)
    await lab.do("emit a number", sio.emit, "x", 1)


@scenario()
async def binary_events_arrive_put_together(lab: Lab) -> None:
    """Attachments take the places of their placeholders."""
    sio = lab.server()
    sio.on("x", lab.noting("x"))
    client = await lab.client("/")

    await client.send('51-["x",{"_placeholder":true,"num":0}]', b"\x00\xff")
    await client.send(
        '53-["x",{"a":{"_placeholder":true,"num":2},"b":[{"_placeholder":true,"num":0}]},{"_placeholder":true,"num":1}]',
        b"zero",
        b"",
        b"two",
    )


@scenario()
async def binary_events_in_a_namespace_with_an_id(lab: Lab) -> None:
    """Count, namespace and id are told apart."""
    sio = lab.server()
    sio.on("x", lab.noting("x", returns=b"back"), namespace="/chat")
    client = await lab.client("/chat")

    await client.send('51-/chat,12["x",{"_placeholder":true,"num":0}]', b"\x01")


@scenario()
async def a_binary_broadcast_reaches_everybody_whole(lab: Lab) -> None:
    """Every client gets the packet followed by its attachments."""
    sio = lab.server()
    await lab.client("/")
    await lab.client("/")

    await lab.do("emit", sio.emit, "x", {"a": b"1", "b": b"2"})
    await lab.do("emit", sio.emit, "y", 1)


@scenario()
async def send_is_the_event_message(lab: Lab) -> None:
    """``send()`` takes the payload forms of ``emit()``."""
    sio = lab.server()
    await lab.client("/")

    for payload in ("text", {"a": 1}, (1, 2), b"\x01", None):
        await lab.do(f"send {payload!r}", sio.send, payload)


@scenario()
async def event_names_on_the_way_out(lab: Lab) -> None:
    """Any string is a name."""
    sio = lab.server()
    await lab.client("/")

    for name in ("", "a b", "💬", "message", "error", "ping"):
        await lab.do(f"emit {name!r}", sio.emit, name, 1)
