"""Which arguments a handler gets, and what happens when it cannot take them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.parity.scenario import scenario

if TYPE_CHECKING:
    from tests.parity.lab import Lab


@scenario()
async def an_event_without_payload_calls_with_the_sid_alone(lab: Lab) -> None:
    """There is no None in place of a missing payload."""
    sio = lab.server()
    sio.on("ping", lab.noting("ping"))

    client = await lab.client("/")

    await client.send('2["ping"]')
    await client.send('2["ping",null]')


@scenario()
async def every_json_type_arrives_as_itself(lab: Lab) -> None:
    """Objects, arrays, strings, numbers, booleans and null keep their types."""
    sio = lab.server()
    sio.on("x", lab.noting("x"))

    client = await lab.client("/")

    for payload in (
        '{"a":[1,{"b":null}]}',
        "[]",
        "[1,2]",
        '"text"',
        '""',
        "1",
        "1.0",
        "-2.5e3",
        "true",
        "12345678901234567890",
    ):
        await client.send(f'2["x",{payload}]')


@scenario()
async def unicode_arrives_as_it_was_sent(lab: Lab) -> None:
    """Escaped and literal characters beyond ASCII arrive alike, in names too."""
    sio = lab.server()
    sio.on("grüße 💬", lab.noting("greeting", returns="ünï 💬"))

    client = await lab.client("/")

    await client.send('21["grüße 💬","💬 é \\u00e9 \\ud83d\\ude00"]')


@scenario()
async def several_arguments_arrive_in_order(lab: Lab) -> None:
    """An event with three arguments calls the handler with four."""
    sio = lab.server()

    @sio.event
    def move(sid: str, x: int, y: int, label: str) -> None:
        lab.note("move", sid, x, y, label)

    client = await lab.client("/")

    await client.send('2["move",1,2,"here"]')


@scenario()
async def builtin_annotations_do_not_change_the_call(lab: Lab) -> None:
    """``sid: str, data: dict`` is documentation: what arrives is passed on unconverted."""
    sio = lab.server()

    @sio.event
    def news(sid: str, data: dict[str, int], count: int = 3) -> None:
        lab.note("news", sid, data, count)

    client = await lab.client("/")

    await client.send('2["news","no dict"]')
    await client.send('2["news",{"a":"b"},"no int"]')


@scenario()
async def parameter_names_do_not_change_the_call(lab: Lab) -> None:
    """Parameters called environ, auth, reason, data or event are positional like any other."""
    sio = lab.server()

    @sio.event
    def news(environ: Any, auth: Any, reason: Any = "default", data: Any = "default", event: Any = "default") -> None:
        lab.note("news", environ, auth, reason, data, event)

    client = await lab.client("/")

    await client.send('2["news",1,2]')


@scenario()
async def defaults_and_star_arguments_are_honoured(lab: Lab) -> None:
    """A handler may take fewer arguments through defaults and any number through ``*args``."""
    sio = lab.server()

    @sio.event
    def default(sid: str, data: Any = "nothing", _extra: Any = None) -> None:
        lab.note("default", sid, data, _extra)

    @sio.event
    def star(sid: str, *data: Any) -> None:
        lab.note("star", sid, data)

    client = await lab.client("/")

    for event in ("default", "star"):
        await client.send(f'2["{event}"]')
        await client.send(f'2["{event}",1]')
        await client.send(f'2["{event}",1,2]')


@scenario()
async def a_handler_that_cannot_take_the_arguments_does_not_answer(lab: Lab) -> None:
    """Too many or too few arguments: the handler is not run, there is no ack, and the connection lives on."""
    sio = lab.server()

    @sio.event
    def one(sid: str, data: Any) -> str:
        lab.note("one", sid, data)
        return "done"

    client = await lab.client("/")

    await client.send('21["one"]')
    await client.send('22["one",1,2]')
    await client.send('23["one",1]')


@scenario()
async def a_handler_that_raises_does_not_answer(lab: Lab) -> None:
    """An exception gives no ack, and the next event is served."""
    sio = lab.server()

    @sio.event
    async def bad(sid: str, data: Any) -> str:
        lab.note("bad", sid, data)
        raise RuntimeError("secret")

    sio.on("good", lab.noting("good", returns="fine"))
    client = await lab.client("/")

    await client.send('21["bad",1]')
    await client.send('22["good",1]')


@scenario()
async def a_type_error_inside_a_handler_is_not_a_second_call(lab: Lab) -> None:
    """An event's handler that raises TypeError itself runs once."""
    sio = lab.server()

    @sio.event
    def bad(sid: str, data: Any = None) -> None:
        lab.note("bad", sid, data)
        raise TypeError("from inside")

    client = await lab.client("/")

    await client.send('21["bad",1]')


@scenario()
async def an_event_without_handler_is_not_answered(lab: Lab) -> None:
    """The caller of an event that nobody handles waits for ever."""
    lab.server()
    client = await lab.client("/")

    await client.send('21["nobody",1]')


@scenario()
async def unusual_event_names_are_names(lab: Lab) -> None:
    """Spaces, dots, digits and the empty name are names like any other."""
    sio = lab.server()
    sio.on("*", lab.noting("caught", returns="ok"))
    client = await lab.client("/")

    for ack_id, name in enumerate(["", "a b", "a.b:c/d", "42", "message", "error"], start=1):
        await client.send(f'2{ack_id}["{name}",1]')


@scenario()
async def a_slow_handler_does_not_hold_up_the_next_event(lab: Lab) -> None:
    """With ``async_handlers=True``, the default, events of one client run at the same time."""
    sio = lab.server()
    gate = lab.gate()

    @sio.event
    async def slow(sid: str) -> str:
        lab.note("slow begins")
        await gate.wait()
        lab.note("slow ends")
        return "slow"

    @sio.event
    def fast(sid: str) -> str:
        lab.note("fast")
        gate.set()
        return "fast"

    client = await lab.client("/")

    await client.send('21["slow"]')
    await client.send('22["fast"]')


@scenario()
async def without_async_handlers_events_run_one_after_the_other(lab: Lab) -> None:
    """With ``async_handlers=False`` the second event waits for the first handler to end."""
    sio = lab.server(async_handlers=False)
    gate = lab.gate()

    @sio.event
    async def slow(sid: str) -> str:
        lab.note("slow begins")
        await gate.wait()
        lab.note("slow ends")
        return "slow"

    sio.on("fast", lab.noting("fast", returns="fast"))
    client = await lab.client("/")
    await client.send('21["slow"]')
    await client.send('22["fast"]')

    await lab.do("let the slow handler end", gate.set)


@scenario()
async def an_event_name_may_be_a_number(lab: Lab) -> None:
    """JavaScript clients may emit numbers as names."""
    sio = lab.server()
    sio.on("*", lab.noting("caught"))
    client = await lab.client("/")

    await client.send('21[7,"x"]')
