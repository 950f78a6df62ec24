"""Context variables that a connect handler sets: a tenant, a locale, what log lines are marked with."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from tests.parity.scenario import scenario

if TYPE_CHECKING:
    from tests.parity.lab import Lab

TENANT: ContextVar[str] = ContextVar("tenant", default="none")


def telling(lab: Lab, sio: Any, namespace: str = "/") -> None:
    """Have the handlers of a namespace say what they see."""

    async def which(*_args: Any) -> str:
        return TENANT.get()

    async def change(*_args: Any) -> str:
        TENANT.set("changed")
        return TENANT.get()

    async def disconnect(*_args: Any) -> None:
        lab.note(f"disconnect of {namespace}", TENANT.get())

    for handler in (which, change, disconnect):
        sio.on(handler.__name__, handler, namespace=namespace)


@scenario()
async def later_handlers_see_what_connect_has_set(lab: Lab) -> None:
    """Over a WebSocket, the disconnect handler included; what an event sets is its own affair."""
    sio = lab.server()
    telling(lab, sio)

    @sio.event
    async def connect(sid: str, environ: dict[str, Any]) -> None:
        TENANT.set("acme")

    client = await lab.client("/")
    await client.send('21["which"]')
    await client.send('22["change"]')
    await client.send('23["which"]')
    await client.send("1")


@scenario()
async def clients_see_their_own_variables(lab: Lab) -> None:
    """Those of another connection are not theirs, nor is what nobody has set."""
    sio = lab.server()
    telling(lab, sio)

    @sio.event
    async def connect(sid: str, environ: dict[str, Any], auth: dict[str, str] | None) -> None:
        if auth:
            TENANT.set(auth["tenant"])

    clients = [await lab.client() for _ in range(3)]
    for client, auth in zip(clients, ('{"tenant":"one"}', '{"tenant":"two"}', ""), strict=True):
        await client.join("/", auth)
    for client in clients:
        await client.send('21["which"]')


@scenario()
async def namespaces_of_a_connection_share_the_variables(lab: Lab) -> None:
    """The connect handler of the second sees what that of the first has set."""
    sio = lab.server()
    telling(lab, sio)
    telling(lab, sio, "/chat")

    @sio.on("connect")
    async def connect(sid: str, environ: dict[str, Any]) -> None:
        TENANT.set("root")

    @sio.on("connect", namespace="/chat")
    async def enter(sid: str, environ: dict[str, Any]) -> None:
        lab.note("connect of /chat", TENANT.get())
        TENANT.set("chat")

    client = await lab.client("/")
    await client.join("/chat")
    await client.send('21["which"]')
    await client.send('2/chat,1["which"]')


@scenario()
async def a_handler_that_waits_sees_the_variables_too(lab: Lab) -> None:
    """Whichever way its task begins."""
    sio = lab.server()
    gate = lab.gate()

    @sio.event
    async def connect(sid: str, environ: dict[str, Any]) -> None:
        TENANT.set("acme")

    @sio.event
    async def wait(sid: str) -> str:
        await gate.wait()
        return TENANT.get()

    client = await lab.client("/")
    for number in (1, 2, 3):
        await client.send(f'2{number}["wait"]')
    gate.set()
    await lab.settle()


@scenario()
async def handlers_that_run_in_turn_share_the_variables(lab: Lab) -> None:
    """With ``async_handlers=False`` what an event sets is seen by the next ones as well."""
    sio = lab.server(async_handlers=False)
    telling(lab, sio)

    @sio.event
    async def connect(sid: str, environ: dict[str, Any]) -> None:
        TENANT.set("acme")

    client = await lab.client("/")
    await client.send('21["which"]')
    await client.send('22["change"]')
    await client.send('23["which"]')
    await client.send('24["nobody"]')


@scenario()
async def a_client_that_polls_has_a_context_for_each_request(lab: Lab) -> None:
    """What connect has set is gone with its request, also after the upgrade."""
    sio = lab.server()
    telling(lab, sio)

    @sio.event
    async def connect(sid: str, environ: dict[str, Any]) -> None:
        TENANT.set("acme")

    client = await lab.client("/", polling=True)
    await client.send('21["which"]')
    await client.upgrade()
    await client.send('22["which"]')
