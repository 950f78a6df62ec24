"""
Run Node.js programs from tests.

Owns finding ``node`` and the npm packages, and the conversation with a program that reports one JSON object a line.
A missing program fails the test with one sentence; nothing is skipped.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.waiting import PROGRAM_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TESTS = Path(__file__).resolve().parent.parent


def require_node(*packages: str) -> str:
    """
    Find Node.js and the npm packages a test needs, or fail the test.

    Args:
        packages: Names of packages that must be installed in ``tests/node_modules``.

    Returns:
        The path of the ``node`` program.
    """
    node = shutil.which("node")
    if node is None:
        pytest.fail("The program 'node' is missing: install Node.js 20.19 or newer to run this test.", pytrace=False)
    for package in packages:
        if not (TESTS / "node_modules" / package / "package.json").is_file():
            pytest.fail(f"The npm package '{package}' is missing: run 'tools/setup_npm.sh tests'.", pytrace=False)
    return node


class NodeProgram:
    """A running Node.js program that reports steps, and ends with a result or a failure."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def _report(self) -> dict[str, Any]:
        stdout = self._process.stdout
        assert stdout is not None
        try:
            line = await asyncio.wait_for(stdout.readline(), PROGRAM_S)
        except TimeoutError:
            pytest.fail(f"The Node.js program said nothing for {PROGRAM_S} s.", pytrace=False)
        if not line:
            pytest.fail(f"The Node.js program ended without a result:\n{await self._errors()}", pytrace=False)
        report: dict[str, Any] = json.loads(line)
        if "failure" in report:
            pytest.fail(f"In the Node.js program:\n{report['failure']}", pytrace=False)
        return report

    async def _errors(self) -> str:
        stderr = self._process.stderr
        assert stderr is not None
        return (await stderr.read()).decode()

    async def step(self, name: str) -> Any:
        """Wait until the program says that it reached *name*, which must be its next report; return what it tells."""
        report = await self._report()
        assert report.get("step") == name, f"expected the step {name!r}, got {report}"
        return report["data"]

    async def tell(self, value: Any = None) -> None:
        """Let the program, which waits, go on."""
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(json.dumps(value).encode() + b"\n")
        await stdin.drain()

    async def result(self) -> Any:
        """Wait for the program's end and return its result."""
        report = await self._report()
        assert "result" in report, f"expected the result, got {report}"
        async with asyncio.timeout(PROGRAM_S):
            await self._process.wait()
        return report["result"]


@asynccontextmanager
async def node_program(script: Path, *arguments: str, packages: tuple[str, ...] = ()) -> AsyncIterator[NodeProgram]:
    """Start *script* under Node.js; it is ended with the block if it still runs."""
    process = await asyncio.create_subprocess_exec(
        require_node(*packages),
        str(script),
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=2**24,  # a report is one line, large payloads included
    )
    try:
        yield NodeProgram(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
