"""Builds the documentation: ``make docs``."""

# ruff: noqa: INP001 - Sphinx reads this file, nothing imports it
from __future__ import annotations

from importlib.metadata import version as version_of

from pygments.lexers.special import TextLexer
from sphinx.highlighting import lexers

project = "fastsio"
author = "the fastsio contributors"
copyright = author  # noqa: A001 - Sphinx's name
release = version = version_of("fastsio")

extensions = ["myst_parser"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "fastsio"

# GitHub draws the diagrams; here they are read as they are written.
lexers["mermaid"] = TextLexer()
