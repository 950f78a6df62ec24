"""
What is measured: the literal tables of contenders, workloads and targets.

Nothing here starts or measures anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

#: How an application is run: one uvicorn, a threaded WSGI server, two uvicorns on one Redis, a client on its own.
Serving: TypeAlias = Literal["uvicorn", "threads", "nodes", "client"]


@dataclass(frozen=True, slots=True)
class Contender:
    """An application under test, and the event the load sends it."""

    name: str
    app: str
    event: str = "echo"
    serving: Serving = "uvicorn"


PYTHON_SOCKETIO = Contender("python-socketio", "python_socketio_app")
FASTSIO = Contender("fastsio", "fastsio_app")
FASTSIO_INJECTED = Contender("fastsio injected", "fastsio_app", "echo_model")
BARE_ASGI = Contender("bare ASGI", "bare_asgi_app")

PYTHON_SOCKETIO_THREADS = Contender("python-socketio threads", "python_socketio_threads_app", serving="threads")
FASTSIO_THREADS = Contender("fastsio threads", "fastsio_threads_app", serving="threads")
PYTHON_SOCKETIO_NODES = Contender("python-socketio nodes", "python_socketio_app", serving="nodes")
FASTSIO_NODES = Contender("fastsio nodes", "fastsio_app", serving="nodes")
PYTHON_SOCKETIO_CLIENT = Contender("python-socketio client", "socketio", serving="client")
FASTSIO_CLIENT = Contender("fastsio client", "fastsio", serving="client")

CONTENDERS = (
    PYTHON_SOCKETIO,
    FASTSIO,
    FASTSIO_INJECTED,
    BARE_ASGI,
    PYTHON_SOCKETIO_THREADS,
    FASTSIO_THREADS,
    PYTHON_SOCKETIO_NODES,
    FASTSIO_NODES,
    PYTHON_SOCKETIO_CLIENT,
    FASTSIO_CLIENT,
)
SERVERS = (PYTHON_SOCKETIO, FASTSIO, BARE_ASGI)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """
    One mode of the load generator with its options.

    Attributes:
        mode: Mode of ``load``.
        options: Options of ``load``; ``quick`` replaces some of them with ``--quick``.
        figure: Member of the generator's answer that is the result.
        unit: Of that figure, for the table.
        better: Whether a higher or a lower figure is better.
        saturates: Whether the server should be running all the time, so that anything less is noise.
    """

    name: str
    mode: str
    options: dict[str, float]
    quick: dict[str, float]
    figure: str
    unit: str
    better: Literal["higher", "lower"]
    saturates: bool = True
    contenders: tuple[Contender, ...] = SERVERS

    def options_for(self, *, quick: bool) -> dict[str, float]:
        """Return the generator's options of a quick or a full run."""
        return self.options | self.quick if quick else self.options


ECHO = Workload(
    name="echo",
    mode="echo",
    options={"conns": 64, "window": 8, "size": 64, "seconds": 4},
    quick={"seconds": 1.5},
    figure="rate",
    unit="acks/s",
    better="higher",
    contenders=(PYTHON_SOCKETIO, FASTSIO, FASTSIO_INJECTED, BARE_ASGI),
)
BROADCAST = Workload(
    name="broadcast",
    mode="broadcast",
    options={"conns": 500, "size": 64, "seconds": 4},
    quick={"seconds": 1.5},
    figure="rate",
    unit="deliveries/s",
    better="higher",
)
CONNECT = Workload(
    name="connect",
    mode="connect",
    options={"conns": 3000},
    quick={"conns": 800},
    figure="rate",
    unit="connections/s",
    better="higher",
)
IDLE = Workload(
    name="idle memory",
    mode="idle",
    options={"conns": 3000},
    quick={"conns": 800},
    figure="kib_per_conn",
    unit="KiB/connection",
    better="lower",
    saturates=False,
)
PACE = Workload(
    name="latency",
    mode="pace",
    options={"conns": 64, "size": 64, "rate": 2000, "seconds": 4},
    quick={"seconds": 1.5},
    figure="p99_ms",
    unit="ms (p99)",
    better="lower",
    saturates=False,
)
DISCONNECT_HALF = Workload(
    name="disconnect half",
    mode="disconnect",
    options={"conns": 5000},
    quick={"conns": 500},
    figure="seconds",
    unit="s",
    better="lower",
    saturates=False,
)
DISCONNECT = Workload(
    name="disconnect",
    mode="disconnect",
    options={"conns": 10000},
    quick={"conns": 1000},
    figure="seconds",
    unit="s",
    better="lower",
    saturates=False,
)

ECHO_THREADS = Workload(
    name="echo threads",
    mode="echo",
    options={"conns": 16, "window": 4, "size": 64, "seconds": 4},
    quick={"seconds": 1.5},
    figure="rate",
    unit="acks/s",
    better="higher",
    contenders=(PYTHON_SOCKETIO_THREADS, FASTSIO_THREADS),
)
BROADCAST_NODES = Workload(
    name="broadcast nodes",
    mode="broadcast",
    options={"conns": 500, "size": 64, "seconds": 4},
    quick={"seconds": 1.5},
    figure="rate",
    unit="deliveries/s",
    better="higher",
    saturates=False,  # what is counted is one of the two servers
    contenders=(PYTHON_SOCKETIO_NODES, FASTSIO_NODES),
)
RECEIVE = Workload(
    name="client receive",
    mode="receive",
    options={"events": 60000},
    quick={"events": 20000},
    figure="rate",
    unit="events/s",
    better="higher",
    saturates=False,
    contenders=(PYTHON_SOCKETIO_CLIENT, FASTSIO_CLIENT),
)

WORKLOADS = (
    ECHO,
    BROADCAST,
    CONNECT,
    IDLE,
    PACE,
    DISCONNECT_HALF,
    DISCONNECT,
    ECHO_THREADS,
    BROADCAST_NODES,
    RECEIVE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A bound for the ratio of two results: ``numerator / denominator``."""

    label: str
    numerator: tuple[Workload, Contender]
    denominator: tuple[Workload, Contender]
    at_least: float | None = None
    at_most: float | None = None

    def met_by(self, ratio: float) -> bool:
        """Tell whether a measured ratio is within the bound."""
        return (self.at_least is None or ratio >= self.at_least) and (self.at_most is None or ratio <= self.at_most)

    @property
    def bound(self) -> str:
        """The bound as the table prints it."""
        return f">= {self.at_least:g}" if self.at_least is not None else f"<= {self.at_most:g}"


def _against_python_socketio(
    label: str, workload: Workload, *, at_least: float | None = None, at_most: float | None = None
) -> Target:
    return Target(
        label=label,
        numerator=(workload, FASTSIO),
        denominator=(workload, PYTHON_SOCKETIO),
        at_least=at_least,
        at_most=at_most,
    )


TARGETS = (
    _against_python_socketio("echo with ack", ECHO, at_least=2.2),
    Target(
        label="injected, validated echo / plain echo",
        numerator=(ECHO, FASTSIO_INJECTED),
        denominator=(ECHO, FASTSIO),
        at_least=0.85,
    ),
    _against_python_socketio("broadcast", BROADCAST, at_least=3),
    _against_python_socketio("connections per second", CONNECT, at_least=1.5),
    _against_python_socketio("idle memory per connection", IDLE, at_most=0.8),
    _against_python_socketio("disconnect of all at once", DISCONNECT, at_most=1),
    Target(
        label="disconnect of all / of half as many (linear: 2)",
        numerator=(DISCONNECT, FASTSIO),
        denominator=(DISCONNECT_HALF, FASTSIO),
        at_most=2.5,
    ),
    Target(
        label="echo with ack, sync servers",
        numerator=(ECHO_THREADS, FASTSIO_THREADS),
        denominator=(ECHO_THREADS, PYTHON_SOCKETIO_THREADS),
        at_least=1,
    ),
    Target(
        label="broadcast, two nodes on one Redis",
        numerator=(BROADCAST_NODES, FASTSIO_NODES),
        denominator=(BROADCAST_NODES, PYTHON_SOCKETIO_NODES),
        at_least=1.5,
    ),
    Target(
        label="events received by a client",
        numerator=(RECEIVE, FASTSIO_CLIENT),
        denominator=(RECEIVE, PYTHON_SOCKETIO_CLIENT),
        at_least=1.5,
    ),
)
