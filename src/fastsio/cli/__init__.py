"""
The command line: ``fastsio COMMAND``, or ``python -m fastsio COMMAND``.

Parses the arguments and calls the command, which is in :mod:`commands`.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Final

from fastsio import __version__
from fastsio.cli.commands import MAKE, RUN
from fastsio.exceptions import SocketIOError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastsio.cli.commands import Command

__all__ = ["COMMANDS", "main"]

#: Every command, in the order of the help.
COMMANDS: Final[tuple[Command, ...]] = (RUN, MAKE)


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run a command.

    Args:
        arguments: The arguments after the program's name; None is those of the process.

    Returns:
        The exit status: 0, or another number if the command has failed.
    """
    options = _parser().parse_args(arguments)
    try:
        return options.command.run(options)  # type: ignore[no-any-return] # argparse's namespace has no types
    except SocketIOError as error:
        sys.stderr.write(f"fastsio {options.command.name}: {error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fastsio", description="Socket.IO for Python.")
    parser.add_argument("--version", action="version", version=f"fastsio {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        sub = commands.add_parser(command.name, help=command.summary, description=command.summary, **command.parsing)
        command.add_arguments(sub)
        sub.set_defaults(command=command)
    return parser
