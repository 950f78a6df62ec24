"""Workers of one machine as ``fastsio run --workers`` has them: processes whose servers name no manager."""

from __future__ import annotations

import asyncio
import json

import pytest

import fastsio
from tests.integration.local_workers import Workers
from tests.support.waiting import WAIT_S


@pytest.fixture
async def workers():
    """A directory for workers."""
    async with Workers() as workers:
        yield workers


async def test_workers_share_their_clients(workers):
    """Emits, rooms, calls, disconnecting and closing a room reach the clients of other workers."""
    one, two, three = await workers.start(3)
    anna, ben, cleo = await one.person(), await two.person(), await three.person()

    await anna.emit("shout", "hi")
    for each in (anna, ben, cleo):
        assert await each.event() == ["heard", "hi"]

    await anna.emit("enter", ben.sid, "tea")
    await anna.emit("tell", "tea", "x" * 200_000)
    assert await ben.event() == ["told", "x" * 200_000]

    await cleo.client.send(f"427{json.dumps(['ask', ben.sid])}")
    assert await ben.client.receive() == '421["asked"]'
    await ben.client.send('431["answer"]')
    assert await cleo.client.receive() == '437["answer"]'

    await anna.emit("close", "tea")
    await anna.emit("tell", "tea", "nobody hears it")
    await anna.emit("shout", "ho")
    for each in (anna, ben, cleo):
        assert await each.event() == ["heard", "ho"]

    for number, each in enumerate((anna, ben, cleo)):
        await each.emit("join_chat", {"id": 5})
        assert (await each.event())[0] == "joined", number
    sids = sorted(each.sid for each in (anna, ben, cleo))
    assert await anna.client.ask("members", 5) == [sids]

    await anna.emit("end", ben.sid)
    while await ben.client.receive() != "41":
        pass


async def test_consumers_of_workers_share_groups(workers):
    """A layer in memory that is registered is one that the workers share."""
    one, two = await workers.start(2)
    first, second = await one.socket(), await two.socket()

    await first.send('{"action": "say", "payload": "hi"}')

    for each in (first, second):
        async with asyncio.timeout(WAIT_S):
            assert json.loads(await each.recv())["payload"] == "hi"


async def test_a_background_job_emits(workers):
    """A process that only writes names the directory."""
    one, two = await workers.start(2)
    anna, ben = await one.person(), await two.person()
    job = fastsio.AsyncLocalManager(workers.path, write_only=True)

    await job.emit("job done", 7, room=ben.sid)
    await job.emit("news", 1)

    assert await ben.event() == ["job done", 7]
    assert await anna.event() == await ben.event() == ["news", 1]
    await job.shutdown()


async def test_a_worker_that_is_killed_is_not_missed(workers):
    """Those that speak to it while it dies go on at once; what it has left behind is removed; another takes its place."""
    one, two, doomed = await workers.start(3)
    anna, ben = await one.person(), await two.person()
    await doomed.person()
    ends = asyncio.create_task(doomed.kill())
    texts = [f"text {number}" for number in range(300)]

    for text in texts:
        await anna.emit("shout", text)
    heard = [[(await each.event())[1] for _ in texts] for each in (anna, ben)]
    await ends

    assert heard == [texts, texts]
    (new,) = await workers.start(1)
    cleo = await new.person()
    await anna.emit("shout", "again")
    for each in (anna, ben, cleo):
        assert await each.event() == ["heard", "again"]
    await cleo.emit("shout", "I am new")
    assert await ben.event() == ["heard", "I am new"]
    (bus,) = workers.path.glob("bus-*")
    assert len(list(bus.iterdir())) == 3


@pytest.mark.parametrize("kills", [True, False], ids=["killed while it waits", "killed before"])
async def test_a_call_to_a_client_of_a_killed_worker_ends_at_once(workers, kills):
    """With the error of a client that has left, long before its time is over; calls to others go on."""
    one, two, doomed = await workers.start(3)
    anna, ben, cleo = await one.person(), await two.person(), await doomed.person()
    if not kills:
        await doomed.kill()
    await anna.client.send(f"421{json.dumps(['ask_long', cleo.sid])}")
    await anna.client.send(f"422{json.dumps(['ask_long', ben.sid])}")
    if kills:
        assert await cleo.client.receive() == '421["asked"]'
        await doomed.kill()

    assert await anna.client.receive() == '431["left"]'
    assert await ben.client.receive() == '421["asked"]'
    await ben.client.send('431["here"]')
    assert await anna.client.receive() == '432["here"]'


async def test_a_call_to_nobody_ends_at_once(workers):
    """No process has the client, and each says so; or there is no other process."""
    (one,) = await workers.start(1)
    anna = await one.person()
    assert await anna.client.ask("ask_long", "nobody") == ["left"]

    (two,) = await workers.start(1)
    await two.person()

    assert await anna.client.ask("ask_long", "nobody") == ["left"]


async def test_a_call_to_a_client_that_leaves_elsewhere_ends_at_once(workers):
    """Its worker lives on, and says that the client is gone."""
    one, two, three = await workers.start(3)
    anna, ben, _ = await one.person(), await two.person(), await three.person()
    asking = asyncio.create_task(anna.client.ask("ask_long", ben.sid))
    assert await ben.client.receive() == '421["asked"]'
    await ben.client.close()

    async with asyncio.timeout(WAIT_S):
        assert await asking == ["left"]


async def test_members_are_known_although_a_worker_is_killed_before_it_answers(workers):
    """The others' answers are all there is."""
    one, two, doomed = await workers.start(3)
    anna, ben, cleo = await one.person(), await two.person(), await doomed.person()
    for each in (anna, ben, cleo):
        await each.emit("join_chat", {"id": 5})
        assert (await each.event())[0] == "joined"
    await doomed.hang()
    await anna.client.send('421["members",5]')
    await anna.emit("shout", "the question is on its way")
    for each in (anna, ben):
        assert await each.event() == ["heard", "the question is on its way"]

    await doomed.kill()

    assert await anna.client.receive() == f"431[{json.dumps(sorted([anna.sid, ben.sid]), separators=(',', ':'))}]"


async def heard_before(person, text):
    """Count what somebody hears until there is this text."""
    count = 0
    while (await person.event())[1] != text:
        count += 1
    return count


async def test_a_worker_that_stalls_keeps_nobody_waiting(workers):
    """What waits for it is bounded; it misses the rest, which both sides log, and hears the others again afterwards."""
    # Much more than may wait for a worker that is only slow: a text goes over the bus several times, for the Admin UI too.
    one, two, stalled = await workers.start(3, MAX_PENDING_BYTES="20000000")
    anna, ben, cleo = await one.person(), await two.person(), await stalled.person()
    await cleo.emit("stall")
    text = "x" * 1_000_000

    for _ in range(24):
        await anna.emit("shout", text)
        assert await anna.event() == await ben.event() == ["heard", text]

    await one.logged("a process is left out")
    await stalled.go_on()
    heard = asyncio.create_task(heard_before(cleo, "short"))
    while not heard.done():
        await anna.emit("shout", "short")
        assert await anna.event() == await ben.event() == ["heard", "short"]

    assert await heard < 24
    await stalled.logged("has missed messages")


async def test_the_admin_ui_lists_the_clients_of_all_workers(workers):
    """Those that were there before the administrator came; those of a worker that was killed are gone at once."""
    one, two, doomed = await workers.start(3)
    anna, ben, cleo = await one.person(), await two.person(), await doomed.person()
    admin = fastsio.AsyncSimpleClient()
    await admin.connect(one.address.http, namespace="/admin", transports=["websocket"])
    listed: set[str] = set()

    async def until_listed(*people):
        async with asyncio.timeout(WAIT_S):
            while listed != {each.sid for each in people}:
                event, *arguments = await admin.receive()
                if event == "all_sockets":
                    listed.clear()
                    listed.update(client["id"] for client in arguments[0])
                elif event == "socket_connected":
                    listed.add(arguments[0]["id"])

    await until_listed(anna, ben, cleo)
    await doomed.kill()
    await until_listed(anna, ben)

    await admin.disconnect()


async def test_the_admin_ui_sees_the_clients_of_all_workers(workers):
    """An administrator of one worker is told of clients of another."""
    one, two = await workers.start(2)
    ben = await two.person()
    admin = fastsio.AsyncSimpleClient()
    await admin.connect(one.address.http, namespace="/admin", transports=["websocket"])

    servers = set()
    async with asyncio.timeout(WAIT_S):
        while len(servers) < 2:
            event, *arguments = await admin.receive()
            if event == "server_stats":
                servers.add(arguments[0]["serverId"])
    await ben.client.close()

    async with asyncio.timeout(WAIT_S):
        while (event := await admin.receive())[0] != "socket_disconnected" or event[2] != ben.sid:
            pass
    await admin.disconnect()
