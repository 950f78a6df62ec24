"""
Runs workloads: every round asks each contender once, in turn, each application on a fresh server.

Contenders of one application share its server and take short turns: two processes of the same program, or two moments
of the same machine, differ by more than what is compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from statistics import median
from typing import TYPE_CHECKING, Any

from harness.generator import BenchmarkError, Generator
from harness.importing import import_time
from harness.receiving import receive
from harness.servers import Running, serving
from harness.workloads import ECHO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from harness.contenders import Contender
    from harness.workloads import Workload


#: Turns that contenders of one application take in a round.
SLICES = 4


@dataclass(slots=True)
class Series:
    """What one contender achieved in one workload, round by round."""

    workload: Workload
    contender: Contender
    found: dict[str, float] = field(default_factory=dict)  # options that only the run itself can tell
    rounds: list[dict[str, Any]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def figures(self) -> list[float]:
        """The workload's figure of each round."""
        return [float(answer[self.workload.figure]) for answer in self.rounds]

    @property
    def result(self) -> float | None:
        """The median of the rounds; None when a round failed or none was run."""
        return median(self.figures) if self.rounds and not self.failures else None

    @property
    def server_cpu(self) -> float | None:
        """The smallest share of a core the server had in a round; None where that says nothing."""
        shares = [answer["server_cpu"] for answer in self.rounds if "server_cpu" in answer]
        return min(shares) if shares and self.workload.saturates else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a run is made."""

    rounds: int
    quick: bool
    server_core: int
    ws: str


def measure(
    workloads: Iterable[Workload],
    contenders: Iterable[Contender],
    generator: Generator,
    settings: Settings,
    announce: Callable[[str], None],
) -> list[Series]:
    """Run every workload on those of its contenders that were asked for."""
    chosen = set(contenders)
    results: list[Series] = []
    for workload in workloads:
        series = [Series(workload, contender) for contender in workload.contenders if contender in chosen]
        if series and workload.half_of is not None:
            announce(f"{workload.name}: looking for the rate")
            found: dict[str, float] = {"rate": round(peak(workload.half_of, results, generator, settings) / 2)}
            series = [Series(each.workload, each.contender, found) for each in series]
        for number in range(1, settings.rounds + 1):
            for _, group in groupby(series, key=lambda each: each.contender.process):
                turn = list(group)
                names = ", ".join(each.contender.name for each in turn)
                announce(f"{workload.name}: {names}, round {number} of {settings.rounds}")
                run_round(turn, generator, settings)
        results += series
    return results


def peak(contender: Contender, results: Iterable[Series], generator: Generator, settings: Settings) -> float:
    """Return how many acks a second a contender has achieved in this run; asked for now if it was not yet."""
    for each in results:
        if each.workload is ECHO and each.contender is contender and each.result is not None:
            return each.result
    now = Series(ECHO, contender)
    run_round([now], generator, settings)
    if now.result is None:
        raise BenchmarkError(f"{contender.name}: {now.failures[0]}")
    return now.result


def run_round(turn: list[Series], generator: Generator, settings: Settings) -> None:
    """Measure each series once on one server; a series that failed is not run again."""
    turn = [each for each in turn if not each.failures]
    if not turn:
        return
    contender = turn[0].contender
    try:
        if contender.runner in {"client", "import"}:
            for each in turn:
                each.rounds.append(run_alone(each, generator, settings))
            return
        with serving(contender, core=settings.server_core, load_core=generator.core, ws=settings.ws) as running:
            slices = SLICES if len(turn) > 1 else 1
            for _ in range(slices):
                for each in turn:
                    each.rounds.append(run_one(each, running, generator, settings, slices))
    except BenchmarkError as error:
        for each in turn:
            each.failures.append(str(error))


def run_alone(series: Series, generator: Generator, settings: Settings) -> dict[str, Any]:
    """Measure once what is no server."""
    if series.contender.runner == "import":
        return import_time(series.contender, core=settings.server_core)
    events = int(series.workload.options_for(quick=settings.quick)["events"])
    return receive(series.contender, events=events, core=settings.server_core, load_core=generator.core)


def run_one(series: Series, running: Running, generator: Generator, settings: Settings, slices: int) -> dict[str, Any]:
    """Run the load of one series once, for its share of the time."""
    workload = series.workload
    options: dict[str, float | str] = {**workload.options_for(quick=settings.quick), **series.found, **running.options}
    if workload.path is not None:
        options["path"] = workload.path
    if workload.transport != "websocket":
        options["transport"] = workload.transport
    if workload.mode in {"echo", "pace"}:
        options["event"] = series.contender.event
        options["seconds"] = max(1.0, float(options["seconds"]) / slices)
    return generator.run(workload.mode, port=running.port, pid=running.pid, options=options)
