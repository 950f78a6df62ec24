"""The ratios the project sets itself: the literal table of targets. Nothing here measures anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from harness.contenders import (
    BARE_ASGI,
    CHANX,
    CHANX_REDIS,
    FAST,
    FAST_CHANNELS,
    FAST_CHANNELS_REDIS,
    FAST_INJECTED,
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
    FASTSIO_NODES,
    FASTSIO_RECOVERY,
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
from harness.workloads import (
    BROADCAST,
    BROADCAST_NODES,
    BROADCAST_RECOVERY,
    BROADCAST_STREAMS,
    CONNECT,
    CONNECT_DEFAULT,
    CONNECT_WORKERS,
    DISCONNECT,
    DISCONNECT_HALF,
    ECHO,
    ECHO_ATTACHMENT,
    ECHO_POLLING,
    ECHO_RECOVERY,
    ECHO_THREADS,
    GROUP,
    GROUP_REDIS,
    IDLE,
    IDLE_POLLING,
    IMPORT,
    PACE_HALF,
    RECEIVE,
    RECOVER,
    Workload,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.measure import Series

Side: TypeAlias = tuple[Workload, Contender]


@dataclass(frozen=True, slots=True)
class Target:
    """A bound for the ratio of two results: ``numerator / denominator``."""

    numerator: Side
    denominator: Side
    at_least: float | None = None
    at_most: float | None = None

    @property
    def label(self) -> str:
        """What is compared, for the table."""
        (workload, contender), (other_workload, other) = self.numerator, self.denominator
        if workload is other_workload:
            return f"{workload.name}: {contender.name} / {other.name}"
        if contender is not other:
            return f"{workload.name}: {contender.name} / {other_workload.name}: {other.name}"
        return f"{contender.name}: {workload.name} / {other_workload.name}"

    def met_by(self, ratio: float) -> bool:
        """Tell whether a measured ratio is within the bound."""
        return (self.at_least is None or ratio >= self.at_least) and (self.at_most is None or ratio <= self.at_most)

    @property
    def bound(self) -> str:
        """The bound as the table prints it."""
        return f">= {self.at_least:g}" if self.at_least is not None else f"<= {self.at_most:g}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target and the ratio that was measured for it."""

    target: Target
    ratio: float

    @property
    def met(self) -> bool:
        """Whether the ratio is within the target's bound."""
        return self.target.met_by(self.ratio)


def judge(results: Sequence[Series]) -> list[Verdict]:
    """Return a verdict for every target whose two sides were measured."""
    medians = {(each.workload.name, each.contender.name): each.result for each in results}
    verdicts = []
    for target in TARGETS:
        above, below = (medians.get((side[0].name, side[1].name)) for side in (target.numerator, target.denominator))
        if above is not None and below:
            verdicts.append(Verdict(target, above / below))
    return verdicts


def _between(
    workload: Workload,
    ours: Contender,
    theirs: Contender,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Target:
    return Target((workload, ours), (workload, theirs), at_least, at_most)


TARGETS: Final = (
    _between(ECHO, FASTSIO, PYTHON_SOCKETIO, at_least=2.8),
    _between(ECHO, FASTSIO_INJECTED, FASTSIO, at_least=0.85),
    _between(ECHO, FASTSIO_INJECTED, PYTHON_SOCKETIO, at_least=2),
    _between(ECHO, FAST, NODE, at_least=2),
    _between(ECHO, FAST, PYTHON_SOCKETIO, at_least=6),
    _between(ECHO, FAST_INJECTED, NODE, at_least=1),
    _between(ECHO_ATTACHMENT, FAST, NODE, at_least=1.25),
    _between(ECHO_POLLING, FASTSIO, PYTHON_SOCKETIO, at_least=2),
    _between(ECHO_POLLING, FAST, NODE, at_least=1.1),
    _between(BROADCAST, FASTSIO, PYTHON_SOCKETIO, at_least=4.5),
    _between(BROADCAST, FAST, NODE, at_least=1.4),
    _between(BROADCAST, FAST, PYTHON_SOCKETIO, at_least=7),
    _between(CONNECT, FASTSIO, PYTHON_SOCKETIO, at_least=1.8),
    _between(CONNECT, FAST, NODE, at_least=2.5),
    _between(CONNECT_DEFAULT, FASTSIO, PYTHON_SOCKETIO, at_least=2),
    _between(CONNECT_DEFAULT, FAST, NODE, at_least=2),
    _between(CONNECT_WORKERS, FAST_WORKERS, FAST_WORKER, at_least=1.5),
    _between(IDLE, FASTSIO, PYTHON_SOCKETIO, at_most=0.6),
    _between(IDLE, FASTSIO, BARE_ASGI, at_most=1.2),
    _between(IDLE, FAST, NODE, at_most=0.35),
    _between(IDLE_POLLING, FASTSIO, PYTHON_SOCKETIO, at_most=0.8),
    _between(IDLE_POLLING, FAST, NODE, at_most=0.7),
    _between(PACE_HALF, FAST, NODE, at_most=1),
    _between(DISCONNECT, FASTSIO, PYTHON_SOCKETIO, at_most=1),
    Target((DISCONNECT, FASTSIO), (DISCONNECT_HALF, FASTSIO), at_most=2.5),  # linear would be 2
    Target((ECHO_RECOVERY, FASTSIO_RECOVERY), (ECHO, FASTSIO), at_least=0.8),
    Target((ECHO_RECOVERY, FAST_RECOVERY), (ECHO, FAST), at_least=0.8),
    Target((BROADCAST_RECOVERY, FASTSIO_RECOVERY), (BROADCAST, FASTSIO), at_least=0.8),
    Target((BROADCAST_RECOVERY, FAST_RECOVERY), (BROADCAST, FAST), at_least=0.8),
    _between(RECOVER, FAST_RECOVERY, NODE_RECOVERY, at_least=3),
    _between(ECHO_THREADS, FASTSIO_THREADS, PYTHON_SOCKETIO_THREADS, at_least=1),
    _between(BROADCAST_STREAMS, FAST_STREAMS, NODE_STREAMS, at_least=1),
    _between(BROADCAST_NODES, FASTSIO_NODES, PYTHON_SOCKETIO_NODES, at_least=2.5),
    _between(BROADCAST_NODES, FAST_NODES, NODE_NODES, at_least=1),
    _between(GROUP, FASTSIO_CONSUMERS, FAST_CHANNELS, at_least=1.5),
    _between(GROUP, FASTSIO_TYPED, CHANX, at_least=1.5),
    _between(GROUP_REDIS, FASTSIO_CONSUMERS_REDIS, FAST_CHANNELS_REDIS, at_least=1.5),
    _between(GROUP_REDIS, FASTSIO_TYPED_REDIS, CHANX_REDIS, at_least=1.5),
    _between(RECEIVE, FASTSIO_CLIENT, PYTHON_SOCKETIO_CLIENT, at_least=1.5),
    _between(IMPORT, FASTSIO_IMPORT, PYTHON_SOCKETIO_IMPORT, at_most=1.2),
)
