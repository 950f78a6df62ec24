"""Builds the documentation: ``make docs``."""

# ruff: noqa: INP001 - Sphinx reads this file, nothing imports it
from __future__ import annotations

from importlib.metadata import version as version_of
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.errors import ConfigError

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "fastsio"
author = "the fastsio contributors"
copyright = author  # noqa: A001 - Sphinx's name
release = version = version_of("fastsio")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinxcontrib.mermaid",
]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
# GitHub draws these blocks too, which a directive in braces would not be.
myst_fence_as_directive = ["mermaid"]
# The site draws them without another host: draw_diagrams() below writes the script among its static files.
mermaid_use_local = "mermaid.mjs"
mermaid_fullscreen = False  # its button is a character that many fonts do not have
exclude_patterns = ["_build"]

# The reference: docstrings in the style of Google, types where they are written.
autodoc_class_signature = "separated"
autodoc_default_options = {
    "members": True,
    "inherited-members": "object,dict,str,Exception,BaseModel",
    "show-inheritance": False,
}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_attr_annotations = True
napoleon_use_ivar = True
# Pages are written in Markdown and link to pages; only the generated signatures name types, of which most have no page.
nitpick_ignore_regex = [("py:.*", ".*")]

html_theme = "furo"
html_title = "fastsio"
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_js_files = ["tables.js"]
pygments_dark_style = "github-dark"
html_theme_options = {
    "source_repository": "https://github.com/cicwak/fastsio/",
    "source_branch": "main",
    "source_directory": "docs/",
}
copybutton_exclude = ".linenos, .gp, .go"

#: An npm package of one file, without dependencies.
MERMAID = (
    Path(__file__).parents[1] / "tools" / "site" / "node_modules" / "@mermaid-js" / "tiny" / "dist" / "mermaid.tiny.js"
)


def draw_diagrams(app: Sphinx) -> None:
    """Write the script that draws the diagrams as the module that the pages import."""
    if not MERMAID.is_file():
        raise ConfigError("The script that draws the diagrams is missing: run 'tools/setup_npm.sh tools/site'.")
    code, last, _ = MERMAID.read_text(encoding="utf-8").rpartition('globalThis["mermaid"] = ')
    if not last:
        raise ConfigError(f"{MERMAID} does not end with the name that this file makes an export of.")
    static = Path(app.outdir) / "_static"
    static.mkdir(parents=True, exist_ok=True)
    (static / "mermaid.mjs").write_text(
        f"{code}export default __esbuild_esm_mermaid_nm.mermaid.default;\n", encoding="utf-8"
    )


def setup(app: Sphinx) -> None:
    """Sphinx calls this."""
    app.connect("builder-inited", draw_diagrams)
