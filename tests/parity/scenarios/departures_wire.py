"""Where fastsio departs on purpose: what clients may send."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.parity.scenario import Difference, scenario

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.parity.lab import Lab


NESTED = "[" * 100 + "]" * 100


def closes(row: str, reason: str, *, fires: Sequence[str] = (), answered: bool = True) -> Difference:
    """
    Declare that fastsio closes the connection of a hostile client.

    Args:
        row: Id of the row in the compatibility page.
        reason: Why it does.
        fires: What the frames cause in python-socketio.
        answered: Whether python-socketio still listens to the client afterwards.
    """
    still = ["app: * 'still there?' '<c1/>'", "c1: ACK / #9 []"] if answered else []
    closed = ["app: disconnect '<c1/>' 'transport error'", "c1: CLOSE", "c1: closed", "c1: cannot send: closed"]
    return Difference(row=row, reason=reason, socketio=[*fires, *still], fastsio=closed)


async def hostile(lab: Lab, *frames: str | bytes) -> None:
    """Send frames, then an event, to a server with handlers for everything."""
    sio = lab.server()
    for event in ("connect", "disconnect", "*"):
        sio.on(event, lab.noting(event, returns=None))
    client = await lab.client("/")

    await client.send(*frames)
    await client.send('29["still there?"]')


@scenario(
    differs=closes(
        "C-03",
        "Reserved names never come from a client.",
        fires=["app: connect '<c1/>' {'fake': 'environ'} {'fake': 'auth'}"],
    )
)
async def a_client_cannot_fire_connect(lab: Lab) -> None:
    """An event called "connect" does not reach the connect handler."""
    await hostile(lab, '2["connect",{"fake":"environ"},{"fake":"auth"}]')


@scenario(
    differs=closes("C-03", "Reserved names never come from a client.", fires=["app: disconnect '<c1/>' 'fake reason'"])
)
async def a_client_cannot_fire_disconnect(lab: Lab) -> None:
    """An event called "disconnect" does not reach the disconnect handler."""
    await hostile(lab, '2["disconnect","fake reason"]')


@scenario(
    differs=Difference(
        row="C-04",
        reason="python-socketio loses the counter of the client, and later callbacks fail.",
        socketio=["app: emit again raised KeyError: 0"],
        fastsio=["app: emit again gave None", 'c1: EVENT / #2 ["ask", 2]'],
    )
)
async def an_ack_for_id_zero_is_ignored(lab: Lab) -> None:
    """It leaves later callbacks alone."""
    sio = lab.server()
    client = await lab.client("/")
    await lab.do("emit", sio.emit, "ask", 1, to=client.sid, callback=lab.noting("callback"))

    await client.send("30[]")
    await lab.do("emit again", sio.emit, "ask", 2, to=client.sid, callback=lab.noting("callback"))
    await client.send("31[]")


@scenario(
    differs=closes(
        "C-05",
        "A header may not announce more attachments than the limit; python-socketio collects every later frame.",
        answered=False,
    )
)
async def too_many_attachments_are_refused_at_the_header(lab: Lab) -> None:
    """Eleven attachments are one more than the limit."""
    await hostile(lab, '511-["x",{"_placeholder":true,"num":0}]')


@scenario(differs=closes("C-05", "Only binary frames are attachments.", fires=["app: * 'x' '<c1/>' '2[\"between\"]'"]))
async def text_is_no_attachment(lab: Lab) -> None:
    """A packet between a binary event and its attachments is a breach of the protocol."""
    await hostile(lab, '51-["x",{"_placeholder":true,"num":0}]', '2["between"]')


@scenario(differs=closes("C-05", "An attachment follows the packet that announced it."))
async def an_attachment_without_an_event_is_refused(lab: Lab) -> None:
    """A binary frame that nothing announced."""
    await hostile(lab, b"\x00\x01")


@scenario(
    differs=closes(
        "C-05", "A placeholder names an attachment by its number from zero.", fires=["app: * 'x' '<c1/>' b'\\x01'"]
    )
)
async def placeholders_must_be_in_range(lab: Lab) -> None:
    """``num`` below zero."""
    await hostile(lab, '51-["x",{"_placeholder":true,"num":-1}]', b"\x01")


@scenario(
    differs=closes(
        "C-05", "python-socketio never gets out of the broken packet and is deaf to what follows.", answered=False
    )
)
async def placeholders_beyond_the_attachments_are_refused(lab: Lab) -> None:
    """``num`` that no attachment has."""
    await hostile(lab, '51-["x",{"_placeholder":true,"num":5}]', b"\x01")


@scenario(differs=closes("C-06", "The protocol closes on a malformed packet."))
async def broken_json_closes(lab: Lab) -> None:
    """A payload that is no JSON."""
    await hostile(lab, '2["x",')


@scenario(differs=closes("C-06", "The protocol closes on a malformed packet."))
async def a_payload_that_is_no_array_closes(lab: Lab) -> None:
    """An EVENT holds an array that begins with the name."""
    await hostile(lab, '2{"x":1}')


@scenario(differs=closes("C-06", "The protocol closes on a malformed packet."))
async def an_event_without_a_name_closes(lab: Lab) -> None:
    """An empty array, and no payload at all."""
    await hostile(lab, "2[]")


@scenario(differs=closes("C-06", "The protocol closes on a malformed packet."))
async def an_unknown_packet_type_closes(lab: Lab) -> None:
    """There are seven types."""
    await hostile(lab, '9["x"]')


@scenario(
    differs=closes(
        "C-06", "The nesting of a payload is limited before it is parsed.", fires=[f"app: * 'x' '<c1/>' {NESTED}"]
    )
)
async def deep_nesting_closes(lab: Lab) -> None:
    """A payload nested deeper than the limit."""
    await hostile(lab, '2["x",' + NESTED + "]")


@scenario(differs=closes("C-06", "Only servers send CONNECT_ERROR."))
async def a_connect_error_from_a_client_closes(lab: Lab) -> None:
    """Only servers send CONNECT_ERROR."""
    await hostile(lab, '4{"message":"no"}')


@scenario(
    differs=Difference(
        row="C-06",
        reason="DISCONNECT has no payload.",
        socketio=["app: disconnect '<c1/>' 'client disconnect'"],
        fastsio=["app: disconnect '<c1/>' 'transport error'", "c1: CLOSE", "c1: closed", "c1: cannot send: closed"],
    )
)
async def a_disconnect_with_a_payload_closes(lab: Lab) -> None:
    """DISCONNECT has none."""
    await hostile(lab, '1{"a":1}')


@scenario(
    differs=Difference(
        row="C-06",
        reason="The first packet of a connection is CONNECT.",
        socketio=['c1: CONNECT / {"sid": "<c1/>"}'],
        fastsio=["c1: CLOSE", "c1: closed", "c1: cannot send: closed"],
    )
)
async def an_event_before_connect_closes(lab: Lab) -> None:
    """The first packet must be CONNECT."""
    sio = lab.server()
    sio.on("x", lab.noting("x"))
    client = await lab.client()

    await client.send('21["x"]')
    await client.join()


@scenario(
    differs=Difference(
        row="C-06",
        reason="The JavaScript server closes on an event of a namespace that was not joined.",
        socketio=[],
        fastsio=["app: disconnect '<c1/>' 'transport error'", "c1: CLOSE", "c1: closed"],
    )
)
async def an_event_for_a_namespace_not_joined_closes(lab: Lab) -> None:
    """A client talks only in namespaces it has joined."""
    sio = lab.server(namespaces=["/", "/chat"])
    sio.on("disconnect", lab.noting("disconnect"))
    sio.on("x", lab.noting("x"), namespace="*")
    client = await lab.client("/")

    await client.send('2/chat,1["x"]')


@scenario(
    differs=Difference(
        row="C-28",
        reason="Auth payloads of CONNECT are objects.",
        socketio=[
            "app: connect '<c1/>' <environ> [1]",
            'c1: CONNECT / {"sid": "<c1/>"}',
            "app: connect '<c2/>' <environ> None",
            'c2: CONNECT / {"sid": "<c2/>"}',
        ],
        fastsio=["c1: CLOSE", "c1: closed", "c2: CLOSE", "c2: closed"],
    )
)
async def auth_must_be_an_object(lab: Lab) -> None:
    """A list or number as auth payload of CONNECT."""
    sio = lab.server()
    sio.on("connect", lab.noting("connect"))

    for auth in ("[1]", "7"):
        client = await lab.client()
        await client.join(auth=auth)
