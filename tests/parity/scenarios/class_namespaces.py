"""Class-based namespaces: methods, overrides, helpers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.parity.scenario import scenario

if TYPE_CHECKING:
    from tests.parity.lab import Lab


@scenario()
async def methods_named_on_event_are_handlers(lab: Lab) -> None:
    """Sync and async methods, connect and disconnect among them; payload-less events call with the sid alone."""
    sio = lab.server()

    class Chat(lab.package.AsyncNamespace):
        def on_connect(self, sid: str, environ: Any, auth: Any) -> None:
            lab.note("connect", sid, environ, auth)

        async def on_disconnect(self, sid: str, reason: str) -> None:
            lab.note("disconnect", sid, reason)

        async def on_news(self, sid: str, data: Any) -> None:
            lab.note("news", sid, data)

        def on_ping(self, sid: str) -> str:
            lab.note("ping", sid)
            return "pong"

    sio.register_namespace(Chat("/chat"))
    client = await lab.client()
    await client.join("/chat", auth='{"t":1}')

    await client.send('2/chat,["news",{"a":1}]')
    await client.send('2/chat,1["ping"]')
    await client.send("1/chat,")


@scenario()
async def connect_and_disconnect_methods_may_take_less(lab: Lab) -> None:
    """``on_connect(sid, environ)`` and ``on_disconnect(sid)`` work."""
    sio = lab.server()

    class Chat(lab.package.AsyncNamespace):
        async def on_connect(self, sid: str, environ: Any) -> None:
            lab.note("connect", sid, environ)

        def on_disconnect(self, sid: str) -> None:
            lab.note("disconnect", sid)

    sio.register_namespace(Chat("/chat"))
    client = await lab.client("/chat")

    await client.close()


@scenario()
async def a_connect_method_may_refuse(lab: Lab) -> None:
    """False and ConnectionRefusedError refuse as in a function."""
    sio = lab.server()

    class Refuses(lab.package.AsyncNamespace):
        def on_connect(self, sid: str, environ: Any) -> bool:
            return False

    class Raises(lab.package.AsyncNamespace):
        async def on_connect(self, sid: str, environ: Any) -> None:
            raise lab.exceptions.ConnectionRefusedError("no", {"why": 1})

    sio.register_namespace(Refuses("/refuses"))
    sio.register_namespace(Raises("/raises"))

    await lab.client("/refuses", "/raises")


@scenario()
async def trigger_event_may_be_overridden(lab: Lab) -> None:
    """A class may dispatch events itself, the reserved ones too, and fall back to the default."""
    sio = lab.server()

    class Chat(lab.package.AsyncNamespace):
        async def trigger_event(self, event: str, *args: Any) -> Any:
            lab.note("trigger", event, *args)
            if event == "custom":
                return "handled here"
            return await super().trigger_event(event, *args)

        def on_news(self, sid: str, data: Any) -> Any:
            return data

    sio.register_namespace(Chat("/chat"))
    client = await lab.client("/chat")

    await client.send('2/chat,1["custom",1]')
    await client.send('2/chat,2["news",2]')
    await client.send("1/chat,")


@scenario()
async def a_class_for_every_namespace_gets_the_namespace_first(lab: Lab) -> None:
    """A class registered for "*" serves all namespaces."""
    sio = lab.server(namespaces="*")

    class CatchAll(lab.package.AsyncNamespace):
        def on_connect(self, namespace: str, sid: str, environ: Any) -> None:
            lab.note("connect", namespace, sid, environ)

        async def on_disconnect(self, namespace: str, sid: str) -> None:
            lab.note("disconnect", namespace, sid)

        def on_news(self, namespace: str, sid: str, data: Any) -> Any:
            lab.note("news", namespace, sid, data)
            return data

    sio.register_namespace(CatchAll("*"))
    client = await lab.client("/a", "/b")

    await client.send('2/a,1["news",1]')
    await client.send('2/b,1["news",2]')
    await client.send("1/a,")


@scenario()
async def helpers_use_the_namespace_of_the_class(lab: Lab) -> None:
    """emit, send, rooms and sessions of a class need no namespace."""
    sio = lab.server(namespaces=["/"])

    class Chat(lab.package.AsyncNamespace):
        async def on_tour(self, sid: str) -> Any:
            await self.enter_room(sid, "red")
            await self.emit("red", 1, room="red")
            await self.send("hi", to=sid)
            lab.note("rooms", lab.rooms(self, sid, "/chat"))
            await self.save_session(sid, {"a": 1})
            async with self.session(sid) as session:
                session["b"] = 2
            lab.note("session", await self.get_session(sid))
            await self.leave_room(sid, "red")
            await self.emit("nobody", 2, room="red")
            await self.enter_room(sid, "blue")
            await self.close_room("blue")
            lab.note("rooms", lab.rooms(self, sid, "/chat"))
            await self.emit("elsewhere", 3, namespace="/")
            lab.note("attributes", self.namespace, self.server, self.is_asyncio_based())
            await self.disconnect(sid)

    sio.register_namespace(Chat("/chat"))
    client = await lab.client("/", "/chat")

    await client.send('2/chat,["tour"]')


@scenario()
async def a_class_without_a_name_serves_the_default_namespace(lab: Lab) -> None:
    """``AsyncNamespace()`` is "/"."""
    sio = lab.server()

    class Root(lab.package.AsyncNamespace):
        def on_news(self, sid: str, data: Any) -> str:
            return f"root {data}"

    root = Root()
    sio.register_namespace(root)
    lab.note("namespace", root.namespace)
    client = await lab.client("/")

    await client.send('21["news",1]')


@scenario()
async def a_class_may_have_attributes_of_its_own(lab: Lab) -> None:
    """Own constructors, private methods, inherited handlers and handlers set on the instance are found."""
    sio = lab.server()

    class Base(lab.package.AsyncNamespace):
        def __init__(self, namespace: str, greeting: str) -> None:
            super().__init__(namespace)
            self.greeting = greeting

        def on_hello(self, sid: str) -> str:
            return self._greet()

        def _greet(self) -> str:
            return self.greeting

    class Chat(Base):
        pass

    chat = Chat("/chat", "moin")
    chat.on_later = lambda _sid: "set on the instance"
    sio.register_namespace(chat)
    client = await lab.client("/chat")

    await client.send('2/chat,1["hello"]')
    await client.send('2/chat,2["later"]')


@scenario()
async def registering_a_namespace_again_replaces_it(lab: Lab) -> None:
    """The last class registered for a namespace serves it."""
    sio = lab.server()

    class Chat(lab.package.AsyncNamespace):
        def __init__(self, name: str) -> None:
            super().__init__("/chat")
            self.name = name

        def on_who(self, sid: str) -> str:
            return self.name

    sio.register_namespace(Chat("first"))
    sio.register_namespace(Chat("second"))
    lab.note("registered", sorted(sio.namespace_handlers))
    client = await lab.client("/chat")

    await client.send('2/chat,1["who"]')


@scenario()
async def a_method_that_raises_does_not_answer(lab: Lab) -> None:
    """An exception or a call with the wrong number of arguments gives no ack."""
    sio = lab.server()

    class Chat(lab.package.AsyncNamespace):
        async def on_bad(self, sid: str) -> None:
            lab.note("bad")
            raise RuntimeError("secret")

        def on_one(self, sid: str, data: Any) -> Any:
            return data

    sio.register_namespace(Chat("/chat"))
    client = await lab.client("/chat")

    await client.send('2/chat,1["bad"]')
    await client.send('2/chat,2["one"]')
    await client.send('2/chat,3["one",1]')


@scenario()
async def an_event_without_method_is_acknowledged_empty(lab: Lab) -> None:
    """A class namespace that has no method for an event answers with no argument."""
    sio = lab.server()
    sio.register_namespace(lab.package.AsyncNamespace("/chat"))
    client = await lab.client("/chat")

    await client.send('2/chat,1["missing"]')
    await client.send('2/chat,2["no name of a method"]')
