"""How handlers start: in which task, in which order, in which context, and at what cost."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar

import pytest

from fastsio.aio.runner import EagerStarter, TurnStarter
from tests.shells.aio.fake_engine import settled, turns
from tests.support.waiting import WAIT_S

COLOUR: ContextVar[str] = ContextVar("COLOUR", default="none")


@pytest.fixture(params=[TurnStarter, EagerStarter])
def sio(sio, request):
    """Start handlers both ways, whichever this Python has by default."""
    sio._runner.starter = request.param()
    return sio


async def test_a_handler_runs_in_one_task_from_its_first_step_to_its_last(sio, wire):
    """The task before the first wait, during it and after it is the same."""
    gate, tasks = asyncio.Event(), []

    @sio.event
    async def work(sid):
        tasks.append(asyncio.current_task())
        await gate.wait()
        tasks.append(asyncio.current_task())

    client = await wire.join()
    for _ in range(2):  # a handler that has waited before is started in another way
        await client.send('2["work"]', '2["work"]')
    await settled(lambda: len(tasks) == 4)
    begun = list(tasks)
    gate.set()
    await settled(lambda: len(tasks) == 8)

    assert len(set(begun)) == 4
    assert all(isinstance(task, asyncio.Task) for task in begun)
    assert set(tasks[4:]) == set(begun)
    assert asyncio.current_task() not in begun


async def test_a_time_limit_set_in_the_first_step_ends_the_handler_it_is_set_in(sio, wire):
    """asyncio.timeout() cancels the task it was entered in: the handler's, not the one that reads."""
    log = []

    @sio.event
    async def slow(sid):
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            log.append("timed out")
        return "late"

    sio.on("quick", lambda _sid: "quick")
    client = await wire.join()
    await client.send('21["slow"]', '22["quick"]')

    assert [await client.receive(), await client.receive()] == ['32["quick"]', '31["late"]']
    assert log == ["timed out"]


async def test_cancelling_a_handlers_task_cancels_that_handler_only(sio, wire):
    """The other handlers go on, and the connection is read on."""
    tasks, log = [], []
    gate = asyncio.Event()

    @sio.event
    async def work(sid, number):
        tasks.append(asyncio.current_task())
        try:
            await gate.wait()
        except asyncio.CancelledError:
            log.append(("cancelled", number))
            raise
        log.append(("done", number))

    client = await wire.join()
    await client.send(*[f'2["work",{number}]' for number in range(3)])
    await settled(lambda: len(tasks) == 3)
    tasks[1].cancel()
    await settled(lambda: log)
    gate.set()
    await settled(lambda: len(log) == 3)
    sio.on("quick", lambda _sid: "quick")

    assert log == [("cancelled", 1), ("done", 0), ("done", 2)]
    assert await client.ask("quick") == ["quick"]


@pytest.mark.parametrize("how", ["raise", "cancel"])
async def test_a_handler_that_cancels_itself_without_waiting_concerns_no_other(sio, wire, how):
    """Neither the next event's handler nor the reading of the connection is cancelled."""

    @sio.event
    def quit_now(sid):
        if how == "raise":
            raise asyncio.CancelledError
        asyncio.current_task().cancel()

    @sio.event
    async def patient(sid):
        await asyncio.sleep(0)
        return "here"

    client = await wire.join()
    await client.send('2["quit_now"]', '21["patient"]', '2["quit_now"]', '22["patient"]')

    assert sorted([await client.receive(), await client.receive()]) == ['31["here"]', '32["here"]']


async def test_each_event_has_a_context_of_its_own(sio, wire):
    """A handler sees what was set before it was sent to; what it sets is seen by nobody else, and by itself to its end."""
    gate, seen = asyncio.Event(), []

    @sio.event
    async def paint(sid, colour, waits):
        before = COLOUR.get()
        COLOUR.set(colour)
        if waits:
            await gate.wait()
        seen.append((before, COLOUR.get()))

    client = await wire.join()
    COLOUR.set("grey")
    for _ in range(2):
        await client.send('2["paint","red",false]', '2["paint","blue",true]', '2["paint","green",false]')
    await settled(lambda: len(seen) == 4)
    gate.set()
    await settled(lambda: len(seen) == 6)

    assert sorted(seen) == sorted([("grey", "red"), ("grey", "blue"), ("grey", "green")] * 2)
    assert COLOUR.get() == "grey"


async def test_handlers_start_in_order_whether_they_wait_or_not(sio, wire):
    """What a handler does before it waits is done in the order of the events."""
    log = []

    @sio.event
    async def waiting(sid, number):
        log.append(number)
        await asyncio.sleep(0)

    sio.on("plain", lambda _sid, number: log.append(number))
    client = await wire.join()
    for begin in (0, 20):
        await client.send(
            *[f'2["{"waiting" if number % 3 else "plain"}",{number}]' for number in range(begin, begin + 20)]
        )
        await settled(lambda end=begin + 20: len(log) == end)

    assert log == list(range(40))


async def test_handlers_that_do_not_wait_cost_no_turn_of_the_loop_each(sio, wire, monkeypatch):
    """However many events arrive at once, at most one callback is scheduled for all of them."""
    sio.on("plain", lambda _sid, number: number)
    client = await wire.join()
    await turns()
    loop = asyncio.get_running_loop()
    scheduled, call_soon = [], loop.call_soon

    def counting(callback, *args, **kwargs):
        scheduled.append(callback)
        return call_soon(callback, *args, **kwargs)

    if isinstance(sio._runner.starter, EagerStarter) and not hasattr(asyncio, "eager_task_factory"):
        sio._runner.starter = TurnStarter()  # without eager tasks this is how handlers start
    monkeypatch.setattr(loop, "call_soon", counting)
    await client.send(*[f'2{number}["plain",{number}]' for number in range(100)])
    monkeypatch.undo()
    await settled(lambda: len(client.frames) == 100)

    assert len(scheduled) <= 1


async def test_tasks_are_made_the_way_the_application_wants(sio, wire):
    """A task factory that was set is used for what waits, and nothing begins in another kind of task."""
    made = []

    def factory(loop, coroutine, **kwargs):
        made.append(coroutine)
        return asyncio.Task(coroutine, loop=loop, **kwargs)

    @sio.event
    async def work(sid):
        await asyncio.sleep(0)
        return asyncio.current_task().get_coro() in made

    client = await wire.join()
    asyncio.get_running_loop().set_task_factory(factory)
    try:
        assert await client.ask("work") == [True]
        assert await client.ask("work") == [True]
    finally:
        asyncio.get_running_loop().set_task_factory(None)


async def test_what_arrived_before_the_connection_was_lost_begins_before_disconnect(sio, wire):
    """The disconnect handler is the last to begin, whatever waits."""
    log = []

    @sio.event
    async def waiting(sid, number):
        log.append(number)
        await asyncio.sleep(0)

    @sio.event
    async def disconnect(sid, reason):
        log.append("disconnect")

    for _ in range(2):
        client = await wire.join()
        await client.send(*[f'2["waiting",{number}]' for number in range(5)])
        await client.lose()
        await settled(lambda: "disconnect" in log)
        assert log == [0, 1, 2, 3, 4, "disconnect"]
        log.clear()


async def test_shutdown_waits_for_what_has_arrived_but_not_begun(sio, wire):
    """An event that was read is handled to its end."""
    log = []

    @sio.event
    async def work(sid):
        await asyncio.sleep(0)
        log.append("done")

    client = await wire.join()
    await client.send('2["work"]', '2["work"]')
    await asyncio.wait_for(sio.shutdown(), WAIT_S)

    assert log == ["done", "done"]


async def test_an_event_nobody_handles_starts_nothing(sio, wire):
    """No task is made for it."""
    client = await wire.join()

    await client.send('21["nobody"]')

    connection = sio._connections[client.eio_sid]
    assert (connection.starting, len(connection.tasks)) == (0, 0)


async def test_a_starter_that_outlives_its_loop_starts_on_the_next(sio, wire):
    """What was left of a loop that is gone does not keep events of the next waiting."""
    if isinstance(sio._runner.starter, TurnStarter):
        sio._runner.starter._loop = object()
        sio._runner.starter._task = object()
    sio.on("plain", lambda _sid: "here")
    client = await wire.join()

    assert await client.ask("plain") == ["here"]


async def test_events_whose_task_is_cancelled_before_it_begins_are_dropped(sio, wire):
    """Nothing is left of them, no coroutine that never ran either, and later events are handled."""
    ran = []
    sio.on("plain", lambda _sid, number: ran.append(number))
    client = await wire.join()
    connection = sio._connections[client.eio_sid]
    before = asyncio.all_tasks()
    await client.send('2["plain",1]', '2["plain",2]')
    begun = list(ran)

    for task in asyncio.all_tasks() - before:
        task.cancel()
    await turns()
    await client.send('2["plain",3]')
    await settled(lambda: 3 in ran)
    await turns()

    assert ran == [*begun, 3]
    assert (connection.starting, len(connection.tasks)) == (0, 0)
