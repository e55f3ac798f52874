"""Configuration of the documentation: Sphinx with MyST, and reference pages from the code."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import dcsim

project = "dcsim"
author = "the dcsim maintainers"
version = release = dcsim.__version__

extensions = ["myst_parser", "generated"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = "dcsim"

# Links to files of the repository outside docs/ are for readers of the sources.
suppress_warnings = ["myst.xref_missing"]
