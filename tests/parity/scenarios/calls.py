"""call(): an emit that waits for its acknowledgement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.parity.scenario import scenario
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from tests.parity.lab import Lab


@scenario()
async def the_shape_of_the_result_follows_the_acknowledgement(lab: Lab) -> None:
    """No argument is None, one is the value, several are a tuple."""
    sio = lab.server()
    client = await lab.client("/")

    for ack in ("[]", "[1]", "[null]", "[[1,2]]", '[1,"two"]', '[{"a":1}]'):
        task = await lab.begin("call", sio.call("ask", {"q": 1}, to=client.sid))
        await client.send(f"3{client.last_ack_id}{ack}")
        await lab.finish(task)


@scenario()
async def a_call_takes_the_payload_forms_of_emit(lab: Lab) -> None:
    """None, tuples and bytes are sent as emit() would; ``sid`` is another word for ``to``."""
    sio = lab.server()
    client = await lab.client("/")

    for payload in (None, (1, 2), b"\x01"):
        task = await lab.begin("call", sio.call("ask", payload, sid=client.sid))
        await client.send(f"3{client.last_ack_id}[]")
        await lab.finish(task)


@scenario()
async def a_binary_acknowledgement_is_a_result(lab: Lab) -> None:
    """Attachments of the ack are put back in."""
    sio = lab.server()
    client = await lab.client("/")
    task = await lab.begin("call", sio.call("ask", to=client.sid))

    await client.send('61-1[{"_placeholder":true,"num":0}]', b"\x00\x01")
    await lab.finish(task)


@scenario()
async def an_answer_that_does_not_come_is_a_timeout(lab: Lab) -> None:
    """After *timeout* seconds call() raises the package's TimeoutError; a late answer harms nobody."""
    sio = lab.server()
    sio.on("news", lab.noting("news", returns="ok"))
    client = await lab.client("/")

    await lab.do("call", sio.call, "ask", to=client.sid, timeout=0.02)
    await client.send('31["late"]')
    await client.send('21["news"]')


@scenario()
async def a_call_needs_an_addressee(lab: Lab) -> None:
    """Without ``to`` or ``sid`` there is nobody to ask."""
    sio = lab.server()
    await lab.client("/")

    await lab.do("call", sio.call, "ask", 1)


@scenario()
async def a_call_to_nobody_is_a_timeout(lab: Lab) -> None:
    """An unknown sid never answers."""
    sio = lab.server()

    await lab.do("call", sio.call, "ask", 1, to="nobody", timeout=0.02)


@scenario()
async def a_call_needs_async_handlers(lab: Lab) -> None:
    """With ``async_handlers=False`` an answer could never be read, so call() refuses."""
    sio = lab.server(async_handlers=False)
    client = await lab.client("/")

    await lab.do("call", sio.call, "ask", 1, to=client.sid)


@scenario()
async def a_handler_may_call_its_own_client(lab: Lab) -> None:
    """A handler waits for the client's answer before it gives its own."""
    sio = lab.server()

    @sio.event
    async def ask(sid: str) -> Any:
        answer = await sio.call("counter", to=sid, timeout=WAIT_S)
        lab.note("answer", answer)
        return {"you said": answer}

    client = await lab.client("/")

    await client.send('21["ask"]')
    await client.send('31["yes"]')


@scenario()
async def a_call_in_a_namespace(lab: Lab) -> None:
    """Question and answer carry the namespace."""
    sio = lab.server(namespaces=["/", "/chat"])
    client = await lab.client("/chat")
    task = await lab.begin("call", sio.call("ask", to=client.sids["/chat"], namespace="/chat"))

    await client.send('3/chat,1["yes"]')
    await lab.finish(task)


@scenario()
async def a_call_of_a_class_namespace_uses_its_own_namespace(lab: Lab) -> None:
    """``AsyncNamespace.call`` needs no namespace and has a timeout of its own."""
    sio = lab.server()
    chat = lab.package.AsyncNamespace("/chat")
    sio.register_namespace(chat)
    client = await lab.client("/chat")
    sid = client.sids["/chat"]

    task = await lab.begin("call", chat.call("ask", 1, to=sid))
    await client.send('3/chat,1["yes"]')
    await lab.finish(task)
    await lab.do("timeout", chat.call, "ask", 1, sid=sid, timeout=0.02)


@scenario()
async def a_call_may_be_made_now_and_awaited_later(lab: Lab) -> None:
    """Nothing is sent before the coroutine is awaited."""
    sio = lab.server()
    client = await lab.client("/")
    coroutine = sio.call("ask", to=client.sid)
    await lab.do("emit first", sio.emit, "news", 1)

    task = await lab.begin("call", coroutine)
    await client.send('31["yes"]')
    await lab.finish(task)


@scenario()
async def the_server_answers_nobody_after_the_client_left(lab: Lab) -> None:
    """A call whose client leaves ends with a timeout."""
    sio = lab.server()
    client = await lab.client("/")
    task = await lab.begin("call", sio.call("ask", to=client.sid, timeout=1.0))

    await client.close()
    await lab.finish(task)


@scenario()
async def an_id_is_not_used_again_after_a_timeout(lab: Lab) -> None:
    """The next emit with a callback takes the next id."""
    sio = lab.server()
    client = await lab.client("/")

    await lab.do("call", sio.call, "ask", to=client.sid, timeout=0.02)
    await client.send('31["late"]')
    await lab.do("emit", sio.emit, "ask", to=client.sid, callback=lab.noting("callback"))
    await client.send('32["in time"]')
