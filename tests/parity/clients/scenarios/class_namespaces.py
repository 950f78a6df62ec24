"""Handlers as methods of a class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.parity.clients.scenario import scenario

if TYPE_CHECKING:
    from tests.parity.clients.lab import Lab


def make(lab: Lab, namespace: str | None = None, **methods: Any) -> Any:
    """Make an instance of a subclass of the package's namespace with these methods."""
    members = {f"on_{name}": lambda _self, *args, note=note: note(*args) for name, note in methods.items()}
    return type("Own", (lab.class_named("ClientNamespace"),), members)(namespace)


@scenario()
async def methods_handle_events(lab: Lab) -> None:
    """on_connect, on_disconnect, on_connect_error and on_<event>; what has no method is ignored."""
    client = lab.client()
    own = make(
        lab,
        "/a",
        connect=lab.noting("connect"),
        disconnect=lab.noting("disconnect"),
        news=lab.noting("news", returns="yes"),
    )
    client.register_namespace(own)
    lab.note("registered", own.namespace, own.client is client, list(client.namespace_handlers))
    _, session = await lab.connected(client)

    await session.send('2/a,1["news",1,2]', '2/a,2["other"]', '2/a,["news"]')
    await lab.do("disconnect", client.disconnect)


@scenario()
async def a_function_comes_before_a_method(lab: Lab) -> None:
    """Also a catch-all function."""
    client = lab.client()
    client.register_namespace(make(lab, "/a", news=lab.noting("method news"), other=lab.noting("method other")))
    client.on("news", lab.noting("function news"), namespace="/a")
    _, session = await lab.connected(client)

    await session.send('2/a,["news"]', '2/a,["other"]')
    client.on("*", lab.noting("function any"), namespace="/a")
    await session.send('2/a,["other"]')


@scenario()
async def a_catch_all_class_gets_the_namespace(lab: Lab) -> None:
    """Before the arguments."""
    client = lab.client()
    client.register_namespace(
        make(lab, "*", news=lab.noting("news"), connect=lab.noting("connect"), disconnect=lab.noting("disconnect"))
    )
    _, session = await lab.connected(client, namespaces=["/a", "/b"])

    await session.send('2/a,["news",1]', '2/b,["news",2]')
    await lab.do("disconnect", client.disconnect)


@scenario()
async def connect_errors_reach_the_class(lab: Lab) -> None:
    """on_connect_error gets what the server said."""
    client = lab.client()
    client.register_namespace(make(lab, "/a", connect_error=lab.noting("connect_error")))
    lab.deny("/a", '{"message":"no"}')

    await lab.connected(client)


@scenario()
async def its_methods_send_in_its_namespace(lab: Lab) -> None:
    """emit, send, call; another namespace may be named."""
    client = lab.client()
    own = make(lab, "/a")
    client.register_namespace(own)
    _, session = await lab.connected(client, namespaces=["/", "/a"])

    await lab.do("emit", own.emit, "x", 1)
    await lab.do("emit in /", own.emit, "x", 1, namespace="/")
    await lab.do("emit with callback", own.emit, "x", callback=lab.noting("callback"))
    await session.send("3/a,1[5]")
    await lab.do("send", own.send, "text")
    task = await lab.begin("call", own.call, "ask")
    await session.send('3/a,2["yes"]')
    await lab.finish(task)
    await lab.do("disconnect", own.disconnect)
    lab.note("then", client.connected)


@scenario()
async def a_class_may_dispatch_by_itself(lab: Lab) -> None:
    """trigger_event is what is called."""
    client = lab.client()

    if lab.asynchronous:

        async def trigger_event(_self: Any, event: str, *args: Any) -> Any:
            lab.note("triggered", event, *args)
            return "mine"
    else:

        def trigger_event(_self: Any, event: str, *args: Any) -> Any:
            lab.note("triggered", event, *args)
            return "mine"

    own = type("Own", (lab.class_named("ClientNamespace"),), {"trigger_event": trigger_event})("/a")
    client.register_namespace(own)
    _, session = await lab.connected(client)

    await session.send('2/a,1["news",1]')
    await lab.do("disconnect", client.disconnect)


@scenario()
async def what_is_no_namespace_is_refused(lab: Lab) -> None:
    """ValueError."""
    client = lab.client()
    other = lab.package.ClientNamespace if lab.asynchronous else lab.package.AsyncClientNamespace

    def said_of(given: Any) -> str:
        try:
            client.register_namespace(given)
        except ValueError as error:
            return str(error).partition(":")[0].partition(" for a ")[0]  # fastsio goes on with what to write
        return "registered"

    lab.note("an object", said_of(object()))
    lab.note("the other half's", said_of(other("/a")))
    lab.note("a server's", said_of(lab.class_named("Namespace")("/a")))


@scenario()
async def handlers_of_a_class_may_raise(lab: Lab) -> None:
    """No acknowledgement."""
    client = lab.client()

    def defect(*_args: Any) -> None:
        raise RuntimeError("defect")

    client.register_namespace(make(lab, "/a", news=defect, other=lab.noting("other")))
    _, session = await lab.connected(client)

    await session.send('2/a,1["news"]')
    await session.send('2/a,2["other"]')
