"""Sphinx configuration: offline, no outside requests, tables from the record."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_ext"))
sys.path.insert(0, str(HERE.parent / "src"))

from her2 import __version__  # noqa: E402

# the package defines its own month; the unit library says so whenever somebody listens
logging.getLogger("pint.util").setLevel(logging.ERROR)

project = "her2"
author = "The her2 founders"
copyright = "the her2 founders, Apache-2.0"
version = release = __version__
language = "en-GB"
smartquotes = False  # would turn the options of commands into dashes

extensions = ["myst_parser", "sphinxcontrib.bibtex", "mathml", "record_tables", "wrap_names"]
exclude_patterns = ["_build", "Thumbs.db", ".DS_Store"]
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
myst_update_mathjax = False
nitpicky = True

# written by `record_tables` from data/sources before the bibliography is read
bibtex_bibfiles = ["_build/sources.bib"]
bibtex_default_style = "record"
bibtex_reference_style = "label"

# MathML needs neither scripts nor fonts from elsewhere
html_math_renderer = "mathml"
html_theme = "furo"
html_title = f"her2 {version}"
html_static_path = ["_static"]
html_css_files = ["record.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "footer_icons": [],
    "announcement": "Research use only. Not medical advice.",
}
