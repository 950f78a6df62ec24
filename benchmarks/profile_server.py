"""
Show where a server's time goes while the load keeps it busy.

``python benchmarks/profile_server.py "fastsio fast" --workload echo`` samples the server with py-spy and prints the
functions that most of the time was spent in, and those that most of it was spent below.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from harness.contenders import CONTENDERS, Contender
from harness.generator import BenchmarkError, Generator, compile_generator
from harness.sampling import Sampler, read_stacks
from harness.servers import STOCK_WS, allow_open_files, serving
from harness.workloads import WORKLOADS, Workload
from run import HERE, LOAD_CORE, SERVER_CORE

ROWS = 25


def main() -> int:
    """Profile one contender under one workload."""
    arguments = parse_arguments()
    contender = next(each for each in CONTENDERS if each.name == arguments.contender)
    workload = next(each for each in WORKLOADS if each.name == arguments.workload)
    allow_open_files()
    generator = Generator(compile_generator(HERE / "load.c", HERE / "build"), LOAD_CORE)
    stacks, answer = sample(contender, workload, generator, native=arguments.native)
    print(f"{contender.name}, {workload.name}: {answer:,.0f} {workload.unit} while sampled")
    print(render("function itself", own_time(stacks)), render("with what it calls", all_time(stacks)), sep="\n\n")
    return 0


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    served = [each.name for each in CONTENDERS if each.runner in {"uvicorn", "python"}]
    parser.add_argument("contender", choices=served)
    parser.add_argument("--workload", default="echo", choices=[each.name for each in WORKLOADS])
    parser.add_argument("--native", action="store_true", help="name C functions too (py-spy --native)")
    return parser.parse_args()


def sample(
    contender: Contender, workload: Workload, generator: Generator, *, native: bool
) -> tuple[Counter[tuple[str, ...]], float]:
    """Run the load once and return the sampled stacks, outermost function first, and what the load measured."""
    options: dict[str, float | str] = {**workload.options, "event": contender.event, "transport": workload.transport}
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(contender, core=SERVER_CORE, load_core=LOAD_CORE, ws=STOCK_WS) as running,
    ):
        with Sampler(running.pid, Path(folder) / "stacks", core=LOAD_CORE, native=native) as sampler:
            answer = generator.run(workload.mode, port=running.port, pid=running.pid, options=options | running.options)
        return read_stacks(sampler.path), float(answer[workload.figure])


def own_time(stacks: Counter[tuple[str, ...]]) -> Counter[str]:
    """Count the samples by the innermost function."""
    counted: Counter[str] = Counter()
    for stack, samples in stacks.items():
        counted[stack[-1]] += samples
    return counted


def all_time(stacks: Counter[tuple[str, ...]]) -> Counter[str]:
    """Count the samples by every function that was on the stack."""
    counted: Counter[str] = Counter()
    for stack, samples in stacks.items():
        for function in set(stack):
            counted[function] += samples
    return counted


def render(title: str, counted: Counter[str]) -> str:
    """Return the top of a count as a table."""
    total = max(counted.total() if title == "function itself" else max(counted.values(), default=1), 1)
    lines = [f"{samples / total:7.1%}  {function}" for function, samples in counted.most_common(ROWS)]
    return "\n".join([title, *lines])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchmarkError as error:
        sys.exit(str(error))
