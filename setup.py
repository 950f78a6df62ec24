"""
What ``pyproject.toml`` cannot say: an extra under the name that its users write.

setuptools writes the name of an extra with a hyphen for each underscore. pip before 23.3, which CPython 3.11 brings,
does not: it looks for ``asyncio_client``, the name that python-socketio's extra has, and installs nothing. So the
metadata has that name beside the other one; newer versions of pip take both for the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from setuptools import setup
from setuptools.command.egg_info import egg_info

WRITTEN: Final = "asyncio_client"
NORMALISED: Final = "asyncio-client"


class EggInfo(egg_info):
    """Writes the metadata, which wheels are given as it is."""

    def run(self) -> None:
        """Repeat what the metadata says of the extra, under the other name."""
        super().run()
        metadata = Path(self.egg_info, "PKG-INFO")
        head, blank, text = metadata.read_text(encoding="utf-8").partition("\n\n")
        repeated = [line.replace(NORMALISED, WRITTEN) for line in head.splitlines() if NORMALISED in line]
        metadata.write_text("\n".join([head, *repeated]) + blank + text, encoding="utf-8")


setup(cmdclass={"egg_info": EggInfo})
