"""The page of figures is filled from one run of the benchmarks, by ``benchmarks/page.py``."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
FILLER = SimpleNamespace(**runpy.run_path(str(BENCHMARKS / "page.py")))
HEAD = (
    "| | python-socketio | fastsio | fastsio injected | fastsio fast | fastsio fast injected "
    "| Node.js | bare ASGI | bare picows |"
)


@pytest.fixture
def workloads(monkeypatch: pytest.MonkeyPatch) -> Iterable[Any]:
    """The workloads of the benchmarks."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from harness.workloads import WORKLOADS

    return WORKLOADS


@pytest.fixture
def run(workloads: Iterable[Any]) -> dict[str, Any]:
    """A run in which each figure is one higher than the one before."""
    pairs = [(workload.name, contender.name) for workload in workloads for contender in workload.contenders]
    judged = [
        {"label": "echo: fastsio / python-socketio", "ratio": 3.0, "bound": ">= 2.8", "met": True},
        {"label": "connect: fastsio / python-socketio", "ratio": 1.7, "bound": ">= 1.8", "met": False},
    ]
    where = {
        "cpu": "a CPU",
        "cores": 2,
        "system": "Linux 6",
        "python": "CPython 3.13",
        "node": "v20",
        "revision": "abc",
    }
    return {
        "environment": {**where, "packages": {"uvicorn": "0.54.0"}},
        "settings": {"rounds": 3},
        "results": [
            {"workload": workload, "contender": contender, "median": 1_000.6 + number}
            for number, (workload, contender) in enumerate(pairs)
        ],
        "targets": judged,
    }


def test_each_row_is_measured(run: dict[str, Any]) -> None:
    """By a workload and contenders of those names: python-socketio or fastsio, or all of them."""
    head, _, *rows = FILLER.table(run).splitlines()

    assert head == HEAD
    assert len(rows) == len(FILLER.ROWS)
    measured = {row.split("|")[1].strip(): [cell.strip() != "" for cell in row.split("|")[2:-1]] for row in rows}
    assert [name for name, cells in measured.items() if sum(cells) < 2] == []
    assert all(measured["echoes a second"])
    assert rows[0].startswith("| echoes a second | 1,001 | 1,002 |")


def test_the_text_says_what_was_measured_and_which_targets_were_missed(run: dict[str, Any]) -> None:
    """With the machine, and the ratio of each missed one."""
    assert (
        "medians of 3 alternating rounds of one run of `benchmarks/run.py` at revision abc: a CPU, 2 cores"
        in FILLER.conditions(run)
    )
    assert FILLER.targets(run).splitlines()[0].startswith("The run meets 1 of the 2 targets")
    assert FILLER.targets(run).endswith("- connect: fastsio / python-socketio: 1.70, wanted >= 1.8")


@pytest.mark.parametrize(
    ("figure", "size"), [(113_828.0, 110_000), (34_797.0, 34_000), (915.0, 910), (99.6, 99), (7.2, 7)]
)
def test_sizes_are_rounded_down_to_two_digits(figure: float, size: int) -> None:
    """As the test of the sizes on the page wants them."""
    assert FILLER._floor(figure) == size


@pytest.mark.parametrize(("page", "name"), [("PAGE", "figures"), ("SIZES_PAGE", "sizes")])
def test_each_page_has_one_place_to_fill(page: str, name: str, tmp_path: Path, run: dict[str, Any]) -> None:
    """Filling it twice is filling it once; the rest of the page stays."""
    copy = tmp_path / "page.md"
    before = getattr(FILLER, page).read_text(encoding="utf-8")
    copy.write_text(before, encoding="utf-8")
    text = FILLER.table(run) if name == "figures" else FILLER.sizes(run)

    FILLER.fill(copy, name, text)
    once = copy.read_text(encoding="utf-8")
    FILLER.fill(copy, name, text)

    assert copy.read_text(encoding="utf-8") == once
    assert text in once
    end = f"<!-- end of {name} -->"
    assert (once.partition("<!--")[0], once.partition(end)[2]) == (
        before.partition("<!--")[0],
        before.partition(end)[2],
    )
