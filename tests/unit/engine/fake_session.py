"""A session without a shell."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from fastsio.engine.session import Move, Reason, SessionState, Step

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
            **{**limits, "ping_interval": 25.0, "ping_timeout": 20.0, "start_service_task": True, **options},
            slow_client_timeout=TIMEOUT_S,
            congested=set(),
            reason=Reason,
            logger=SimpleNamespace(error=lambda *args: self.told.append("slow")),
            deadlines=SimpleNamespace(set=lambda session, delay_s: self.told.append(delay_s)),
            report=lambda message, kind: self.told.append(kind),
        )
        server.slow_client = options.get("slow_client", "close")
        super().__init__(server, "id")

    @staticmethod
    def clock() -> float:
        return Clock.now

    def expire(self) -> None:
        self.told.append("expire")

    def may_have_answered(self) -> bool:
        return self.answered

    def finish_later(self, reason: str, *, abort: bool = True) -> None:
        self.told.append(reason)

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
