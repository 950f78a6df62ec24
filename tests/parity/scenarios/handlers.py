"""Which handler an event reaches."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from tests.parity.scenario import scenario

if TYPE_CHECKING:
    from tests.parity.lab import Lab


@scenario()
async def an_event_reaches_its_own_handler(lab: Lab) -> None:
    """A handler gets the sid and the payload."""
    sio = lab.server()
    sio.on("news", lab.noting("news"))

    client = await lab.client("/")

    await client.send('2["news",{"id":1}]')


@scenario()
async def the_handler_of_the_event_wins_over_every_catch_all(lab: Lab) -> None:
    """The event's own handler in the namespace comes first, whatever else could take the event."""
    sio = lab.server(namespaces="*")
    for namespace in ("/chat", "*"):
        for event in ("news", "*"):
            sio.on(event, lab.noting(f"{namespace} {event}"), namespace=namespace)

    client = await lab.client("/chat")

    await client.send('2/chat,["news",1]')


@scenario()
async def the_catch_all_event_of_the_namespace_comes_second(lab: Lab) -> None:
    """``on("*")`` in the namespace wins over the event in the catch-all namespace, and gets the event's name first."""
    sio = lab.server(namespaces="*")
    sio.on("*", lab.noting("/chat *"), namespace="/chat")
    sio.on("news", lab.noting("* news"), namespace="*")

    client = await lab.client("/chat")

    await client.send('2/chat,["news",1,2]')


@scenario()
async def the_event_in_the_catch_all_namespace_comes_third(lab: Lab) -> None:
    """The handler of the event in namespace "*" gets the namespace first."""
    sio = lab.server(namespaces="*")
    sio.on("news", lab.noting("* news"), namespace="*")
    sio.on("*", lab.noting("* *"), namespace="*")

    client = await lab.client("/chat")

    await client.send('2/chat,["news",1]')


@scenario()
async def the_double_catch_all_comes_fourth(lab: Lab) -> None:
    """``on("*", namespace="*")`` gets event, namespace, sid and payload, and wins over class namespaces."""
    sio = lab.server(namespaces="*")
    sio.on("*", lab.noting("* *"), namespace="*")

    class Chat(lab.package.AsyncNamespace):
        def on_news(self, *args: Any) -> None:
            lab.note("class", *args)

    sio.register_namespace(Chat("/chat"))
    client = await lab.client("/chat")

    await client.send('2/chat,["news",1]')


@scenario()
async def the_class_of_the_namespace_wins_over_the_catch_all_class(lab: Lab) -> None:
    """Class namespaces come last: the namespace's own first, then the one registered for "*"."""
    sio = lab.server(namespaces="*")

    class Named(lab.package.AsyncNamespace):
        def on_news(self, *args: Any) -> None:
            lab.note("named", *args)

    class CatchAll(lab.package.AsyncNamespace):
        def on_news(self, *args: Any) -> None:
            lab.note("catch-all", *args)

    sio.register_namespace(CatchAll("*"))
    sio.register_namespace(Named("/chat"))
    client = await lab.client("/chat", "/other")

    await client.send('2/chat,["news",1]')
    await client.send('2/other,["news",2]')


@scenario()
async def a_function_for_one_event_leaves_the_others_to_the_class(lab: Lab) -> None:
    """The order is decided for each event on its own."""
    sio = lab.server()

    class Chat(lab.package.AsyncNamespace):
        def on_news(self, *args: Any) -> str:
            lab.note("class news", *args)
            return "class"

        def on_other(self, *args: Any) -> str:
            lab.note("class other", *args)
            return "class"

    sio.register_namespace(Chat("/chat"))
    sio.on("news", lab.noting("function", returns="function"), namespace="/chat")
    client = await lab.client("/chat")

    await client.send('2/chat,1["news",1]')
    await client.send('2/chat,2["other",2]')


@scenario()
async def connect_and_disconnect_never_reach_a_catch_all_event(lab: Lab) -> None:
    """Reserved events are not events for ``on("*")``."""
    sio = lab.server(namespaces="*")
    sio.on("*", lab.noting("/ *"))
    sio.on("*", lab.noting("* *"), namespace="*")

    client = await lab.client("/", "/chat")

    await client.close()


@scenario()
async def connect_and_disconnect_reach_the_catch_all_namespace(lab: Lab) -> None:
    """``on("connect", namespace="*")`` and ``on("disconnect", namespace="*")`` get the namespace first."""
    sio = lab.server(namespaces="*")
    sio.on("connect", lab.noting("connect"), namespace="*")
    sio.on("disconnect", lab.noting("disconnect"), namespace="*")

    client = await lab.client("/chat")

    await client.send("1/chat,")


@scenario()
async def the_last_registration_wins(lab: Lab) -> None:
    """Registering an event again replaces its handler; exactly one handler runs."""
    sio = lab.server()
    sio.on("news", lab.noting("first"))
    sio.on("news", lab.noting("second"))

    client = await lab.client("/")

    await client.send('2["news",1]')


@scenario()
async def a_handler_may_be_registered_while_clients_are_connected(lab: Lab) -> None:
    """The next event sees the new handler."""
    sio = lab.server()
    client = await lab.client("/")
    await client.send('21["news",1]')

    sio.on("news", lab.noting("news"))

    await client.send('22["news",2]')


@scenario()
async def decorators_give_the_function_back(lab: Lab) -> None:
    """All ways of registering give the function back and register it under the right name."""
    sio = lab.server()

    @sio.event
    def alpha(*args: Any) -> None:
        lab.note("alpha", *args)

    @sio.event(namespace="/chat")
    def beta(*args: Any) -> None:
        lab.note("beta", *args)

    @sio.on("gamma event", namespace="/chat")
    def gamma(*args: Any) -> None:
        lab.note("gamma", *args)

    def delta(*args: Any) -> None:
        lab.note("delta", *args)

    lab.note("names", alpha.__name__, beta.__name__, gamma.__name__, sio.on("delta", delta))
    lab.note("registered", {namespace: sorted(events) for namespace, events in sio.handlers.items()})
    client = await lab.client("/", "/chat")

    await client.send('2["alpha",1]')
    await client.send('2/chat,["beta",2]')
    await client.send('2/chat,["gamma event",3]')
    await client.send('2["delta",4]')


@scenario()
async def handlers_may_be_sync_or_async(lab: Lab) -> None:
    """A coroutine function and a plain function answer alike."""
    sio = lab.server()

    @sio.event
    async def slow(sid: str, data: Any) -> Any:
        lab.note("slow", sid, data)
        return data

    @sio.event
    def fast(sid: str, data: Any) -> Any:
        lab.note("fast", sid, data)
        return data

    client = await lab.client("/")

    await client.send('21["slow","a"]')
    await client.send('22["fast","b"]')


@scenario()
async def any_callable_may_be_a_handler(lab: Lab) -> None:
    """Bound methods, partials, wrapped functions and lambdas are called as they are."""
    sio = lab.server()

    class Desk:
        def method(self, sid: str, data: Any) -> str:
            lab.note("method", sid, data)
            return "method"

    def three(first: str, sid: str, data: Any) -> str:
        lab.note("three", first, sid, data)
        return "partial"

    def plain(sid: str, data: Any) -> str:
        lab.note("plain", sid, data)
        return "wrapped"

    @functools.wraps(plain)
    async def wrapped(*args: Any) -> str:
        return plain(*args)

    sio.on("method", Desk().method)
    sio.on("partial", functools.partial(three, "bound"))
    sio.on("wrapped", wrapped)
    sio.on("lambda", lambda _sid, data: data)
    client = await lab.client("/")

    for ack_id, event in enumerate(["method", "partial", "wrapped", "lambda"], start=1):
        await client.send(f'2{ack_id}["{event}",1]')
