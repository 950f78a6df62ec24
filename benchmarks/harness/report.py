"""Turns results into the tables people read and the JSON programs read. It measures nothing."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.targets import judge

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.measure import Series, Settings

PACKAGES = (
    "fastsio",
    "python-socketio",
    "python-engineio",
    "uvicorn",
    "uvloop",
    "httptools",
    "websockets",
    "orjson",
    "pydantic",
)
SATURATED = 0.9


def render(results: Sequence[Series], *, quick: bool) -> str:
    """Return the table of figures, the table of targets and remarks on what makes the figures doubtful."""
    head = ("workload", "clients", "contender", "median", "range", "unit", "server CPU")
    blocks = [_table(head, _figures(results, quick=quick))]
    if verdicts := judge(results):
        rows = [(v.target.label, f"{v.ratio:.2f}", v.target.bound, "met" if v.met else "MISSED") for v in verdicts]
        blocks.append(_table(("ratio", "measured", "target", ""), rows))
    blocks += _remarks(results)
    return "\n\n".join(blocks)


def document(results: Sequence[Series], settings: Settings) -> dict[str, Any]:
    """Return everything about a run as JSON-compatible data."""
    return {
        "environment": environment(),
        "settings": asdict(settings),
        "results": [
            {
                "workload": each.workload.name,
                "contender": each.contender.name,
                "options": each.workload.options_for(quick=settings.quick) | each.found,
                "figure": each.workload.figure,
                "unit": each.workload.unit,
                "better": each.workload.better,
                "median": each.result,
                "rounds": each.rounds,
                "failures": each.failures,
            }
            for each in results
        ],
        "targets": [
            {"label": v.target.label, "ratio": round(v.ratio, 4), "bound": v.target.bound, "met": v.met}
            for v in judge(results)
        ],
    }


def environment() -> dict[str, Any]:
    """Return what the figures depend on: machine, interpreter, packages, revision."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "node": _output("node", "--version"),
        "packages": {name: found for name in PACKAGES if (found := _version(name)) is not None},
        "revision": _output("git", "describe", "--always", "--dirty"),
        "load_average": os.getloadavg()[0],
    }


def _figures(results: Sequence[Series], *, quick: bool) -> Iterator[tuple[str, ...]]:
    for each in results:
        clients = each.workload.options_for(quick=quick).get("conns", 1)
        head = (each.workload.name, _number(clients), each.contender.name)
        if each.result is None:
            yield (*head, "failed", "", "", "")
            continue
        spread = f"{_number(min(each.figures))} - {_number(max(each.figures))}"
        cpu = "" if each.server_cpu is None else f"{each.server_cpu:.0%}"
        yield (*head, _number(each.result), spread, each.workload.unit, cpu)


def _remarks(results: Sequence[Series]) -> list[str]:
    remarks = [f"{e.workload.name}, {e.contender.name}: {e.failures[0]}" for e in results if e.failures]
    starved = sorted({e.workload.name for e in results if e.server_cpu is not None and e.server_cpu < SATURATED})
    if starved:
        names = ", ".join(starved)
        remarks.append(f"The server did not have its core to itself all the time ({names}): take these as rough.")
    return remarks


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"  # noqa: PLR2004 - from there on whole numbers


def _table(head: Sequence[str], rows: Iterator[tuple[str, ...]] | Sequence[tuple[str, ...]]) -> str:
    lines = [tuple(head), *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    lines.insert(1, tuple("-" * width for width in widths))
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def _output(*command: str) -> str | None:
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None
