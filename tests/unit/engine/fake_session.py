"""A session without a shell."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from fastsio.engine.session import SessionState
from fastsio.engine.session_tables import Move, Step
from fastsio.protocol.lifecycle import Reasons

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastsio.engine.packet import ControlPacket, WirePacket

TIMEOUT_S = 20.0


class Clock:
    """A clock that a test sets."""

    now = 100.0


class Session(SessionState):
    """A session without a shell: it keeps what it is told to do."""

    def __init__(self, **options: Any) -> None:
        self.told: list[Any] = []
        self.answered = False
        self.written: int | None = None
        limits = {"max_buffer_bytes": 100, "max_buffer_packets": 10, "high_water_bytes": 50, "high_water_packets": 5}
        server = SimpleNamespace(
            **{
                **limits,
                "ping_interval": 25.0,
                "ping_timeout": 20.0,
                "start_service_task": True,
                "is_admitting": True,
                **options,
            },
            slow_client_timeout=TIMEOUT_S,
            congested=set(),
            reason=Reasons,
            logger=SimpleNamespace(
                error=lambda *args: self.told.append("slow"), info=lambda text, *args: self.told.append(text % args)
            ),
            deadlines=SimpleNamespace(
                set=lambda session, delay_s: self.told.append(delay_s), clear=lambda session: self.told.append("clear")
            ),
            retire=lambda session, *, keep: self.told.append(("retire", keep)),
            forget=lambda session: self.told.append("forget"),
            handlers={},
            receivers=frozenset(),
            is_traced=False,
            report=lambda message, kind: self.told.append(kind),
        )
        server.slow_client = options.get("slow_client", "close")
        super().__init__(server, "id")

    @staticmethod
    def clock() -> float:
        return Clock.now

    def may_have_answered(self) -> bool:
        return self.answered

    def finish(self, reason: str, *, abort: bool = False) -> Any:
        self.told.append((reason, abort))

    def finish_later(self, reason: str, *, abort: bool = True) -> None:
        self.told.append(reason)

    def end_poll(self) -> None:
        self.told.append("poll")

    def post(self, packets: Sequence[WirePacket], waits: bool = False) -> bool:
        self.told.append(list(packets))
        return True

    def post_control(self, packet: ControlPacket) -> None:
        self.told.append(packet)

    def shut(self) -> None:
        self.told.append("shut")

    def wait_longer(self) -> None:
        self.told.append("wait")

    def end_reading(self, reason: str) -> None:
        self.told.append(("over", reason))

    def unsent(self) -> int | None:
        return self.written

    def wake(self, released: Any) -> None:
        self.told.append(released)


def opened(*moves: Move, **options: Any) -> Session:
    """Make a session that is open, and on a transport."""
    session = Session(**options)
    session.advance(Step.ACCEPT)
    for move in moves:
        assert session.move(move)
    return session
