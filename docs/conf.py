"""Builds the documentation as a site: `make site`.

Pages are Markdown that GitHub shows too, wherever they lie in the repository. So the
source folder is the repository, and links between files mean the same in both.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import latex2mathml.converter
from docutils import nodes
from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent))

project = "infoscope"
author = "The infoscope developers"
copyright = author

root_doc = "docs/index"
include_patterns = [
    "docs/**",
    "*.md",
    "config/README.md",
    "envs/README.md",
    "profiles/README.md",
]
# Sphinx looks into no folder that is named here.
exclude_patterns = [".*", "benchmarks", "build", "resources", "results", "tests"]

extensions = ["myst_parser", "docstrings", "sphinx.ext.viewcode"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
autodoc_default_options = {"exclude-members": "model_config"}
add_module_names = False
python_maximum_signature_line_length = 80
# Names in backticks become links if they are in the reference.
default_role = "py:obj"
toc_object_entries_show_parents = "hide"

nitpicky = True

html_theme = "furo"
html_title = project
html_extra_path = ["site"]
html_static_path = ["static"]
html_css_files = ["formulas.css"]
html_copy_source = False
html_show_sphinx = False
html_math_renderer = "mathml"
pygments_style = "default"


def visit_math(self: Any, node: nodes.math) -> None:
    """Write a formula as MathML, which needs no script and no font."""
    self.body.append(latex2mathml.converter.convert(node.astext()))
    raise nodes.SkipNode


def visit_displayed_math(self: Any, node: nodes.math_block) -> None:
    """Write a formula of its own line."""
    formula = latex2mathml.converter.convert(node.astext(), display="block")
    self.body.append(f'<div class="formula">{formula}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Register what writes formulas."""
    app.add_html_math_renderer(
        "mathml", (visit_math, None), (visit_displayed_math, None)
    )
