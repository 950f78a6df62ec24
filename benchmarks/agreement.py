"""
Compare the load generator with another one that takes the same options.

``python benchmarks/agreement.py OTHER.c`` compiles both, lets them measure the same servers in turn, and prints the
ratio of the medians; it exits with 1 when they differ by more than 10%.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from statistics import median

from harness.contenders import BARE_ASGI, PYTHON_SOCKETIO, Contender
from harness.generator import BenchmarkError, Generator, compile_generator
from harness.servers import STOCK_WS, allow_open_files, serving
from harness.workloads import BROADCAST, CONNECT, ECHO, IDLE, Workload
from run import HERE, LOAD_CORE, SERVER_CORE

TOLERANCE = 0.10
COMPARED = (ECHO, BROADCAST, CONNECT, IDLE)


def main() -> int:
    """Compare the generators; 0 when they agree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="source of the other generator")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each measurement (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="shorter measurements")
    arguments = parser.parse_args()
    allow_open_files()
    ours = Generator(compile_generator(HERE / "load.c", HERE / "build"), LOAD_CORE)
    other = Generator(compile_generator(arguments.other, HERE / "build" / "other"), LOAD_CORE)
    agreed = True
    for contender in (BARE_ASGI, PYTHON_SOCKETIO):
        for workload in COMPARED:
            medians = compare(workload, contender, (ours, other), rounds=arguments.rounds, quick=arguments.quick)
            ratio = medians[0] / medians[1]
            close = abs(ratio - 1) <= TOLERANCE
            agreed = agreed and close
            figures = f"{medians[0]:,.1f} against {medians[1]:,.1f} {workload.unit}"
            print(f"{workload.name}, {contender.name}: {figures}, ratio {ratio:.3f}{'' if close else '  DIFFERS'}")
    return 0 if agreed else 1


def compare(
    workload: Workload, contender: Contender, generators: tuple[Generator, ...], *, rounds: int, quick: bool
) -> list[float]:
    """
    Return the median figure of each generator.

    Both measure one server in turn where it is kept busy, for two processes of the same program may differ by more
    than the generators. Memory that a server keeps would be the second one's gain, so that is measured on fresh ones.
    """
    figures: list[list[float]] = [[] for _ in generators]
    pairs = list(zip(generators, figures, strict=True))
    options = workload.options_for(quick=quick)
    for _ in range(rounds):
        for group in [pairs] if workload.saturates else [[pair] for pair in pairs]:
            with serving(contender, core=SERVER_CORE, load_core=LOAD_CORE, ws=STOCK_WS) as running:
                for generator, taken in group:
                    answer = generator.run(workload.mode, port=running.port, pid=running.pid, options=options)
                    taken.append(float(answer[workload.figure]))
    return [median(taken) for taken in figures]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchmarkError as error:
        sys.exit(str(error))
