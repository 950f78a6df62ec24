"""
Fill the documentation with the figures of one run.

``python benchmarks/page.py`` takes the newest file of ``results/``, or the one that it is given. It writes the table,
how it was measured and the targets into ``docs/explanation/performance.md``, the sizes into
``docs/howto/containers.md``, and draws ``docs/explanation/figures.svg``. The run must have measured everything:
``python benchmarks/run.py``.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent / "docs"
PAGE = DOCS / "explanation" / "performance.md"
PICTURE = DOCS / "explanation" / "figures.svg"
SIZES_PAGE = DOCS / "howto" / "containers.md"
#: The columns of the table.
COLUMNS: Final = (
    "python-socketio",
    "fastsio",
    "fastsio injected",
    "fastsio fast",
    "fastsio fast injected",
    "Node.js",
    "bare ASGI",
    "bare picows",
)
WHOLE_FROM: Final = 100


@dataclass(frozen=True, slots=True)
class Row:
    """
    A row of the table.

    Args:
        name: What it says.
        workload: Whose results it has.
        contenders: Of columns whose contender has another name.
    """

    name: str
    workload: str
    contenders: dict[str, str] = field(default_factory=dict)


def _each(words: str) -> dict[str, str]:
    """Return the contenders whose names are those of the columns and some words."""
    return {column: f"{column} {words}" for column in COLUMNS}


ROWS: Final = (
    Row("echoes a second", "echo"),
    Row("echoes with an attachment of 1 KiB a second", "echo attachment 1 KiB"),
    Row("echoes over long-polling a second, a POST and a GET each", "echo polling"),
    Row("echoes a second, servers for threads", "echo threads", _each("threads")),
    Row("deliveries a second, 500 clients", "broadcast"),
    Row("deliveries a second, 5,000 clients", "broadcast 5,000"),
    Row("deliveries a second, two servers on one Redis", "broadcast nodes", _each("nodes")),
    Row("connections a second", "connect"),
    Row("connections a second, the default way: polling and an upgrade", "connect default"),
    Row("clients a second that come back with 100 missed events", "recover", _each("recovery")),
    Row("KiB a connection", "idle memory"),
    Row("KiB a session that polls", "idle memory, polling"),
    Row("p99 in ms at half of Node.js's peak", "latency at half of Node.js's peak"),
)


@dataclass(frozen=True, slots=True)
class Size:
    """A row of the sizing table: a figure rounded to the safe side, of the fast transport and of stock uvicorn."""

    name: str
    workload: str
    unit: str = ""


SIZES: Final = (
    Size("memory, per idle WebSocket", "idle memory", " KiB"),
    Size("events with acknowledgement, a second and core", "echo"),
    Size("deliveries of a broadcast to 500, a second and core", "broadcast"),
    Size("new WebSocket connections, a second and core", "connect"),
)


def main() -> None:
    """Write the pages and draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="?", help="JSON file that run.py wrote (default: the newest)")
    results: Path = parser.parse_args().results or max((HERE / "results").glob("*.json"))
    document = json.loads(results.read_text(encoding="utf-8"))
    missing = [row.workload for row in (*ROWS, *SIZES) if not any(_row_of(document, row))]
    if missing:
        sys.exit(f"{results} has no results of: {', '.join(missing)}")
    fill(PAGE, "figures", "\n\n".join((table(document), conditions(document), targets(document))))
    fill(SIZES_PAGE, "sizes", sizes(document))
    draw(document)
    print(f"Written from {results}: {PAGE}, {SIZES_PAGE}, {PICTURE}")


def draw(document: dict[str, Any]) -> None:
    """Draw the results that the table has."""
    shown = {row.workload for row in ROWS}
    results = [each for each in document["results"] if each["workload"] in shown]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "results.json"
        source.write_text(json.dumps({**document, "results": results}), encoding="utf-8")
        subprocess.run([sys.executable, HERE / "plot.py", source, "--output", PICTURE], check=True)


def fill(page: Path, name: str, text: str) -> None:
    """Replace what stands between the two comments of a name."""
    filled, count = re.subn(
        rf"(?s)(<!-- {name}: .*? -->\n).*(<!-- end of {name} -->)",
        lambda found: f"{found[1]}\n{text}\n\n{found[2]}",
        page.read_text(encoding="utf-8"),
    )
    if count != 1:
        sys.exit(f"{page} has not one place for {name}")
    page.write_text(filled, encoding="utf-8")


def table(document: dict[str, Any]) -> str:
    """Return the table of figures."""
    rows = [(row.name, *(_written(figure) for figure in _row_of(document, row))) for row in ROWS]
    return _markdown(("", *COLUMNS), rows)


def conditions(document: dict[str, Any]) -> str:
    """Return the sentence on how the figures were measured."""
    where, packages = document["environment"], document["environment"]["packages"]
    rounds = document["settings"]["rounds"]
    return (
        f"The figures are medians of {rounds} alternating rounds of one run of `benchmarks/run.py` at revision "
        f"{where['revision']}: {where['cpu']}, {where['cores']} cores, {where['system']}, {where['python']}, uvicorn "
        f"{packages['uvicorn']}, Node.js {where['node']}. The server had one core, the load another."
    )


def targets(document: dict[str, Any]) -> str:
    """Return which of the project's targets the run has met."""
    judged = document["targets"]
    missed = [f"{each['label']}: {each['ratio']:.2f}, wanted {each['bound']}" for each in judged if not each["met"]]
    met = f"The run meets {len(judged) - len(missed)} of the {len(judged)} targets of `benchmarks/harness/targets.py`"
    return f"{met}." if not missed else f"{met}. Missed are:\n\n" + "\n".join(f"- {each}" for each in missed)


def sizes(document: dict[str, Any]) -> str:
    """Return the sizing table."""
    rows = []
    for size in SIZES:
        cells = []
        for contender in ("fastsio fast", "fastsio"):
            figure = _median(document, size.workload, contender)
            rounded = math.ceil(figure) if size.unit else _floor(figure)
            cells.append(f"{rounded:,}{size.unit}")
        rows.append((size.name, *cells))
    return _markdown(("what", "with `fastsio run`", "with uvicorn"), rows)


def _floor(figure: float) -> int:
    """Round down to two digits."""
    step = 10 ** max(len(str(int(figure))) - 2, 0)
    return int(figure) // step * step


def _row_of(document: dict[str, Any], row: Row | Size) -> Iterator[float | None]:
    contenders = row.contenders if isinstance(row, Row) else {}
    for column in COLUMNS:
        yield _median(document, row.workload, contenders.get(column, column))


def _median(document: dict[str, Any], workload: str, contender: str) -> Any:
    for result in document["results"]:
        if (result["workload"], result["contender"]) == (workload, contender):
            return result["median"]
    return None


def _written(figure: float | None) -> str:
    if figure is None:
        return ""
    return f"{figure:,.0f}" if figure >= WHOLE_FROM else f"{figure:.1f}"


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("|" + "".join(f" {cell} |" if cell else " |" for cell in cells) for cells in lines)


if __name__ == "__main__":
    main()
