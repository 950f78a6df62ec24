"""Runs workloads: every round asks each contender once, in turn, each on a fresh server."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

from harness.generator import BenchmarkError, Generator
from harness.servers import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from harness.workloads import Contender, Workload


@dataclass(slots=True)
class Series:
    """What one contender achieved in one workload, round by round."""

    workload: Workload
    contender: Contender
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
        for number in range(1, settings.rounds + 1):
            for each in series:
                announce(f"{workload.name}: {each.contender.name}, round {number} of {settings.rounds}")
                run_round(each, generator, settings)
        results += series
    return results


def run_round(series: Series, generator: Generator, settings: Settings) -> None:
    """Measure once and add what came of it to the series; a series that failed is not run again."""
    if series.failures:
        return
    workload, contender = series.workload, series.contender
    options: dict[str, float | str] = {**workload.options_for(quick=settings.quick)}
    if workload.mode in {"echo", "pace"}:
        options["event"] = contender.event
    try:
        with serving(contender.app, core=settings.server_core, ws=settings.ws) as (port, pid):
            series.rounds.append(generator.run(workload.mode, port=port, pid=pid, options=options))
    except BenchmarkError as error:
        series.failures.append(str(error))
