"""Where fastsio departs on purpose: what clients may send."""


from __future__ import annotations

from typing import TYPE_CHECKING

from tests.parity.scenario import scenario

if TYPE_CHECKING:
    from tests.parity.lab import Lab


async def hostile(lab: Lab, *frames: str | bytes) -> None:
    """Send frames, then an event, to a server with handlers for everything."""
    sio = lab.server()
    for event in ("connect", "disconnect", "*"):
        sio.on(event, lab.noting(event, returns=None))
    client = await lab.client("/")

    await client.send(*frames)
    await client.send('29["still there?"]')


@scenario()
async def a_client_cannot_fire_connect(lab: Lab) -> None:
    """An event called "connect" does not reach the connect handler."""
    await hostile(lab, '2["connect",{"fake":"environ"},{"fake":"auth"}]')


@scenario()
async def a_client_cannot_fire_disconnect(lab: Lab) -> None:
    """An event called "disconnect" does not reach the disconnect handler."""
    await hostile(lab, '2["disconnect","fake reason"]')


@scenario()
async def an_ack_for_id_zero_is_ignored(lab: Lab) -> None:
    """It leaves later callbacks alone."""
    sio = lab.server()
    client = await lab.client("/")
    await lab.do("emit", sio.emit, "ask", 1, to=client.sid, callback=lab.noting("callback"))

    await client.send("30[]")
    await lab.do("emit again", sio.emit, "ask", 2, to=client.sid, callback=lab.noting("callback"))
    await client.send("31[]")


@scenario()
async def too_many_attachments_are_refused_at_the_header(lab: Lab) -> None:
    """Eleven attachments are one more than the limit."""
    await hostile(lab, '511-["x",{"_placeholder":true,"num":0}]')


@scenario()
async def text_is_no_attachment(lab: Lab) -> None:
    """A packet between a binary event and its attachments is a breach of the protocol."""
    await hostile(lab, '51-["x",{"_placeholder":true,"num":0}]', '2["between"]')


@scenario()
async def an_attachment_without_an_event_is_refused(lab: Lab) -> None:
    """A binary frame that nothing announced."""
    await hostile(lab, b"\x00\x01")


@scenario()
async def placeholders_must_be_in_range(lab: Lab) -> None:
    """``num`` below zero."""
    await hostile(lab, '51-["x",{"_placeholder":true,"num":-1}]', b"\x01")


@scenario()
async def placeholders_beyond_the_attachments_are_refused(lab: Lab) -> None:
    """``num`` that no attachment has."""
    await hostile(lab, '51-["x",{"_placeholder":true,"num":5}]', b"\x01")


@scenario()
async def broken_json_closes(lab: Lab) -> None:
    """A payload that is no JSON."""
    await hostile(lab, '2["x",')


@scenario()
async def a_payload_that_is_no_array_closes(lab: Lab) -> None:
    """An EVENT holds an array that begins with the name."""
    await hostile(lab, '2{"x":1}')


@scenario()
async def an_event_without_a_name_closes(lab: Lab) -> None:
    """An empty array, and no payload at all."""
    await hostile(lab, "2[]")


@scenario()
async def an_unknown_packet_type_closes(lab: Lab) -> None:
    """There are seven types."""
    await hostile(lab, '9["x"]')


@scenario()
async def deep_nesting_closes(lab: Lab) -> None:
    """A payload nested deeper than the limit."""
    await hostile(lab, '2["x",' + "[" * 100 + "]" * 100 + "]")


@scenario()
async def a_connect_error_from_a_client_closes(lab: Lab) -> None:
    """Only servers send CONNECT_ERROR."""
    await hostile(lab, '4{"message":"no"}')


@scenario()
async def a_disconnect_with_a_payload_closes(lab: Lab) -> None:
    """DISCONNECT has none."""
    await hostile(lab, '1{"a":1}')


@scenario()
async def an_event_before_connect_closes(lab: Lab) -> None:
    """The first packet must be CONNECT."""
    sio = lab.server()
    sio.on("x", lab.noting("x"))
    client = await lab.client()

    await client.send('21["x"]')
    await client.join()


@scenario()
async def an_event_for_a_namespace_not_joined_closes(lab: Lab) -> None:
    """A client talks only in namespaces it has joined."""
    sio = lab.server(namespaces=["/", "/chat"])
    sio.on("disconnect", lab.noting("disconnect"))
    sio.on("x", lab.noting("x"), namespace="*")
    client = await lab.client("/")

    await client.send('2/chat,1["x"]')


@scenario()
async def an_event_name_may_be_a_number(lab: Lab) -> None:
    """JavaScript clients may emit numbers as names."""
    await hostile(lab, '21[7,"x"]')


@scenario()
async def a_refused_client_is_not_listened_to(lab: Lab) -> None:
    """Events of a client whose connection was refused reach no handler."""
    sio = lab.server()
    sio.on("connect", lab.noting("connect", returns=False))
    sio.on("x", lab.noting("x"))
    client = await lab.client("/")

    await client.send('21["x"]')


@scenario()
async def auth_must_be_an_object(lab: Lab) -> None:
    """A list or number as auth payload of CONNECT."""
    sio = lab.server()
    sio.on("connect", lab.noting("connect"))

    for auth in ("[1]", "7"):
        client = await lab.client()
        await client.join(auth=auth)
