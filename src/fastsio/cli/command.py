"""What a command of the command line is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class Command:
    """
    One command.

    Args:
        name: What is typed.
        summary: One line for the help.
        add_arguments: Declares what may follow the name.
        run: Does it, and returns the exit status. What it raises of fastsio's errors is shown as one line.
        parsing: Options of its ``argparse.ArgumentParser``.
    """

    name: str
    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    parsing: Mapping[str, Any] = field(default_factory=dict)
