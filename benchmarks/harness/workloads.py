"""
What is asked of the contenders: the literal table of workloads.

Nothing here starts or measures anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from harness.contenders import (
    BARE_ASGI,
    BARE_FAST,
    BARE_PICOWS,
    CHANX,
    CHANX_REDIS,
    FAST,
    FAST_CHANNELS,
    FAST_CHANNELS_REDIS,
    FAST_INJECTED,
    FAST_LOCAL_NODES,
    FAST_NODES,
    FAST_RECOVERY,
    FAST_STREAMS,
    FAST_WORKER,
    FAST_WORKERS,
    FASTSIO,
    FASTSIO_CLIENT,
    FASTSIO_CONSUMERS,
    FASTSIO_CONSUMERS_REDIS,
    FASTSIO_IMPORT,
    FASTSIO_INJECTED,
    FASTSIO_LOCAL_NODES,
    FASTSIO_NODES,
    FASTSIO_RECOVERY,
    FASTSIO_STREAMS,
    FASTSIO_THREADS,
    FASTSIO_TYPED,
    FASTSIO_TYPED_REDIS,
    NODE,
    NODE_NODES,
    NODE_RECOVERY,
    NODE_STREAMS,
    PYTHON_SOCKETIO,
    PYTHON_SOCKETIO_CLIENT,
    PYTHON_SOCKETIO_IMPORT,
    PYTHON_SOCKETIO_NODES,
    PYTHON_SOCKETIO_THREADS,
    Contender,
)

SERVERS: Final = (PYTHON_SOCKETIO, FASTSIO, FAST, NODE, BARE_ASGI, BARE_PICOWS)
#: Those that parse what they are sent; the bare application only knows short text.
PARSERS: Final = (PYTHON_SOCKETIO, FASTSIO, FAST, NODE)


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
        path: Where a plain WebSocket is served, for workloads without Socket.IO.
        transport: ``websocket``, ``polling``, or ``upgrade``: polling, then a WebSocket.
        half_of: The contender whose median in ``echo``, halved, is the rate of this workload.
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
    half_of: Contender | None = None
    path: str | None = None
    transport: str = "websocket"

    def options_for(self, *, quick: bool) -> dict[str, float]:
        """Return the generator's options of a quick or a full run."""
        return self.options | self.quick if quick else self.options


ECHO: Final = Workload(
    name="echo",
    mode="echo",
    options={"conns": 64, "window": 8, "size": 64, "seconds": 4},
    quick={"seconds": 1.5},
    figure="rate",
    unit="acks/s",
    better="higher",
    contenders=(PYTHON_SOCKETIO, FASTSIO, FASTSIO_INJECTED, FAST, FAST_INJECTED, NODE, BARE_ASGI, BARE_PICOWS),
)
ECHO_4K: Final = replace(ECHO, name="echo 4 KiB", options={**ECHO.options, "size": 4096}, contenders=PARSERS)
ECHO_256K: Final = replace(
    ECHO, name="echo 256 KiB", options={**ECHO.options, "conns": 16, "window": 1, "size": 262144}, contenders=PARSERS
)
ECHO_BINARY: Final = replace(ECHO, name="echo binary", options={**ECHO.options, "binary": 1}, contenders=PARSERS)
ECHO_ATTACHMENT: Final = replace(
    ECHO_BINARY, name="echo attachment 1 KiB", options={**ECHO_BINARY.options, "size": 1024}
)
ECHO_POLLING: Final = replace(
    ECHO, name="echo polling", options={**ECHO.options, "window": 1}, contenders=PARSERS, transport="polling"
)
BROADCAST: Final = Workload(
    name="broadcast",
    mode="broadcast",
    options={"conns": 500, "size": 64, "seconds": 4},
    quick={"seconds": 1.5},
    figure="rate",
    unit="deliveries/s",
    better="higher",
)
BROADCAST_5000: Final = replace(
    BROADCAST,
    name="broadcast 5,000",
    options={**BROADCAST.options, "conns": 5000},
    quick={"seconds": 1.5, "conns": 2000},
)
CONNECT: Final = Workload(
    name="connect",
    mode="connect",
    options={"conns": 3000},
    quick={"conns": 800},
    figure="rate",
    unit="connections/s",
    better="higher",
    contenders=(PYTHON_SOCKETIO, FASTSIO, FAST, NODE, BARE_ASGI, BARE_FAST, BARE_PICOWS),
)
CONNECT_DEFAULT: Final = replace(
    CONNECT,
    name="connect default",
    options={**CONNECT.options, "at-once": 400, "size": 64},
    contenders=PARSERS,
    transport="upgrade",
)
CONNECT_WORKERS: Final = replace(
    CONNECT_DEFAULT,
    name="connect default, workers",
    saturates=False,  # the processes share two cores with the load
    contenders=(FAST_WORKER, FAST_WORKERS),
)
IDLE: Final = Workload(
    name="idle memory",
    mode="idle",
    options={"conns": 3000},
    quick={"conns": 800},
    figure="kib_per_conn",
    unit="KiB/connection",
    better="lower",
    saturates=False,
)
IDLE_POLLING: Final = replace(IDLE, name="idle memory, polling", contenders=PARSERS, transport="polling")
PACE: Final = Workload(
    name="latency",
    mode="pace",
    options={"conns": 64, "size": 64, "rate": 2000, "seconds": 4},
    quick={"seconds": 1.5},
    figure="p99_ms",
    unit="ms (p99)",
    better="lower",
    saturates=False,
)
PACE_HALF: Final = replace(PACE, name="latency at half of Node.js's peak", contenders=(FAST, NODE), half_of=NODE)
DISCONNECT_HALF: Final = Workload(
    name="disconnect half",
    mode="disconnect",
    options={"conns": 5000},
    quick={"conns": 500},
    figure="seconds",
    unit="s",
    better="lower",
    saturates=False,
)
DISCONNECT: Final = replace(DISCONNECT_HALF, name="disconnect", options={"conns": 10000}, quick={"conns": 1000})

ECHO_RECOVERY: Final = replace(ECHO, name="echo, recovery", contenders=(FASTSIO_RECOVERY, FAST_RECOVERY, NODE_RECOVERY))
BROADCAST_RECOVERY: Final = replace(
    BROADCAST, name="broadcast, recovery", contenders=(FASTSIO_RECOVERY, FAST_RECOVERY, NODE_RECOVERY)
)
RECOVER: Final = Workload(
    name="recover",
    mode="recover",
    options={"conns": 1000, "missed": 100, "size": 64},
    quick={"conns": 300},
    figure="rate",
    unit="connections/s",
    better="higher",
    contenders=(FASTSIO_RECOVERY, FAST_RECOVERY, NODE_RECOVERY),
)

ECHO_THREADS: Final = Workload(
    name="echo threads",
    mode="echo",
    options={"conns": 16, "window": 4, "size": 64, "seconds": 4},
    quick={"seconds": 1.5},
    figure="rate",
    unit="acks/s",
    better="higher",
    contenders=(PYTHON_SOCKETIO_THREADS, FASTSIO_THREADS),
)
BROADCAST_NODES: Final = replace(
    BROADCAST,
    name="broadcast nodes",
    saturates=False,  # what is counted is one of the two servers
    contenders=(PYTHON_SOCKETIO_NODES, FASTSIO_NODES, FAST_NODES, FASTSIO_LOCAL_NODES, FAST_LOCAL_NODES, NODE_NODES),
)
BROADCAST_STREAMS: Final = replace(
    BROADCAST_NODES, name="broadcast nodes, streams", contenders=(FASTSIO_STREAMS, FAST_STREAMS, NODE_STREAMS)
)
GROUP: Final = replace(
    BROADCAST, name="group", path="/ws", contenders=(FASTSIO_CONSUMERS, FASTSIO_TYPED, FAST_CHANNELS, CHANX)
)
GROUP_REDIS: Final = replace(
    GROUP,
    name="group, Redis",
    saturates=False,  # Redis and what waits for it
    contenders=(FASTSIO_CONSUMERS_REDIS, FASTSIO_TYPED_REDIS, FAST_CHANNELS_REDIS, CHANX_REDIS),
)
RECEIVE: Final = Workload(
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
IMPORT: Final = Workload(
    name="import",
    mode="import",
    options={},
    quick={},
    figure="ms",
    unit="ms",
    better="lower",
    saturates=False,
    contenders=(PYTHON_SOCKETIO_IMPORT, FASTSIO_IMPORT),
)

WORKLOADS: Final = (
    ECHO,
    ECHO_4K,
    ECHO_256K,
    ECHO_BINARY,
    ECHO_ATTACHMENT,
    ECHO_POLLING,
    BROADCAST,
    BROADCAST_5000,
    CONNECT,
    CONNECT_DEFAULT,
    CONNECT_WORKERS,
    IDLE,
    IDLE_POLLING,
    PACE,
    PACE_HALF,
    DISCONNECT_HALF,
    DISCONNECT,
    ECHO_RECOVERY,
    BROADCAST_RECOVERY,
    RECOVER,
    ECHO_THREADS,
    BROADCAST_NODES,
    BROADCAST_STREAMS,
    GROUP,
    GROUP_REDIS,
    RECEIVE,
    IMPORT,
)
