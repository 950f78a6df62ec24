"""What both Engine.IO servers have that needs no I/O."""

from __future__ import annotations

import json
import logging
import sys
from types import SimpleNamespace

import pytest

from fastsio.engine.http import Code, accepted
from fastsio.engine.packet import PING_PACKET
from fastsio.engine.request import Request, RequestRefused
from fastsio.engine.server_base import Background, ServerBase
from fastsio.engine.session_tables import Move, Step
from fastsio.exceptions import SetupError
from fastsio.protocol.lifecycle import Reasons
from tests.unit.engine.fake_session import Clock, Session, opened


class Engine(ServerBase):
    """A server without a shell."""

    _kind = "Server"
    clock = staticmethod(lambda: 100.0)

    def _is_installed(self, async_mode: str) -> bool:
        return async_mode == "threading"


class AsyncEngine(ServerBase):
    """The same for asyncio."""

    _kind = "AsyncServer"
    clock = staticmethod(lambda: 100.0)

    def _is_installed(self, async_mode: str) -> bool:
        return async_mode == "asgi"


@pytest.mark.parametrize(
    ("made", "mode", "modes"),
    [
        (Engine, "threading", ["eventlet", "gevent_uwsgi", "gevent", "threading"]),
        (AsyncEngine, "asgi", ["aiohttp", "sanic", "tornado", "asgi"]),
    ],
)
def test_a_server_is_for_the_first_mode_that_is_installed(made, mode, modes):
    """Which modes there are depends on whether its handlers are coroutine functions."""
    engine = made()

    assert (engine.async_mode, engine.async_modes()) == (mode, modes)
    assert engine.is_asyncio_based() is (made is AsyncEngine)


@pytest.mark.parametrize(("grace_s", "close_s"), [(3.0, 3.0), (60.0, 10.0)])
def test_a_server_that_shuts_down_has_a_grace_time(grace_s, close_s):
    """It bounds handlers, and closing handshakes if that is less than they have anyway."""
    engine = Engine()
    assert engine.is_admitting

    engine.stop_admitting(grace_s)

    assert (engine.is_admitting, engine.handler_grace, engine.close_grace) == (False, grace_s, close_s)


def test_a_server_may_take_clients_again():
    """After one shutdown or two; nothing of their grace times is left."""
    engine = Engine(handler_grace=2.0)

    engine.admit()
    engine.stop_admitting(3.0)
    engine.stop_admitting(4.0)
    engine.admit()

    assert (engine.is_admitting, engine.handler_grace, engine.close_grace) == (True, 2.0, 10.0)


def test_options_are_attributes():
    """As applications read and set them."""
    engine = Engine(ping_interval=(20, 5), max_http_buffer_size=1e6, monitor_clients=False, whatever=1)

    assert (engine.ping_interval, engine.ping_interval_grace_period, engine.ping_timeout) == (20, 5, 20)
    assert engine.max_http_buffer_size == 1_000_000
    assert isinstance(engine.max_http_buffer_size, int)
    assert (engine.start_service_task, Engine(monitor_clients=None).start_service_task) == (False, True)
    assert Engine(ping_interval=3).ping_interval_grace_period == 0


def test_the_high_water_mark_is_below_the_end_of_the_buffer():
    """Who waits does not wait for the last byte."""
    engine = Engine(max_buffer_bytes=100, max_buffer_packets=10)

    assert (engine.high_water_bytes, engine.high_water_packets) == (50, 5)


@pytest.mark.parametrize("options", [{"ping_timeout": 0}, {"transports": ["pigeon"]}, {"async_mode": "asgi"}])
def test_bad_options_are_refused(options):
    """When the server is made."""
    with pytest.raises(SetupError, match=next(iter(options))):
        Engine(**options)


def test_origins_may_be_set_later():
    """As with the option, a function that must be awaited is refused by a server that cannot."""

    async def ask(origin: str) -> bool:
        return bool(origin)

    engine = Engine(cors_allowed_origins="https://one.test")
    assert engine.cors_allowed_origins == "https://one.test"
    engine.cors_allowed_origins = []
    assert engine.cors_allowed_origins == []
    with pytest.raises(SetupError):
        engine.cors_allowed_origins = ask
    AsyncEngine().cors_allowed_origins = ask


def test_the_logger_may_be_given():
    """Otherwise it has the name that applications configure."""
    given = logging.getLogger("given")

    assert Engine(logger=given).logger is given
    assert Engine().logger.name == "engineio.server"


def test_handlers_are_registered_by_call_or_as_decorator():
    """The later one counts."""
    engine = Engine()

    @engine.on("message")
    def decorated(sid: str, data: str) -> None: ...

    assert engine.handlers == {"message": decorated}
    assert engine.on("message", print) is None
    assert engine.handlers == {"message": print}


def test_an_event_that_does_not_exist_is_refused():
    """The error names those that do."""
    with pytest.raises(ValueError, match=r"Invalid event 'chat': Engine.IO has 'connect', 'disconnect', 'message'"):
        Engine().on("chat")


def test_reasons_are_the_words_of_the_protocol():
    """Disconnect handlers compare them."""
    assert Engine().reason.PING_TIMEOUT == Reasons.PING_TIMEOUT == "ping timeout"


def test_the_transport_of_a_session_is_told():
    """A session that is over is as good as none."""
    engine, over = Engine(), session(Move.SWITCH, ends=True)
    over.advance(Step.OVER)
    engine.sockets = {"poll": session(Move.POLL), "ws": session(Move.SWITCH), "over": over}

    assert [engine.transport("poll"), engine.transport("ws")] == ["polling", "websocket"]
    with pytest.raises(KeyError, match="Session is disconnected"):
        engine.transport("over")
    with pytest.raises(KeyError, match="Session not found"):
        engine.transport("nobody")


@pytest.mark.parametrize(
    ("options", "can_upgrade", "upgrades"),
    [
        ({}, True, ["websocket"]),
        ({}, False, []),
        ({"allow_upgrades": False}, True, []),
    ],
)
def test_the_first_packet_tells_times_limits_and_upgrades(options, can_upgrade, upgrades):
    """In milliseconds and bytes; a WebSocket is offered only where there may be one."""
    opened = json.loads(Engine(ping_interval=(0.3, 0.1), **options)._open_data("id", can_upgrade=can_upgrade))

    assert opened == {
        "sid": "id", "upgrades": upgrades, "pingInterval": 400, "pingTimeout": 20_000, "maxPayload": 1_000_000
    }  # fmt: skip


def test_responses_are_compressed_and_get_the_headers_of_cors():
    """Unless both are turned off."""
    environ = {"HTTP_ORIGIN": "https://a.test", "HTTP_ACCEPT_ENCODING": "br, gzip", "REQUEST_METHOD": "GET"}
    engine, plain = Engine(compression_threshold=1), Engine(http_compression=False, cors_allowed_origins=[])
    packed, unpacked = accepted(b"a" * 100), accepted(b"a" * 100)

    headers = dict(engine.headers_of(packed, environ, is_admitted=True))

    assert len(packed["response"]) < 100
    assert (headers["Content-Encoding"], headers["Access-Control-Allow-Origin"]) == ("gzip", "https://a.test")
    assert plain.headers_of(unpacked, environ, is_admitted=True) == [("Content-Type", "text/plain")]


def test_a_cookie_is_sent_only_if_wanted():
    """With the id of the session."""
    assert Engine()._cookies("id") == []
    assert Engine(cookie="io")._cookies("id")[0][1].startswith("io=id;")


def session(*moves: Move, ends: bool = False) -> Session:
    """Make a session that was let in, and moved or ended."""
    made = opened(*moves)
    if ends:
        made.claim_end("over")
    return made


def request(method: str = "GET", *, is_websocket: bool = False, protocol: int | None = 4) -> Request:
    """Make what was read of a request."""
    return Request(
        method=method, sid="id", is_websocket=is_websocket, protocol=protocol, jsonp_index=None, base64=False
    )


def found_by_server(kept, asked):
    """Look up the session of a request in a server that has one, or none."""
    engine = Engine()
    if kept is not None:
        engine.sockets[kept.sid] = kept
    return engine.find("id", asked)


@pytest.mark.parametrize(
    ("found", "asked"),
    [
        (session(Move.POLL), request()),
        (session(Move.POLL), request("POST", protocol=None)),
        (session(Move.SWITCH), request(is_websocket=True)),
        (session(Move.POLL, ends=True), request()),
    ],
)
def test_a_session_gets_the_requests_it_can_take(found, asked):
    """A poll that comes while the session ends gets the last packets."""
    assert found_by_server(found, asked) is found


@pytest.mark.parametrize(
    ("found", "asked", "code"),
    [
        (None, request(), Code.UNKNOWN_SID),
        (session(Move.POLL, ends=True), request("POST"), Code.UNKNOWN_SID),
        (session(Move.POLL), request(protocol=3), Code.BAD_REQUEST),
        (session(), request(), Code.BAD_REQUEST),
        (session(Move.SWITCH), request(), Code.BAD_REQUEST),
    ],
)
def test_other_requests_are_refused(found, asked, code):
    """The code says whether the session or the request is to blame."""
    with pytest.raises(RequestRefused) as refused:
        found_by_server(found, asked)

    assert refused.value.code == code


def test_a_session_without_an_answer_to_a_ping_ends_with_the_next_request(monkeypatch):
    """It need not wait for the timer."""
    found = session(Move.POLL)
    found.start_heartbeat()
    found.beat()
    monkeypatch.setattr(Clock, "now", found.expires)

    with pytest.raises(RequestRefused, match="Invalid session"):
        found_by_server(found, request())

    assert found.told[-1] == Reasons.PING_TIMEOUT


def deadlines_of(engine):
    """Give a server deadlines that keep what they are told."""
    told = []
    engine.deadlines = SimpleNamespace(set=lambda session, delay_s: told.append((session, delay_s)), clear=told.append)
    return told


@pytest.mark.parametrize("keep", [True, False])
def test_a_session_that_is_over_may_get_one_more_poll(keep):
    """Until it has come, or for as long as a pong may take."""
    engine = Engine()
    told = deadlines_of(engine)
    over = engine.sockets["id"] = session(Move.POLL, ends=True)

    engine.retire(over, keep=keep)

    assert engine.sockets == {}
    assert told == ([(over, engine.ping_timeout)] if keep else [])
    for asked in (request("POST"), request(is_websocket=True), *([] if keep else [request()])):
        with pytest.raises(RequestRefused):
            engine.find("id", asked)
    if keep:
        assert engine.find("id", request()) is over
        engine.forget(over)
        assert told[-1] is over
        with pytest.raises(RequestRefused):
            engine.find("id", request())


def test_packets_go_to_the_session_of_a_client():
    """A client that is gone gets none."""
    engine = Engine()
    there = engine.sockets["id"] = session(Move.POLL)

    assert engine.post("id", (PING_PACKET,))
    assert not engine.post("other", (PING_PACKET,))
    assert there.told == [[PING_PACKET]]


@pytest.mark.parametrize(
    ("allowed", "origin", "expected"),
    [
        (None, None, True),
        ([], "https://b.test", True),
        ("https://a.test", "https://a.test", True),
        ("https://a.test", "https://b.test", False),
        (lambda origin: True, "https://a.test", False),
    ],
)
def test_an_origin_is_admitted_if_no_function_need_be_asked(allowed, origin, expected):
    """A request without an origin is, and any where the check is off."""
    environ = {} if origin is None else {"HTTP_ORIGIN": origin}

    assert Engine(cors_allowed_origins=allowed).is_admitted(environ) is expected


def test_a_client_that_is_refused_is_kept_nowhere():
    """Its session is over."""
    engine = Engine()
    refused = engine.sockets["id"] = Session()

    engine._reject(refused)

    assert (engine.sockets, refused.closed) == ({}, True)


def test_a_refused_request_is_reported_and_answered():
    """With the code that says what was wrong."""
    response = Engine()._refuse(RequestRefused(Code.BAD_REQUEST, "why"))

    assert (response["status"], json.loads(response["response"])["code"]) == ("400 Bad Request", Code.BAD_REQUEST)


@pytest.mark.parametrize(("option", "imported", "expected"), [(3, 500, 3), (None, 500, 500), (None, None, 16)])
def test_packets_of_a_post_are_counted_as_applications_have_set(option, imported, expected, monkeypatch):
    """By the option, or in engineio's class if anything has imported that."""
    module = imported and SimpleNamespace(Payload=SimpleNamespace(max_decode_packets=imported))
    monkeypatch.setitem(sys.modules, "engineio.payload", module)

    assert Engine(max_decode_packets=option).packets_per_payload == expected


def test_a_client_is_left_when_the_server_shuts_down():
    """One that is gone needs nothing."""
    engine = Engine()
    there = engine.sockets["id"] = session(Move.POLL)

    engine.leave_client("id")
    engine.leave_client("other")

    assert ("over", Reasons.SERVER_SHUTDOWN) in there.told


def test_mistakes_of_one_kind_are_said_once_and_then_now_and_then(caplog, monkeypatch):
    """The first as an error; what is left out is counted."""
    monkeypatch.setattr(Engine, "clock", staticmethod(lambda: Clock.now))
    engine = Engine(logger=logging.getLogger("mistakes"))
    with caplog.at_level(logging.INFO, "mistakes"):
        engine.report("a mistake", "kind")
        engine.report("a mistake", "kind")
        monkeypatch.setattr(Clock, "now", Clock.now + 60)
        engine.report("a mistake", "kind")

    said = [(record.levelname, record.getMessage()) for record in caplog.records if "mistake" in record.getMessage()]
    assert said == [
        ("ERROR", "a mistake (more of this kind are logged as information, once a minute)"),
        ("INFO", "a mistake (and 1 more of this kind since the last)"),
    ]


def test_functions_run_in_what_the_shell_has_for_them():
    """With its queues and events."""
    engine = Engine()
    engine._background = Background(
        start=lambda target, args, kwargs: target(*args, **kwargs),
        sleep=lambda seconds: None,
        queue=lambda size: ("queue", size),
        queue_empty=IndexError,
        event=lambda: "event",
    )

    assert engine.start_background_task(dict, [("a", 1)], b=2) == {"a": 1, "b": 2}
    assert engine.create_queue(3) == ("queue", 3)
    assert engine.get_queue_empty_exception() is IndexError
    assert engine.create_event() == "event"
