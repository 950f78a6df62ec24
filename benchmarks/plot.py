"""
Draw the results of a run.

``python benchmarks/plot.py results/<time>.json --output figures.svg`` draws a panel for each workload: the median of
each contender, and the range of its rounds.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

COLUMNS = 2
PANEL_INCHES = (5.2, 2.3)
OURS = "#2a6f97"
OTHERS = "#b8b8b8"


def main() -> None:
    """Draw one file of results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="JSON file that run.py wrote")
    parser.add_argument("--output", type=Path, required=True, help="picture to write; its suffix says of what kind")
    arguments = parser.parse_args()
    document = json.loads(arguments.results.read_text(encoding="utf-8"))
    draw(document).savefig(arguments.output, metadata={"Date": None} if arguments.output.suffix == ".svg" else None)


def draw(document: dict[str, Any]) -> Figure:
    """Return the picture of a run's results."""
    panels: dict[str, list[dict[str, Any]]] = {}
    for result in document["results"]:
        if result["median"] is not None:
            panels.setdefault(result["workload"], []).append(result)
    rows = math.ceil(len(panels) / COLUMNS)
    figure = Figure(figsize=(COLUMNS * PANEL_INCHES[0], rows * PANEL_INCHES[1]), layout="constrained")
    for number, (workload, results) in enumerate(panels.items(), start=1):
        draw_panel(figure.add_subplot(rows, COLUMNS, number), workload, results)
    return figure


def draw_panel(axes: Any, workload: str, results: list[dict[str, Any]]) -> None:
    """Draw the contenders of one workload, the first of the table on top."""
    results = [*reversed(results)]
    names = [result["contender"] for result in results]
    medians = [result["median"] for result in results]
    figures = [[answer[result["figure"]] for answer in result["rounds"]] for result in results]
    spread = [
        [median - min(taken) for median, taken in zip(medians, figures, strict=True)],
        [max(taken) - median for median, taken in zip(medians, figures, strict=True)],
    ]
    colours = [OURS if name.startswith("fastsio") else OTHERS for name in names]
    axes.barh(names, medians, xerr=spread, color=colours, error_kw={"elinewidth": 0.8, "capsize": 2})
    first = results[0]
    axes.set_title(f"{workload} ({first['unit']}, {first['better']} is better)", fontsize=9, loc="left")
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main()
