"""Rules `plot_*`: any figure, as PNG and PDF.

A figure is a module of `figures` with a function `draw`. Its parameters are the spec of
its rule and the inputs of its rule, with the same names. An input is read from a CSV
file if the parameter is a `DataFrame`; a `Path` or `Sequence[Path]` is passed as it is.
"""

from __future__ import annotations

import importlib
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd

from infoscope.figures.style import save
from infoscope.files.tables import read_table


def run(
    spec: Mapping[str, Any], figure: str, files: Mapping[str, Any], output: Path
) -> None:
    """Draw a figure.

    Parameters
    ----------
    spec
        Settings of the figure, from the config.
    figure
        Name of its module in `figures`.
    files
        Input files by the name of the parameter of `draw`.
    output
        PNG file. A PDF file is written beside it.
    """
    # pyplot, which GetDist uses, would otherwise look for a display
    mpl.use("agg")
    draw = importlib.import_module(f"infoscope.figures.{figure}").draw
    hints = typing.get_type_hints(draw)
    arguments = {
        name: read_table(value) if hints[name] is pd.DataFrame else value
        for name, value in files.items()
    }
    save(draw(spec, **arguments), output)
