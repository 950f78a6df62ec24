"""
Measure fastsio against python-socketio, the JavaScript server and a bare ASGI application.

``python benchmarks/run.py`` measures everything, ``--quick`` takes a fast look. See README.md in this folder.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from harness.contenders import CONTENDERS
from harness.generator import BenchmarkError, Generator, compile_generator
from harness.measure import Settings, measure
from harness.report import document, render
from harness.servers import STOCK_WS, allow_open_files
from harness.targets import judge
from harness.workloads import WORKLOADS

HERE = Path(__file__).resolve().parent
SERVER_CORE = 0
LOAD_CORE = 1
FULL_ROUNDS = 3


def main() -> int:
    """Run the benchmarks; 0 when every measurement was made (and, with ``--check``, every target met)."""
    arguments = parse_arguments()
    settings = Settings(
        rounds=arguments.rounds or (1 if arguments.quick else FULL_ROUNDS),
        quick=arguments.quick,
        server_core=SERVER_CORE,
        ws=arguments.ws,
    )
    allow_open_files()
    generator = Generator(compile_generator(HERE / "load.c", HERE / "build"), LOAD_CORE)
    workloads = [each for each in WORKLOADS if not arguments.workload or each.name in arguments.workload]
    contenders = [each for each in CONTENDERS if not arguments.contender or each.name in arguments.contender]
    results = measure(workloads, contenders, generator, settings, announce)
    announce("")
    path = write(json.dumps(document(results, settings), indent=1), arguments.output)
    print(render(results, quick=settings.quick), f"Written to {path}", sep="\n\n")
    failed = any(each.failures for each in results)
    missed = arguments.check and not all(verdict.met for verdict in judge(results))
    return 1 if failed or missed else 0


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round: a fast look, not a result")
    parser.add_argument("--rounds", type=int, help=f"rounds of each measurement (default {FULL_ROUNDS}; quick: 1)")
    parser.add_argument("--workload", action="append", choices=[each.name for each in WORKLOADS])
    parser.add_argument("--contender", action="append", choices=[each.name for each in CONTENDERS])
    parser.add_argument("--ws", default=STOCK_WS, help="WebSocket implementation of uvicorn (default: %(default)s)")
    parser.add_argument("--output", type=Path, help="JSON file to write (default: results/<time>.json)")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a target is missed")
    return parser.parse_args()


def announce(step: str) -> None:
    """Show on a terminal what is being measured."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{step}")
        sys.stderr.flush()


def write(text: str, path: Path | None) -> Path:
    """Write the results; return where."""
    path = path or HERE / "results" / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")
    return path


if __name__ == "__main__":
    if (os.cpu_count() or 1) <= max(SERVER_CORE, LOAD_CORE):
        sys.exit("two cores are needed, one for the server and one for the load")
    try:
        sys.exit(main())
    except BenchmarkError as error:
        sys.exit(str(error))
